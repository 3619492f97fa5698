"""How much of each voxel of a scan is fragment.

Source: DEFINITIONS, "Volume": occupancy-weighted, in the series' own grid. Which material belongs
is decided before (`mri_resorb.measure.material`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.geometry import box_around, frame_grid, sample
from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.measure.material import (
    DEPTH_MM,
    DEPTH_STEP_MM,
    HEIGHT_MM,
    HEIGHT_STEP_MM,
    HERNIATION_MM,
    TRANSVERSE_MM,
    TRANSVERSE_STEP_MM,
    BoolArray,
    Material,
)
from mri_resorb.model import Anatomy, DiscFrame, FloatArray

_DOUBT_REACH_MM = 4.0
"""How far from the fragment the network's doubt is looked for."""
_EDGE_MM = 1.5
"""Deeper than this, beside the footprint, no rim fills a voxel even in part."""
SPECK_MM2 = 2.0
"""Convention: four pixels of the network's grid. So little of an outermost slice is no fragment
that goes on beyond it, but the noise of an outline about `HERNIATION_MM`."""


@dataclass(frozen=True)
class Occupancy:
    """How much of each voxel of a scan is fragment.

    Attributes:
        image: 0-1, float32, on the scan's grid.
        joined_cm3, detached_cm3: occupancy-weighted volumes.
        footprint_cm2: area of the boundary that the joined part stands on.
        surface_cm2: surface of the fragment away from the boundary.
        touches_edge: what reaches more than 2.5 mm behind the boundary, or a detached piece, lies
            in the first or the last slice with more than `SPECK_MM2`, or at the image's border:
            more of it may lie outside.
        doubt_cm3: p (1 - p) of the network's occupancy, summed around the fragment: large where it
            is of two minds, and not only at outlines.
        hard: of an anatomy that knows no doubt, so that `doubt_cm3` says nothing.
        cut_cm2: cross-section of the shallower rim that the first and the last slice cut off.
    """

    image: sitk.Image
    joined_cm3: float
    detached_cm3: float
    footprint_cm2: float
    surface_cm2: float
    touches_edge: bool
    doubt_cm3: float = 0.0
    hard: bool = False
    cut_cm2: float = 0.0

    @property
    def volume_cm3(self) -> float:
        """Joined and detached together."""
        return self.joined_cm3 + self.detached_cm3


def fill(
    *,
    anatomy: Anatomy,
    frame: DiscFrame,
    boundary: PosteriorBoundary,
    material: Material,
    footprint: BoolArray,
    pieces: BoolArray | None = None,
    covered: BoolArray | None = None,
) -> Occupancy:
    """Occupancy of the fragment in the scan's own grid.

    A voxel counts by its disc occupancy, the part of it behind the boundary, and whether it
    belongs: inside the footprint, or to a detached piece. Voxels next to material count with what
    occupancy they have (partial volume); far from any, doubt does not add up to volume.

    Args:
        footprint: (transverse, craniocaudal), united over the dates.
        pieces: (transverse, craniocaudal, depth), detached pieces united over the dates: where the
            other date has one, what the network half sees here counts too. Its own where None.
        covered: (transverse,): planes in which both dates have slices; all where None.
    """
    image = anatomy.disc
    box, index = _box(image, frame)
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    points = frame.to_frame(index[..., ::-1] @ matrix.T + np.array(image.GetOrigin()))
    depth = points[..., 0] - boundary.ap_mm(points[..., 1], points[..., 2])
    occupancy = sitk.GetArrayViewFromImage(image)[box].astype(float)

    # Part of the voxel behind the boundary: its extent along ap is that of its in-plane edges.
    extent = float(np.abs(matrix[:, :2].T @ frame.axes[0]).sum())
    behind = np.clip(depth / extent + 0.5, 0, 1)
    place = [
        (points[..., 1] - TRANSVERSE_MM[0]) / TRANSVERSE_STEP_MM,
        (points[..., 2] - HEIGHT_MM[0]) / HEIGHT_STEP_MM,
    ]
    standing = _read(footprint, place) >= 0.5
    at = [*place, (depth - DEPTH_MM[0]) / DEPTH_STEP_MM]
    joined_core = _read(material.joined, at) >= 0.5
    detached_core = _read(material.detached if pieces is None else pieces, at) >= 0.5

    detached = _halo(detached_core, spacing_mm=image.GetSpacing()) & ~joined_core & (depth > 0)
    near = _halo(joined_core & standing, spacing_mm=image.GetSpacing())
    joined = (standing & (depth <= HERNIATION_MM)) | near
    joined &= ~detached & (depth < DEPTH_MM[-1])
    if covered is not None:
        joined &= _read(covered, place[:1]) >= 0.5
    # Beside the footprint the fragment's edge still fills parts of voxels, and so may rim. Rim does
    # not go deep: of a voxel close to the boundary, what is filled deeper as well is the edge.
    edge = joined & ~standing & (depth < _EDGE_MM)
    deeper = points[edge] + (_EDGE_MM - depth[edge])[:, None] * [1.0, 0.0, 0.0]
    occupancy[edge] = np.minimum(occupancy[edge], sample(image, frame.to_patient(deeper)))
    amount = occupancy * behind
    around = _halo(near | detached, spacing_mm=image.GetSpacing(), reach_mm=_DOUBT_REACH_MM)
    around |= standing & (depth < _DOUBT_REACH_MM)
    doubt = occupancy * (1 - occupancy) * behind * around
    voxel_cm3 = float(np.prod(image.GetSpacing())) / 1000

    values = np.zeros(image.GetSize()[::-1], np.float32)
    values[box] = amount * (joined | detached)
    filled = sitk.GetImageFromArray(values)
    filled.CopyInformation(image)
    # The shared grid ends at the centre of the outermost voxels: there, what lies near counts.
    material_near = _halo(
        _read(material.joined | material.detached, at) > 0, spacing_mm=image.GetSpacing()
    )
    core = (occupancy >= 0.5) & material_near & ((depth > HERNIATION_MM) | detached)
    return Occupancy(
        image=filled,
        joined_cm3=float((amount * joined).sum()) * voxel_cm3,
        detached_cm3=float((amount * detached).sum()) * voxel_cm3,
        footprint_cm2=float(footprint.sum()) * TRANSVERSE_STEP_MM * HEIGHT_STEP_MM / 100,
        surface_cm2=_surface_cm2(material, footprint),
        touches_edge=_touches_edge(
            core,
            box=box,
            shape=values.shape,
            speck_voxels=SPECK_MM2 / float(np.prod(image.GetSpacing()[:2])),
        ),
        doubt_cm3=float(doubt.sum()) * voxel_cm3,
        hard=anatomy.hard,
        cut_cm2=float(values[0].sum() + values[-1].sum())
        * voxel_cm3
        / (image.GetSpacing()[2] / 10),
    )


