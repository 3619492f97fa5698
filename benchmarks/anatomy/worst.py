"""Pictures of the outlines that are furthest from the experts'."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from benchmarks.anatomy.scores import CLASSES, Mask, dice, filled
from benchmarks.anatomy.unseen import Body
from mri_resorb.model import Anatomy

SIDE_MM = 90.0
COLOURS = {"vertebra": "#e69f00", "disc": "#56b4e9", "canal": "#f0e442", "sacrum": "#00c07a"}


@dataclass(frozen=True)
class Case:
    """One structure of one patient, on the part of the slice that differs most.

    Attributes:
        picture: intensities, (rows, columns).
        found, truth: each structure on it.
    """

    patient: str
    slices: str
    structure: str
    dice: float
    picture: npt.NDArray[np.float32]
    found: Mapping[str, Mask]
    truth: Mapping[str, Mask]


def cases_of(body: Body) -> list[Case]:
    """Each structure once, by the kind of slices in which it is found worse."""
    cases = []
    for name in CLASSES:
        pairs = [
            (dice(*(filled(getattr(a, name)) for a in (found.anatomy, truth))), k)
            for k, (_, _, truth, found) in enumerate(body.both)
        ]
        lowest, k = min(pairs)
        slices, image, truth, found = body.both[k]
        where = _worst_place(found.anatomy, truth, name, image)
        shown = [
            {part: filled(getattr(a, part))[where] for part in CLASSES}
            for a in (found.anatomy, truth)
        ]
        picture = sitk.GetArrayViewFromImage(image)[where].copy()
        cases.append(Case(body.patient.patient, slices, name, lowest, picture, *shown))
    return cases


def _worst_place(
    found: Anatomy, truth: Anatomy, name: str, image: sitk.Image
) -> tuple[int, slice, slice]:
    """The slice with most voxels that differ, and 90 mm around these."""
    differ = filled(getattr(found, name)) ^ filled(getattr(truth, name))
    k = int(np.argmax(differ.sum(axis=(1, 2))))
    columns_mm, rows_mm, _ = image.GetSpacing()
    box = []
    for at, mm, size in zip(
        ndimage.center_of_mass(differ[k]), (rows_mm, columns_mm), differ.shape[1:], strict=True
    ):
        half = SIDE_MM / 2 / mm
        first = int(np.clip(at - half, 0, max(0, size - 2 * half)))
        box.append(slice(first, first + round(2 * half)))
    return k, box[0], box[1]


def worst_cases(cases: Iterable[Case], *, count: int = 10) -> list[Case]:
    """The lowest Dice of all, the lowest first."""
    return sorted(cases, key=lambda case: case.dice)[:count]


def draw(case: Case, path: Path) -> None:
    """The experts' outlines drawn through, the network's dashed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    figure = pyplot.figure(figsize=(3.6, 3.6), dpi=100)
    axis = figure.add_axes((0, 0, 1, 1))
    brightest = float(np.percentile(case.picture, 98))
    axis.imshow(case.picture, cmap="gray", vmax=brightest, interpolation="bicubic")
    for name in CLASSES:
        width = 1.6 if name == case.structure else 0.5
        for masks, style in ((case.truth, "solid"), (case.found, "dashed")):
            if masks[name].any():
                axis.contour(
                    masks[name], [0.5], colors=COLOURS[name], linewidths=width, linestyles=style
                )
    axis.set_axis_off()
    drawn = io.BytesIO()
    figure.savefig(drawn)
    pyplot.close(figure)
    drawn.seek(0)
    Image.open(drawn).convert("RGB").quantize(64).save(path, optimize=True)


def caption(case: Case) -> dict[str, object]:
    """For JSON."""
    return {
        "patient": case.patient,
        "slices": case.slices,
        "structure": case.structure,
        "dice": case.dice,
    }
