"""What the pictures of both planes have in common.

A picture's coordinates are millimetres from its centre, x to the right and y down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mri_resorb.model import FloatArray, TimePoint
from mri_resorb.report.slices import WINDOW_PERCENTILES

Structure = Literal["canal", "boundary", "fragment"]
Edges = tuple[str, str, str, str]
"""Letters at the left, right, upper and lower edge."""

LATERAL_MM = 24.0
"""How far to both sides of the disc's middle slices belong to the level."""
_REACH_MM = 66.0
"""From the disc's back to what any picture shows."""


@dataclass(frozen=True)
class Picture:
    """One slice.

    Attributes:
        offset_mm: sagittal: to the left of the disc's middle; axial: above the disc's mid-plane.
        number: of the slice in its series from the right, from 1; None for a reformat.
        image: data URI.
        outlines: SVG path data by structure, in tenths of a millimetre.
        fragment_mm2: how much of it is fragment.
    """

    offset_mm: float
    number: int | None
    image: str
    outlines: Mapping[Structure, str]
    fragment_mm2: float


def around_level(point: TimePoint) -> TimePoint:
    """The same date with its volumes cut to what the pictures show, all slices kept.

    A date whose disc was not found stays whole.
    """
    image = point.scan.image
    centre = centre_mm(point)
    if centre is None:
        return point
    place = image.TransformPhysicalPointToContinuousIndex(centre.tolist())
    columns, rows = (
        slice(
            int(np.clip(np.floor(at - _REACH_MM / spacing), 0, count - 1)),
            int(np.clip(np.ceil(at + _REACH_MM / spacing) + 1, 1, count)),
        )
        for at, spacing, count in list(
            zip(place, image.GetSpacing(), image.GetSize(), strict=True)
        )[:2]
    )
    fragment = point.fragment
    return replace(
        point,
        scan=replace(point.scan, image=image[columns, rows, :]),
        anatomy=replace(point.anatomy, canal=point.anatomy.canal[columns, rows, :]),
        fragment=fragment and replace(fragment, occupancy=fragment.occupancy[columns, rows, :]),
    )


def centre_mm(point: TimePoint) -> FloatArray | None:
    """The back of the disc, else its middle."""
    if point.frame is not None:
        return np.array(point.frame.origin_mm)
    return None if point.disc is None else np.array(point.disc.centre_mm)


def window_of(intensities: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Black and white of a date's pictures."""
    low, high = np.percentile(intensities[:, ::4, ::4], WINDOW_PERCENTILES)
    return float(low), float(high)
