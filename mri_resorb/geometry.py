"""Reading volumes at points: between patient millimetres, array indices and frame coordinates."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import DiscFrame, FloatArray


def sample(image: sitk.Image, points_mm: FloatArray) -> FloatArray:
    """Linear interpolation of `image` at LPS points (..., 3); 0 outside of its grid."""
    (values,) = sample_each(image, points_mm=points_mm)
    return values


def sample_each(*images: sitk.Image, points_mm: FloatArray) -> tuple[FloatArray, ...]:
    """As `sample`, several images on one grid at the same points (..., 3)."""
    first = images[0]
    to_index, offset = _to_index(first)
    points = np.asarray(points_mm, float)
    index = to_index @ points.reshape(-1, 3).T - offset[:, None]
    index = index.reshape(3, *points.shape[:-1])  # slice, row, column
    return tuple(
        np.asarray(
            ndimage.map_coordinates(
                sitk.GetArrayViewFromImage(image), index, order=1, mode="constant", output=float
            )
        )
        for image in images
    )


def sample_grid(
    image: sitk.Image,
    frame: DiscFrame,
    *,
    ap_mm: FloatArray,
    transverse_mm: FloatArray,
    craniocaudal_mm: FloatArray,
) -> FloatArray:
    """As `sample`, at a frame's evenly spaced coordinates, (transverse, craniocaudal, ap); faster.

    Args:
        frame: placed in the image's patient coordinates (LPS mm).
        ap_mm, transverse_mm, craniocaudal_mm: in the frame; rising or falling, two or more each.
    """
    along = (ap_mm, craniocaudal_mm, transverse_mm)
    steps_mm = np.array([axis[1] - axis[0] for axis in along])
    directions = frame.axes[[0, 2, 1]].T * np.sign(steps_mm)
    first = np.array([ap_mm[0], transverse_mm[0], craniocaudal_mm[0]])
    values = sitk.GetArrayFromImage(
        sitk.Resample(
            image,
            [len(axis) for axis in along],
            sitk.Transform(3, sitk.sitkIdentity),
            sitk.sitkLinear,
            frame.to_patient(first).tolist(),
            np.abs(steps_mm).tolist(),
            directions.ravel().tolist(),
            0.0,
            sitk.sitkFloat32,
        )
    ).astype(float)
    # Resampling goes on for half a voxel beyond the outermost centres.
    to_index, offset = _to_index(image)
    begin = to_index @ frame.to_patient(first) - offset
    by_step = (to_index @ (directions * np.abs(steps_mm)))[:, [2, 1, 0]]
    counts = np.ogrid[tuple(slice(n) for n in values.shape)]
    for at, steps, size in zip(begin, by_step, image.GetSize()[::-1], strict=True):
        reach = steps * (np.array(values.shape) - 1)
        if at + np.minimum(reach, 0).sum() < 0 or at + np.maximum(reach, 0).sum() > size - 1:
            index = at + sum(step * count for step, count in zip(steps, counts, strict=True))
            values[(index < 0) | (index > size - 1)] = 0
    return np.asarray(values)


def _to_index(image: sitk.Image) -> tuple[FloatArray, FloatArray]:
    """Matrix and offset from LPS points to array indices (slice, row, column)."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    to_index = np.linalg.inv(direction * np.array(image.GetSpacing()))[::-1]
    return to_index, to_index @ np.array(image.GetOrigin())


def frame_grid(
    ap_mm: FloatArray, transverse_mm: FloatArray, craniocaudal_mm: FloatArray
) -> FloatArray:
    """Frame coordinates of a grid, shape (transverse, craniocaudal, ap, 3), mm."""
    transverse, craniocaudal, ap = np.meshgrid(transverse_mm, craniocaudal_mm, ap_mm, indexing="ij")
    return np.stack([ap, transverse, craniocaudal], axis=-1)


def box_around(image: sitk.Image, points_mm: FloatArray) -> tuple[slice, slice, slice]:
    """Slices of the image's array (slice, row, column) that hold LPS points (n, 3)."""
    to_index, offset = _to_index(image)
    index = points_mm @ to_index.T - offset
    first, second, third = (
        slice(int(np.clip(np.floor(low), 0, n - 1)), int(np.clip(np.ceil(high) + 1, 1, n)))
        for low, high, n in zip(
            index.min(axis=0), index.max(axis=0), image.GetSize()[::-1], strict=True
        )
    )
    return first, second, third


def voxel_points(image: sitk.Image, index_zyx: FloatArray) -> FloatArray:
    """LPS points (n, 3) of array indices (n, 3), ordered (slice, row, column)."""
    direction = np.array(image.GetDirection()).reshape(3, 3)
    scaled = index_zyx[:, ::-1] * np.array(image.GetSpacing())
    return np.asarray(scaled @ direction.T + np.array(image.GetOrigin()))
