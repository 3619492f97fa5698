"""How far the posterior-superior corner of S1 is found from where it was placed by eye.

The corner is the lower end of the posterior boundary at the lumbosacral disc, as it is measured
from. `training/s1_corners.csv` holds the points: placed by eye on one slice near the midline of
each patient, without masks shown, on a picture of 14 pixels a pixel; where it is not certain, why.
`training/s1_labels/corners.csv` is an earlier reading of the same slices.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

import training
from benchmarks.anatomy.unseen import FINE, THICK, Body
from mri_resorb.measure.boundary import BoundaryNotSeenError, frame_at_posterior_margin
from mri_resorb.model import Anatomy, FloatArray
from mri_resorb.segment.discs import find_discs, without_other_discs

TRAINING = Path(training.__file__).parent
LABELS = "the labels' own, 0.9 mm"


@dataclass(frozen=True)
class Placed:
    """A point placed by eye, LPS mm."""

    point_mm: FloatArray
    certain: bool


@dataclass(frozen=True)
class CornerError:
    """How far a corner lies from the point; NaN where none is found.

    Attributes:
        slices: kind of slices, or that the corner is the labels' and not the network's.
        distance_mm: in the sagittal plane.
        above_mm: how much nearer to the disc it lies.
        boundary_mm: how far the posterior boundary lies behind the point, at the point's height:
            what of the error the depth of a fragment feels.
    """

    patient: str
    slices: str
    certain: bool
    distance_mm: float
    above_mm: float
    boundary_mm: float


def placed_corners() -> dict[str, Placed]:
    """The points by patient."""
    with (TRAINING / "s1_corners.csv").open(newline="") as file:
        return {
            row["patient"]: Placed(
                np.array([float(row[f"{axis}_mm"]) for axis in "xyz"]), row["certain"] == "yes"
            )
            for row in csv.DictReader(file)
        }


def measure_corners(body: Body) -> list[CornerError]:
    """At both kinds of slices, and by the labels themselves; none where no point was placed."""
    name = body.patient.patient
    placed = placed_corners().get(name)
    if placed is None:
        return []
    anatomies = {slices: found.anatomy for slices, _, _, found in body.both}
    anatomies[LABELS] = body.truth
    return [
        CornerError(name, slices, placed.certain, *corner_error_mm(anatomy, placed.point_mm))
        for slices, anatomy in anatomies.items()
    ]


def corner_error_mm(anatomy: Anatomy, point_mm: FloatArray) -> tuple[float, float, float]:
    """From a point to the upper posterior corner of the bone below the disc that is nearest.

    Returns:
        distance, above and boundary, as in `CornerError`.
    """
    nothing = (float("nan"),) * 3
    discs = find_discs(anatomy)
    if not discs:
        return nothing
    on_sacrum = [disc for disc in discs if disc.sacrum_below > 0.5] or list(discs)
    disc = min(on_sacrum, key=lambda one: float(np.linalg.norm(one.centre_mm - point_mm)))
    try:
        frame, boundary = frame_at_posterior_margin(
            anatomy=without_other_discs(anatomy, disc), frame=disc.frame
        )
    except BoundaryNotSeenError:
        return nothing
    point_ap, transverse, height = (float(value) for value in frame.to_frame(point_mm))
    lower = float(boundary.corner_heights_mm(transverse)[1])
    ap = float(boundary.ap_mm(transverse, lower))
    found = frame.to_patient(np.array([ap, transverse, lower]))
    across = np.reshape(anatomy.disc.GetDirection(), (3, 3))[:, 2]
    away = found - point_mm
    distance = float(np.linalg.norm(away - (away @ across) * across))
    return distance, lower - height, float(boundary.ap_mm(transverse, height)) - point_ap


def readings_apart_mm(data: Path) -> list[float]:
    """Distance of the two readings of each patient."""
    apart = []
    with (TRAINING / "s1_labels" / "corners.csv").open(newline="") as file:
        earlier = {row["patient"]: row for row in csv.DictReader(file)}
    for name, placed in placed_corners().items():
        row = earlier[name]
        index = [row[key] for key in ("slice", "posterior_superior_ap", "posterior_superior_si")]
        image = sitk.ReadImage(data / f"{name}_image.nii.gz")
        point = image.TransformContinuousIndexToPhysicalPoint([float(value) for value in index])
        apart.append(float(np.linalg.norm(placed.point_mm - point)))
    return apart


def table(errors: Sequence[CornerError], apart_mm: Sequence[float]) -> str:
    """Median and 95th percentile, as Markdown."""
    lines = [
        "| slices | points | patients | median, mm | 95th percentile, mm | nearer to the disc, mm "
        "| boundary at the point's height: median, 95th percentile, mm | not found |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for slices in (FINE, THICK, LABELS):
        for which, kept in (("all", (True, False)), ("certain", (True,))):
            chosen = [e for e in errors if e.slices == slices and e.certain in kept]
            known = [e for e in chosen if np.isfinite(e.distance_mm)]
            away = [e.distance_mm for e in known]
            off = [abs(e.boundary_mm) for e in known]
            lines.append(
                f"| {slices} | {which} | {len(chosen)} | {np.median(away):.2f} "
                f"| {np.percentile(away, 95):.2f} | {np.mean([e.above_mm for e in known]):.2f} "
                f"| {np.median(off):.2f}, {np.percentile(off, 95):.2f} "
                f"| {len(chosen) - len(known)} |"
                if known
                else f"| {slices} | {which} | {len(chosen)} | - | - | - | - | {len(chosen)} |"
            )
    lines.append(
        f"\nTwo readings of the same slices lie {np.median(apart_mm):.2f} mm apart in the median, "
        f"{np.percentile(apart_mm, 95):.2f} mm at the 95th percentile."
    )
    return "\n".join(lines)
