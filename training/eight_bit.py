"""Turn a trained network into the 8-bit one that the package ships.

    python -m training.eight_bit --data SPIDER_FOLDER --implants FOLDER --checkpoint FILE \
        --output mri_resorb/segment/weights/anatomy.onnx
    python -m training.eight_bit --close-up ... --output mri_resorb/segment/weights/close_up.onnx

The reach of what passes between layers is taken from some batches of the training; nothing is
trained. How far the rounded network then is from the unrounded one is printed.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor

from training.integer_graph import as_onnx
from training.network import averaged_network
from training.rounding import EightBit
from training.train import pool_without_fold, slices_drawn

_BATCHES_WATCHED, _BATCHES_COMPARED = 40, 12
_MOST_APART = 0.001
"""Mean difference of an occupancy between file and network: roundings may fall the other way."""


def main() -> None:
    """Read the command line, round, compare and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--implants", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leave-out-fold", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--close-up", action="store_true", help="it is of the one for single discs")
    chosen = parser.parse_args()
    torch.set_flush_denormal(True)  # numbers next to 0 slow convolutions
    cv2.setNumThreads(1)
    pool = pool_without_fold(
        chosen.leave_out_fold, data=chosen.data, implants=chosen.implants, close_up=chosen.close_up
    )
    unrounded = averaged_network(chosen.checkpoint, close_up=chosen.close_up)
    rounded = EightBit(averaged_network(chosen.checkpoint, close_up=chosen.close_up))
    rng = np.random.default_rng(chosen.seed)
    with torch.no_grad():
        for _ in range(_BATCHES_WATCHED):
            rounded(slices_drawn(pool, rng))
        rounded.watch(False)
        content = as_onnx(rounded).SerializeToString()
        _check(content, rounded, slices_drawn(pool, rng)[:1])
        for name, share in zip(
            ("difference", "volume"),
            _apart(unrounded, rounded, [slices_drawn(pool, rng) for _ in range(_BATCHES_COMPARED)]),
            strict=True,
        ):
            print(f"{name}, % of background and each structure:", np.round(100 * share, 2))
    beside = chosen.output.with_suffix(".part")
    beside.write_bytes(content)
    beside.rename(chosen.output)
    print(f"{len(content) / 1e6:.1f} MB  SHA-256 {hashlib.sha256(content).hexdigest()}")


def _check(content: bytes, network: EightBit, slices: Tensor) -> None:
    """Hold what ONNX Runtime makes of the file against the rounded network.

    Raises:
        ValueError: they differ by more than roundings that fall the other way.
    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"slices": slices.numpy()})
    apart = torch.from_numpy(logits).softmax(1) - network(slices).softmax(1)
    if float(apart.abs().mean()) > _MOST_APART:
        raise ValueError("The file does not say what the rounded network says.")


def _apart(
    unrounded: torch.nn.Module, rounded: EightBit, batches: list[Tensor]
) -> tuple[np.ndarray, np.ndarray]:
    """Absolute and signed difference of the classes' occupancies over their sum, (classes,)."""
    absolute, signed, total = (np.zeros(5) for _ in range(3))
    for slices in batches:
        true = unrounded(slices).softmax(1)
        apart = rounded(slices).softmax(1) - true
        absolute += apart.abs().sum((0, 2, 3)).numpy()
        signed += apart.sum((0, 2, 3)).numpy()
        total += true.sum((0, 2, 3)).numpy()
    return absolute / total, signed / total


if __name__ == "__main__":
    main()
