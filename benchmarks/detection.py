"""The smallest fragment told from none, by the distance of the slices: what geometry alone allows.

    python -m benchmarks.detection [--shapes 1500]

Herniations of the training's shapes that reach more than 2.5 mm behind the boundary are cut into
slices that fall anywhere. Perfect contours see one where a voxel deeper than 2.5 mm is half filled
in some slice; thin pieces between two slices are missed. A network misses more.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np

from mri_resorb.measure.material import HERNIATION_MM
from training.herniations import KINDS, draw_herniation

STEP_MM = 0.5
SLICES_MM = ((0.9, 0.9), (3.0, 3.0), (3.3, 3.0), (4.0, 4.0), (4.4, 4.0), (5.0, 4.5), (5.5, 5.0))
"""Distance and thickness."""
VOLUMES_CM3 = (0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.2, 0.6)
"""Limits of the table's rows."""
SMALLER = (0.45, 1.0)
"""The training's shapes are scaled by a number between these: small ones are what matters here."""

DEPTH_MM = np.arange(0.125, 16, STEP_MM)
ACROSS_MM = np.arange(-24, 24, STEP_MM)


def draw_shape(rng: np.random.Generator) -> np.ndarray | None:
    """(depth, transverse, craniocaudal) voxels of one; None where it is no herniation."""
    shape = draw_herniation(
        rng=rng, disc_height_mm=rng.uniform(6, 11), kind=str(rng.choice(list(KINDS)))
    )
    scale = np.exp(rng.uniform(*np.log(SMALLER)))
    points = np.stack(np.meshgrid(DEPTH_MM, ACROSS_MM, ACROSS_MM, indexing="ij"), -1)
    inside = shape(points / scale)
    return inside if inside[DEPTH_MM > HERNIATION_MM].any() else None


def is_seen(
    inside: np.ndarray, *, distance_mm: float, thickness_mm: float, first_mm: float
) -> bool:
    """Whether a voxel deeper than 2.5 mm is half filled in one of the slices."""
    deep = inside[DEPTH_MM > HERNIATION_MM]
    for centre in np.arange(ACROSS_MM[0] + first_mm, ACROSS_MM[-1], distance_mm):
        within = np.abs(ACROSS_MM - centre) <= thickness_mm / 2
        if within.any() and deep[:, within].mean(axis=1).max() >= 0.5:
            return True
    return False


def main() -> None:
    """Draw, cut and print how many are missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", type=int, default=1500)
    chosen = parser.parse_args()
    rng = np.random.default_rng(1)
    volumes, seen = [], []
    for _ in range(chosen.shapes):
        inside = draw_shape(rng)
        if inside is None:
            continue
        volumes.append(float(inside.sum()) * STEP_MM**3 / 1000)
        seen.append(
            [
                is_seen(
                    inside,
                    distance_mm=distance,
                    thickness_mm=thickness,
                    first_mm=rng.uniform(0, distance),
                )
                for distance, thickness in SLICES_MM
            ]
        )
    missed, row_of = ~np.array(seen), np.digitize(volumes, VOLUMES_CM3)
    print("| cm3 | shapes | " + " | ".join(f"{distance:g} mm" for distance, _ in SLICES_MM) + " |")
    print("| --- " * (len(SLICES_MM) + 2) + "|")
    for row, (low, high) in enumerate(pairwise(VOLUMES_CM3), start=1):
        here = row_of == row
        shares = " | ".join(f"{100 * share:.0f} %" for share in missed[here].mean(axis=0))
        print(f"| {low:g}-{high:g} | {here.sum()} | {shares} |")


if __name__ == "__main__":
    main()
