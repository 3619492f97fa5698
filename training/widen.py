"""Make a trained close-up network wider: it says what it said, and can learn more.

    python -m training.widen --checkpoint close_up.pt --output wide.pt

Each new channel begins as the copy of an old one; what came from the old one now comes from both,
in unequal parts, so that they learn apart (Net2Net: Chen et al., 2016, arXiv 1511.05641).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from training.network import CLOSE_UP_CHANNELS, CloseUpNetwork, averaged_network
from training.train import averaging, optimiser_of, save

_APART = 0.02
"""Copies' weights differ by this much of a weight's standard deviation."""


def widened(narrow: CloseUpNetwork, *, channels: tuple[int, ...], seed: int = 0) -> CloseUpNetwork:
    """A network of more channels that says the same, but for `_APART`."""
    rng = torch.Generator().manual_seed(seed)
    wide = CloseUpNetwork(channels)
    with torch.no_grad():
        wide.place.copy_(narrow.place)
        came = torch.arange(narrow.place.shape[1])
        skipped = []
        for block, wider in zip(narrow.down, wide.down, strict=True):
            came = _block(block, wider, came, rng)
            skipped.append(came)
        skipped.pop()  # the coarsest is joined to nothing
        for block, wider in zip(narrow.up, wide.up, strict=True):
            came = _block(block, wider, _joined(came, skipped.pop()), rng)
        wide.head.weight.copy_(_shared_out(narrow.head.weight, came, rng))
        wide.head.bias.copy_(narrow.head.bias)
    return wide


def _joined(below: Tensor, skipped: Tensor) -> Tensor:
    return torch.cat([below, skipped + int(below.max()) + 1])


def _block(
    narrow: nn.Sequential, wide: nn.Sequential, came: Tensor, rng: torch.Generator
) -> Tensor:
    for layer, wider in zip(narrow, wide, strict=True):
        came = _layer(layer, wider, came, rng)
    return came


def _layer(
    narrow: nn.Sequential, wide: nn.Sequential, came: Tensor, rng: torch.Generator
) -> Tensor:
    """Fill one convolution with its normalisation; returns which old channel each new one is."""
    old, new = len(narrow[0].weight), len(wide[0].weight)
    copied = torch.randperm(old, generator=rng)
    is_of = torch.cat([torch.arange(old), copied.repeat(new // old + 1)[: new - old]])
    weight = _shared_out(narrow[0].weight[is_of], came, rng)
    noise = torch.randn(weight.shape, generator=rng) * _APART * weight.std()
    wide[0].weight.copy_(weight + noise)
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(wide[1], name).copy_(getattr(narrow[1], name)[is_of])
    return is_of


def _shared_out(weight: Tensor, came: Tensor, rng: torch.Generator) -> Tensor:
    """Weights of old inputs, dealt out in random parts to the channels that copy them."""
    part = 0.5 + torch.rand(len(came), generator=rng)
    total = torch.zeros(int(came.max()) + 1).index_add_(0, came, part)
    return weight[:, came] * (part / total[came])[:, None, None]


def main() -> None:
    """Read the command line and write the wider network's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args()
    narrow = averaged_network(chosen.checkpoint, close_up=True)
    assert isinstance(narrow, CloseUpNetwork)
    wide = widened(narrow, channels=CLOSE_UP_CHANNELS)
    save(chosen.output, wide, averaging(wide), optimiser_of(wide, 1e-3), step=0)


if __name__ == "__main__":
    main()
