"""What a scanner makes of the phantom: thick slices, gaps, partial volume, noise, coil, pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mri_resorb.model import Anatomy, DiscFrame, Level, Point, Structure
from mri_resorb.simulate.field import SAGITTAL_DIRECTION, Array
from mri_resorb.simulate.phantom import Phantom
from mri_resorb.simulate.tissue import TISSUES, SpinEcho

_MARROW_LEVEL = 250.0
"""Grey value of bone marrow, so that fluid and fat stay within 12 bits."""
_LARGEST = 4095.0
_IN_PLANE_SAMPLES = 2
_SAMPLE_DISTANCE_ACROSS_MM = 1.0


@dataclass(frozen=True)
class Pose:
    """How the person lies: turned about the phantom's origin (x, y, z axes), then moved."""

    rotation_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    translation_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def transform(self) -> sitk.Euler3DTransform:
        """From the phantom's to the scanner's patient coordinates, LPS mm."""
        transform = sitk.Euler3DTransform()
        transform.SetRotation(*(float(np.radians(a)) for a in self.rotation_degrees))
        transform.SetTranslation(self.translation_mm)
        return transform


@dataclass(frozen=True)
class Acquisition:
    """A simulated sagittal series with its truth, all on one grid in sagittal order.

    Attributes:
        image: uint16, 0-4095.
        anatomy: how much of each voxel a structure fills, 0-1.
        fragments: the true fragment's occupancy by level, 0-1.
        frames, disc_centres_mm: in the series' LPS coordinates.
        slice_thickness_mm: nominal; the image's spacing is the slice distance.
    """

    image: sitk.Image
    anatomy: Anatomy
    fragments: Mapping[Level, sitk.Image]
    frames: Mapping[Level, DiscFrame]
    disc_centres_mm: Mapping[Level, Point]
    slice_thickness_mm: float


def acquire(
    phantom: Phantom,
    *,
    noise_seed: int,
    slice_distance_mm: float = 4.4,
    slice_thickness_mm: float = 4.0,
    slices: int = 13,
    pixel_mm: float = 0.8,
    matrix: tuple[int, int] = (320, 224),
    sequence: SpinEcho | None = None,
    pose: Pose | None = None,
    plane_rotation_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
    centre_offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    signal_to_noise: float = 14.0,
    coil_depth_mm: float = 130.0,
    flow_voids: bool = True,
) -> Acquisition:
    """Scan a phantom.

    Every voxel is the mean of the phantom over its pixel and its slice thickness (a rectangular
    slice profile); nothing is seen in the gaps. Noise is Rician.

    Args:
        noise_seed: of noise and coil sensitivity: another date has another.
        slice_distance_mm: centre to centre; less than the thickness overlaps, more leaves a gap.
        matrix: rows, columns.
        sequence: T2-weighted turbo spin echo where None.
        pose: of the person in the scanner.
        plane_rotation_degrees: of the slices against the scanner's axes (x, y, z): oblique.
        centre_offset_mm: of the field of view from the middle of the phantom, LPS.
        signal_to_noise: of bone marrow near the coil's mean sensitivity; infinite for none.
        coil_depth_mm: over which a surface coil's sensitivity falls by e; infinite for none.
    """
    sequence = sequence or SpinEcho()
    transform = (pose or Pose()).transform()
    grid = _grid(
        phantom,
        transform,
        spacing_mm=(pixel_mm, pixel_mm, slice_distance_mm),
        size=(matrix[1], matrix[0], slices),
        rotation_degrees=plane_rotation_degrees,
        offset_mm=centre_offset_mm,
    )

    def seen(image: sitk.Image) -> Array:
        return _integrate(image, grid, transform, slice_thickness_mm)

    def occupancy(image: sitk.Image, whole: float) -> sitk.Image:
        return _like(grid, np.clip(seen(image) / np.float32(whole), 0, 1))

    signal = seen(phantom.signal(sequence, flow_voids=flow_voids))
    rng = np.random.default_rng([noise_seed, 11])
    signal *= np.float32(_MARROW_LEVEL / sequence.signal(TISSUES["marrow"]))
    signal *= _sensitivity(grid, rng, coil_depth_mm)
    sigma = _MARROW_LEVEL / signal_to_noise
    real = signal + sigma * rng.standard_normal(signal.shape, np.float32)
    magnitude = np.hypot(real, sigma * rng.standard_normal(signal.shape, np.float32))
    image = _like(grid, np.rint(np.clip(magnitude, 0, _LARGEST)).astype(np.uint16))

    structures = {s: occupancy(phantom.structures[s], 255.0) for s in Structure}
    rotation = np.array(transform.GetMatrix()).reshape(3, 3)
    return Acquisition(
        image=image,
        anatomy=Anatomy(
            vertebra=structures[Structure.VERTEBRA],
            disc=structures[Structure.DISC],
            canal=structures[Structure.CANAL],
            sacrum=structures[Structure.SACRUM],
        ),
        fragments={
            level: occupancy(fragment.occupancy, 1.0)
            for level, fragment in phantom.fragments.items()
        },
        frames={
            level: DiscFrame(
                origin_mm=transform.TransformPoint(frame.origin_mm), axes=frame.axes @ rotation.T
            )
            for level, frame in phantom.frames.items()
        },
        disc_centres_mm={
            level: transform.TransformPoint(centre)
            for level, centre in phantom.disc_centres_mm.items()
        },
        slice_thickness_mm=slice_thickness_mm,
    )


