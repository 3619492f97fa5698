"""What every picture of a slice needs: grey levels, and outlines of structures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from contourpy import contour_generator

from mri_resorb.model import FloatArray

HALF = 0.5
"""Outlines run where a structure fills half of a voxel."""
WINDOW_PERCENTILES = (1.0, 99.7)
"""Of the intensities: what is black, and what is white."""


def windowed(
    intensities: npt.NDArray[np.float32], window: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Intensities from `low` (black) to `high` (white)."""
    low, high = window
    scaled = (np.asarray(intensities, np.float32) - low) * (255 / max(high - low, 1e-6))
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def contours(values: npt.NDArray[np.float32], *, level: float = HALF) -> list[FloatArray]:
    """Lines (n, 2) of (column, row) at a level; closed at the array's edge as if 0 lay beyond."""
    rows, columns = (np.flatnonzero((values > 0).any(axis=axis)) for axis in (1, 0))
    if rows.size == 0 or not values.max() > level:
        return []
    part = np.pad(values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    lines = contour_generator(z=part).lines(level)
    corner = np.array([columns[0], rows[0]]) - 1
    return [np.asarray(line) + corner for line in lines]
