"""How much the network sees of herniations that were implanted in unseen patients.

    python -m benchmarks.network --data SPIDER_FOLDER [--output FILE]

Recall and precision of the fragments' voxels, for the training's shape family (other seeds) and for
the one that scores; by the first network alone, and with the closer look. Outlines, levels and
degraded images: `benchmarks.anatomy`.
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
from mri_resorb.model import DiscFrame, Structure
from mri_resorb.segment.close_up import look_closely
from mri_resorb.segment.network import WEIGHTS, look
from mri_resorb.simulate.implant import LabelledScan, Shape, Texture, implant_herniation
from training.herniations import KINDS, draw_herniation, draw_texture
from training.patients import (
    LabelledVolume,
    fold,
    labelled_scan,
    local_intensities,
    read_patient,
    sites,
)

Volumes = tuple[float, float, float]
"""True, found and shared, cm3."""


def fragment_scores(
    patient: LabelledVolume,
    place: tuple[DiscFrame, PosteriorBoundary],
    *,
    weights: Path,
    seed: int,
    scoring: bool,
) -> tuple[Volumes, Volumes]:
    """Implant one fragment; what is seen by the first network, and with the closer look.

    Found is what is called disc behind the posterior boundary, where the expert labels of the
    untouched patient have no disc, within 4 mm of the fragment.
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
    seen = look(image, weights=weights).anatomy(image)
    closer = look_closely(seen, image=image, frame=frame)
    first, second = (
        _compare(sitk.GetArrayFromImage(anatomy.disc), made.fragment, patient=patient, scan=scan)
        for anatomy in (seen, closer)
    )
    return first, second


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
) -> Volumes:
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
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--implants", type=int, default=3, help="of each family, a patient")
    chosen = parser.parse_args()
    volumes: dict[str, list[Volumes]] = defaultdict(list)
    for name in sorted(fold(chosen.fold), key=int):
        patient = read_patient(chosen.data, name)
        places = sites(patient)
        for k in range(chosen.implants if places else 0):
            place = places[k % min(4, len(places))]
            for scoring in (True, False):
                family = "scoring family" if scoring else "training family"
                first, closer = fragment_scores(
                    patient, place, weights=chosen.weights, seed=100 + k, scoring=scoring
                )
                volumes[f"{family}, first network"].append(first)
                volumes[f"{family}, closer look"].append(closer)
        print(name, flush=True)
    for family, rows in volumes.items():
        real, called, both = np.sum(rows, axis=0)
        print(f"{family}: fragment recall {both / real:.2f} precision {both / called:.2f}")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps({"fragments_cm3": volumes}, indent=1))


if __name__ == "__main__":
    main()
