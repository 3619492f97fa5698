"""Size, type, migration and canal compromise of a fragment, on the shared grid.

Types follow the combined task forces' nomenclature, version 2.0 (Fardon et al. 2014,
doi 10.1016/j.spinee.2014.04.022), as worded in DEFINITIONS.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.measure.material import (
    DEPTH_MM,
    DEPTH_STEP_MM,
    FOOTPRINT_MM,
    HEIGHT_MM,
    HEIGHT_STEP_MM,
    TRANSVERSE_MM,
    TRANSVERSE_STEP_MM,
    BoolArray,
    Material,
)
from mri_resorb.model import FloatArray, HerniationType, Migration, SizeMm

_BULGE_DEGREES = 90.0
_DISC_CENTRE_MM = 17.0
"""From the posterior margin to the disc's centre: half of a lumbar disc's depth (about 34 mm)."""
_LEAST_WALL_MM = 22.0
"""Convention: about the distance between the pedicles of L1; less is not all of a wall."""
_BESIDE_WALL_MM = 2.0
"""Slices go on this far beside the posterior wall where all of it is seen."""
_DOME_EXCESS_MM = {"height": 2.0, "transverse": 3.0}
"""How much wider than its base a dome must be: about two pixels, and about a slice."""
_BASE_DEPTH_MM = 0.75
_TIP_MM = 3.0
"""Tips are not longer than this."""
_MIDLINE_MM = 2.5


def whole_fragment(material: Material, footprint: BoolArray) -> BoolArray:
    """(transverse, craniocaudal, depth): joined material on the footprint, and detached pieces."""
    return (material.joined & footprint[..., None]) | material.detached


def size_mm(
    fragment: BoolArray, *, tips: BoolArray | None = None, boundary: PosteriorBoundary
) -> SizeMm:
    """Largest extents along the frame's axes, edge to edge.

    The grid's depth is counted from the boundary, which bends along the spine: a fragment that has
    migrated along a slanting wall goes further along the ap axis than it is deep.

    Args:
        fragment: (transverse, craniocaudal, depth), what is filled to a half and more.
        tips: what is filled to less as well, anywhere: within a slice, where a fragment tapers off
            through the slice's thickness, it ends there. Across the slices, a half is its edge.

    Raises:
        ValueError: the fragment is empty.
    """
    if not fragment.any():
        raise ValueError("An empty fragment has no size.")
    whole = fragment if tips is None else fragment | (tips & _tip_place(fragment))
    deep = np.asarray(whole.any(axis=-1))
    origin_mm = boundary.ap_mm(TRANSVERSE_MM[:, None], HEIGHT_MM)[deep]
    first, last = whole.argmax(axis=-1)[deep], whole[..., ::-1].argmax(axis=-1)[deep]
    front = (origin_mm + DEPTH_MM[first]).min()
    back = (origin_mm + DEPTH_MM[::-1][last]).max()
    across = np.flatnonzero(fragment.any(axis=(1, 2)))
    along = np.flatnonzero(deep.any(axis=0))
    return SizeMm(
        ap=float(back - front) + DEPTH_STEP_MM,
        transverse=float(across[-1] - across[0] + 1) * TRANSVERSE_STEP_MM,
        craniocaudal=float(along[-1] - along[0] + 1) * HEIGHT_STEP_MM,
    )


def _tip_place(fragment: BoolArray) -> BoolArray:
    """Within `_TIP_MM` of the fragment in its sagittal planes.

    Not as shallow as its rim: there, what is filled in part is the edge of the disc itself.
    """
    reach = (0, round(_TIP_MM / HEIGHT_STEP_MM), round(_TIP_MM / DEPTH_STEP_MM))
    size = tuple(2 * steps + 1 for steps in reach)
    near = ndimage.maximum_filter(fragment.astype(np.uint8), size=size, mode="constant")
    return np.asarray((near > 0) & (DEPTH_MM > FOOTPRINT_MM))


def migration(fragment: BoolArray, *, boundary: PosteriorBoundary) -> Migration:
    """Where the centroid lies from the disc's height and from the midline."""
    weight = fragment.sum(axis=-1)
    total = weight.sum()
    height = float((weight.sum(axis=0) * HEIGHT_MM).sum() / total)
    transverse = float((weight.sum(axis=1) * TRANSVERSE_MM).sum() / total)
    upper, lower = boundary.corner_heights_mm(np.array([transverse]))
    way = "cranial" if height > upper[0] else "caudal" if height < lower[0] else "none"
    if abs(transverse) <= _MIDLINE_MM:
        return Migration(way, "central")  # type: ignore[arg-type]
    return Migration(way, "left" if transverse > 0 else "right")  # type: ignore[arg-type]


