"""The disc frame: where sizes are measured and the two dates are compared.

Source: DEFINITIONS, "Level and frame" (project convention, version 1).
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import DiscFrame, FloatArray, Point


def sample(image: sitk.Image, points_mm: FloatArray) -> FloatArray:
    """Linear interpolation of `image` at LPS points (..., 3); 0 outside of its grid."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    to_index = np.linalg.inv(direction * np.array(image.GetSpacing()))
    index = (np.asarray(points_mm, float) - np.array(image.GetOrigin())) @ to_index.T
    array = sitk.GetArrayViewFromImage(image)
    coordinates = np.moveaxis(index[..., ::-1], -1, 0)
    values = ndimage.map_coordinates(array, coordinates, order=1, mode="constant", output=float)
    return np.asarray(values)


def frame_grid(
    ap_mm: FloatArray, transverse_mm: FloatArray, craniocaudal_mm: FloatArray
) -> FloatArray:
    """Frame coordinates of a grid, shape (transverse, craniocaudal, ap, 3), mm."""
    transverse, craniocaudal, ap = np.meshgrid(transverse_mm, craniocaudal_mm, ap_mm, indexing="ij")
    return np.stack([ap, transverse, craniocaudal], axis=-1)


def voxel_points(image: sitk.Image, index_zyx: FloatArray) -> FloatArray:
    """LPS points (n, 3) of array indices (n, 3), ordered (slice, row, column)."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    scaled = index_zyx[:, ::-1] * np.array(image.GetSpacing())
    return np.asarray(scaled @ direction.T + np.array(image.GetOrigin()))


def fit_disc_frame(*, disc: sitk.Image, canal: sitk.Image) -> DiscFrame:
    """Frame of one disc, its origin at the disc's centre in the canal's mid-sagittal plane.

    The craniocaudal axis is the normal of the plane midway between the disc's two endplate
    surfaces, fitted by least squares over the middle of the disc; the ap axis lies in the sagittal
    plane. `measure.boundary` then moves the origin to the posterior margin.

    Args:
        disc: occupancy of this one disc, 0-1, any grid.
        canal: occupancy of the spinal canal on the same grid.
    """
    voxels = np.argwhere(sitk.GetArrayViewFromImage(disc) >= 0.5).astype(float)
    points = voxel_points(disc, voxels)
    centre = points.mean(axis=0)
    across = np.array(disc.GetDirection()).reshape(3, 3)[:, 2]
    across = across * np.sign(across[0])  # to the patient's left

    in_plane = points - centre
    in_plane = in_plane - np.outer(in_plane @ across, across)
    _, _, principal = np.linalg.svd(in_plane, full_matrices=False)
    frame = _frame_from_normal(centre, normal=principal[1], across=across)
    for _ in range(3):
        frame = _level_with_endplates(frame, disc=disc)
    transverse = _canal_midline(frame, canal=canal)
    return DiscFrame(tuple(frame.to_patient(np.array([0.0, transverse, 0.0]))), frame.axes)


def _frame_from_normal(origin: FloatArray, *, normal: FloatArray, across: FloatArray) -> DiscFrame:
    upwards = normal * (np.sign(normal[2]) or 1.0)
    upwards = upwards / np.linalg.norm(upwards)
    left = across - (across @ upwards) * upwards
    left /= np.linalg.norm(left)
    back = np.cross(upwards, left)  # left x back = up in LPS
    back *= np.sign(back[1]) or 1.0
    return DiscFrame(tuple(float(x) for x in origin), np.stack([back, left, upwards]))


def _level_with_endplates(frame: DiscFrame, *, disc: sitk.Image) -> DiscFrame:
    """Turn the frame so that the disc's mid-plane is its craniocaudal zero."""
    ap = np.arange(-11.0, 11.5, 1.0)
    transverse = np.arange(-9.0, 9.5, 1.5)
    craniocaudal = np.arange(-12.0, 12.25, 0.5)
    grid = frame_grid(ap, transverse, craniocaudal)
    inside = sample(disc, frame.to_patient(grid))
    thickness = inside.sum(axis=1)
    usable = thickness * 0.5 >= 1.5  # mm of disc in the column
    if usable.sum() < 20:
        return frame
    middle = (inside * craniocaudal[None, :, None]).sum(axis=1)[usable] / thickness[usable]
    across, along = np.meshgrid(transverse, ap, indexing="ij")
    terms = np.stack([np.ones(usable.sum()), along[usable], across[usable]], axis=1)
    # A narrow slab says little of the tilt across the spine: hold it towards none.
    level = np.array([[0.0, 0.0, np.sqrt(10.0 * usable.sum())]])
    weight = np.ones(len(middle))
    for _ in range(3):  # columns with spurs or displaced material count less
        held = np.concatenate([terms * weight[:, None], level])
        fit, *_ = np.linalg.lstsq(held, np.append(middle * weight, 0.0), rcond=None)
        weight = 1 / np.maximum(1.0, np.abs(middle - terms @ fit) / 0.7)
    offset, slope_ap, slope_transverse = fit
    normal = np.array([-slope_ap, -slope_transverse, 1.0]) @ frame.axes
    origin = frame.to_patient(np.array([0.0, 0.0, offset]))
    return _frame_from_normal(origin, normal=normal, across=frame.axes[1])


def _canal_midline(frame: DiscFrame, *, canal: sitk.Image) -> float:
    """Transverse coordinate of the canal's middle at the disc; 0 where no canal is seen."""
    grid = frame_grid(np.arange(5.0, 45.0, 1.0), np.arange(-20, 20.5, 1.0), np.arange(-8, 9.0, 2.0))
    seen = sample(canal, frame.to_patient(grid))
    weight = seen.sum(axis=(1, 2))
    if weight.sum() < 50:
        return 0.0
    return float((weight * grid[:, 0, 0, 1]).sum() / weight.sum())


def average_frames(first: DiscFrame, second: DiscFrame) -> DiscFrame:
    """The frame midway between two, so that neither date is favoured."""
    u, _, vt = np.linalg.svd((first.axes + second.axes) / 2)
    origin = (np.array(first.origin_mm) + np.array(second.origin_mm)) / 2
    return DiscFrame(tuple(float(x) for x in origin), u @ vt)


def move_frame(frame: DiscFrame, *, rotation: FloatArray, translation_mm: FloatArray) -> DiscFrame:
    """The frame after the rigid motion x -> rotation x + translation."""
    origin = rotation @ np.array(frame.origin_mm) + translation_mm
    return DiscFrame(tuple(float(x) for x in origin), frame.axes @ rotation.T)


def distance_mm(first: Point, second: Point) -> float:
    """Distance of two points."""
    return float(np.linalg.norm(np.subtract(first, second)))
