"""Reads the training patients: images, expert masks and the project's own S1 labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import Structure

HERE = Path(__file__).parent
UNKNOWN = 255
"""Label of voxels that nobody has labelled; they do not count in the loss."""


@dataclass(frozen=True)
class LabelledVolume:
    """One patient in sagittal order (slices, rows, columns).

    Attributes:
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


def validation_patients() -> frozenset[str]:
    """The patients never trained on, from `validation_patients.txt`."""
    lines = (HERE / "validation_patients.txt").read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def all_patients(folder: Path) -> list[str]:
    """Every patient in the folder, in numeric order."""
    return sorted((p.name.split("_")[0] for p in folder.glob("*_image.nii.gz")), key=int)


def read_patient(folder: Path, patient: str) -> LabelledVolume:
    """Read `<patient>_image.nii.gz`, `<patient>_mask.nii.gz` and the S1 label, if there is one.

    SPIDER's masks leave the sacrum unlabelled; without an S1 label, everything below the lowest
    disc is `UNKNOWN`.
    """
    volume = sitk.DICOMOrient(sitk.ReadImage(folder / f"{patient}_image.nii.gz"), "PIL")
    mask = sitk.DICOMOrient(sitk.ReadImage(folder / f"{patient}_mask.nii.gz"), "PIL")
    labels = sitk.GetArrayFromImage(mask).astype(np.uint8)
    s1_file = HERE / "s1_labels" / f"{patient}.nii.gz"
    if s1_file.exists():
        s1 = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(s1_file), "PIL")) > 0
        unclaimed = (labels == 0) | (labels == Structure.VERTEBRA)
        labels[s1 & unclaimed] = Structure.SACRUM
    else:
        lowest = np.flatnonzero((labels == Structure.DISC).any(axis=(0, 2)))[-1]
        below = labels[:, lowest - 40 :]
        below[below == 0] = UNKNOWN
    columns_mm, rows_mm, slices_mm = volume.GetSpacing()
    return LabelledVolume(
        patient=patient,
        image=sitk.GetArrayFromImage(volume).astype(np.uint8),
        labels=labels,
        spacing_mm=(slices_mm, rows_mm, columns_mm),
        volume=volume,
    )
