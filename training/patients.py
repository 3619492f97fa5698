"""Reads the training patients: images, expert masks and the project's own S1 labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.errors import NotLumbarSpineError
from mri_resorb.measure.boundary import PosteriorBoundary, frame_at_posterior_margin
from mri_resorb.model import Anatomy, DiscFrame, FloatArray, Structure
from mri_resorb.segment.discs import find_discs
from mri_resorb.simulate.implant import LabelledScan
from training.release import is_release, read_series, t2_series

HERE = Path(__file__).parent
UNKNOWN = 255
"""Label of voxels that nobody has labelled; they do not count in the loss."""
SACRUM_ABOVE_MM = 18.8
"""How far the sacrum may reach above the lowest edge of the lowest disc."""
_IN_FRONT_MM, _BEHIND_MM = 10.0, 20.0
"""From a disc's centre to the back: bodies end before the first, posterior elements begin behind
the second."""
_SMALLEST_BODY_CM3 = 0.1
_ENDPLATE_MM = 1.0


@dataclass(frozen=True)
class LabelledVolume:
    """One patient in sagittal order (slices, rows, columns).

    Attributes:
        patient: number, or name of the series in the release (`5_t2`).
        image: uint8 intensities.
        labels: uint8, `Structure` values, 0 background, `UNKNOWN` where not labelled.
        spacing_mm: (slices, rows, columns).
        volume: the image with its geometry.
    """

    patient: str
    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    volume: sitk.Image


def fold(number: int) -> frozenset[str]:
    """The patients of a fold, 1-3, from `folds.txt`."""
    lines = (HERE / "folds.txt").read_text().splitlines()
    folds = [line.split() for line in lines if not line.startswith("#")]
    return frozenset(folds[number - 1])


def validation_patients() -> frozenset[str]:
    """The patients that the shipped weights were never trained on: the first fold."""
    return fold(1)


def all_patients(folder: Path) -> list[str]:
    """Every patient in the folder, in numeric order; every T2 series where it is the release."""
    if is_release(folder):
        return t2_series(folder)
    return sorted((p.name.split("_")[0] for p in folder.glob("*_image.nii.gz")), key=int)


def number_of(patient: str) -> str:
    """The patient's number, as it stands in the folds, of a patient or a series (`5_t2`)."""
    return patient.partition("_")[0]


def read_patient(folder: Path, patient: str) -> LabelledVolume:
    """Read one patient's image and mask, and the S1 label, if there is one.

    The folder holds `<patient>_image.nii.gz` and `<patient>_mask.nii.gz`, or is the release (see
    `training.release`). SPIDER's masks leave the sacrum unlabelled; without an S1 label,
    everything below the lowest disc is `UNKNOWN`. The S1 labels belong to the slabs alone.
    Above the uppermost vertebra that is outlined, the rest is `UNKNOWN` as well.
    """
    if is_release(folder):
        read = read_series(folder, patient)
    else:
        read = (
            sitk.ReadImage(folder / f"{patient}_image.nii.gz"),
            sitk.ReadImage(folder / f"{patient}_mask.nii.gz"),
        )
    volume, mask = (sitk.DICOMOrient(image, "PIL") for image in read)
    labels = sitk.GetArrayFromImage(mask).astype(np.uint8)
    columns_mm, rows_mm, slices_mm = volume.GetSpacing()
    s1_file = HERE / "s1_labels" / f"{patient}.nii.gz"
    if s1_file.exists():
        s1 = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(s1_file), "PIL")) > 0
        unclaimed = (labels == 0) | (labels == Structure.VERTEBRA)
        labels[s1 & unclaimed] = Structure.SACRUM
    else:
        lowest = np.flatnonzero((labels == Structure.DISC).any(axis=(0, 2)))[-1]
        below = labels[:, max(0, lowest - round(SACRUM_ABOVE_MM / rows_mm)) :]
        below[below == 0] = UNKNOWN
    return _unknown_above(
        LabelledVolume(
            patient=patient,
            image=sitk.GetArrayFromImage(volume).astype(np.uint8),
            labels=labels,
            spacing_mm=(slices_mm, rows_mm, columns_mm),
            volume=volume,
        )
    )


