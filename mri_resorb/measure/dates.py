"""Takes the dates of a person to measured time points, alike and together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.measure import shape
from mri_resorb.measure.material import (
    GRID_VOXEL_CM3,
    HEIGHT_STEP_MM,
    HERNIATION_MM,
    TRANSVERSE_MM,
    TRANSVERSE_STEP_MM,
    BoolArray,
    Material,
    find_material,
    hardly_herniated,
    material_of_mask,
)
from mri_resorb.measure.occupancy import Occupancy, fill, fill_from_mask
from mri_resorb.measure.shared_frame import Placed, Refused
from mri_resorb.measure.uncertainty import VolumeError, volume_error, volume_estimate
from mri_resorb.model import (
    FloatArray,
    Fragment,
    Remark,
    TimePoint,
)
from mri_resorb.side_by_side import for_each_date

LATERAL_RECESS_MM = 12.0
"""Slices this far to both sides of the midline show the lateral recesses."""
HALF_SEEN_PART = 0.2
"""A piece of the other date of which more than this is seen, but no piece found, is in doubt."""
NEVER_OVERLOOKED_CM3 = 0.1
"""Convention: where one look shows so much of a fragment, the other's none is not believed."""
CENTRAL_MM = 5.0
"""A level not covered this far to both sides is not called free of herniation."""


def find_materials(*dates: Placed | Refused) -> tuple[Material | None, ...]:
    """The disc material at every date, as the network sees it; None where the date is refused."""
    return tuple(for_each_date(_automatic, dates))


def measure_dates(
    *dates: Placed | Refused,
    found: Sequence[Material | None] | None = None,
    masks: Sequence[sitk.Image | None] | None = None,
) -> tuple[tuple[TimePoint, ...], tuple[VolumeError | None, ...]]:
    """Measure the fragment at every date, within the dates' united footprint.

    Args:
        found: what `find_materials` found, where it is known already.
        masks: fragments drawn by a person on the scans' grids; measured instead of the automatic.
    """
    masks = masks or [None] * len(dates)
    materials = for_each_date(_material, dates, found or find_materials(*dates), masks)
    trusted = [
        material
        for material, mask in zip(materials, masks, strict=True)
        if material is not None and not (mask is None and material.is_implausible)
    ]
    shared = _shared_part(trusted, drawn=any(masks))
    measured = for_each_date(partial(_measured, shared=shared), dates, materials, masks)
    return tuple(point for point, _ in measured), tuple(error for _, error in measured)


@dataclass(frozen=True)
class _SharedPart:
    """Where all dates are measured.

    Attributes:
        footprint: (transverse, craniocaudal), united over the dates.
        covered: (transverse,): planes that count for the joined part.
        pieces: (transverse, craniocaudal, depth), detached pieces of any date.
        hardly: (transverse, craniocaudal): what of the footprint exceeds a rim's depth at no date
            by more than its error, and so may be no herniation; nothing of what a person drew.
        left_out_cm3: shallow rim of the footprint where not every date has slices: measured at
            none, so that the dates stay alike, and reckoned with as error.
    """

    footprint: BoolArray
    covered: BoolArray
    pieces: BoolArray
    hardly: BoolArray
    left_out_cm3: float


def _shared_part(materials: list[Material], *, drawn: bool) -> _SharedPart | None:
    """None where no date has an outline that can be trusted.

    Rim that goes on beyond a date's slices is left out only where it is no deeper than 2.5 mm;
    deeper material stays in the footprint, so that the date which does not cover it is refused.
    What a person has drawn is never cut.
    """
    if not materials:
        return None
    footprint: BoolArray = np.any([m.footprint for m in materials], axis=0)
    pieces: BoolArray = np.any([m.detached for m in materials], axis=0)
    covered = np.all([m.covered for m in materials], axis=0)
    outside = footprint & ~covered[:, None]
    reach_mm = np.max([m.reach_mm for m in materials], axis=0)
    hardly = hardly_herniated(footprint, reach_mm) & (not drawn)
    if drawn or (reach_mm[outside] > HERNIATION_MM).any() or pieces[~covered].any():
        return _SharedPart(footprint, np.ones_like(covered), pieces, hardly, 0.0)
    left_out_cm3 = float(reach_mm[outside].sum()) * TRANSVERSE_STEP_MM * HEIGHT_STEP_MM / 1000
    return _SharedPart(footprint & ~outside, covered, pieces, hardly, left_out_cm3)


