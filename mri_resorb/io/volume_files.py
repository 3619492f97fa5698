"""NIfTI, NRRD and MetaImage files: one volume each, with orientation or not at all."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import SimpleITK as sitk

from mri_resorb.errors import GeometryError, InputError, PixelDataError
from mri_resorb.model import FloatArray

if TYPE_CHECKING:
    import nibabel as nib

NIFTI_SUFFIXES = (".nii", ".nii.gz")
ITK_SUFFIXES = (".nrrd", ".mha")

MAX_VOXELS = 2**28
"""A gigabyte of float32; lumbar spines have 1-100 million voxels."""

FORMS_AGREE_MM = 0.2
"""Largest distance between a voxel's places by sform and by qform."""
PERPENDICULAR = 1e-3
"""Largest scalar product of two axes' unit vectors."""


def is_volume_file(path: Path) -> bool:
    """Whether the name ends as those of the formats that are read here."""
    return path.name.lower().endswith(NIFTI_SUFFIXES + ITK_SUFFIXES)


def read_volume_file(path: Path) -> tuple[sitk.Image, str]:
    """Read a volume with its geometry, in the file's own axis order, LPS, and its SHA-256.

    Raises:
        PixelDataError: the file is cut off, is no image, or holds several volumes or colours.
        GeometryError: no orientation, two that disagree, or axes that are not perpendicular.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        return _read_nifti(path), digest
    return _read_itk(path), digest


def _read_nifti(path: Path) -> sitk.Image:
    import nibabel as nib  # a third of a second, which DICOM need not wait for

    try:
        image = cast(nib.Nifti1Image, nib.load(path))
        shape, kind = _without_single(image.shape), image.get_data_dtype().kind
        _check_contents(shape=shape, numbers=kind in "iuf")
        stored = np.asanyarray(image.dataobj).reshape(shape)
    except InputError:
        raise
    except Exception as error:  # gzip, zlib, struct and nibabel have their own
        raise _unreadable() from error
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ _nifti_affine(image)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.all(np.isfinite(affine)) or np.any(spacing <= 0):
        raise GeometryError(
            "The volume file: its voxel size or orientation is zero or not a number."
        )
    direction = affine[:3, :3] / spacing
    if np.max(np.abs(direction.T @ direction - np.eye(3))) > PERPENDICULAR:
        raise GeometryError(
            "The volume file: its axes are not perpendicular to one another (sheared by a "
            "registration or a tilted gantry); give the original series."
        )
    volume = sitk.GetImageFromArray(stored.astype(np.float32).transpose(2, 1, 0))
    volume.SetOrigin(affine[:3, 3].tolist())
    volume.SetSpacing(spacing.tolist())
    volume.SetDirection(direction.ravel().tolist())
    return volume


def _nifti_affine(image: nib.Nifti1Image) -> FloatArray:
    """Voxel to RAS mm, by sform or qform; both must say the same if both speak."""
    try:
        sform, sform_code = image.get_sform(coded=True)
        qform, qform_code = image.get_qform(coded=True)
    except Exception as error:  # quaternions of no rotation
        raise GeometryError("The NIfTI file's orientation is damaged; copy it again.") from error
    if not sform_code and not qform_code:
        raise GeometryError(
            "The NIfTI file has neither sform nor qform, so left and right, up and down are not "
            "known; convert the series again with its orientation."
        )
    if sform_code and qform_code:
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.shape[:3]])).reshape(3, -1)
        corners = np.vstack([corners, np.ones(8)])
        apart = float(np.max(np.linalg.norm(((sform - qform) @ corners)[:3], axis=0)))
        if apart > FORMS_AGREE_MM:
            raise GeometryError(
                f"The NIfTI file's sform and qform put its voxels up to {apart:.1f} mm apart; "
                "convert the series again, or clear the form that is wrong."
            )
    return np.asarray(sform if sform_code else qform, float)


def _read_itk(path: Path) -> sitk.Image:
    try:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        shape = _without_single(reader.GetSize())
        complex_numbers = "complex" in sitk.GetPixelIDValueAsString(reader.GetPixelID())
        _check_contents(
            shape=shape, numbers=reader.GetNumberOfComponents() == 1 and not complex_numbers
        )
        if path.suffix.lower() == ".nrrd" and not _nrrd_has_space(path):
            raise GeometryError(
                "The NRRD file names no anatomical space, so left and right, up and down are not "
                "known."
            )
        reader.SetOutputPixelType(sitk.sitkFloat32)
        reader.SetExtractSize([*shape, *[0] * (reader.GetDimension() - 3)])
        image: sitk.Image = reader.Execute()
        return image
    except RuntimeError as error:
        raise _unreadable() from error


def _without_single(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without trailing axes of length 1 beyond the third."""
    shape = tuple(shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _nrrd_has_space(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(4096).split(b"\n\n", 1)[0].lower()
    return b"\nspace:" in head.replace(b"\r", b"")


def _check_contents(*, shape: Sequence[int], numbers: bool) -> None:
    if not numbers:
        raise PixelDataError("The volume file holds colours or vectors, not one number a voxel.")
    if len(shape) < 3:
        raise GeometryError("The volume file holds one picture. One slice is no volume.")
    if len(shape) > 3:
        raise PixelDataError(
            f"The volume file holds {math.prod(shape[3:])} volumes; save the one to be measured by "
            "itself."
        )
    if math.prod(shape) > MAX_VOXELS:
        shown = " x ".join(str(length) for length in shape)
        raise PixelDataError(f"The volume file says it has {shown} voxels, more than an MRI has.")


def _unreadable() -> PixelDataError:
    return PixelDataError("The volume file is cut off or not of its kind; copy it again.")
