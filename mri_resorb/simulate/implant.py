"""Implants herniations of known volume into real volumes.

A herniation pushes the sac back. So, along the disc frame's ap axis, what lay between the front and
the back of the sac is compressed into what the fragment leaves of it, the fragment is painted where
its shape says, and what opens between the fragment, the sac and the bones is filled with epidural
fat. Everything else stays the patient's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mri_resorb.geometry import frame_grid
from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.model import DiscFrame, FloatArray, Structure

Shape = Callable[[FloatArray], npt.NDArray[np.bool_]]
"""Which points (..., 3) are inside: mm behind the posterior boundary, transverse, craniocaudal."""
Texture = Callable[[FloatArray], FloatArray]
"""Intensity of the fragment at points (..., 3), same coordinates."""

_UP_DOWN_MM = 34.0
_DEEPEST_MM = 40.0
_SAC_LEFT_MM = 1.5
"""However big the fragment, this much of the sac's depth is left."""
_SUBSAMPLES = 24


@dataclass(frozen=True)
class LabelledScan:
    """A volume and its hard labels, arrays (slices, rows, columns) in sagittal order.

    Attributes:
        to_patient: 3 x 4 matrix from array index (slice, row, column, 1) to LPS mm.
    """

    image: FloatArray
    labels: npt.NDArray[np.uint8]
    to_patient: FloatArray

    @property
    def voxel_cm3(self) -> float:
        """Volume of a voxel, centre-to-centre distances."""
        return float(abs(np.linalg.det(self.to_patient[:, :3]))) / 1000


@dataclass(frozen=True)
class Implanted:
    """A scan with one more herniation.

    Attributes:
        scan: image and labels with the herniation; its voxels are labelled disc.
        fragment: 0-1, (slices, rows, columns): how much of each voxel it fills.
        volume_cm3: its volume behind the posterior boundary, by construction.
    """

    scan: LabelledScan
    fragment: FloatArray
    volume_cm3: float


@dataclass(frozen=True)
class _Sac:
    """Front and back of the thecal sac behind the boundary, mm, over (transverse, craniocaudal)."""

    transverse_mm: FloatArray
    craniocaudal_mm: FloatArray
    front_mm: FloatArray
    back_mm: FloatArray

    def at(self, surface: FloatArray, points: FloatArray) -> FloatArray:
        """A surface over the grid, read at frame points (..., 3)."""
        step = [axis[1] - axis[0] for axis in (self.transverse_mm, self.craniocaudal_mm)]
        index = [
            (points[..., 1] - self.transverse_mm[0]) / step[0],
            (points[..., 2] - self.craniocaudal_mm[0]) / step[1],
        ]
        return np.asarray(ndimage.map_coordinates(surface, index, order=1, mode="nearest"))


def implant_herniation(
    *,
    scan: LabelledScan,
    frame: DiscFrame,
    boundary: PosteriorBoundary,
    shape: Shape,
    texture: Texture,
    fat_intensity: float,
) -> Implanted:
    """Push a herniation of a given shape into the canal behind one disc.

    Args:
        frame: of the disc, origin at its posterior margin.
        boundary: posterior boundary in that frame.
        shape: tells which points the herniation fills; what it fills of bone or of the last
            1.5 mm of the sac is left out.
        texture: its intensities.
        fat_intensity: of what fills the opened epidural space.
    """
    box = _box_around(scan, frame)
    points = _behind_boundary(scan, box, frame=frame, boundary=boundary)
    sac = _find_sac(scan, frame=frame, boundary=boundary)
    labels = scan.labels[box]
    bone = (labels == Structure.VERTEBRA) | (labels == Structure.SACRUM)

    steps = _subvoxel_steps() @ scan.to_patient[:, :3].T @ frame.axes.T
    fragment = np.where(bone, 0.0, _filled_part(shape, points=points, steps=steps, sac=sac))

    new_front = _pushed_front(sac, points=points, fragment=fragment)
    depth = points[..., 0]
    front, back = sac.at(sac.front_mm, points), sac.at(sac.back_mm, points)
    pushed = np.maximum(sac.at(new_front, points), front)
    in_sac = (depth >= pushed) & (depth < back) & (pushed > front)
    opened = (depth >= front) & (depth < pushed) & ~bone
    front, back, pushed, depth = (surface[in_sac] for surface in (front, back, pushed, depth))
    source = front + (depth - pushed) * (back - front) / np.maximum(back - pushed, 0.5)
    inverse = np.linalg.inv(scan.to_patient[:, :3])
    index = np.argwhere(in_sac) + ((source - depth)[:, None] * frame.axes[0]) @ inverse.T

    image, new_labels = scan.image[box].copy(), labels.copy()
    image[in_sac] = _look_up(image, index, order=3)
    new_labels[in_sac] = _look_up(labels, index, order=0)
    softened = ndimage.gaussian_filter(opened.astype(np.float32), (0, 0.6, 0.6))
    image += softened * opened * (fat_intensity - image)
    image += fragment * (texture(points) - image)
    new_labels[opened & (labels == Structure.CANAL)] = 0
    new_labels[fragment >= 0.5] = Structure.DISC

    whole = np.zeros(scan.image.shape)
    whole[box] = fragment
    out_image, out_labels = scan.image.copy(), scan.labels.copy()
    out_image[box], out_labels[box] = image, new_labels
    return Implanted(
        scan=LabelledScan(out_image, out_labels, scan.to_patient),
        fragment=whole,
        volume_cm3=float(fragment.sum()) * scan.voxel_cm3,
    )


