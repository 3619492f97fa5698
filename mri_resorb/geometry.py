"""Reading volumes at points: between patient millimetres, array indices and frame coordinates."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import FloatArray


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
