"""What clinics' images have and the patients' own have not: a fixed list, three strengths of each.

Most are laid on the patient's 0.9 mm volume, which is then cut into 4.4 mm slices, so that partial
volume comes after contrast as in a scanner; noise and what else arises in the receiver are laid on
the slices. All of it is drawn from fixed seeds.

Kept apart from the training's augmentation (`training/samples.py`) where that can be: fat is told
by its brightness, motion acts on lines of k-space, the coil's sensitivity falls off exponentially,
and nothing in training darkens discs, hides fluid, wraps the image round or changes endplates.
Rician noise, averaging of slices, clipping and Gaussian blur are the same models in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from benchmarks.anatomy.unseen import Body, Truth, in_thick_slices, parts
from mri_resorb.model import Structure
from mri_resorb.simulate.reslice import with_rician_noise
from training.patients import UNKNOWN

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]
Rng = np.random.Generator
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Degraded:
    """An image with its truth on one grid."""

    image: sitk.Image
    truth: Truth


@dataclass(frozen=True)
class Degradation:
    """One kind of image.

    Attributes:
        measure: what the strengths are, with their unit.
        strengths: slight, middle, severe.
    """

    name: str
    measure: str
    strengths: tuple[float, float, float]
    make: Callable[[Body, float, Rng], Degraded]


def plain(body: Body) -> Degraded:
    """The patient in 4.4 mm slices, nothing else changed: what all others are compared with."""
    return Degraded(body.thick_image, body.thick_truth)


def _in_tissue(
    change: Callable[[Array, Labels, Spacing, float, Rng], Array],
) -> Callable[[Body, float, Rng], Degraded]:
    """Change intensities of the 0.9 mm volume by (image, labels, spacing, strength, rng)."""

    def make(body: Body, strength: float, rng: Rng) -> Degraded:
        values = body.patient.image.astype(np.float32)
        changed = change(values, body.patient.labels, body.patient.spacing_mm, strength, rng)
        return Degraded(in_thick_slices(_like(body.image, changed)), body.thick_truth)

    return make


def _in_slices(
    change: Callable[[Array, float, Rng], Array],
) -> Callable[[Body, float, Rng], Degraded]:
    """Change the 4.4 mm slices by (image, strength, rng)."""

    def make(body: Body, strength: float, rng: Rng) -> Degraded:
        changed = change(sitk.GetArrayFromImage(body.thick_image), strength, rng)
        return Degraded(_like(body.thick_image, changed), body.thick_truth)

    return make


def _like(grid: sitk.Image, values: Array) -> sitk.Image:
    image = sitk.GetImageFromArray(np.asarray(values, np.float32))
    image.CopyInformation(grid)
    return image


# Contrast and tissue.


def _fat(image: Array, labels: Labels, _spacing: Spacing, gain: float, _rng: Rng) -> Array:
    """Marrow and what is bright outside of all structures (fat) times a gain."""
    background = (labels == 0) | (labels == UNKNOWN)
    low, high = np.percentile(image[background & (image > 5)], (40, 85))
    fat = np.clip((image - low) / (high - low), 0, 1) * background
    fat[(labels == Structure.VERTEBRA) | (labels == Structure.SACRUM)] = 1
    return image * _smooth_in_plane(1 + (gain - 1) * fat)


def _dark_discs(image: Array, labels: Labels, _spacing: Spacing, kept: float, _rng: Rng) -> Array:
    """Signal of the discs above their darkest, all but gone (dehydrated, Pfirrmann 5)."""
    disc = labels == Structure.DISC
    darkest = float(np.percentile(image[disc], 5))
    towards = darkest + kept * (image - darkest)
    weight = _smooth_in_plane(disc)
    return image + weight * (towards - image)


def _stenosis(image: Array, labels: Labels, spacing: Spacing, lost: float, rng: Rng) -> Array:
    """Fluid gives way to something of the discs' signal within 15 mm above and below each."""
    disc = labels == Structure.DISC
    rows = disc.any(axis=(0, 2))
    near = ndimage.binary_dilation(rows, iterations=round(15 / spacing[1]))
    texture = ndimage.gaussian_filter(rng.standard_normal(image.shape), (0, 2, 2)) * 4
    tissue = float(np.median(image[disc])) * (1.2 + 0.3 * texture)
    weight = lost * _smooth_in_plane((labels == Structure.CANAL) & near[:, None])
    return np.asarray(image + weight * (tissue - image), np.float32)


def _flow_voids(image: Array, labels: Labels, spacing: Spacing, count: float, rng: Rng) -> Array:
    """Dark streaks along the canal where the fluid moves."""
    canal = np.argwhere(labels == Structure.CANAL)
    index = np.indices(image.shape, dtype=np.float32)
    dark = np.zeros(image.shape, np.float32)
    for _ in range(int(count)):
        at = canal[rng.integers(len(canal))]
        radii = np.array([rng.uniform(1, 2.5), rng.uniform(5, 14), rng.uniform(1, 2.5)])
        box = tuple(
            slice(max(0, int(a - 2 * r / s)), int(a + 2 * r / s) + 2)
            for a, r, s in zip(at, radii, spacing, strict=True)
        )
        away = sum(
            ((index[k][box] - at[k]) * spacing[k] / radii[k]) ** 2 for k in range(image.ndim)
        )
        dark[box] = np.maximum(dark[box], np.exp(-np.asarray(away)))
    return image * (1 - 0.75 * dark * _smooth_in_plane(labels == Structure.CANAL))


