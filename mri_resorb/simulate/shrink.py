"""Shrinks a real herniation by a known amount, the sac following it forwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.geometry import sample, voxel_points
from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.measure.material import DEPTH_MM, HEIGHT_MM, TRANSVERSE_MM, Material
from mri_resorb.model import DiscFrame, FloatArray

_FURTHEST_MM = 46.0
"""Nothing further than this from the disc's posterior margin is changed."""
_BACK_MM = 6.0
"""Depth over which what lies behind the fragment is stretched to follow it."""


_PARTIAL_VOLUME_MM = 0.5
"""How far voxels filled in part go on beyond where half of one is filled."""


@dataclass(frozen=True)
class Shrinking:
    """A map along the ap axis that draws a fragment towards the boundary.

    Attributes:
        frame, boundary: of the disc.
        reach_mm: (transverse, craniocaudal) depth that holds all of the fragment, 0 away from it.
        part: how much of each depth is left, 0-1.
    """

    frame: DiscFrame
    boundary: PosteriorBoundary
    reach_mm: FloatArray
    part: float

    def apply(self, volume: sitk.Image) -> sitk.Image:
        """The volume (an image or an occupancy, any grid) after the shrinking."""
        values = sitk.GetArrayFromImage(volume).astype(np.float32)
        centre = volume.TransformPhysicalPointToContinuousIndex(self.frame.origin_mm)[::-1]
        away = _FURTHEST_MM / np.array(volume.GetSpacing()[::-1])
        ranges = [
            np.arange(max(0, int(c - a)), min(n, int(c + a) + 2))
            for c, a, n in zip(centre, away, values.shape, strict=True)
        ]
        index = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
        points = self.frame.to_frame(voxel_points(volume, index.astype(float)))
        depth = points[:, 0] - self.boundary.ap_mm(points[:, 1], points[:, 2])
        shift = self._source_depth(depth, points) - depth
        changed = np.abs(shift) > 1e-3
        moved = points[changed]
        moved[:, 0] += shift[changed]
        values[tuple(index[changed].T)] = sample(volume, self.frame.to_patient(moved))
        out = sitk.GetImageFromArray(values)
        out.CopyInformation(volume)
        return out

    def _source_depth(self, depth: FloatArray, points: FloatArray) -> FloatArray:
        """Where what lies at a depth now lay before."""
        place = [
            (points[:, 1] - TRANSVERSE_MM[0]) / (TRANSVERSE_MM[1] - TRANSVERSE_MM[0]),
            (points[:, 2] - HEIGHT_MM[0]) / (HEIGHT_MM[1] - HEIGHT_MM[0]),
        ]
        reach = ndimage.map_coordinates(self.reach_mm, place, order=1, mode="constant")
        left = self.part * reach
        behind = reach + (depth - left) * _BACK_MM / (_BACK_MM + reach - left)
        inside = depth / max(self.part, 1e-3)
        source = np.where(depth < left, inside, np.where(depth < reach + _BACK_MM, behind, depth))
        return np.asarray(np.where((depth > 0) & (reach > 0.25), source, depth))


def shrink_herniation(
    *, frame: DiscFrame, boundary: PosteriorBoundary, material: Material, part: float
) -> Shrinking:
    """The map that leaves `part` of the joined fragment's depth, and so of its volume.

    Args:
        frame, boundary: of the disc; `material` found with them.
        part: 0-1, how much is left; the footprint stays, depths are scaled.
    """
    deep = np.where(material.footprint, material.reach_mm + _PARTIAL_VOLUME_MM, 0.0)
    # Steep sides lie between the last place of the footprint and the next: a map that falls off
    # there would leave a wall of what it should have drawn in. Reaching too deep does no harm.
    deep = ndimage.grey_dilation(deep, size=(3, 5))
    return Shrinking(frame, boundary, np.minimum(deep, DEPTH_MM[-1]), part)
