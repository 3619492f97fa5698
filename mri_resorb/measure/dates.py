"""Takes two dates from their anatomies to measured time points, alike and together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from mri_resorb.measure import shape
from mri_resorb.measure.align import align
from mri_resorb.measure.boundary import (
    BoundaryNotSeenError,
    PosteriorBoundary,
    average_boundaries,
    fit_posterior_boundary,
    frame_at_posterior_margin,
)
from mri_resorb.measure.fragment import (
    GRID_VOXEL_CM3,
    TRANSVERSE_MM,
    BoolArray,
    Material,
    Occupancy,
    fill,
    fill_from_mask,
    find_material,
    material_of_mask,
)
from mri_resorb.measure.uncertainty import VolumeError, volume_error, volume_estimate
from mri_resorb.model import (
    Anatomy,
    DiscFrame,
    FloatArray,
    Fragment,
    LocatedDisc,
    Remark,
    Scan,
    Status,
    TimePoint,
)
from mri_resorb.segment.discs import without_other_discs
from mri_resorb.segment.levels import Found

BONE_DICE_LEAST = 0.90
"""Overlap of the vertebrae below which two dates are not compared."""
DISAGREEMENT_MOST_MM = 1.5
"""Distance of the two dates' boundaries above which they are not compared."""
LATERAL_RECESS_MM = 12.0
"""Slices this far to both sides of the midline show the lateral recesses."""
HALF_SEEN_PART = 0.2
"""A piece of the other date of which more than this is seen, but no piece found, is in doubt."""
CENTRAL_MM = 5.0
"""A level not covered this far to both sides is not called free of herniation."""


@dataclass(frozen=True)
class Placed:
    """A date whose disc, frame and boundary are known."""

    scan: Scan
    anatomy: Anatomy
    located: LocatedDisc
    frame: DiscFrame
    boundary: PosteriorBoundary
    disagreement_mm: float = 0.0
    """How far the two dates' own boundaries lie apart once they share a frame."""


@dataclass(frozen=True)
class Refused:
    """A date that cannot be measured, and why."""

    scan: Scan
    anatomy: Anatomy
    located: LocatedDisc | None
    status: Status
    reason: Remark


def place(*, scan: Scan, anatomy: Anatomy, located: Found | Remark) -> Placed | Refused:
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


def share_frame(
    baseline: Placed | Refused, follow_up: Placed | Refused
) -> tuple[Placed | Refused, Placed | Refused]:
    """Give both dates one frame and one boundary; a date alone keeps its own.

    Where the vertebrae of the two dates cannot be brought to overlap, or their boundaries then lie
    too far apart, both are refused.
    """
    if isinstance(baseline, Refused) or isinstance(follow_up, Refused):
        return baseline, follow_up
    alignment = align(
        baseline=baseline.anatomy,
        follow_up=follow_up.anatomy,
        baseline_frame=baseline.frame,
        follow_up_frame=follow_up.frame,
    )
    try:
        own = [
            fit_posterior_boundary(anatomy=date.anatomy, frame=frame)
            for date, frame in ((baseline, alignment.baseline), (follow_up, alignment.follow_up))
        ]
    except BoundaryNotSeenError:
        reason = Remark("boundary-not-shared")
    else:
        apart_mm = boundary_distance_mm(*own)
        if alignment.bone_dice >= BONE_DICE_LEAST and apart_mm <= DISAGREEMENT_MOST_MM:
            shared = average_boundaries(*own)
            return (
                replace(
                    baseline,
                    frame=alignment.baseline,
                    boundary=shared,
                    disagreement_mm=apart_mm,
                ),
                replace(
                    follow_up,
                    frame=alignment.follow_up,
                    boundary=shared,
                    disagreement_mm=apart_mm,
                ),
            )
        reason = Remark("pair-misaligned", {"overlap": alignment.bone_dice, "apart_mm": apart_mm})
    return tuple(  # type: ignore[return-value]
        Refused(date.scan, date.anatomy, date.located, "undetermined", reason)
        for date in (baseline, follow_up)
    )


def boundary_distance_mm(first: PosteriorBoundary, second: PosteriorBoundary) -> float:
    """Root mean square distance of two boundaries around the disc, in one frame."""
    transverse, height = np.meshgrid(np.arange(-7.5, 8.0, 1.5), np.arange(-10.0, 10.5, 1.0))
    apart = first.ap_mm(transverse, height) - second.ap_mm(transverse, height)
    return float(np.sqrt(np.mean(np.square(apart))))


def measure_dates(
    baseline: Placed | Refused,
    follow_up: Placed | Refused,
    *,
    masks: tuple[sitk.Image | None, sitk.Image | None] = (None, None),
) -> tuple[tuple[TimePoint, TimePoint], tuple[VolumeError | None, VolumeError | None]]:
    """Measure the fragment at both dates, within their united footprint.

    Args:
        masks: fragments drawn by a person on the scans' grids; measured instead of the automatic.
    """
    dates = (baseline, follow_up)
    materials = [
        None if isinstance(date, Refused) else _material(date, mask)
        for date, mask in zip(dates, masks, strict=True)
    ]
    footprints = [m.footprint for m in materials if m is not None]
    united: BoolArray = np.any(footprints, axis=0) if footprints else np.zeros((1, 1), bool)
    found = [m for m in materials if m is not None]
    pieces = np.any([m.detached for m in found], axis=0) if found else None
    measured = [
        _refused(date)
        if isinstance(date, Refused) or material is None
        else _measured(date, material=material, footprint=united, pieces=pieces, mask=mask)
        for date, material, mask in zip(dates, materials, masks, strict=True)
    ]
    (first, first_error), (second, second_error) = measured
    return (first, second), (first_error, second_error)


def _material(date: Placed, mask: sitk.Image | None) -> Material:
    material = find_material(anatomy=date.anatomy, frame=date.frame, boundary=date.boundary)
    if mask is None:
        return material
    return material_of_mask(mask, frame=date.frame, boundary=date.boundary, automatic=material)


def _refused(date: Placed | Refused) -> tuple[TimePoint, None]:
    assert isinstance(date, Refused)
    point = TimePoint(
        scan=date.scan,
        status=date.status,
        anatomy=date.anatomy,
        disc=date.located,
        reason=date.reason,
        warnings=date.scan.warnings,
    )
    return point, None


def _measured(
    date: Placed,
    *,
    material: Material,
    footprint: BoolArray,
    pieces: BoolArray | None,
    mask: sitk.Image | None,
) -> tuple[TimePoint, VolumeError | None]:
    point = TimePoint(
        scan=date.scan,
        status="measured" if material.is_herniated else "absent",
        anatomy=date.anatomy,
        disc=date.located,
        frame=date.frame,
        boundary_mm=_boundary_in_slices(date),
        warnings=(*date.scan.warnings, *_coverage_warnings(material)),
    )
    if mask is None:
        filled = fill(
            anatomy=date.anatomy,
            frame=date.frame,
            boundary=date.boundary,
            material=material,
            footprint=footprint,
            pieces=pieces,
        )
        if _half_seen(material, pieces=pieces, filled=filled):
            half_seen = Remark("piece-half-seen")
            return replace(point, status="undetermined", reason=half_seen), None
    else:
        filled = fill_from_mask(mask, material=material, footprint=footprint)
    reason = _incomplete(material, footprint=footprint, filled=filled)
    if reason:
        return replace(point, status="incomplete", reason=reason), None
    error = volume_error(
        filled,
        boundary_disagreement_mm=date.disagreement_mm,
        absent=point.status == "absent",
    )
    fragment = _fragment(date, material=material, footprint=footprint, filled=filled, error=error)
    return replace(point, fragment=fragment), error


def _half_seen(material: Material, *, pieces: BoolArray | None, filled: Occupancy) -> bool:
    """A piece of the other date is neither found here nor clearly gone."""
    if pieces is None or material.detached.any() or not pieces.any():
        return False
    free = pieces & ~material.joined
    whole_cm3 = float(free.sum()) * GRID_VOXEL_CM3
    return filled.detached_cm3 > HALF_SEEN_PART * whole_cm3


def _incomplete(material: Material, *, footprint: BoolArray, filled: Occupancy) -> Remark | None:
    """Why the fragment, or its absence, is not wholly seen."""
    if filled.touches_edge:
        return Remark("fragment-at-edge")
    if footprint[~material.covered].any():
        return Remark("footprint-not-covered")
    central = np.abs(TRANSVERSE_MM) <= CENTRAL_MM
    if not footprint.any() and not material.is_herniated and not material.covered[central].all():
        return Remark("level-not-covered")
    return None


def _coverage_warnings(material: Material) -> tuple[Remark, ...]:
    if material.covered[np.abs(TRANSVERSE_MM) <= LATERAL_RECESS_MM].all():
        return ()
    seen = TRANSVERSE_MM[material.covered]
    return (
        Remark(
            "lateral-coverage",
            {"from_mm": float(seen.min()), "to_mm": float(seen.max())},
        ),
    )


def _fragment(
    date: Placed,
    *,
    material: Material,
    footprint: BoolArray,
    filled: Occupancy,
    error: VolumeError,
) -> Fragment:
    volume = volume_estimate(filled.volume_cm3, error)
    joined_reach = material.reach_mm[footprint].max() if footprint.any() else 0.0
    common = {
        "occupancy": filled.image,
        "volume_cm3": volume,
        "joined_cm3": filled.joined_cm3,
        "detached_cm3": filled.detached_cm3,
        "reach_mm": float(max(joined_reach, material.detached_reach_mm)),
    }
    whole = shape.whole_fragment(material, footprint)
    if not material.is_herniated or not whole.any():
        return Fragment(
            **common,  # type: ignore[arg-type]
            size=None,
            type="none",
            migration=None,
            canal_compromise_percent=0.0,
        )
    return Fragment(
        **common,  # type: ignore[arg-type]
        size=shape.size_mm(whole),
        type=shape.herniation_type(material=material, footprint=footprint, boundary=date.boundary),
        migration=shape.migration(whole, boundary=date.boundary),
        canal_compromise_percent=shape.canal_compromise_percent(material=material, fragment=whole),
    )


def _boundary_in_slices(date: Placed) -> FloatArray:
    """(slices, points, 3) LPS: the boundary where each slice cuts it."""
    image = date.scan.image
    heights = np.arange(-24.0, 24.5, 0.5)
    lines = []
    for k in range(image.GetSize()[2]):
        origin = np.array(image.TransformIndexToPhysicalPoint((0, 0, k)))
        across = np.array(image.GetDirection()).reshape(3, 3)[:, 2]
        # Transverse coordinate at which this slice meets the frame's craniocaudal axis.
        along = date.frame.axes[1] @ across
        transverse = float((origin - np.array(date.frame.origin_mm)) @ across / along)
        sideways = np.full_like(heights, transverse)
        ap = date.boundary.ap_mm(sideways, heights)
        lines.append(date.frame.to_patient(np.stack([ap, sideways, heights], axis=-1)))
    return np.array(lines)
