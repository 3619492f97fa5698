"""Arrays to what a page can hold: images as data URIs, outlines as SVG paths."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from mri_resorb.model import FloatArray

UNITS_PER_MM = 10
"""Pictures are drawn in tenths of a millimetre, so that paths are whole numbers."""

LOST_RGB, GAINED_RGB = (74, 144, 255), (255, 138, 31)
"""Blue and orange are told apart with every common colour vision deficiency."""
MOST_OPAQUE = 215
_FAINTEST_CHANGE = 0.08
_JPEG_QUALITY = 78

_Pixel = TypeVar("_Pixel", np.uint8, np.float32)


def turned(
    pixels: npt.NDArray[_Pixel],
    *,
    matrix: FloatArray,
    offset: FloatArray,
    field_mm: float,
    pixels_across: int,
) -> npt.NDArray[_Pixel]:
    """A square picture of `field_mm`, interpolated within the slice: cubic, or linear for floats.

    Args:
        matrix, offset: (column, row) = matrix @ (x, y) + offset, with x and y in mm from the
            picture's centre; see `sagittal.InPlane`.
    """
    step = field_mm / pixels_across
    corner = offset - matrix @ np.array([field_mm / 2, field_mm / 2])
    (a, b), (d, e) = matrix * step
    # Pillow counts from the corner of the first pixel, an index from its middle.
    coefficients = (a, b, corner[0] + 0.5, d, e, corner[1] + 0.5)
    floating = pixels.dtype != np.uint8
    return np.asarray(
        Image.fromarray(pixels).transform(
            (pixels_across, pixels_across),
            Image.Transform.AFFINE,
            coefficients,
            Image.Resampling.BILINEAR if floating else Image.Resampling.BICUBIC,
        )
    )


def jpeg(pixels: npt.NDArray[np.uint8]) -> str:
    """Grey levels as a data URI."""
    return _data_uri(Image.fromarray(pixels), "JPEG", quality=_JPEG_QUALITY)


def change_png(difference: npt.NDArray[np.float32]) -> str | None:
    """Occupancy lost (positive) and gained (negative), -1 to 1, as a transparent overlay.

    None where nothing changed.
    """
    amount = np.abs(difference)
    if float(amount.max(initial=0.0)) < _FAINTEST_CHANGE:
        return None
    rgba = np.empty((*difference.shape, 4), np.uint8)
    rgba[..., :3] = np.where(difference[..., None] > 0, LOST_RGB, GAINED_RGB)
    rgba[..., 3] = np.where(amount < _FAINTEST_CHANGE, 0, np.clip(amount, 0, 1) * MOST_OPAQUE)
    return _data_uri(Image.fromarray(rgba), "PNG")


def path(lines: Sequence[FloatArray]) -> str:
    """SVG path data of lines (n, 2) in mm: whole tenths of a millimetre, relative steps.

    A line that ends where it began is closed.
    """
    parts = []
    for line in lines:
        points = np.rint(np.asarray(line) * UNITS_PER_MM).astype(int)
        steps = np.diff(points, axis=0)
        steps = steps[steps.any(axis=1)]
        if not len(steps):
            continue
        closed = "z" if len(steps) > 2 and (points[0] == points[-1]).all() else ""
        moved = " ".join(f"{x} {y}" for x, y in steps.tolist())
        parts.append(f"M{points[0][0]} {points[0][1]}l{moved}{closed}")
    return "".join(parts)


def _data_uri(image: Image.Image, kind: str, **options: int) -> str:
    file = BytesIO()
    image.save(file, kind, **options)
    return f"data:image/{kind.lower()};base64,{b64encode(file.getvalue()).decode('ascii')}"
