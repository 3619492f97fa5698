"""How well the anatomy network outlines unseen patients, and the herniations implanted in them.

    python -m benchmarks.network --data SPIDER_FOLDER [--output FILE]

Dice by class and patient on the validation patients' own 0.9 mm slices and on 4.4 mm ones, then
recall and precision of fragments implanted in them, for the training's shape family (other seeds)
and for the one that scores.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.scoring_herniations import draw_layers, draw_tube
from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.model import Anatomy, DiscFrame, Structure
from mri_resorb.segment import network
from mri_resorb.segment.network import find_anatomy
from mri_resorb.simulate.implant import LabelledScan, Shape, Texture, implant_herniation
from mri_resorb.simulate.reslice import reslice
from training.herniations import KINDS, draw_herniation, draw_texture
from training.patients import (
    LabelledVolume,
    anatomy_of_labels,
    fold,
    labelled_scan,
    local_intensities,
    read_patient,
    sites,
)

SLICE_MM = 4.4


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two masks, 1 where both are empty."""
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def anatomy_dice(found: Anatomy, truth: Anatomy) -> dict[str, float]:
    """Dice of each class at half occupancy."""
    return {
        name: dice(
            sitk.GetArrayViewFromImage(getattr(found, name)) >= 0.5,
            sitk.GetArrayViewFromImage(getattr(truth, name)) >= 0.5,
        )
        for name in ("vertebra", "disc", "canal", "sacrum")
    }


def in_thick_slices(image: sitk.Image, truth: Anatomy) -> tuple[sitk.Image, Anatomy]:
    """The same body in 4.4 mm slices."""
    volumes = [image, truth.vertebra, truth.disc, truth.canal, truth.sacrum]
    thick = reslice(volumes, slice_distance_mm=SLICE_MM, slice_thickness_mm=SLICE_MM, pixel_mm=0.6)
    return thick[0], Anatomy(*thick[1:])


def fragment_scores(
    patient: LabelledVolume, place: tuple[DiscFrame, PosteriorBoundary], *, seed: int, scoring: bool
) -> tuple[float, float, float]:
    """Implant one fragment; true, found and shared occupancy-weighted volume, cm3.

    Found is what the network calls disc behind the posterior boundary, where the expert labels of
    the untouched patient have no disc, within 4 mm of the fragment.
    """
    frame, boundary = place
    scan = labelled_scan(patient)
    rng = np.random.default_rng([seed, int(patient.patient)])
    disc, sac, grain = local_intensities(scan, frame)
    shape, texture, fat = _draw(rng, boundary, (disc, sac, grain), scoring=scoring)
    made = implant_herniation(
        scan=scan, frame=frame, boundary=boundary, shape=shape, texture=texture, fat_intensity=fat
    )
    image = sitk.GetImageFromArray(made.scan.image.astype(np.float32))
    image.CopyInformation(patient.volume)
    found = sitk.GetArrayFromImage(find_anatomy(image).disc)
    return _compare(found, made.fragment, patient=patient, scan=scan)


def _draw(
    rng: np.random.Generator,
    boundary: PosteriorBoundary,
    intensities: tuple[float, float, float],
    *,
    scoring: bool,
) -> tuple[Shape, Texture, float]:
    disc, sac, grain = intensities
    height = boundary.disc_height_mm()
    if scoring:
        kinds = ("protrusion", "extrusion", "sequestration")
        tube = draw_tube(rng=rng, kind=kinds[rng.integers(3)], disc_height_mm=height)
        return tube, draw_layers(rng=rng, tube=tube, disc=disc, sac=sac), disc + 0.5 * (sac - disc)
    texture, fat = draw_texture(rng=rng, disc=disc, sac=sac, grain=grain)
    shape = draw_herniation(rng=rng, disc_height_mm=height, kind=str(rng.choice(KINDS)))
    return shape, texture, fat


def _compare(
    found: np.ndarray, fragment: np.ndarray, *, patient: LabelledVolume, scan: LabelledScan
) -> tuple[float, float, float]:
    near = np.zeros(fragment.shape, bool)
    for k, row, column in np.argwhere(fragment > 0.5)[::7]:
        near[max(k - 3, 0) : k + 4, row - 9 : row + 10, column - 9 : column + 10] = True
    near &= patient.labels != Structure.DISC
    real = (fragment >= 0.5) & near
    called = (found >= 0.5) & near
    cm3 = scan.voxel_cm3
    return real.sum() * cm3, called.sum() * cm3, (real & called).sum() * cm3


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("results/network.json"))
    parser.add_argument("--fold", type=int, default=1, help="that the weights have left out")
    parser.add_argument("--weights", type=Path, help="ONNX, instead of the shipped")
    parser.add_argument("--implants", type=int, default=3, help="of each family, a patient")
    chosen = parser.parse_args()
    if chosen.weights:
        network._weights = chosen.weights.read_bytes  # before they are first loaded
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    volumes: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for name in sorted(fold(chosen.fold), key=int):
        patient = read_patient(chosen.data, name)
        truth = anatomy_of_labels(patient)
        image = sitk.Cast(patient.volume, sitk.sitkFloat32)
        scores["0.9 mm slices"][name] = anatomy_dice(find_anatomy(image), truth)
        thick, thick_truth = in_thick_slices(image, truth)
        scores["4.4 mm slices"][name] = anatomy_dice(find_anatomy(thick), thick_truth)
        places = sites(patient)
        for k in range(chosen.implants if places else 0):
            place = places[k % min(4, len(places))]
            for scoring in (True, False):
                family = "scoring family" if scoring else "training family"
                volumes[family].append(
                    fragment_scores(patient, place, seed=100 + k, scoring=scoring)
                )
        print(name, scores["0.9 mm slices"][name], scores["4.4 mm slices"][name], flush=True)
    for kind, by_patient in scores.items():
        for name in ("vertebra", "disc", "canal", "sacrum"):
            values = [v[name] for v in by_patient.values()]
            print(f"{kind:14s} {name:9s} mean {np.mean(values):.3f} worst {min(values):.3f}")
    for family, rows in volumes.items():
        real, called, both = np.sum(rows, axis=0)
        print(f"{family}: fragment recall {both / real:.2f} precision {both / called:.2f}")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({"dice": scores, "fragments_cm3": volumes}, indent=1))


if __name__ == "__main__":
    main()