def _endplates(image: Array, labels: Labels, spacing: Spacing, depth_mm: float, rng: Rng) -> Array:
    """Modic bands of either kind beside every disc, and a haemangioma in a body."""
    discs, count = ndimage.label(labels == Structure.DISC)
    bone = (labels == Structure.VERTEBRA) | (labels == Structure.SACRUM)
    away, nearest = ndimage.distance_transform_edt(
        discs == 0, sampling=spacing, return_indices=True
    )
    gain = rng.choice([0.45, 1.9], count + 1)[discs[tuple(nearest)]]
    band = np.clip((depth_mm - away) / 2 + 0.5, 0, 1) * bone
    places = np.argwhere(bone & (away > 10))
    at = places[rng.integers(len(places))]
    index = np.indices(image.shape, dtype=np.float32)
    from_it = sum(((index[k] - at[k]) * spacing[k]) ** 2 for k in range(image.ndim))
    ball = np.clip((depth_mm - np.sqrt(from_it)) / 2 + 0.5, 0, 1) * bone
    changed = image * _smooth_in_plane(1 + (gain - 1) * band)
    return np.asarray(changed * _smooth_in_plane(1 + 0.9 * ball), np.float32)


def _smooth_in_plane(weight: npt.NDArray[np.generic]) -> Array:
    return ndimage.gaussian_filter(weight.astype(np.float32), (0, 1.2, 1.2))


# The receiver.


def _noise(image: Array, part: float, rng: Rng) -> Array:
    """Rician noise, its standard deviation a part of the image's brightest percent."""
    sigma = part * float(np.percentile(image, 99))
    noisy = with_rician_noise(
        sitk.GetImageFromArray(image), sigma=sigma, seed=int(rng.integers(2**31))
    )
    return sitk.GetArrayFromImage(noisy)


def _coil(image: Array, depth_mm: float, _rng: Rng) -> Array:
    """A surface coil behind the back, ending above and below."""
    _, rows, columns = image.shape
    forwards_mm = 0.6 * np.arange(columns, dtype=np.float32)[::-1]
    along = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    return np.asarray(image * np.exp(-forwards_mm / depth_mm) * (1 - 0.5 * along**4))


def _motion(image: Array, amplitude_mm: float, rng: Rng) -> Array:
    """The body moves to and fro while k-space is taken line by line (phase up and down)."""
    lines = np.fft.fft(np.fft.fft(image, axis=1), axis=2)
    columns = np.fft.fftfreq(image.shape[2])[None, None, :]
    order = np.fft.fftshift(np.arange(image.shape[1]))
    moved = np.empty(image.shape[1])
    breaths = rng.uniform(8, 20)
    phase = rng.uniform(0, 6.28)
    moved[order] = np.sin(phase + 2 * np.pi * breaths * np.linspace(0, 1, image.shape[1]))
    shift = np.exp(-2j * np.pi * columns * (amplitude_mm / 0.6) * moved[None, :, None])
    return np.abs(np.fft.ifft(np.fft.ifft(lines * shift, axis=1), axis=2)).astype(np.float32)


def _blurred(image: Array, sigma_mm: float, _rng: Rng) -> Array:
    return ndimage.gaussian_filter(image, (0, sigma_mm / 0.6, sigma_mm / 0.6))


def _saturated(image: Array, percent: float, _rng: Rng) -> Array:
    """An 8-bit export whose window cuts off this part of the voxels."""
    low, high = np.percentile(image, (0.5, 100 - percent))
    return np.asarray(np.rint(np.clip((image - low) / (high - low), 0, 1) * 255), np.float32)


# Grid and field of view.


def _slices(body: Body, distance_mm: float, _rng: Rng) -> Degraded:
    """Each four fifths of the distance thick."""
    image, *truth = (
        in_thick_slices(volume, slice_distance_mm=distance_mm, slice_thickness_mm=0.8 * distance_mm)
        for volume in (body.image, *parts(body.truth))
    )
    return Degraded(image, Truth(*truth))


def _pixels(body: Body, pixel_mm: float, _rng: Rng) -> Degraded:
    image, *truth = (
        in_thick_slices(volume, pixel_mm=pixel_mm) for volume in (body.image, *parts(body.truth))
    )
    return Degraded(image, Truth(*truth))


def _slab(body: Body, count: float, _rng: Rng) -> Degraded:
    """The middle 0.9 mm slices alone."""
    first = (body.image.GetSize()[2] - int(count)) // 2
    middle = np.s_[:, :, first : first + int(count)]
    return Degraded(body.image[middle], Truth(*(part[middle] for part in parts(body.truth))))


