"""Runs the anatomy network on a scan: image in, occupancy of each structure out."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.errors import NotLumbarSpineError
from mri_resorb.model import Anatomy, Structure

PIXEL_MM = 0.7
"""In-plane grid that the network was trained on."""
_DISC_HEIGHT_MOST_MM = 14.0
_LEAST_CERTAINTY = 0.74
"""Of what is called disc, the mean occupancy: 0.84-0.93 in training patients, whole and cropped,
0.64 in a phantom of a head."""
_BLOCK = 32
_PROBE_OCCUPANCY = 0.3
_PROBE_MARGIN_MM = 25.0
_WEIGHTS = "weights/anatomy.onnx"

FloatImage = npt.NDArray[np.float32]


def weights_sha256() -> str:
    """SHA-256 of the shipped weights."""
    return hashlib.sha256(_weights()).hexdigest()


def find_anatomy(image: sitk.Image) -> Anatomy:
    """Occupancy of vertebra, disc, canal and sacrum in a sagittal T2 volume.

    Args:
        image: float32 intensities in sagittal order (see `mri_resorb.model`).

    Raises:
        NotLumbarSpineError: what a lumbar spine has is not seen in the image.
    """
    working = _on_network_grid(image)
    slices = normalise(sitk.GetArrayFromImage(working))
    rows, columns = slices.shape[1:]
    padded = np.pad(slices, ((1, 1), (0, -rows % _BLOCK), (0, -columns % _BLOCK)), mode="constant")
    padded[0], padded[-1] = padded[1], padded[-2]  # the study ends here: its last slice again
    classes = _classes(padded)[:, :, :rows, :columns]
    anatomy = Anatomy(*(_on_grid_of(image, like=working, values=part) for part in classes))
    _check_lumbar(classes, voxel_mm3=float(np.prod(working.GetSpacing())))
    return anatomy


def _classes(padded: FloatImage) -> FloatImage:
    """Occupancy of each structure, (4, slices, rows, columns), from slices padded by one each end.

    A few slices are looked at whole; in the others only the columns around the spine seen there,
    which saves about half of the work and sees nothing in the belly.
    """
    count, rows, columns = len(padded) - 2, *padded.shape[1:]
    classes = np.zeros((len(Structure), count, rows, columns), np.float32)
    probes = sorted({count // 4, count // 2, 3 * count // 4})
    for k in probes:
        classes[:, k] = _run(padded[k : k + 3])
    seen = np.flatnonzero((classes[:, probes] >= _PROBE_OCCUPANCY).any(axis=(0, 1, 2)))
    first, last = (seen[0], seen[-1] + 1) if seen.size else (0, columns)
    margin = round(_PROBE_MARGIN_MM / PIXEL_MM)
    first = max(0, first - margin) // _BLOCK * _BLOCK
    last = min(columns, -(-(last + margin) // _BLOCK) * _BLOCK)
    for k in set(range(count)) - set(probes):
        classes[:, k, :, first:last] = _run(padded[k : k + 3, :, first:last])
    return classes


def _run(slices: FloatImage) -> FloatImage:
    """(4, rows, columns) for the middle one of three slices."""
    (logits,) = _session().run(None, {"slices": np.ascontiguousarray(slices[None])})
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


def _on_grid_of(image: sitk.Image, *, like: sitk.Image, values: FloatImage) -> sitk.Image:
    part = sitk.GetImageFromArray(values)
    part.CopyInformation(like)
    return sitk.Resample(part, image, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)


def _check_lumbar(classes: FloatImage, *, voxel_mm3: float) -> None:
    """Disc with bone above and below it, and a canal, or it is no lumbar spine.

    Amounts alone do not tell: in a picture of something else the network may see some of each,
    but not in a spine's order, and not surely.
    """
    vertebra, disc, canal, sacrum = classes >= 0.5
    bone = vertebra | sacrum
    between = disc & _bone_within_reach(bone) & _bone_within_reach(bone[:, ::-1])[:, ::-1]
    bone_cm3, disc_cm3, canal_cm3 = (
        float(part.sum()) * voxel_mm3 / 1000 for part in (bone, between, canal)
    )
    sure = bool(disc.any()) and float(classes[1][disc].mean()) >= _LEAST_CERTAINTY
    if bone_cm3 < 10 or disc_cm3 < 2 or canal_cm3 < 1 or not sure:
        raise NotLumbarSpineError(
            f"No lumbar spine is recognised in the image: {bone_cm3:.0f} cm3 of vertebra, "
            f"{disc_cm3:.1f} cm3 of disc between vertebrae and {canal_cm3:.1f} cm3 of canal are "
            f"seen{'' if sure else ', not surely'}; give a sagittal T2 series of it."
        )


def _bone_within_reach(bone: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where bone lies no more than a disc's height above, along the rows (axis 1)."""
    rows = round(_DISC_HEIGHT_MOST_MM / PIXEL_MM)
    counted = np.pad(np.cumsum(bone, axis=1, dtype=np.int32), ((0, 0), (rows, 0), (0, 0)))
    return np.asarray(counted[:, rows:] > counted[:, :-rows])


@cache
def _weights() -> bytes:
    return Path(str(resources.files("mri_resorb.segment"))).joinpath(_WEIGHTS).read_bytes()


_loading = Lock()
"""The weights are loaded once, though two dates ask for them at the same time."""


def _session() -> Any:
    with _loading:
        return _load()


@cache
def _load() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the two dates run side by side, which gains more
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(_weights(), options, providers=["CPUExecutionProvider"])
