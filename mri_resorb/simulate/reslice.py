"""Takes a volume again as another examination would: pose, thick slices, pixels, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from mri_resorb.model import FloatArray, Point


@dataclass(frozen=True)
class Pose:
    """How the body lies differently: turned about `centre_mm`, then moved.

    Attributes:
        rotation_degrees: about the patient's left, back and up axes (rotation vector, LPS).
        translation_mm: LPS.
    """

    rotation_degrees: Point = (0.0, 0.0, 0.0)
    translation_mm: Point = (0.0, 0.0, 0.0)
    centre_mm: Point = (0.0, 0.0, 0.0)

    def transform(self) -> sitk.Transform:
        """From the first pose's points to the new pose's, LPS mm."""
        euler = sitk.Euler3DTransform()
        euler.SetCenter(self.centre_mm)
        matrix = Rotation.from_rotvec(self.rotation_degrees, degrees=True).as_matrix()
        euler.SetMatrix(matrix.ravel().tolist(), 1e-6)
        euler.SetTranslation(self.translation_mm)
        return euler

    def moved(self, point_mm: Point) -> Point:
        """Where a point of the first pose lies in the new one."""
        x, y, z = self.transform().TransformPoint(point_mm)
        return (x, y, z)


def reslice(
    volumes: Sequence[sitk.Image],
    *,
    slice_distance_mm: float,
    slice_thickness_mm: float,
    pixel_mm: float,
    pose: Pose | None = None,
    offset_mm: float = 0.0,
) -> tuple[sitk.Image, ...]:
    """Slices of another examination of the same body.

    Each new slice is the mean over its thickness and over its pixels' area, so intensities and
    occupancies alike keep their partial volume. The slices are centred on where the first volume's
    middle has come to lie; as many are made as lie wholly in it when the body is not turned.

    Args:
        volumes: on one grid, sagittal order: an image and whatever belongs to it (occupancies).
        slice_distance_mm: centre to centre; a gap where it is larger than the thickness.
        offset_mm: shift of the slice positions across the body.

    Raises:
        ValueError: the first volume is narrower than one slice.
    """
    first = volumes[0]
    pose = pose or Pose()
    to_first = pose.transform().GetInverse()
    columns, rows, slices = first.GetSize()
    spacing = first.GetSpacing()
    coverage = slices * spacing[2]
    count = int((coverage - slice_thickness_mm - 2 * abs(offset_mm)) // slice_distance_mm) + 1
    if count < 1:
        raise ValueError(f"No slice of {slice_thickness_mm:g} mm fits into {coverage:g} mm.")
    size = [round(columns * spacing[0] / pixel_mm), round(rows * spacing[1] / pixel_mm), count]
    direction = np.array(first.GetDirection()).reshape(3, 3)
    middle = first.TransformContinuousIndexToPhysicalPoint(
        [(n - 1) / 2 for n in (columns, rows, slices)]
    )
    half = (np.array(size) - 1) / 2 * np.array([pixel_mm, pixel_mm, slice_distance_mm])
    origin = np.array(pose.moved(middle)) + direction @ (-half + [0, 0, offset_mm])

    steps = _slice_profile(slice_thickness_mm, finest_mm=spacing[2] / 2)
    in_plane = max(1, round(pixel_mm / spacing[0]))
    taken = []
    for volume in volumes:
        total: FloatArray = np.zeros(size[::-1])
        for across in steps:
            for down in _slice_profile(pixel_mm, finest_mm=pixel_mm / in_plane):
                for along in _slice_profile(pixel_mm, finest_mm=pixel_mm / in_plane):
                    corner = origin + direction @ np.array([along, down, across])
                    moved = sitk.Resample(
                        volume,
                        size,
                        to_first,
                        sitk.sitkLinear,
                        corner.tolist(),
                        [pixel_mm, pixel_mm, slice_distance_mm],
                        first.GetDirection(),
                        0.0,
                        sitk.sitkFloat32,
                    )
                    total += sitk.GetArrayViewFromImage(moved)
        image = sitk.GetImageFromArray((total / (len(steps) * in_plane**2)).astype(np.float32))
        image.SetOrigin(origin.tolist())
        image.SetSpacing([pixel_mm, pixel_mm, slice_distance_mm])
        image.SetDirection(first.GetDirection())
        taken.append(image)
    return tuple(taken)


def _slice_profile(width_mm: float, *, finest_mm: float) -> FloatArray:
    """Midpoints of equal parts of a width, no part wider than `finest_mm`."""
    count = max(1, int(np.ceil(width_mm / finest_mm - 1e-6)))
    return ((np.arange(count) + 0.5) / count - 0.5) * width_mm


def with_rician_noise(image: sitk.Image, *, sigma: float, seed: int) -> sitk.Image:
    """Magnitude of the signal with complex Gaussian noise of standard deviation `sigma`."""
    rng = np.random.default_rng(seed)
    values = sitk.GetArrayFromImage(image)
    real, imaginary = sigma * rng.standard_normal((2, *values.shape), dtype=np.float32)
    noisy = sitk.GetImageFromArray(np.hypot(values + real, imaginary))
    noisy.CopyInformation(image)
    return noisy