def _grid(
    phantom: Phantom,
    transform: sitk.Transform,
    *,
    spacing_mm: tuple[float, float, float],
    size: tuple[int, int, int],
    rotation_degrees: tuple[float, float, float],
    offset_mm: tuple[float, float, float],
) -> sitk.Image:
    """An empty series centred on the phantom."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*(float(np.radians(a)) for a in rotation_degrees))
    direction = np.array(turn.GetMatrix()).reshape(3, 3) @ np.reshape(SAGITTAL_DIRECTION, (3, 3))
    field = phantom.field
    middle = tuple(float((a[0] + a[-1]) / 2) for a in (field.x_mm, field.y_mm, field.z_mm))
    centre = np.array(transform.TransformPoint(middle)) + np.array(offset_mm)
    half = (np.array(size) - 1) / 2 * np.array(spacing_mm)
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(spacing_mm)
    grid.SetDirection(direction.ravel().tolist())
    grid.SetOrigin((centre - direction @ half).tolist())
    return grid


def _integrate(
    image: sitk.Image, grid: sitk.Image, transform: sitk.Transform, thickness_mm: float
) -> Array:
    """Mean of a fine image over every voxel's pixel and slice thickness."""
    direction = np.array(grid.GetDirection()).reshape(3, 3)
    columns, rows, slices = grid.GetSize()
    pixel = np.array(grid.GetSpacing()[:2])
    k = _IN_PLANE_SAMPLES
    shift = direction[:, :2] @ (pixel * (1 / k - 1) / 2)
    samples = max(3, round(thickness_mm / _SAMPLE_DISTANCE_ACROSS_MM))
    total = np.zeros((slices, rows, columns), np.float32)
    resample = sitk.ResampleImageFilter()
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetTransform(transform.GetInverse())
    resample.SetOutputPixelType(sitk.sitkFloat32)
    resample.SetSize((columns * k, rows * k, slices))
    resample.SetOutputSpacing((*(pixel / k).tolist(), grid.GetSpacing()[2]))
    resample.SetOutputDirection(grid.GetDirection())
    for n in range(samples):
        across = ((n + 0.5) / samples - 0.5) * thickness_mm
        origin = np.array(grid.GetOrigin()) + shift + across * direction[:, 2]
        resample.SetOutputOrigin(origin.tolist())
        fine = sitk.GetArrayFromImage(resample.Execute(image))
        total += fine.reshape(slices, rows, k, columns, k).mean(axis=(2, 4))
    return total / np.float32(samples)


def _sensitivity(grid: sitk.Image, rng: np.random.Generator, depth_mm: float) -> Array:
    """A spine coil behind the back, and a smooth unevenness; about 1 in the middle."""
    columns, rows, slices = grid.GetSize()
    x, y, z = (np.linspace(-1, 1, n, dtype=np.float32) for n in (slices, columns, rows))
    x, y, z = x[:, None, None], y[None, None, :], z[None, :, None]
    half_mm = columns * grid.GetSpacing()[0] / 2
    fall = np.exp(np.clip(y * np.float32(half_mm / depth_mm), -2, 2))
    a = rng.normal(0, 0.06, 6).astype(np.float32)
    uneven = 1 + a[0] * x + a[1] * z + a[2] * y * z + a[3] * z**2 + a[4] * x * z + a[5] * y**2
    # Sensitivity ends at the upper and lower end of the coil.
    return np.asarray(fall * uneven * (1 - 0.25 * z**4), np.float32)


def _like(grid: sitk.Image, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(grid)
    return image
