"""Make the phantom volumes that the anatomy network is trained on beside the real ones.

    python -m training.make_phantoms --output FOLDER --count 12

Phantom seeds below 5000 are for training only; tests, validation and samples have others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mri_resorb.model import Level, Structure
from mri_resorb.simulate.acquisition import Acquisition, acquire
from mri_resorb.simulate.herniation import Herniation
from mri_resorb.simulate.phantom import Phantom, lumbar_phantom
from mri_resorb.simulate.tissue import SpinEcho
from training.samples import FRAGMENT, focus_points

PIXEL_MM = 0.5
SLICE_MM = 1.0
LARGEST_CM3 = {"bulge": 1.0, "protrusion": 0.8, "extrusion": 2.2, "sequestration": 1.6}
"""Larger ones find no room in most canals."""
FAT_SUPPRESSED = 0.3
"""Share of the scans."""


def draw_phantom(seed: int, *, smallest_cm3: float = 0.12) -> Phantom:
    """A phantom with herniations at most of its levels; fewer where they find no room."""
    rng = np.random.default_rng([seed, 77])
    for _ in range(20):
        drawn = {level: _draw_pieces(rng, smallest_cm3) for level in Level}
        herniations = {level: pieces for level, pieces in drawn.items() if pieces is not None}
        try:
            return lumbar_phantom(seed=seed, herniations=herniations)
        except ValueError:  # no room: draw again
            continue
    return lumbar_phantom(seed=seed)


def _draw_pieces(rng: np.random.Generator, smallest_cm3: float) -> tuple[Herniation, ...] | None:
    kind = rng.choice(["none", "bulge", "protrusion", "extrusion", "sequestration"])
    if kind == "none":
        return None
    moved = kind == "sequestration" or (kind == "extrusion" and rng.random() < 0.6)
    return (
        Herniation(
            kind,
            float(np.exp(rng.uniform(np.log(smallest_cm3), np.log(LARGEST_CM3[kind])))),
            side_mm=0.0 if kind == "bulge" else float(rng.uniform(-5, 5)),
            migration=rng.choice(["cranial", "caudal"]) if moved else "none",
            signal=rng.choice(["dark", "iso", "bright"]),
        ),
    )


def scan(phantom: Phantom, seed: int) -> Acquisition:
    """Thin slices of it, by a sequence drawn at random; `training.samples` makes thick ones."""
    rng = np.random.default_rng([seed, 78])
    sequence = SpinEcho(
        float(rng.uniform(2500, 4500)),
        float(rng.uniform(80, 125)),
        float(rng.choice([1.5, 3.0])),
        fat_suppressed=bool(rng.random() < FAT_SUPPRESSED),
    )
    return acquire(
        phantom,
        noise_seed=seed,
        slice_distance_mm=SLICE_MM,
        slice_thickness_mm=SLICE_MM,
        slices=44,
        pixel_mm=PIXEL_MM,
        matrix=(520, 400),
        sequence=sequence,
        signal_to_noise=float(rng.uniform(10, 30)),
        flow_voids=bool(rng.random() < 0.5),
    )


def main() -> None:
    """Read the command line and make the volumes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--smallest-cm3", type=float, default=0.12, help="of the herniations")
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    for seed in range(chosen.first_seed, chosen.first_seed + chosen.count):
        phantom = draw_phantom(seed, smallest_cm3=chosen.smallest_cm3)
        seen = scan(phantom, seed)
        image = sitk.GetArrayFromImage(seen.image).astype(np.float32)
        image = np.clip(image * (255 / np.percentile(image, 99.8)), 0, 255).astype(np.uint8)
        labels = np.zeros(image.shape, np.uint8)
        for structure in Structure:
            name = structure.name.lower()
            filled = sitk.GetArrayViewFromImage(getattr(seen.anatomy, name)) >= 0.5
            labels[filled] = structure
        for fragment in seen.fragments.values():
            labels[sitk.GetArrayViewFromImage(fragment) >= 0.5] = FRAGMENT
        file = chosen.output / f"phantom_{seed}"
        np.save(file.with_suffix(".npy"), np.stack([image, labels]))
        np.savez(
            file.with_suffix(".npz"),
            spacing_mm=(SLICE_MM, PIXEL_MM, PIXEL_MM),
            focus=focus_points(labels),
        )
        print(file.name, len(phantom.fragments), "herniations", flush=True)


if __name__ == "__main__":
    main()
