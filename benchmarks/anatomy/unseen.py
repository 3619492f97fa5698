"""The patients, each with weights that have not seen it, and what the network makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mri_resorb.errors import InputError
from mri_resorb.model import Anatomy
from mri_resorb.segment.network import look
from mri_resorb.segment.scan_check import check_scan
from training.patients import UNKNOWN, LabelledVolume, anatomy_of_labels, fold, read_patient

SLICE_DISTANCE_MM = 4.4
SLICE_THICKNESS_MM = 4.0
PIXEL_MM = 0.6
FINE, THICK = "0.9 mm", "4.4 mm"
"""Kinds of slices."""
_NOTHING = 0.01


@dataclass(frozen=True)
class LeftOut:
    """A fold of patients, and the weights that were trained without them."""

    fold: int
    weights: Path


@dataclass(frozen=True)
class Truth(Anatomy):
    """The labels' anatomy.

    Attributes:
        unlabelled: 0-1 on the same grid, where nobody has labelled anything.
    """

    unlabelled: sitk.Image


@dataclass(frozen=True)
class Outlined:
    """What the network makes of an image, and what the scan check says of it."""

    anatomy: Anatomy
    refusal: str | None

    def where_known(self, truth: Truth) -> Outlined:
        """With nothing where nobody has labelled anything."""
        return Outlined(where_known(self.anatomy, truth), self.refusal)


@dataclass(frozen=True)
class Body:
    """A patient and the truth, on the patient's own 0.9 mm slices; the network looks once."""

    patient: LabelledVolume
    image: sitk.Image
    truth: Truth
    weights: Path

    @cached_property
    def thick_image(self) -> sitk.Image:
        """The image in 4.4 mm slices."""
        return in_thick_slices(self.image)

    @cached_property
    def thick_truth(self) -> Truth:
        """The truth in 4.4 mm slices."""
        return Truth(*(in_thick_slices(part) for part in parts(self.truth)))

    @cached_property
    def found(self) -> Outlined:
        """What is found in the patient's own slices."""
        return outlined(self.image, self.weights)

    @cached_property
    def thick_found(self) -> Outlined:
        """What is found in 4.4 mm slices."""
        return outlined(self.thick_image, self.weights)

    @property
    def both(self) -> tuple[tuple[str, sitk.Image, Anatomy, Outlined], ...]:
        """Kind of slices, image, truth and what is found, the last two where it is known."""
        return tuple(
            (slices, image, where_known(truth, truth), found.where_known(truth))
            for slices, image, truth, found in (
                (FINE, self.image, self.truth, self.found),
                (THICK, self.thick_image, self.thick_truth, self.thick_found),
            )
        )


def bodies(data: Path, left_out: Sequence[LeftOut]) -> Iterator[Body]:
    """Every patient of the folds, in numeric order; each takes 0.5 GB while it is held."""
    weights = {name: one.weights for one in left_out for name in fold(one.fold)}
    for name in sorted(weights, key=int):
        patient = read_patient(data, name)
        image = sitk.Cast(patient.volume, sitk.sitkFloat32)
        yield Body(patient, image, truth_of(patient), weights[name])


def outlined(image: sitk.Image, weights: Path) -> Outlined:
    """The anatomy that the network finds, also where the scan would be refused, and why it is."""
    seen = look(image, weights=weights)
    try:
        check_scan(seen.slices, seen.classes, spacing_mm=seen.spacing_mm)
    except InputError as error:
        return Outlined(seen.anatomy(image), type(error).__name__)
    return Outlined(seen.anatomy(image), None)


def in_thick_slices(
    volume: sitk.Image,
    *,
    slice_distance_mm: float = SLICE_DISTANCE_MM,
    slice_thickness_mm: float = SLICE_THICKNESS_MM,
    pixel_mm: float = PIXEL_MM,
) -> sitk.Image:
    """The same in slices as clinics take them, each the mean over its thickness and its pixels.

    What `mri_resorb.simulate.reslice` does, without a new pose and so in a tenth of the time.
    """
    columns, rows, slices = volume.GetSize()
    fine_mm = volume.GetSpacing()
    count = int((slices * fine_mm[2] - slice_thickness_mm) // slice_distance_mm) + 1
    middles = (np.arange(count) - (count - 1) / 2) * slice_distance_mm
    edges = (np.arange(slices + 1) - slices / 2) * fine_mm[2]
    low, high = (middles[:, None] + sign * slice_thickness_mm / 2 for sign in (-1, 1))
    covered = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0, None)
    share = (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
    averaged = sitk.GetImageFromArray(
        np.tensordot(share, sitk.GetArrayViewFromImage(volume), axes=1)
    )
    middle = volume.TransformContinuousIndexToPhysicalPoint(
        [(n - 1) / 2 for n in (columns, rows, slices)]
    )
    direction = np.reshape(volume.GetDirection(), (3, 3))
    averaged.SetSpacing((fine_mm[0], fine_mm[1], slice_distance_mm))
    averaged.SetDirection(volume.GetDirection())
    averaged.SetOrigin(_first_voxel(middle, direction, averaged))

    part = max(1, round(pixel_mm / fine_mm[0]))  # sub-pixels a side
    size = [round(n * s / pixel_mm) for n, s in zip((columns, rows), fine_mm[:2], strict=True)]
    grid = sitk.Image(size[0] * part, size[1] * part, count, sitk.sitkFloat32)
    grid.SetSpacing((pixel_mm / part, pixel_mm / part, slice_distance_mm))
    grid.SetDirection(volume.GetDirection())
    grid.SetOrigin(_first_voxel(middle, direction, grid))
    sampled = sitk.Resample(averaged, grid, sitk.Transform(), sitk.sitkLinear, 0.0)
    return sitk.BinShrink(sampled, (part, part, 1)) if part > 1 else sampled


def _first_voxel(
    middle: Sequence[float], direction: np.ndarray, image: sitk.Image
) -> tuple[float, float, float]:
    half = (np.array(image.GetSize()) - 1) / 2 * np.array(image.GetSpacing())
    x, y, z = np.array(middle) - direction @ half
    return float(x), float(y), float(z)


def truth_of(patient: LabelledVolume) -> Truth:
    """The labels as an anatomy, and where there are none."""
    unlabelled = sitk.GetImageFromArray((patient.labels == UNKNOWN).astype(np.float32))
    unlabelled.CopyInformation(patient.volume)
    return Truth(*_structures(anatomy_of_labels(patient)), unlabelled)


def where_known(anatomy: Anatomy, truth: Truth) -> Anatomy:
    """The anatomy with nothing where, in part at least, nobody has labelled anything."""
    known = sitk.Cast(truth.unlabelled < _NOTHING, sitk.sitkFloat32)
    return Anatomy(*(part * known for part in _structures(anatomy)))


def parts(truth: Truth) -> tuple[sitk.Image, ...]:
    """The four occupancies in order, and what is not labelled."""
    return *_structures(truth), truth.unlabelled


def _structures(anatomy: Anatomy) -> tuple[sitk.Image, ...]:
    return anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum
