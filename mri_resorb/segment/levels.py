"""Finds the discs in an anatomy and names them, counting up from the sacrum.

Abstains rather than guesses: a lumbar-only field of view is numbered wrongly in 14.1 % of readings
(PMC3955794), and 18.1 % of people have a transitional vertebra (doi 10.1148/radiol.12112747).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mri_resorb.measure.frame import fit_disc_frame, frame_grid, sample
from mri_resorb.model import Anatomy, DiscFrame, FloatArray, Level, LocatedDisc, Point, Remark

_SMALLEST_DISC_CM3 = 0.4
_SMALLEST_DISC_AP_MM = 14.0
_POINT_TOLERANCE_MM = 8.0
_NEIGHBOUR_DISTANCE_MM = (18.0, 60.0)


@dataclass(frozen=True)
class Disc:
    """One disc of an anatomy.

    Attributes:
        occupancy: 0 or 1, of this disc alone (with displaced material joined to it), on the part
            of the anatomy's grid that holds it.
        frame: its frame, origin at the disc's centre.
        sacrum_below: part of the bone under the disc that is sacrum, 0-1; NaN where no bone is
            seen there.
    """

    occupancy: sitk.Image
    frame: DiscFrame
    sacrum_below: float

    @property
    def centre_mm(self) -> Point:
        """Centre of the disc, LPS."""
        return self.frame.origin_mm


class LevelNotFoundError(Exception):
    """The level cannot be named safely; carries the reason as a `Remark`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.reason = Remark(code, message)


def find_discs(anatomy: Anatomy) -> tuple[Disc, ...]:
    """All discs of the anatomy, from the lowest upwards.

    A disc is a connected region of disc occupancy of at least 0.4 cm3 and 14 mm from front to
    back; smaller ones are detached fragments or specks.
    """
    components = sitk.RelabelComponent(sitk.ConnectedComponent(anatomy.disc >= 0.5))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(components)
    discs = []
    for label in shapes.GetLabels():
        if shapes.GetPhysicalSize(label) < _SMALLEST_DISC_CM3 * 1000:
            break
        columns = shapes.GetBoundingBox(label)[3]
        if columns * anatomy.disc.GetSpacing()[0] < _SMALLEST_DISC_AP_MM:
            continue
        box = shapes.GetBoundingBox(label)
        mine = sitk.RegionOfInterest(components, box[3:], box[:3]) == label
        mine = sitk.Cast(mine, sitk.sitkFloat32)
        frame = fit_disc_frame(disc=mine, canal=anatomy.canal)
        discs.append(Disc(mine, frame, _sacrum_below(anatomy=anatomy, frame=frame)))
    return tuple(sorted(discs, key=lambda disc: disc.centre_mm[2]))


def _sacrum_below(*, anatomy: Anatomy, frame: DiscFrame) -> float:
    below = frame_grid(np.arange(-10, 6.0, 2), np.arange(-8, 9.0, 4), np.arange(-16.0, -5.0, 1.0))
    points = frame.to_patient(below)
    sacrum, vertebra = (float(sample(i, points).sum()) for i in (anatomy.sacrum, anatomy.vertebra))
    total = sacrum + vertebra
    return sacrum / total if total > 0.15 * points[..., 0].size else float("nan")


def locate_disc(
    *, discs: tuple[Disc, ...], level: Level, disc_at_mm: Point | None = None
) -> tuple[Disc, LocatedDisc]:
    """The disc that the level, or the given point, stands for.

    Args:
        discs: of one anatomy, lowest first.
        disc_at_mm: a point in the disc, LPS; settles which disc is meant, whatever the count says.

    Raises:
        LevelNotFoundError: no disc at the point, or the count is not safe.
    """
    if disc_at_mm is not None:
        disc = _disc_at(discs, disc_at_mm)
        remark = f"Disc at the given point taken as {level}; {_in_view(discs)}."
        return disc, LocatedDisc(level, disc.centre_mm, "point", remark)
    lowest = lumbosacral_disc(discs)
    index = lowest + level.discs_above_sacrum
    _check_row(discs[lowest : index + 1], level=level)
    if index >= len(discs):
        raise LevelNotFoundError(
            "level-not-in-view",
            f"{level} is not in view: only {len(discs) - lowest} discs are seen above the sacrum.",
        )
    remark = f"Lowest disc above the sacrum taken as L5-S1; {_in_view(discs)}."
    return discs[index], LocatedDisc(level, discs[index].centre_mm, "counted", remark)


def _in_view(discs: tuple[Disc, ...]) -> str:
    return f"{len(discs)} disc{'s' if len(discs) != 1 else ''} in view"


def _disc_at(discs: tuple[Disc, ...], point: Point) -> Disc:
    def distance(disc: Disc) -> float:
        """Distance from the point to the disc's nearest voxel, mm."""
        voxels = np.argwhere(sitk.GetArrayViewFromImage(disc.occupancy) >= 0.5)[:, ::-1]
        first, last = voxels.min(axis=0), voxels.max(axis=0)
        index = np.array(disc.occupancy.TransformPhysicalPointToContinuousIndex(point))
        if np.any(index < first - 60) or np.any(index > last + 60):
            return float("inf")
        spacing = np.array(disc.occupancy.GetSpacing())
        return float(np.linalg.norm((voxels - index) * spacing, axis=1).min())

    if not discs:
        raise LevelNotFoundError("no-disc", "No intervertebral disc is seen in the scan.")
    nearest = min(discs, key=distance)
    if distance(nearest) > _POINT_TOLERANCE_MM:
        raise LevelNotFoundError(
            "no-disc-at-point",
            f"No disc is seen within {_POINT_TOLERANCE_MM:.0f} mm of the given point; "
            "give a point inside the disc in patient millimetres (LPS).",
        )
    return nearest


def lumbosacral_disc(discs: tuple[Disc, ...]) -> int:
    """Index of the disc that rests on the sacrum.

    Raises:
        LevelNotFoundError: no sacrum is seen under a disc, it is doubtful, or there is a disc
            below the first sacral segment (a suspected transitional vertebra).
    """
    on_sacrum = [k for k, disc in enumerate(discs) if disc.sacrum_below > 0.5]
    if not on_sacrum:
        raise LevelNotFoundError(
            "sacrum-not-seen",
            "The sacrum is not seen under any disc, so levels cannot be counted; "
            "point at the disc with --disc-at.",
        )
    index = on_sacrum[-1]
    if index > 0 or len(on_sacrum) > 1:
        raise LevelNotFoundError(
            "transitional-anatomy",
            "A disc is seen below the first sacral segment: a transitional vertebra is suspected "
            "and the levels cannot be counted safely; point at the disc with --disc-at.",
        )
    if discs[index].sacrum_below < 0.8:
        raise LevelNotFoundError(
            "sacrum-doubtful",
            "The bone under the lowest disc is not clearly the sacrum, so levels cannot be "
            "counted safely; point at the disc with --disc-at.",
        )
    return index


def _check_row(discs: tuple[Disc, ...], *, level: Level) -> None:
    centres: FloatArray = np.array([disc.centre_mm for disc in discs])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    low, high = _NEIGHBOUR_DISTANCE_MM
    if np.any((steps < low) | (steps > high)):
        raise LevelNotFoundError(
            "level-count-doubtful",
            f"A disc between the sacrum and {level} seems to be missing or doubled, so levels "
            "cannot be counted safely; point at the disc with --disc-at.",
        )
