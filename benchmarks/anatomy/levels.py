"""Whether discs are named rightly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from benchmarks.anatomy.unseen import Body, outlined
from mri_resorb.model import Anatomy, Level, Remark
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.levels import locate_pair

DOUBTFUL = {
    "50": "severe scoliosis, the sacrum only from the side; graded as if clear",
    "107": "a well-formed disc below the first sacral segment",
    "152": "scoliosis; readers disagree whether the lowest disc is L5-S1 or S1-S2",
    "209": "spondylolisthesis over a domed S1; graded as if clear",
    "220": "a narrow S1-S2 remnant; graded as if clear",
    "241": "a well-formed disc below the first sacral segment",
}
"""Patients about whose levels somebody was in doubt. Right is what the radiologists' gradings count
as L5-S1, or the disc above the labelled first sacral body; in 107, 152 and 241 nobody knows."""
SAME_DISC_MM = 15.0
"""A disc that the image's edge cuts has its centre elsewhere; the next disc's is 25 mm away."""
VIEWS = (
    "0.9 mm slices",
    "4.4 mm slices",
    "lower half (4.4 mm)",
    "without sacrum (4.4 mm)",
    "without sacrum and L5 (4.4 mm)",
)


@dataclass(frozen=True)
class Naming:
    """What one view of one patient was answered.

    Attributes:
        right, wrong: levels named.
        reasons: codes of why the others were not.
        remark: what was said of the lumbosacral disc, or why it was not named.
    """

    patient: str
    view: str
    doubtful: bool
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    reasons: tuple[str, ...]
    remark: str


def name_levels(body: Body) -> list[Naming]:
    """One patient in every view."""
    return [_naming(body, view, anatomy) for view, anatomy in _views(body)]


def _views(body: Body) -> Iterator[tuple[str, Anatomy]]:
    thick = body.thick_image
    sacrum = sitk.GetArrayViewFromImage(body.thick_truth.sacrum) >= 0.5
    sacrum_from = int(np.flatnonzero(sacrum.any(axis=(0, 2)))[0])
    discs = find_discs(body.truth)
    first = next(k for k, disc in enumerate(discs) if disc.sacrum_below > 0.5)
    l4_l5_row = thick.TransformPhysicalPointToIndex(discs[first + 1].centre_mm)[1]
    yield VIEWS[0], body.found.anatomy
    yield VIEWS[1], body.thick_found.anatomy
    cropped = (
        thick[:, thick.GetSize()[1] // 2 :],
        thick[:, :sacrum_from],
        thick[:, : l4_l5_row + 10],
    )
    for view, image in zip(VIEWS[2:], cropped, strict=True):
        yield view, outlined(image, body.weights).anatomy


def _naming(body: Body, view: str, anatomy: Anatomy) -> Naming:
    discs = find_discs(anatomy)
    true_discs = find_discs(body.truth)
    first = next(k for k, disc in enumerate(true_discs) if disc.sacrum_below > 0.5)
    right, wrong, reasons, remark = [], [], [], ""
    for level in reversed(Level):
        found, _ = locate_pair(discs, discs, level=level)
        if isinstance(found, Remark):
            reasons.append(found.code)
            remark = remark or found.text()
            continue
        remark = remark or found.located.remark.text()
        apart = [_apart_mm(found.disc.centre_mm, disc.centre_mm) for disc in true_discs]
        nearest = int(np.argmin(apart))
        same = nearest == first + level.discs_above_sacrum and apart[nearest] < SAME_DISC_MM
        (right if same else wrong).append(str(level))
    return Naming(
        patient=body.patient.patient,
        view=view,
        doubtful=body.patient.patient in DOUBTFUL,
        right=tuple(right),
        wrong=tuple(wrong),
        reasons=tuple(dict.fromkeys(reasons)),
        remark=remark,
    )


def _apart_mm(first: Sequence[float], second: Sequence[float]) -> float:
    """In the sagittal plane."""
    return float(np.linalg.norm(np.subtract(first, second)[1:]))


def table(named: Sequence[Naming]) -> str:
    """A line a patient: in each view the levels named rightly / wrongly, or why none is."""
    lines = [
        f"| patient | {' | '.join(VIEWS)} | doubtful |",
        f"| --- |{' --- |' * (len(VIEWS) + 1)}",
    ]
    for patient in dict.fromkeys(one.patient for one in named):
        cells = [_cell(one) for one in named if one.patient == patient]
        lines.append(f"| {patient} | {' | '.join(cells)} | {DOUBTFUL.get(patient, '')} |")
    wrong = sum(bool(one.wrong) for one in named if not one.doubtful)
    lines.append(f"\nViews of patients without doubt in which a level is named wrongly: {wrong}.")
    return "\n".join(lines)


def _cell(one: Naming) -> str:
    said = [f"{len(one.right)} right"] if one.right else []
    said += [f"**{len(one.wrong)} wrong**"] if one.wrong else []
    said += [f"`{reason}`" for reason in one.reasons]
    return ", ".join(said)