def herniation_type(
    *, material: Material, footprint: BoolArray, boundary: PosteriorBoundary
) -> HerniationType:
    """Bulge, protrusion, extrusion or sequestration, of all pieces together."""
    if material.detached.any():
        return "sequestration"
    fragment = whole_fragment(material, footprint)
    if _is_broad(material, footprint, boundary=boundary):
        return "bulge"
    if _beyond_disc_height(fragment, boundary=boundary) or _dome_wider_than_base(fragment):
        return "extrusion"
    return "protrusion"


def _is_broad(material: Material, footprint: BoolArray, *, boundary: PosteriorBoundary) -> bool:
    """It takes more than a quarter of the disc's circumference.

    Its breadth goes on beyond the lateral recesses, where the fragment itself ends. Further out
    than the bodies' posterior walls are seen the disc's margin turns forward and no boundary tells
    how far material reaches behind it; what takes all of the wall is a quarter at least. Where the
    slices end before the wall does, that is not known.
    """
    runs, _ = ndimage.label(material.broad | footprint.any(axis=1))
    taken = np.isin(runs, np.unique(runs[footprint.any(axis=1)]))
    edges = TRANSVERSE_MM[taken]
    low, high = edges.min() - TRANSVERSE_STEP_MM / 2, edges.max() + TRANSVERSE_STEP_MM / 2
    seen, wall = TRANSVERSE_MM[material.covered], boundary.transverse_range_mm
    whole_wall_seen = (
        seen.size > 0
        and wall[1] - wall[0] >= _LEAST_WALL_MM
        and seen.min() < wall[0] - _BESIDE_WALL_MM
        and seen.max() > wall[1] + _BESIDE_WALL_MM
    )
    if whole_wall_seen and low <= wall[0] and high >= wall[1]:
        return True
    angle = np.degrees(np.arctan2(high, _DISC_CENTRE_MM) - np.arctan2(low, _DISC_CENTRE_MM))
    return bool(angle > _BULGE_DEGREES)


def _beyond_disc_height(fragment: BoolArray, *, boundary: PosteriorBoundary) -> bool:
    """Part of it lies clearly above or below the disc: more than a fifth of its volume."""
    upper, lower = boundary.corner_heights_mm(TRANSVERSE_MM)
    beyond = (HEIGHT_MM > upper[:, None] + 1.0) | (HEIGHT_MM < lower[:, None] - 1.0)
    return bool((fragment & beyond[..., None]).sum() > 0.2 * fragment.sum())


def _dome_wider_than_base(fragment: BoolArray) -> bool:
    """In any sagittal or axial plane, further back it is wider than where it leaves the disc."""
    base = int(np.argmin(np.abs(DEPTH_MM - _BASE_DEPTH_MM)))
    sagittal = fragment.sum(axis=1) * HEIGHT_STEP_MM  # (transverse, depth)
    axial = fragment.sum(axis=0) * TRANSVERSE_STEP_MM  # (craniocaudal, depth)
    for widths, excess in (
        (sagittal, _DOME_EXCESS_MM["height"]),
        (axial, _DOME_EXCESS_MM["transverse"]),
    ):
        at_base = widths[:, base]
        dome = widths[:, base:].max(axis=1)
        if np.any((dome > at_base + excess) & (at_base > 0)):
            return True
    return False


def canal_compromise_percent(*, material: Material, fragment: BoolArray) -> float | None:
    """Largest part of the canal's area taken by fragment, over planes parallel to the disc.

    The canal's area is that of the sac and of the fragment together; planes are averaged over
    2 mm, so that no single row decides. None where no sac is seen at all.
    """
    if not material.canal.any():
        return None
    behind = material.canal & (DEPTH_MM >= 0)
    area = TRANSVERSE_STEP_MM * DEPTH_STEP_MM
    taken: FloatArray = fragment.sum(axis=(0, 2)) * area
    left: FloatArray = (behind & ~fragment).sum(axis=(0, 2)) * area
    window = round(2 / HEIGHT_STEP_MM)
    taken, left = (ndimage.uniform_filter1d(a.astype(float), window) for a in (taken, left))
    usable = (taken > 0) & (left + taken > 20)
    if not usable.any():
        return 0.0
    return float(100 * (taken[usable] / (taken[usable] + left[usable])).max())
