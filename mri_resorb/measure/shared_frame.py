"""Places the disc at each date, and gives all dates one disc frame and one posterior boundary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mri_resorb.measure.align import align_all
from mri_resorb.measure.boundary import (
    BoundaryNotSeenError,
    PosteriorBoundary,
    average_boundaries,
    fit_posterior_boundary,
    frame_at_posterior_margin,
)
from mri_resorb.measure.material import find_material
from mri_resorb.model import Anatomy, DiscFrame, LocatedDisc, Remark, Scan, Status
from mri_resorb.segment.close_up import WEIGHTS, look_closely
from mri_resorb.segment.discs import without_other_discs
from mri_resorb.segment.levels import Found
from mri_resorb.side_by_side import for_each_date

BONE_DICE_LEAST = 0.90
"""Overlap of the vertebrae below which two dates are not compared."""
DISAGREEMENT_MOST_MM = 1.5
"""Distance of the two dates' boundaries above which they are not compared."""


@dataclass(frozen=True)
class Placed:
    """A date whose disc, frame and boundary are known."""

    scan: Scan
    anatomy: Anatomy
    located: LocatedDisc
    frame: DiscFrame
    boundary: PosteriorBoundary
    disagreement_mm: float = 0.0
    """How far its own boundary lies from another date's, at most, once they share a frame."""
    first_look_cm3: float = 0.0
    """Volume of the fragment in what was outlined before the closer look; 0 where none was."""


@dataclass(frozen=True)
class Refused:
    """A date that cannot be measured, and why."""

    scan: Scan
    anatomy: Anatomy
    located: LocatedDisc | None
    status: Status
    reason: Remark


def place(scan: Scan, anatomy: Anatomy, located: Found | Remark) -> Placed | Refused:
    """Frame and posterior boundary of the located disc in one date by itself."""
    if isinstance(located, Remark):
        return Refused(scan, anatomy, None, "undetermined", located)
    anatomy = without_other_discs(anatomy, located.disc)
    try:
        frame, boundary = frame_at_posterior_margin(anatomy=anatomy, frame=located.disc.frame)
    except BoundaryNotSeenError:
        reason = Remark("boundary-not-seen")
        return Refused(scan, anatomy, located.located, "incomplete", reason)
    return Placed(scan, anatomy, located.located, frame, boundary)


def place_closely(
    scan: Scan, anatomy: Anatomy, located: Found | Remark, *, weights: Path = WEIGHTS
) -> Placed | Refused:
    """As `place`, with the disc's surroundings outlined by a closer look.

    What was outlined before is measured too, so that a fragment which the closer look does not
    show is not overlooked. Another program's outlines stay as they are.
    """
    placed = place(scan, anatomy, located)
    if isinstance(placed, Refused) or anatomy.hard:
        return placed
    closer = look_closely(anatomy, image=scan.image, frame=placed.frame, weights=weights)
    again = place(scan, closer, located)
    if isinstance(again, Refused):
        return again
    before = find_material(anatomy=placed.anatomy, frame=again.frame, boundary=again.boundary)
    return replace(again, first_look_cm3=before.fragment_cm3 if before.is_herniated else 0.0)


def share_frame(*dates: Placed | Refused) -> tuple[Placed | Refused, ...]:
    """Give all dates one frame and one boundary; a date alone keeps its own.

    A date whose vertebrae cannot be brought to overlap with the first's, or whose boundary then
    lies too far from the first's, is refused; so is the first where no other is left.
    """
    placed = {k: date for k, date in enumerate(dates) if isinstance(date, Placed)}
    if len(placed) < 2:
        return dates
    alignment = align_all(
        anatomies=[date.anatomy for date in placed.values()],
        frames=[date.frame for date in placed.values()],
    )
    frames = dict(zip(placed, alignment.frames, strict=True))
    own = dict(zip(placed, for_each_date(_fitted, placed.values(), frames.values()), strict=True))
    first, *others = placed
    reasons = {
        k: reason
        for k, overlap in zip(others, alignment.bone_dice, strict=True)
        if (reason := _unlike(own[first], own[k], overlap=overlap))
    }
    if reasons:
        if len(reasons) == len(others):
            reasons[first] = reasons[others[0]]
        # Without the dates that do not fit, the others may share another frame.
        return share_frame(
            *(_refused(date, reasons[k]) if k in reasons else date for k, date in enumerate(dates))
        )
    boundaries = {k: boundary for k, boundary in own.items() if boundary}
    shared = average_boundaries(*boundaries.values())
    return tuple(
        replace(
            date,
            frame=frames[k],
            boundary=shared,
            disagreement_mm=max(
                boundary_distance_mm(boundaries[k], other) for other in boundaries.values()
            ),
        )
        if k in placed and isinstance(date, Placed)
        else date
        for k, date in enumerate(dates)
    )


def _fitted(date: Placed, frame: DiscFrame) -> PosteriorBoundary | None:
    try:
        return fit_posterior_boundary(date.anatomy, frame)
    except BoundaryNotSeenError:
        return None


def _unlike(
    first: PosteriorBoundary | None, other: PosteriorBoundary | None, *, overlap: float
) -> Remark | None:
    """Why two dates cannot be compared; None where they can."""
    if first is None or other is None:
        return Remark("boundary-not-shared")
    apart_mm = boundary_distance_mm(first, other)
    if overlap >= BONE_DICE_LEAST and apart_mm <= DISAGREEMENT_MOST_MM:
        return None
    return Remark("pair-misaligned", {"overlap": overlap, "apart_mm": apart_mm})


def _refused(date: Placed | Refused, reason: Remark) -> Refused:
    return Refused(date.scan, date.anatomy, date.located, "undetermined", reason)


def boundary_distance_mm(first: PosteriorBoundary, second: PosteriorBoundary) -> float:
    """Root mean square distance of two boundaries around the disc, in one frame."""
    transverse, height = np.meshgrid(np.arange(-7.5, 8.0, 1.5), np.arange(-10.0, 10.5, 1.0))
    apart = first.ap_mm(transverse, height) - second.ap_mm(transverse, height)
    return float(np.sqrt(np.mean(np.square(apart))))
