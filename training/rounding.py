"""A network in 8-bit arithmetic: small integers for weights and for what passes between layers.

Weights have seven bits: then no processor's 8-bit arithmetic overflows, and all say the same. The
first and the last convolution are not rounded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.network import AnatomyNetwork, CloseUpNetwork

WEIGHT_LEVELS = 63
ACTIVATION_LEVELS = 255
_INSIDE = 0.9999
"""Share of the activations that the 8 bits reach; larger ones are cut off."""


class Rounded(nn.Module):
    """Activations of 0 and more in steps of `step`."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Buffer(torch.tensor(0.0))
        self.watching = True

    def forward(self, values: Tensor) -> Tensor:
        """The values, rounded; while watching, as they are."""
        values = values.float()
        if self.watching:
            reach = torch.quantile(values.flatten()[::7].clamp(min=0), _INSIDE)
            self.step.copy_(torch.maximum(self.step, reach / ACTIVATION_LEVELS))
            return values
        return torch.fake_quantize_per_tensor_affine(
            values, float(self.step), 0, 0, ACTIVATION_LEVELS
        )


def weight_steps(weight: Tensor) -> Tensor:
    """By which weights (outputs, inputs, rows, columns) are rounded, one for each output."""
    return weight.detach().abs().amax(dim=(1, 2, 3)).clamp(min=1e-8) / WEIGHT_LEVELS


class EightBit(nn.Module):
    """A trained network in the arithmetic of the 8-bit one (see `training.network`)."""

    def __init__(self, network: AnatomyNetwork) -> None:
        super().__init__()
        network = network.eval()
        self.place = network.place if isinstance(network, CloseUpNetwork) else None
        self.convolutions = nn.ModuleList(
            fuse_conv_bn_eval(part[0], part[1])
            for block in [*network.down, *network.up]
            for part in block
        )
        self.head = network.head
        depth = len(network.down)
        # What is joined is rounded alike: the skipped and the one from below.
        joined = [Rounded() for _ in range(depth - 1)]
        last = [*joined, joined[-1], *reversed(joined[:-1]), Rounded()]
        self.rounded = nn.ModuleList(step for block_end in last for step in (Rounded(), block_end))

    def forward(self, slices: Tensor) -> Tensor:
        """Logits of the middle slice."""
        x = nn.functional.pixel_unshuffle(slices, 2)
        if self.place is not None:
            x = x + self.place
        skipped = []
        blocks = len(self.rounded) // 2
        for block in range(blocks):
            if 0 < block <= blocks // 2:
                skipped.append(x)
                x = nn.functional.max_pool2d(x, 2)
            elif block > blocks // 2:
                x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
                x = torch.cat([x, skipped.pop()], dim=1)
            for k in (2 * block, 2 * block + 1):
                x = self.rounded[k](nn.functional.relu(self._convolved(x, k)))
        return nn.functional.pixel_shuffle(self.head(x), 2)

    def _convolved(self, x: Tensor, k: int) -> Tensor:
        convolution = self.convolutions[k]
        weight = convolution.weight
        if k and not self.rounded[k].watching:
            weight = torch.fake_quantize_per_channel_affine(
                weight,
                weight_steps(weight),
                torch.zeros(len(weight)),
                0,
                -WEIGHT_LEVELS,
                WEIGHT_LEVELS,
            )
        return nn.functional.conv2d(x, weight, convolution.bias, padding=1)

    def watch(self, watching: bool) -> None:
        """Learn the reach of the activations, or round them."""
        for step in self.rounded:
            step.watching = watching