def _narrow(body: Body, part: float, _rng: Rng) -> Degraded:
    """A smaller field of view around the spine."""
    sliced = plain(body)
    columns, rows, _ = sliced.image.GetSize()
    _, row, column = ndimage.center_of_mass(sitk.GetArrayViewFromImage(sliced.truth.disc))
    corners = [
        (int(np.clip(at - part * size / 2, 0, (1 - part) * size)), round(part * size))
        for at, size in ((column, columns), (row, rows))
    ]
    (x, width), (y, height) = corners
    box = np.s_[x : x + width, y : y + height]
    return Degraded(sliced.image[box], Truth(*(p[box] for p in parts(sliced.truth))))


def _wide(body: Body, part: float, _rng: Rng) -> Degraded:
    """A larger field of view, nothing but noise in what is added."""
    sliced = plain(body)
    columns, rows, _ = sliced.image.GetSize()
    margin = [round((part - 1) / 2 * columns), round((part - 1) / 2 * rows), 0]
    image, *truth = (
        sitk.ConstantPad(volume, margin, margin, 0.0)
        for volume in (sliced.image, *parts(sliced.truth))
    )
    return Degraded(with_rician_noise(image, sigma=3.0, seed=1), Truth(*truth))


def _wrapped(body: Body, part: float, _rng: Rng) -> Degraded:
    """Rows beyond a field of view that is too short come in again at its other end."""
    sliced = plain(body)
    values = sitk.GetArrayFromImage(sliced.image)
    rows = values.shape[1]
    height = round(part * rows)
    first = (rows - height) // 2
    kept = values[:, first : first + height].copy()
    kept[:, height - first :] += values[:, :first]
    below = rows - first - height
    kept[:, :below] += values[:, first + height :]
    box = np.s_[:, first : first + height]
    return Degraded(_like(sliced.image[box], kept), Truth(*(p[box] for p in parts(sliced.truth))))


def _posed(axis: int) -> Callable[[Body, float, Rng], Degraded]:
    """Turned about the patient's left (0), back (1) or up (2) axis by so many degrees."""

    def make(body: Body, degrees: float, rng: Rng) -> Degraded:
        turn = np.zeros(3)
        turn[axis] = rng.choice([-1, 1])
        middle = [(n - 1) / 2 for n in body.image.GetSize()]
        transform = sitk.VersorTransform(turn.tolist(), float(np.radians(degrees)))
        transform.SetCenter(body.image.TransformContinuousIndexToPhysicalPoint(middle))
        *structures, unlabelled = parts(body.truth)
        image, *truth = (
            in_thick_slices(sitk.Resample(volume, transform, sitk.sitkLinear, beyond))
            for volume, beyond in (
                *((volume, 0.0) for volume in (body.image, *structures)),
                (unlabelled, 1.0),
            )
        )
        return Degraded(image, Truth(*truth))

    return make


DEGRADATIONS = (
    Degradation("thicker slices", "slice distance, mm", (3.3, 5.5, 6.6), _slices),
    Degradation("coarser pixels", "pixel, mm", (0.9, 1.2, 1.6), _pixels),
    Degradation("few slices", "0.9 mm slices", (7, 5, 3), _slab),
    Degradation("narrow field", "part of the field of view", (0.8, 0.65, 0.5), _narrow),
    Degradation("wide field", "times the field of view", (1.25, 1.5, 2.0), _wide),
    Degradation("wrap", "part of the rows taken", (0.85, 0.75, 0.65), _wrapped),
    Degradation("tilt in the plane", "degrees", (8, 16, 25), _posed(0)),
    Degradation("turn about the long axis", "degrees", (5, 10, 15), _posed(2)),
    Degradation("scoliosis-like tilt", "degrees", (2, 4, 7), _posed(1)),
    Degradation("bright fat", "gain of fat", (1.4, 1.9, 2.6), _in_tissue(_fat)),
    Degradation("suppressed fat", "gain of fat", (0.6, 0.35, 0.15), _in_tissue(_fat)),
    Degradation("black discs", "part of their signal", (0.6, 0.35, 0.1), _in_tissue(_dark_discs)),
    Degradation("stenosis", "part of the fluid lost", (0.5, 0.8, 1.0), _in_tissue(_stenosis)),
    Degradation("flow voids", "number", (8, 20, 50), _in_tissue(_flow_voids)),
    Degradation("endplate changes", "depth, mm", (4, 8, 12), _in_tissue(_endplates)),
    Degradation("noise", "part of the brightest", (0.04, 0.08, 0.14), _in_slices(_noise)),
    Degradation("surface coil", "depth, mm", (150, 90, 50), _in_slices(_coil)),
    Degradation("motion", "amplitude, mm", (0.6, 1.2, 2.4), _in_slices(_motion)),
    Degradation("blur", "standard deviation, mm", (0.6, 1.0, 1.6), _in_slices(_blurred)),
    Degradation("saturated export", "percent cut off", (3, 8, 15), _in_slices(_saturated)),
)