def _subvoxel_steps() -> FloatArray:
    """(subsamples, 3) offsets within a voxel, in voxels.

    No two share a plane of the grid, so a surface along the grid is placed as finely as any other
    (the R3 sequence of M. Roberts, 2018: powers of the root of x^4 = x + 1).
    """
    count = np.arange(1, _SUBSAMPLES + 1)[:, None]
    return (0.5 + count * 1.2207440846 ** -np.arange(1.0, 4.0)) % 1 - 0.5


def _filled_part(shape: Shape, *, points: FloatArray, steps: FloatArray, sac: _Sac) -> FloatArray:
    """Part of each voxel that the shape fills, behind the boundary and short of the sac's back."""

    def inside(at: FloatArray) -> npt.NDArray[np.bool_]:
        room = sac.at(sac.back_mm, at) - _SAC_LEFT_MM
        return shape(at) & (at[..., 0] > 0) & (at[..., 0] < room)

    near = ndimage.binary_dilation(inside(points), iterations=2)
    some = points[near]
    filled = np.zeros(near.shape)
    filled[near] = np.mean([inside(some + step) for step in steps], axis=0)
    return filled


def _box_around(scan: LabelledScan, frame: DiscFrame) -> tuple[slice, slice, slice]:
    """Rows and columns near the disc, all slices."""
    corners = frame.to_patient(
        frame_grid(
            np.array([-6.0, _DEEPEST_MM]), np.array([-5.0, 5.0]), np.array([-1, 1]) * _UP_DOWN_MM
        )
    ).reshape(-1, 3)
    index = (corners - scan.to_patient[:, 3]) @ np.linalg.inv(scan.to_patient[:, :3]).T
    low = np.clip(np.floor(index.min(axis=0)), 0, None).astype(int)
    high = np.ceil(index.max(axis=0)).astype(int) + 1
    return slice(0, scan.image.shape[0]), slice(low[1], high[1]), slice(low[2], high[2])


def _behind_boundary(
    scan: LabelledScan,
    box: tuple[slice, slice, slice],
    *,
    frame: DiscFrame,
    boundary: PosteriorBoundary,
) -> FloatArray:
    """(mm behind the boundary, transverse, craniocaudal) of each voxel centre of the box."""
    axes = [np.arange(part.start, part.stop) for part in _clipped(box, scan.image.shape)]
    index = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    points = frame.to_frame(index @ scan.to_patient[:, :3].T + scan.to_patient[:, 3])
    points[..., 0] -= boundary.ap_mm(points[..., 1], points[..., 2])
    return points


def _clipped(box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> list[slice]:
    return [slice(part.start, min(part.stop, n)) for part, n in zip(box, shape, strict=True)]


def _find_sac(scan: LabelledScan, *, frame: DiscFrame, boundary: PosteriorBoundary) -> _Sac:
    """Front and back of the canal label along the ap axis; carried outwards where it ends."""
    transverse = np.arange(-16.0, 16.5, 0.9)
    height = np.arange(-_UP_DOWN_MM, _UP_DOWN_MM + 0.5, 0.7)
    depth = np.arange(-4.0, _DEEPEST_MM, 0.5)
    grid = frame_grid(depth, transverse, height)
    grid[..., 0] += boundary.ap_mm(grid[..., 1], grid[..., 2])
    inverse = np.linalg.inv(scan.to_patient[:, :3])
    index = (frame.to_patient(grid) - scan.to_patient[:, 3]) @ inverse.T
    canal = _look_up((scan.labels == Structure.CANAL).astype(float), index, order=1) >= 0.5
    seen = canal.sum(axis=-1) * 0.5 >= 2.0
    front = np.where(seen, depth[np.argmax(canal, axis=-1)], np.nan)
    back = np.where(seen, depth[canal.shape[-1] - 1 - np.argmax(canal[..., ::-1], axis=-1)], np.nan)
    front, back = (_smooth(_carried_outwards(surface, seen)) for surface in (front, back))
    return _Sac(transverse, height, np.maximum(front, 0.2), back)


def _carried_outwards(surface: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    if not known.any():
        return np.zeros(surface.shape)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(surface[tuple(nearest)])


def _smooth(surface: FloatArray) -> FloatArray:
    return np.asarray(ndimage.gaussian_filter(surface, 1.0, mode="nearest"))


def _pushed_front(sac: _Sac, *, points: FloatArray, fragment: FloatArray) -> FloatArray:
    """Where the sac's front lies now: behind the fragment, falling off smoothly around it."""
    filled = fragment > 0.3
    reach: FloatArray = np.zeros_like(sac.front_mm)
    if filled.any():
        inside = points[filled]
        row = np.rint((inside[:, 1] - sac.transverse_mm[0]) / 0.9).astype(int)
        column = np.rint((inside[:, 2] - sac.craniocaudal_mm[0]) / 0.7).astype(int)
        rows, columns = reach.shape
        np.maximum.at(reach, (row.clip(0, rows - 1), column.clip(0, columns - 1)), inside[:, 0])
        reach = ndimage.grey_closing(reach, size=(3, 3))
    around = ndimage.gaussian_filter(ndimage.grey_dilation(reach, size=(3, 3)), (1.5, 2.5))
    limit = sac.back_mm - _SAC_LEFT_MM
    pushed = np.maximum(np.maximum(reach, around), sac.front_mm)
    return np.asarray(np.minimum(pushed, limit))


def _look_up(
    array: npt.NDArray[np.generic], index: FloatArray, *, order: int
) -> npt.NDArray[np.float64]:
    return np.asarray(
        ndimage.map_coordinates(array, np.moveaxis(index, -1, 0), order=order, mode="nearest")
    )
