"""The networks: small 2.5-D U-Nets that work at half the pixel grid inside.

Neighbouring slices come in, the middle one's classes come out. Pixels are folded 2 x 2 into
channels at the door and unfolded at the exit (space to depth), so that outlines are drawn on the
full grid while the convolutions run on a quarter of the pixels: that is what makes two cores
enough.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from mri_resorb.segment.close_up import SHAPE

CLASSES = 5  # background, vertebra, disc, canal, sacrum
SLICES = 3
CHANNELS = (32, 64, 96, 128, 160)
"""From the finest grid to the coarsest."""
CLOSE_UP_CHANNELS = (48, 96, 144, 192, 240)
"""A close-up is small, so a larger network costs little."""


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class AnatomyNetwork(nn.Module):
    """(batch, 3 slices, rows, columns) intensities to (batch, 5, rows, columns) logits.

    Rows and columns must be multiples of 32.
    """

    def __init__(self, planes: int = SLICES, channels: tuple[int, ...] = CHANNELS) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.down = nn.ModuleList()
        inputs = planes * 4
        for outputs in channels:
            self.down.append(
                nn.Sequential(_convolution(inputs, outputs), _convolution(outputs, outputs))
            )
            inputs = outputs
        self.up = nn.ModuleList()
        for outputs in reversed(channels[:-1]):
            self.up.append(
                nn.Sequential(
                    _convolution(inputs + outputs, outputs), _convolution(outputs, outputs)
                )
            )
            inputs = outputs
        self.head = nn.Conv2d(inputs, CLASSES * 4, 1)
        self.unfold = nn.PixelShuffle(2)

    def forward(self, slices: Tensor) -> Tensor:
        """Logits of the middle slice."""
        return self._outlined(self.fold(slices))

    def _outlined(self, x: Tensor) -> Tensor:
        skipped = []
        for block in self.down[:-1]:
            x = block(x)
            skipped.append(x)
            x = nn.functional.max_pool2d(x, 2)
        x = self.down[-1](x)
        for block in self.up:
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, skipped.pop()], dim=1))
        return self.unfold(self.head(x))


class CloseUpNetwork(AnatomyNetwork):
    """(batch, 6, 128, 96) to (batch, 5, 128, 96) logits: five slices, and how far to the side.

    A close-up always shows the same place, so what is expected where is learned as a picture that
    is added to the slices.
    """

    def __init__(self, channels: tuple[int, ...] = CLOSE_UP_CHANNELS) -> None:
        super().__init__(planes=6, channels=channels)
        self.place = nn.Parameter(torch.zeros(1, 6 * 4, SHAPE[0] // 2, SHAPE[1] // 2))

    def forward(self, slices: Tensor) -> Tensor:
        """Logits of the middle slice."""
        return self._outlined(self.fold(slices) + self.place)

    @classmethod
    def beginning_as(cls, network: AnatomyNetwork) -> CloseUpNetwork:
        """Start from a trained anatomy network: the inner three slices mean what they did."""
        made = cls(CHANNELS)
        state = network.state_dict()
        first = "down.0.0.0.weight"
        theirs = state.pop(first)
        made.load_state_dict(state, strict=False)
        with torch.no_grad():
            mine = made.get_parameter(first)
            mine.zero_()
            mine[:, 4 : 4 + theirs.shape[1]] = theirs
        return made


def averaged_network(checkpoint: Path, *, close_up: bool) -> AnatomyNetwork:
    """The network with the moving average of its weights, for inference."""
    state = torch.load(checkpoint)["averaged"]
    channels = channels_of(state)
    network = CloseUpNetwork(channels) if close_up else AnatomyNetwork(channels=channels)
    averaged = torch.optim.swa_utils.AveragedModel(network, use_buffers=True)
    averaged.load_state_dict(state)
    network.load_state_dict(averaged.module.state_dict())
    return network.eval()


def channels_of(state: dict[str, Tensor]) -> tuple[int, ...]:
    """Of a network or its moving average, from the finest grid to the coarsest."""
    return tuple(
        len(values)
        for name, values in state.items()
        if name.removeprefix("module.").startswith("down.") and name.endswith(".1.0.weight")
    )
