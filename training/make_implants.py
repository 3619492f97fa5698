"""Make the implanted volumes that the anatomy network is trained on.

    python -m training.make_implants --data SPIDER_FOLDER --output FOLDER --variants 12

Each is a training patient with herniations behind two to four discs, written as a memory-mappable
array of image and labels (fragment voxels marked), ready for `training.train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.model import DiscFrame, Structure
from mri_resorb.simulate.implant import LabelledScan, implant_herniation
from training.herniations import KINDS, draw_herniation, draw_texture
from training.patients import (
    LabelledVolume,
    all_patients,
    fold,
    labelled_scan,
    local_intensities,
    number_of,
    read_patient,
    sites,
)
from training.samples import FRAGMENT, focus_points


def make(
    patient: LabelledVolume,
    places: list[tuple[DiscFrame, PosteriorBoundary]],
    *,
    rng: np.random.Generator,
) -> tuple[LabelledScan, np.ndarray]:
    """Implant herniations behind two to four discs; the scan and where they are."""
    scan = labelled_scan(patient)
    fragment = np.zeros(scan.labels.shape, bool)
    # Lower discs herniate most: 94 % of herniations are at L4-L5 and L5-S1.
    weight = 1 / (1.0 + np.arange(len(places)))
    count = min(int(rng.integers(2, 5)), len(places))
    chosen = rng.choice(len(places), count, replace=False, p=weight / weight.sum())
    for place in chosen:
        frame, boundary = places[place]
        disc, sac, grain = local_intensities(scan, frame)
        texture, fat = draw_texture(rng=rng, disc=disc, sac=sac, grain=grain)
        made = implant_herniation(
            scan=scan,
            frame=frame,
            boundary=boundary,
            shape=draw_herniation(
                rng=rng, disc_height_mm=boundary.disc_height_mm(), kind=str(rng.choice(KINDS))
            ),
            texture=texture,
            fat_intensity=fat,
        )
        scan = made.scan
        fragment |= made.fragment >= 0.5
    return scan, fragment


def main() -> None:
    """Read the command line and make the volumes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=12, help="volumes a patient")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--leave-out-fold", type=int, default=1, choices=(1, 2, 3))
    chosen = parser.parse_args()
    chosen.output.mkdir(parents=True, exist_ok=True)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    patients = [
        read_patient(chosen.data, p)
        for p in all_patients(chosen.data)
        if number_of(p) not in fold(chosen.leave_out_fold)
    ]
    places = {p.patient: sites(p) for p in patients}
    for variant in range(chosen.variants):
        for patient in patients:
            file = chosen.output / f"{patient.patient}_{chosen.seed}_{variant}"
            if file.with_suffix(".npz").exists():
                continue
            rng = np.random.default_rng([chosen.seed, int(number_of(patient.patient)), variant])
            scan, fragment = make(patient, places[patient.patient], rng=rng)
            labels = np.where(fragment & (scan.labels == Structure.DISC), FRAGMENT, scan.labels)
            image = np.clip(np.rint(scan.image), 0, 255).astype(np.uint8)
            np.save(file.with_suffix(".npy"), np.stack([image, labels.astype(np.uint8)]))
            np.savez(
                file.with_suffix(".npz"),
                spacing_mm=patient.spacing_mm,
                focus=focus_points(labels.astype(np.uint8)),
            )
            print(file.name, int(fragment.sum()), flush=True)


if __name__ == "__main__":
    main()
