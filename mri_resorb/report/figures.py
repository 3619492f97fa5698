"""The overlay picture as data: both dates side by side, and what was measured drawn on them.

`overlay` says what is shown, `mri_resorb.report.painting` paints it. Pixels keep their true
proportions and stay readable: the fragment is a thin outline (where it fills half of a voxel), the
posterior boundary a dashed line.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb import __version__
from mri_resorb.languages import Language, Phrase, decimal, say
from mri_resorb.model import CaseResult, DiscFrame, FloatArray, Point, TimePoint
from mri_resorb.report import wording
from mri_resorb.report.slices import WINDOW_PERCENTILES, contours

FIELD_MM = 90.0
SCALE_BAR_MM = 10.0
EDGES = ("A", "P", "S", "I")
"""Letters at the left, right, upper and lower edge: slices are sagittal, seen from the left."""
_LETTERS_A_LINE, _LINES = 105, 2


class Rectangle(NamedTuple):
    """Part of a slice, millimetres."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Panel:
    """One date: a slice, and what was measured on it.

    Millimetres count from the middle of the slice's first pixel, (x, y): x to the patient's back,
    y to the feet.

    Attributes:
        heading, finding, place: which date, its volume or why there is none, which slice it is.
        index: of the slice, from 0 at the right.
        intensities: (rows, columns), of the whole slice.
        spacing_mm: of columns and rows.
        window: intensities that are black and white.
        field: what is shown of the slice.
        outlines: of the fragment, lines (n, 2).
        boundary: (n, 2), the posterior boundary; None where it was not found.
    """

    heading: str
    finding: str
    place: str
    index: int
    intensities: npt.NDArray[np.float32]
    spacing_mm: tuple[float, float]
    window: tuple[float, float]
    field: Rectangle
    outlines: tuple[FloatArray, ...]
    boundary: FloatArray | None

    @property
    def whole(self) -> Rectangle:
        """All of the slice."""
        rows, columns = self.intensities.shape
        across, down = self.spacing_mm
        return Rectangle(-across / 2, -down / 2, columns * across, rows * down)


@dataclass(frozen=True)
class Legend:
    """What the lines are called."""

    fragment: str
    boundary: str


@dataclass(frozen=True)
class Overlay:
    """The picture.

    Attributes:
        explanation: below the headline, line by line.
        refused: there is no figure, and the headline says so.
        legend: None where no line is drawn.
        scale: what stands above the bars of `SCALE_BAR_MM`.
    """

    level: str
    headline: str
    explanation: tuple[str, ...]
    refused: bool
    baseline: Panel
    follow_up: Panel
    legend: Legend | None
    scale: str
    footer: str


def overlay(case: CaseResult, *, language: Language = Language.EN) -> Overlay:
    """Describe the picture of a case.

    Each date shows the sagittal slice with the most fragment. A date without a fragment shows the
    slice at the same distance from the disc's middle as the other date's; one that could not be
    measured shows its disc's, or its middle, slice and no figure.
    """
    refused = case.status == "undetermined"
    if refused:
        headline = say("figure.undetermined", language=language)
        explanation = wording.reasons(case.reasons, language=language)
    else:
        resorption = wording.resorption(case, language=language)
        headline = say("figure.resorption", language=language, resorption=resorption)
        explanation = _capitalised(wording.verdict(case, language=language))
    baseline, follow_up = case.baseline, case.follow_up
    legend = Legend(
        *(say(f"figure.{line}", language=language) for line in ("fragment", "boundary"))
    )
    return Overlay(
        level=str(case.level),
        headline=headline,
        explanation=tuple(
            textwrap.wrap(explanation, _LETTERS_A_LINE, max_lines=_LINES, placeholder=" ...")
        ),
        refused=refused,
        baseline=_panel(baseline, name="figure.baseline", other=follow_up, language=language),
        follow_up=_panel(follow_up, name="figure.follow-up", other=baseline, language=language),
        legend=None if baseline.fragment is None and follow_up.fragment is None else legend,
        scale=say("figure.scale", language=language, mm=decimal(SCALE_BAR_MM, places=0)),
        footer=f"{wording.disclaimer(language)} mri-resorb {__version__}",
    )


