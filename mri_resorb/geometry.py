"""Reading volumes at points: between patient millimetres, array indices and frame coordinates."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import FloatArray


def sample(image: sitk.Image, points_mm: FloatArray) -> FloatArray:
    """Linear interpolation of `image` at LPS points (..., 3); 0 outside of its grid."""
    (values,) = sample_each(image, points_mm=points_mm)
    return values


def sample_each(*images: sitk.Image, points_mm: FloatArray) -> tuple[FloatArray, ...]:
    """As `sample`, several images on one grid at the same points (..., 3)."""
    first = images[0]
    direction = np.array(first.GetDirection()).reshape(3, 3)
    to_index = np.linalg.inv(direction * np.array(first.GetSpacing()))[::-1]
    offset = to_index @ np.array(first.GetOrigin())
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
