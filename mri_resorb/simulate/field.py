"""The fine grid a phantom is made on, and the layers that are painted on it, back to front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.simulate.spine_shape import PosteriorCurve
from mri_resorb.simulate.tissue import TISSUES, SpinEcho

Array = npt.NDArray[np.floating[Any]]
"""float32 wherever it covers the whole field."""
Region = tuple[slice, slice, slice]
_FRONT_MM, _BACK_MM = 112.0, 100.0
_BELOW_MM, _ABOVE_MM = 88.0, 200.0
SAGITTAL_DIRECTION = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


@dataclass(frozen=True)
class Field:
    """A fine grid in sagittal order, unrotated: arrays (slices, rows, columns).

    Attributes:
        x_mm, y_mm, z_mm: voxel centres, LPS, along slices, columns and rows.
        transverse_mm: (slices, rows, 1), to the left of the (slightly bent) middle of the spine.
        along_mm, behind_mm: (rows, columns): arc length up the posterior line, and mm behind it.
    """

    x_mm: Array
    y_mm: Array
    z_mm: Array
    transverse_mm: Array
    along_mm: Array
    behind_mm: Array
    bend_mm: float
    """How far the middle of the spine leaves the plane x = 0."""
    bend_phase: float

    def middle_mm(self, z_mm: float) -> float:
        """x of the spine's middle at a height."""
        return _middle(z_mm, self.bend_mm, self.bend_phase)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """(columns, rows, slices), as `SimpleITK.Image.GetSpacing`."""
        return (
            float(self.y_mm[1] - self.y_mm[0]),
            float(self.z_mm[0] - self.z_mm[1]),
            float(self.x_mm[1] - self.x_mm[0]),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return len(self.x_mm), len(self.z_mm), len(self.y_mm)

    @property
    def voxel_cm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.spacing_mm)) / 1000

    @property
    def whole(self) -> Region:
        """All of it."""
        return slice(None), slice(None), slice(None)

    def region(self, near: npt.NDArray[np.bool_]) -> Region | None:
        """The smallest block of rows and columns that holds a mask (rows, columns)."""
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if not len(rows):
            return None
        return (
            slice(None),
            slice(int(rows[0]), int(rows[-1]) + 1),
            slice(int(columns[0]), int(columns[-1]) + 1),
        )

    def plane_points(self) -> npt.NDArray[np.float64]:
        """(rows, columns, 2) of (y, z)."""
        return np.stack(np.meshgrid(self.y_mm, self.z_mm), axis=-1).astype(float)

    def fill(self, distance: Array, *, softness_mm: float = 0.0) -> Array:
        """Signed distance (negative inside) to 0-1, over a voxel's width or `softness_mm`."""
        width = np.float32(max(self.spacing_mm[0], softness_mm))
        return np.asarray(np.clip(0.5 - distance / width, 0, 1), np.float32)

    def image(self, array: npt.NDArray[np.generic]) -> sitk.Image:
        """An array over the whole field as an image."""
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing(self.spacing_mm)
        image.SetDirection(SAGITTAL_DIRECTION)
        image.SetOrigin((float(self.x_mm[0]), float(self.y_mm[0]), float(self.z_mm[0])))
        return image

    def noise(self, rng: np.random.Generator, *, scale_mm: tuple[float, float, float]) -> Array:
        """Correlated noise of mean 0 and standard deviation 1; scales across, up, to the back."""
        columns, rows, slices = self.spacing_mm
        sigma = [s / d for s, d in zip(scale_mm, (slices, rows, columns), strict=True)]
        # Drawn coarsely where it is smooth, and enlarged.
        step = [max(1, int(s // 1.5)) for s in sigma]
        coarse = [-(-n // k) + 3 for n, k in zip(self.shape, step, strict=True)]
        values = rng.standard_normal(coarse, dtype=np.float32)
        values = ndimage.gaussian_filter(
            values, [s / k for s, k in zip(sigma, step, strict=True)], mode="wrap", truncate=3
        )
        for axis, (k, n) in enumerate(zip(step, self.shape, strict=True)):
            if k > 1:
                at = np.arange(n, dtype=np.float32) / k
                low = at.astype(int)
                share = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
                values = np.take(values, low, axis) * (1 - share) + (
                    np.take(values, low + 1, axis) * share
                )
            else:
                values = np.take(values, np.arange(n), axis)
        return np.asarray(values / values.std(), np.float32)


def _middle(z_mm: float, bend_mm: float, phase: float) -> float:
    return float(bend_mm * np.sin(2 * np.pi * z_mm / 260.0 + phase) - bend_mm * np.sin(phase))


def make_field(
    curve: PosteriorCurve,
    rng: np.random.Generator,
    *,
    width_mm: float,
    in_plane_mm: float,
    across_mm: float,
) -> Field:
    """The grid around a spine, which bends a little to one side."""
    half = round(width_mm / across_mm / 2)
    x = (np.arange(-half, half + 1) * across_mm).astype(np.float32)
    y = np.arange(-_FRONT_MM, _BACK_MM, in_plane_mm).astype(np.float32)
    z = np.arange(_ABOVE_MM, -_BELOW_MM, -in_plane_mm).astype(np.float32)
    bend, phase = float(rng.uniform(0, 2.0)), float(rng.uniform(0, 2 * np.pi))
    middle = np.array([_middle(float(v), bend, phase) for v in z], np.float32)
    points = np.stack(np.meshgrid(y, z), axis=-1).astype(float)
    along, behind = curve.along_and_behind(points)
    return Field(
        x_mm=x,
        y_mm=y,
        z_mm=z,
        transverse_mm=x[:, None, None] - middle[None, :, None],
        along_mm=along.astype(np.float32),
        behind_mm=behind.astype(np.float32),
        bend_mm=bend,
        bend_phase=phase,
    )


@dataclass(frozen=True)
class Layer:
    """One tissue painted over what lies below it.

    Attributes:
        cover: 0-255 within `region`: how much of each voxel it takes.
        texture: relative signal variation within `region`, in 1/256, or None.
    """

    tissue: str
    region: Region
    cover: npt.NDArray[np.uint8]
    texture: npt.NDArray[np.int8] | None = None


def paint(layers: Sequence[Layer], *, field: Field, sequence: SpinEcho) -> Array:
    """The signal of all layers, one over the other, (slices, rows, columns)."""
    signal = np.zeros(field.shape, np.float32)
    for layer in layers:
        part = signal[layer.region]
        value = np.float32(sequence.signal(TISSUES[layer.tissue]))
        cover = layer.cover.astype(np.float32)
        cover *= np.float32(1 / 255)
        own: Array | np.float32 = value
        if layer.texture is not None:
            own = layer.texture.astype(np.float32)
            own *= value / np.float32(256)
            own += value
        part += cover * (own - part)
    return signal


def layer(
    tissue: str, region: Region, cover: Array, *, texture: Array | None = None, amount: float = 0.0
) -> Layer:
    """Pack a layer; `texture` is noise over the whole field, `amount` its relative strength."""
    packed = np.rint(np.clip(cover, 0, 1) * np.float32(255)).astype(np.uint8)
    if texture is None:
        return Layer(tissue, region, packed)
    variation = np.clip(texture[region] * np.float32(256 * amount), -127, 127).astype(np.int8)
    return Layer(tissue, region, packed, variation)


def cover_of(layers: Sequence[Sequence[Layer]], field: Field) -> Array:
    """0-1 over the whole field: the largest cover of any of the layers."""
    cover = np.zeros(field.shape, np.float32)
    for item in (one for group in layers for one in group):
        part = cover[item.region]
        np.maximum(part, item.cover.astype(np.float32) / np.float32(255), out=part)
    return cover