def _panel(point: TimePoint, *, name: str, other: TimePoint, language: Language) -> Panel:
    image = point.scan.image
    index = _slice_index(point, other=other)
    intensities = sitk.GetArrayViewFromImage(image)[index].astype(np.float32)
    low, high = np.percentile(intensities, WINDOW_PERCENTILES)
    boundary = None
    if point.boundary_mm is not None:
        boundary = _in_slice(point.boundary_mm[index], image=image)
    return Panel(
        heading=say(name, language=language, day=point.scan.date or Phrase("figure.no-date")),
        finding=_capitalised(wording.volume_at(point, language=language)),
        place=_place(point, index=index, language=language),
        index=index,
        intensities=intensities,
        spacing_mm=image.GetSpacing()[:2],
        window=(float(low), float(max(high, low + 1e-6))),
        field=_field(point),
        outlines=_outlines(point, index=index),
        boundary=boundary,
    )


def _in_slice(points_mm: FloatArray, *, image: sitk.Image) -> FloatArray:
    """LPS points (n, 3) to their slice's millimetres (n, 2)."""
    indices = [
        image.TransformPhysicalPointToContinuousIndex(point)[:2]
        for point in np.asarray(points_mm, np.float64).tolist()
    ]
    return np.asarray(np.reshape(indices, (-1, 2)) * image.GetSpacing()[:2])


def _outlines(point: TimePoint, *, index: int) -> tuple[FloatArray, ...]:
    if point.fragment is None:
        return ()
    occupancy = point.fragment.occupancy
    lines = contours(sitk.GetArrayViewFromImage(occupancy)[index])
    return tuple(line * occupancy.GetSpacing()[:2] for line in lines)


def _field(point: TimePoint) -> Rectangle:
    """Around the back of the disc, else the disc, else the whole slice."""
    image = point.scan.image
    across, down = image.GetSpacing()[:2]
    target = _target(point)
    if target is None:
        columns, rows = image.GetSize()[:2]
        return Rectangle(-across / 2, -down / 2, columns * across, rows * down)
    column, row = image.TransformPhysicalPointToContinuousIndex(target)[:2]
    half = FIELD_MM / 2
    return Rectangle(column * across - half, row * down - half, FIELD_MM, FIELD_MM)


def _target(point: TimePoint) -> Point | None:
    if point.frame is not None:
        return point.frame.origin_mm
    return point.disc.centre_mm if point.disc is not None else None


def _slice_index(point: TimePoint, *, other: TimePoint) -> int:
    image = point.scan.image
    best = _fullest_slice(point)
    if best is not None:
        return best
    if point.frame is not None:
        theirs = _fullest_slice(other)
        lateral = (
            _lateral_mm(other.scan.image, index=theirs, frame=other.frame)
            if theirs is not None and other.frame is not None
            else 0.0
        )
        centre = point.frame.to_patient(np.array([0.0, lateral, 0.0]))
        index = image.TransformPhysicalPointToContinuousIndex(centre.tolist())[2]
    elif point.disc is not None:
        index = image.TransformPhysicalPointToContinuousIndex(point.disc.centre_mm)[2]
    else:
        index = (image.GetSize()[2] - 1) / 2
    return int(np.clip(round(index), 0, image.GetSize()[2] - 1))


def _fullest_slice(point: TimePoint) -> int | None:
    """The slice with the most fragment; None where there is no herniation."""
    if point.status != "measured" or point.fragment is None:
        return None
    areas = sitk.GetArrayViewFromImage(point.fragment.occupancy).sum(axis=(1, 2))
    return int(areas.argmax()) if areas.max() > 0 else None


def _lateral_mm(image: sitk.Image, *, index: int, frame: DiscFrame) -> float:
    """Where a slice cuts the disc's transverse axis, mm to the left of the disc's middle."""
    origin = image.TransformPhysicalPointToContinuousIndex(frame.origin_mm)
    step = image.TransformPhysicalPointToContinuousIndex(
        frame.to_patient(np.array([0.0, 1.0, 0.0])).tolist()
    )
    return float((index - origin[2]) / (step[2] - origin[2]))


def _place(point: TimePoint, *, index: int, language: Language) -> str:
    """Which slice it is, and how far from the disc's middle."""
    image = point.scan.image
    number, count = index + 1, image.GetSize()[2]
    if point.frame is None:
        return say("figure.slice", language=language, number=number, count=count)
    lateral_mm = _lateral_mm(image, index=index, frame=point.frame)
    away_mm = decimal(abs(lateral_mm), places=0)
    if away_mm == "0":
        return say("figure.slice-middle", language=language, number=number, count=count)
    name = "figure.slice-left" if lateral_mm > 0 else "figure.slice-right"
    return say(name, language=language, number=number, count=count, mm=away_mm)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