def _unknown_above(patient: LabelledVolume) -> LabelledVolume:
    """Mark what lies above the uppermost outlined vertebra, where it is nothing, as `UNKNOWN`.

    The experts left out what the field of view cuts, which are whole bodies and discs in some
    patients: whatever is seen there is no error. Behind the canal that begins at the uppermost
    disc, where the spinous process of the next vertebra reaches down to.
    """
    disc = find_discs(anatomy_of_labels(patient))[-1]
    to_back_mm, up_mm = (_along(disc.frame, axis, patient) for axis in (0, 2))
    in_front = to_back_mm < _IN_FRONT_MM
    body_mm = up_mm[(patient.labels == Structure.VERTEBRA) & in_front & (up_mm > 0)]
    if body_mm.size * np.prod(patient.spacing_mm) < 1000 * _SMALLEST_BODY_CM3:
        labelled = (patient.labels == Structure.DISC) & in_front
        body_mm = up_mm[labelled & (np.abs(up_mm) < _IN_FRONT_MM)]
    end_mm = np.percentile(body_mm, 99.8) + _ENDPLATE_MM
    beyond = (up_mm > end_mm) | ((up_mm > 0) & (to_back_mm > _BEHIND_MM))
    return replace(
        patient,
        labels=np.where(beyond & (patient.labels == 0), UNKNOWN, patient.labels).astype(np.uint8),
    )


def _along(frame: DiscFrame, axis: int, patient: LabelledVolume) -> npt.NDArray[np.float32]:
    """A frame coordinate of every voxel, (slices, rows, columns), mm."""
    to_patient = _to_patient(patient.volume)
    step_mm = frame.axes[axis] @ to_patient[:, :3]
    first_mm = frame.axes[axis] @ (to_patient[:, 3] - np.array(frame.origin_mm))
    slices, rows, columns = (
        np.arange(count, dtype=np.float32) * np.float32(step)
        for count, step in zip(patient.labels.shape, step_mm, strict=True)
    )
    return np.float32(first_mm) + slices[:, None, None] + rows[:, None] + columns


def labelled_scan(patient: LabelledVolume) -> LabelledScan:
    """The patient's arrays with their geometry as one matrix."""
    image = patient.image.astype(np.float32)
    return LabelledScan(image, patient.labels, _to_patient(patient.volume))


def _to_patient(volume: sitk.Image) -> FloatArray:
    """(3, 4): slice, row and column to LPS mm."""
    columns = np.array(volume.GetDirection()).reshape(3, 3) * np.array(volume.GetSpacing())
    return np.column_stack([columns[:, ::-1], volume.GetOrigin()])


def anatomy_of_labels(patient: LabelledVolume) -> Anatomy:
    """The expert's labels as an anatomy."""

    def of(structure: Structure) -> sitk.Image:
        image = sitk.GetImageFromArray((patient.labels == structure).astype(np.float32))
        image.CopyInformation(patient.volume)
        return image

    return Anatomy(*(of(structure) for structure in Structure))


def sites(patient: LabelledVolume) -> list[tuple[DiscFrame, PosteriorBoundary]]:
    """Frame and posterior boundary of every disc between two labelled bodies."""
    anatomy = anatomy_of_labels(patient)
    found = []
    for disc in find_discs(anatomy):
        try:
            found.append(frame_at_posterior_margin(anatomy=anatomy, frame=disc.frame))
        except NotLumbarSpineError:
            continue
    return found


def local_intensities(scan: LabelledScan, frame: DiscFrame) -> tuple[float, float, float]:
    """Median intensity of this disc and of the sac beside it, and the grain in the disc."""
    at = np.linalg.solve(scan.to_patient[:, :3], np.array(frame.origin_mm) - scan.to_patient[:, 3])
    row, column = int(at[1]), int(at[2])
    near = np.s_[:, max(row - 40, 0) : row + 40, max(column - 50, 0) : column + 50]
    image, labels = scan.image[near], scan.labels[near]
    disc, sac = image[labels == Structure.DISC], image[labels == Structure.CANAL]
    if not disc.size or not sac.size:
        return 30.0, 150.0, 4.0
    steps = np.diff(image, axis=2)[(labels == Structure.DISC)[..., 1:]]
    return float(np.median(disc)), float(np.median(sac)), float(np.median(np.abs(steps)))