def _automatic(date: Placed | Refused) -> Material | None:
    if isinstance(date, Refused):
        return None
    return find_material(anatomy=date.anatomy, frame=date.frame, boundary=date.boundary)


def _material(
    date: Placed | Refused, found: Material | None, mask: sitk.Image | None
) -> Material | None:
    if isinstance(date, Refused) or found is None or mask is None:
        return found
    return material_of_mask(mask, frame=date.frame, boundary=date.boundary, automatic=found)


def _refused(date: Refused) -> tuple[TimePoint, None]:
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
    date: Placed | Refused,
    material: Material | None,
    mask: sitk.Image | None,
    *,
    shared: _SharedPart | None,
) -> tuple[TimePoint, VolumeError | None]:
    if isinstance(date, Refused):
        return _refused(date)
    assert material is not None
    if mask is None and (doubt := _doubt(date, material)):
        return _refused(Refused(date.scan, date.anatomy, date.located, "undetermined", doubt))
    assert shared is not None
    footprint = shared.footprint
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
        pieces = _apart_here(shared.pieces, material)
        filled = fill(
            anatomy=date.anatomy,
            frame=date.frame,
            boundary=date.boundary,
            material=material,
            footprint=footprint,
            pieces=pieces,
            covered=shared.covered,
        )
        if _half_seen(material, pieces=pieces, filled=filled):
            half_seen = Remark("piece-half-seen")
            return replace(point, status="undetermined", reason=half_seen), None
    else:
        filled = fill_from_mask(mask, material=material, footprint=footprint)
    reason = _incomplete(material, footprint=footprint, filled=filled)
    if reason:
        return replace(point, status="incomplete", reason=reason), None
    hardly = shared.hardly & footprint
    error = volume_error(
        filled,
        boundary_disagreement_mm=date.disagreement_mm,
        absent=point.status == "absent",
        nothing_measured=not footprint.any() and not shared.pieces.any(),
        almost_herniated_cm3=material.almost_herniated_cm3(footprint),
        hardly_herniated_part=material.part_behind(hardly, of=footprint),
        left_out_cm3=shared.left_out_cm3,
    )
    fragment = _fragment(date, material=material, footprint=footprint, filled=filled, error=error)
    only_hardly = hardly.any() and bool((hardly == footprint).all()) and not shared.pieces.any()
    if only_hardly and point.status == "measured" and fragment.volume_cm3.low == 0:
        remark = Remark("hardly-herniated", {"least_mm": HERNIATION_MM})
        point = replace(point, warnings=(*point.warnings, remark))
    return replace(point, fragment=fragment), error


def _doubt(date: Placed, material: Material) -> Remark | None:
    """Why the outlines of this date cannot be believed."""
    if material.is_implausible:
        return Remark("outline-implausible")
    if not material.is_herniated and date.first_look_cm3 >= NEVER_OVERLOOKED_CM3:
        return Remark("fragment-in-doubt")
    return None


def _half_seen(material: Material, *, pieces: BoolArray, filled: Occupancy) -> bool:
    """A piece of the other date is neither found here nor clearly gone."""
    if material.detached.any() or not pieces.any():
        return False
    free_cm3 = float((pieces & ~material.joined).sum()) * GRID_VOXEL_CM3
    return filled.detached_cm3 > HALF_SEEN_PART * free_cm3


def _apart_here(pieces: BoolArray, material: Material) -> BoolArray:
    """The dates' detached pieces without those that are joined to the disc at this date.

    A neck that one date shows and the other does not makes a piece joined or detached; where it is
    joined it belongs to the joined part.
    """
    labels, count = ndimage.label(pieces, structure=np.ones((3, 3, 3)))
    size = np.bincount(labels.ravel(), minlength=count + 1)
    joined = np.bincount(labels[material.joined], minlength=count + 1)
    apart = joined < size / 2
    apart[0] = False
    return np.asarray(apart[labels])


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
        size=shape.size_mm(whole, tips=material.tips, boundary=date.boundary),
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
