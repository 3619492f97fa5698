"""Turns labelled volumes into training crops: thick slices, poses, contrasts, noise, artefacts.

A crop is the three neighbouring slices that the network sees and the soft classes of the middle
one: how much of each pixel (and of the slice's thickness) every structure fills. Trained on these,
the network's probabilities mean occupancy.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.network import CLASSES, SLICES
from training.patients import UNKNOWN

THICKEST_MM = 6.0
"""Of a slice made by averaging."""
PIXEL_MM = 0.7
CROP = 128
FRAGMENT = 5
"""Label of implanted fragment voxels: disc to the network, marked so that crops can find them."""

FloatImage = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Volume:
    """(slices, rows, columns) uint8 arrays, perhaps memory-mapped; spacing in mm, same order."""

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    focus: npt.NDArray[np.intp]
    """(points, 3) voxels worth centring a crop on."""
    fragment_weight: float = 1.0
    """Of implanted fragment pixels in the loss."""


def focus_points(labels: npt.NDArray[np.uint8], *, count: int = 400) -> npt.NDArray[np.intp]:
    """Voxels of discs and fragments, a fixed random pick of them."""
    fragment = np.argwhere(labels == FRAGMENT)
    disc = np.argwhere(labels == 2)
    rng = np.random.default_rng(0)
    picks = [p[rng.integers(0, len(p), count)] for p in (disc, fragment) if len(p)]
    return np.concatenate(picks)


def draw_crop(
    volume: Volume, *, rng: np.random.Generator
) -> tuple[FloatImage, FloatImage, FloatImage]:
    """One training crop.

    Returns:
        slices (3, CROP, CROP) normalised intensities, classes (5, CROP, CROP) soft labels, and
        weight (CROP, CROP), 0 where unlabelled and `volume.fragment_weight` on fragments.
    """
    slices, rows, columns = volume.image.shape
    averaged = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.3, 0.1, 0.15, 0.15, 0.15, 0.15]))
    averaged = min(averaged, slices, max(1, int(THICKEST_MM / volume.spacing_mm[0])))
    distance = averaged + int(rng.integers(0, 2)) if averaged > 1 else int(rng.choice([1, 1, 2]))
    if distance > 1 and distance * volume.spacing_mm[0] > 2 * THICKEST_MM:
        distance = 1
    if rng.random() < 0.7:
        centre = volume.focus[rng.integers(len(volume.focus))].astype(float)
    else:
        centre = rng.uniform((0, 0.1 * rows, 0.2 * columns), (slices, 0.95 * rows, columns))
    start = int(np.clip(centre[0] - averaged // 2, 0, slices - averaged))

    row, column = source_of(
        _pose(rng), tuple(centre), volume.spacing_mm, shape=(CROP, CROP), rng=rng
    )
    planes = [nearest(volume.labels[k], row, column) for k in range(start, start + averaged)]
    classes, known, fragment = soft_classes(np.stack(planes))
    stack = []
    for offset in range(-(SLICES // 2), SLICES // 2 + 1):
        first = start + offset * distance
        if first < 0 or first + averaged > slices:  # the study ends here: its last slice again
            first = start if offset else first
        thick = volume.image[first : first + averaged].mean(axis=0, dtype=np.float32)
        stack.append(smooth_lookup(thick, row, column))
    image = np.stack(stack)
    end_of_view(image, classes, rng=rng)
    image = augment(image, classes=classes[:, None], fragment=fragment[None], rng=rng)
    weight = known * (1.0 + (volume.fragment_weight - 1.0) * fragment)
    if rng.random() < 0.5:  # in-plane left-right is the slice order: mirror the stack
        image = image[::-1]
    return np.ascontiguousarray(image), classes, weight.astype(np.float32)


@dataclass(frozen=True)
class Pose:
    """Where a crop lies in the slice.

    Attributes:
        angle: of the crop's columns against the slice's, radians.
        shift_mm: rows, columns of the slice, from its centre to the crop's.
    """

    pixel_mm: float
    angle: float
    stretch: float
    shift_mm: tuple[float, float]


def _pose(rng: np.random.Generator) -> Pose:
    shift = rng.uniform(-0.35, 0.35, 2) * CROP * PIXEL_MM
    return Pose(
        pixel_mm=float(np.exp(rng.uniform(np.log(0.75), np.log(1.35)))) * PIXEL_MM,
        angle=float(np.deg2rad(rng.normal(0, 12))),
        stretch=float(np.exp(rng.normal(0, 0.06))),
        shift_mm=(float(shift[0]), float(shift[1])),
    )


def source_of(
    pose: Pose,
    centre: tuple[float, ...],
    spacing_mm: tuple[float, float, float],
    *,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[FloatImage, FloatImage]:
    """Source row and column of each pixel of a crop drawn at twice the resolution."""
    down, across = (
        (np.arange(2 * n, dtype=np.float32) - n + 0.5) * np.float32(pose.pixel_mm / 2)
        for n in shape
    )
    down, across = down[:, None] * np.float32(pose.stretch), across[None] / np.float32(pose.stretch)
    cosine, sine = np.float32(np.cos(pose.angle)), np.float32(np.sin(pose.angle))
    y = cosine * down - sine * across + np.float32(pose.shift_mm[0])
    x = sine * down + cosine * across + np.float32(pose.shift_mm[1])
    if rng.random() < 0.5:
        y += _smooth_field(rng.normal(0, 1.2, (6, 6)), y.shape)
        x += _smooth_field(rng.normal(0, 1.2, (6, 6)), x.shape)
    row = np.float32(centre[1]) + y / np.float32(spacing_mm[1])
    return row, np.float32(centre[2]) + x / np.float32(spacing_mm[2])


def end_of_view(image: FloatImage, classes: FloatImage, *, rng: np.random.Generator) -> None:
    """Now and then, black one side of a crop, where the field of view would end."""
    if rng.random() < 0.15:
        side, depth = int(rng.integers(4)), int(rng.integers(10, min(image.shape[1:]) // 3))
        np.rot90(image, side, axes=(1, 2))[:, :depth] = 0
        np.rot90(classes, side, axes=(1, 2))[:, :depth] = np.eye(CLASSES, 1)[..., None]


def _smooth_field(coarse: npt.NDArray[np.float64], shape: tuple[int, ...]) -> FloatImage:
    return cv2.resize(coarse.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)


def nearest(plane: npt.NDArray[np.uint8], row: FloatImage, column: FloatImage) -> FloatImage:
    """Labels at source rows and columns."""
    return cv2.remap(np.ascontiguousarray(plane), column, row, cv2.INTER_NEAREST)


def smooth_lookup(plane: FloatImage, row: FloatImage, column: FloatImage) -> FloatImage:
    """Intensities at source rows and columns of twice the resolution, averaged to pixels."""
    return _halve(cv2.remap(plane, column, row, cv2.INTER_LINEAR))


def _halve(image: npt.NDArray[np.generic]) -> FloatImage:
    """Mean of 2 x 2 pixels: the pixel's area, not a point of it."""
    size = (image.shape[1] // 2, image.shape[0] // 2)
    return cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def soft_classes(
    labels: npt.NDArray[np.uint8],
) -> tuple[FloatImage, FloatImage, FloatImage]:
    """Soft classes, known pixels and fragment pixels of a stack of label planes."""

    def filled(value: int) -> FloatImage:
        return _halve((labels == value).sum(axis=0, dtype=np.uint8)) / len(labels)

    parts = {value: filled(value) for value in (1, 2, 3, 4, FRAGMENT, UNKNOWN)}
    fragment, known = parts[FRAGMENT], (parts[UNKNOWN] == 0).astype(np.float32)
    foreground = [parts[1], parts[2] + fragment, parts[3], parts[4]]
    return np.stack([1 - sum(foreground) - parts[UNKNOWN], *foreground]), known, fragment


def augment(
    image: FloatImage, *, classes: FloatImage, fragment: FloatImage, rng: np.random.Generator
) -> FloatImage:
    """Vary contrast, field, noise and artefacts of one crop, then normalise it as a scan is.

    Args:
        image: (planes, rows, columns).
        classes: (5, planes, rows, columns), or one plane's for all.
        fragment: (planes, rows, columns), or one plane's for all.
    """
    image = image / max(float(np.percentile(image[:, ::3, ::3], 99.5)), 1.0)
    if rng.random() < 0.35:  # other sequences: each tissue its own gain
        gains = np.exp(rng.normal(0, 0.35, CLASSES)).astype(np.float32)
        image = image * _blur(np.tensordot(gains, classes, 1), 0.7)
    if rng.random() < 0.35:  # old herniations are darker than their disc, fresh ones brighter
        image = image * _blur(1 + np.float32(np.exp(rng.normal(0, 0.4)) - 1) * fragment, 0.7)
    if rng.random() < 0.12:  # suppressed fat: marrow and what surrounds the spine lose signal
        lost = np.float32(rng.uniform(0.3, 0.9))
        image = image * _blur(1 - lost * (classes[0] + classes[1] + classes[4]), 0.7)
    if rng.random() < 0.25:  # any monotone change of contrast
        levels = np.r_[0, np.cumsum(rng.dirichlet(np.full(6, 1.5)))]
        image = np.interp(image, np.linspace(0, 1.2, 7), levels).astype(np.float32)
    image = np.power(np.maximum(image, 0), np.float32(np.exp(rng.normal(0, 0.25))))
    if rng.random() < 0.5:
        image = image * _smooth_field(np.exp(rng.normal(0, 0.3, (4, 4))), image.shape[1:])
    if rng.random() < 0.4:
        sigma = abs(rng.normal(0, 0.8)) + 0.05
        image = _blur(image, sigma)
    if rng.random() < 0.15:  # motion or pulsation: a shifted ghost along the phase direction
        ghost = np.roll(image, int(rng.integers(10, 90)), axis=int(rng.integers(1, 3)))
        image = image + np.float32(rng.uniform(0.03, 0.15)) * ghost
    noise = rng.standard_normal((2, *image.shape), dtype=np.float32)
    noise *= np.float32(abs(rng.normal(0, 0.05)))
    image = np.hypot(image + noise[0], noise[1])
    if rng.random() < 0.15:  # stretched exports
        image = np.minimum(image, np.percentile(image, rng.uniform(93, 99.5)))
    return normalise(image) * np.float32(np.exp(rng.normal(0, 0.12)))


def _blur(planes: FloatImage, sigma_pixels: float) -> FloatImage:
    return np.stack([cv2.GaussianBlur(plane, (0, 0), sigma_pixels) for plane in planes])


def normalise(image: FloatImage) -> FloatImage:
    """As `mri_resorb.segment.network.normalise`, for a crop."""
    low, high = np.percentile(image[:, ::2, ::2], (1, 99))
    return ((image - low) / max(float(high - low), 1e-3)).astype(np.float32)
