"""Runs the anatomy network on a scan: image in, occupancy of each structure out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import Anatomy, Structure
from mri_resorb.segment.one_spine import one_spine
from mri_resorb.segment.scan_check import check_scan

PIXEL_MM = 0.7
"""In-plane grid that the network was trained on."""
_BLOCK = 32
_PROBE_OCCUPANCY = 0.3
_PROBE_MARGIN_MM = 25.0
WEIGHTS = Path(__file__).parent / "weights" / "anatomy.onnx"
"""Those that are shipped."""
_THREADS = 1
"""Of one run of the network; the two dates run side by side, which gains more."""

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What the network makes of a scan, on its own grid of 0.7 mm pixels.

    Attributes:
        slices: (slices, rows, columns), the scan's 1st percentile at 0, its 99th at 1.
        classes: (4, slices, rows, columns), occupancy of each structure, 0-1.
        grid: an image with this grid's geometry.
    """

    slices: FloatImage
    classes: FloatImage
    grid: sitk.Image

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Slices, rows, columns."""
        columns, rows, slices = self.grid.GetSpacing()
        return slices, rows, columns

    def anatomy(self, image: sitk.Image) -> Anatomy:
        """The occupancies on the grid of the scan itself."""
        return Anatomy(*(_on_grid_of(image, part) for part in self.classes))


def find_anatomy(image: sitk.Image) -> Anatomy:
    """Occupancy of vertebra, disc, canal and sacrum in a sagittal T2 volume.

    Args:
        image: float32 intensities in sagittal order (see `mri_resorb.model`).

    Raises:
        NotLumbarSpineError: what a lumbar spine has is not seen in the image.
        UnsuitableScanError: it is seen, but not as in a sharp T2.
    """
    seen = look(image)
    check_scan(seen.slices, seen.classes, spacing_mm=seen.spacing_mm)
    return seen.anatomy(image)


def look(image: sitk.Image, *, weights: Path = WEIGHTS) -> Seen:
    """Run the network on a scan, whatever it shows; see `find_anatomy`."""
    working = _on_network_grid(image)
    slices = normalise(sitk.GetArrayFromImage(working))
    rows, columns = slices.shape[1:]
    padded = np.pad(slices, ((1, 1), (0, -rows % _BLOCK), (0, -columns % _BLOCK)), mode="constant")
    padded[0], padded[-1] = padded[1], padded[-2]  # the study ends here: its last slice again
    classes = _classes(padded, weights)[:, :, :rows, :columns]
    spacing_mm = (image.GetSpacing()[2], PIXEL_MM, PIXEL_MM)
    return Seen(slices, one_spine(classes, spacing_mm=spacing_mm), working)


def _classes(padded: FloatImage, weights: Path) -> FloatImage:
    """Occupancy of each structure, (4, slices, rows, columns), from slices padded by one each end.

    A few slices are looked at whole; in the others only the columns around the spine seen there,
    which saves about half of the work and sees nothing in the belly.
    """
    count, rows, columns = len(padded) - 2, *padded.shape[1:]
    classes = np.zeros((len(Structure), count, rows, columns), np.float32)
    probes = sorted({count // 4, count // 2, 3 * count // 4})
    for k in probes:
        classes[:, k] = _run(padded[k : k + 3], weights)
    seen = np.flatnonzero((classes[:, probes] >= _PROBE_OCCUPANCY).any(axis=(0, 1, 2)))
    first, last = (seen[0], seen[-1] + 1) if seen.size else (0, columns)
    margin = round(_PROBE_MARGIN_MM / PIXEL_MM)
    first = max(0, first - margin) // _BLOCK * _BLOCK
    last = min(columns, -(-(last + margin) // _BLOCK) * _BLOCK)
    for k in set(range(count)) - set(probes):
        classes[:, k, :, first:last] = _run(padded[k : k + 3, :, first:last], weights)
    return classes


def _run(slices: FloatImage, weights: Path) -> FloatImage:
    """(4, rows, columns) for the middle one of three slices."""
    (logits,) = session(weights).run(None, {"slices": np.ascontiguousarray(slices[None])})
    exponent = np.exp(logits[0] - logits[0].max(axis=0))
    return np.asarray(exponent[1:] / exponent.sum(axis=0))


def normalise(slices: FloatImage) -> FloatImage:
    """Intensities with the volume's 1st percentile at 0 and its 99th at 1."""
    low, high = np.percentile(slices[:, ::2, ::2], (1, 99))
    normalised = (slices - low) / max(float(high - low), 1e-6)
    return np.asarray(normalised, np.float32)


def _on_network_grid(image: sitk.Image) -> sitk.Image:
    """The image on 0.7 mm pixels, slices untouched; finer pixels are averaged, not skipped."""
    spacing = image.GetSpacing()
    values = sitk.GetArrayViewFromImage(image)
    for axis in (0, 1):
        if spacing[axis] < PIXEL_MM:  # variance of the larger pixel's box less that of the smaller
            sigma_mm = np.sqrt((PIXEL_MM**2 - spacing[axis] ** 2) / 12)
            sigma = sigma_mm / spacing[axis]
            values = ndimage.gaussian_filter1d(values, sigma, axis=2 - axis, truncate=3)
    smooth = sitk.GetImageFromArray(values)
    smooth.CopyInformation(image)
    size = [
        max(1, round(n * s / PIXEL_MM))
        for n, s in zip(image.GetSize()[:2], spacing[:2], strict=True)
    ]
    corner = image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0.0))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    origin = np.array(corner) + direction @ np.array([PIXEL_MM / 2, PIXEL_MM / 2, 0.0])
    return sitk.Resample(
        smooth,
        [*size, image.GetSize()[2]],
        sitk.Transform(),
        sitk.sitkLinear,
        origin.tolist(),
        [PIXEL_MM, PIXEL_MM, spacing[2]],
        image.GetDirection(),
        0.0,
        sitk.sitkFloat32,
    )


def _on_grid_of(image: sitk.Image, values: FloatImage) -> sitk.Image:
    """Values of the network's grid, interpolated linearly in each slice to the scan's pixels.

    Both grids begin at one corner and differ in the size of their pixels alone.
    """
    columns_mm, rows_mm, _ = image.GetSpacing()
    columns, rows, _ = image.GetSize()
    finer = _interpolated(values, axis=1, count=rows, step=rows_mm / PIXEL_MM)
    finer = _interpolated(finer, axis=2, count=columns, step=columns_mm / PIXEL_MM)
    part = sitk.GetImageFromArray(finer)
    part.CopyInformation(image)
    return part


def _interpolated(values: FloatImage, *, axis: int, count: int, step: float) -> FloatImage:
    """`count` samples along an axis, `step` of its pixels apart, the first from its very edge."""
    at = np.clip((np.arange(count) + 0.5) * step - 0.5, 0, values.shape[axis] - 1)
    before = np.minimum(at.astype(int), max(values.shape[axis] - 2, 0))
    shape = [-1 if k == axis else 1 for k in range(values.ndim)]
    share = (at - before).astype(np.float32).reshape(shape)
    first = np.take(values, before, axis=axis)
    second = np.take(values, np.minimum(before + 1, values.shape[axis] - 1), axis=axis)
    second -= first
    second *= share
    return np.asarray(first + second)


_loading = Lock()
"""The weights are loaded once, though two dates ask for them at the same time."""


def session(weights: Path) -> Any:
    """ONNX Runtime with some weights, loaded once."""
    with _loading:
        return _load(weights)


@cache
def _load(weights: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
