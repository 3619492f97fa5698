"""Extents of a true fragment along the axes of its disc."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from mri_resorb.geometry import voxel_points
from mri_resorb.model import DiscFrame, SizeMm


def size_mm(occupancy: sitk.Image, frame: DiscFrame) -> SizeMm | None:
    """Largest extents along the frame's axes, edge to edge; None for nothing.

    Args:
        occupancy: 0-1, on a fine grid in sagittal order; what is half filled counts.
    """
    inside = np.argwhere(sitk.GetArrayViewFromImage(occupancy) >= 0.5).astype(float)
    if not len(inside):
        return None
    points = frame.to_frame(voxel_points(occupancy, inside))
    step = np.array(occupancy.GetDirection()).reshape(3, 3) * np.array(occupancy.GetSpacing())
    edge = np.abs(frame.axes @ step).max(axis=1)  # of the axis that runs along most
    ap, transverse, craniocaudal = (float(e) for e in np.ptp(points, axis=0) + edge)
    return SizeMm(ap=ap, transverse=transverse, craniocaudal=craniocaudal)