def _box(image: sitk.Image, frame: DiscFrame) -> tuple[tuple[slice, slice, slice], FloatArray]:
    """Slices of the array around the disc, and the array index of each voxel in it."""
    corners = frame.to_patient(
        frame_grid(np.array([-12.0, 32.0]), np.array([-26.0, 26.0]), np.array([-36.0, 36.0]))
    ).reshape(-1, 3)
    box = box_around(image, corners)
    axes = [np.arange(part.start, part.stop, dtype=float) for part in box]
    return box, np.stack(np.meshgrid(*axes, indexing="ij"), -1)


def _read(grid: BoolArray, place: list[FloatArray]) -> FloatArray:
    values = ndimage.map_coordinates(grid.astype(np.float32), place, order=1, mode="constant")
    return np.asarray(values)


def _halo(core: BoolArray, *, spacing_mm: tuple[float, ...], reach_mm: float = 1.2) -> BoolArray:
    """Voxels of the core and those near it: `reach_mm` in the plane, one slice across."""
    rows, columns = (max(1, round(reach_mm / spacing_mm[k])) for k in (1, 0))
    # Dilation by a box; the filter goes along one axis after the other, which is much faster.
    around = (3, 2 * rows + 1, 2 * columns + 1)
    near = ndimage.maximum_filter(core.astype(np.uint8), size=around, mode="constant")
    return np.asarray(near, bool)


def _surface_cm2(material: Material, footprint: BoolArray) -> float:
    """Area of the fragment's surface on the shared grid, counted face by face."""
    whole = (material.joined & footprint[..., None]) | material.detached
    faces = (
        (0, HEIGHT_STEP_MM * DEPTH_STEP_MM),
        (1, TRANSVERSE_STEP_MM * DEPTH_STEP_MM),
        (2, TRANSVERSE_STEP_MM * HEIGHT_STEP_MM),
    )
    crossings = [np.diff(whole.astype(np.int8), axis=axis) for axis, _ in faces]
    area = sum(float(np.abs(c).sum()) * a for c, (_, a) in zip(crossings, faces, strict=True))
    # Faces of a staircase overstate a smooth surface by 3/2 on the average over directions.
    return area * 2 / 3 / 100


def _touches_edge(
    core: BoolArray, *, box: tuple[slice, ...], shape: tuple[int, ...], speck_voxels: float = 0
) -> bool:
    """Whether it lies at the image's border, or in an outermost slice with more than a speck."""
    for axis, (part, n) in enumerate(zip(box, shape, strict=True)):
        most = speck_voxels if axis == 0 else 0
        first, last = (int(core.take(k, axis=axis).sum()) for k in (0, -1))
        if (part.start == 0 and first > most) or (part.stop == n and last > most):
            return True
    return False


def fill_from_mask(mask: sitk.Image, *, material: Material, footprint: BoolArray) -> Occupancy:
    """Occupancy of a fragment drawn by a person: the mask itself, all of it.

    Args:
        mask: 0-1, on the scan's grid.
        material: of the same mask, which tells joined from detached.
    """
    values = sitk.GetArrayViewFromImage(mask)
    volume = float(values.sum()) * float(np.prod(mask.GetSpacing())) / 1000
    joined, detached = float(material.joined.sum()), float(material.detached.sum())
    part = joined / max(joined + detached, 1.0)
    return Occupancy(
        image=sitk.Cast(mask, sitk.sitkFloat32),
        joined_cm3=volume * part,
        detached_cm3=volume * (1 - part),
        footprint_cm2=float(footprint.sum()) * TRANSVERSE_STEP_MM * HEIGHT_STEP_MM / 100,
        surface_cm2=_surface_cm2(material, footprint),
        touches_edge=_touches_edge(
            np.asarray(values) >= 0.5,
            box=tuple(slice(0, n) for n in values.shape),
            shape=values.shape,
        ),
    )
