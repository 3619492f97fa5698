"""Write a simulated series as classic MR Image Storage files, as a scanner would send them."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from mri_resorb.model import Patient

_LARGEST_12_BIT = 4095
_LARGEST_16_BIT = 65535
_GYROMAGNETIC_RATIO_MHZ_PER_TESLA = 42.577


def write_dicom_series(
    image: sitk.Image,
    folder: Path,
    *,
    patient: Patient,
    study_date: date,
    uid_seed: str,
    patient_name: str = "",
    study_description: str = "MR LUMBAR SPINE (SIMULATED)",
    series_description: str = "SAG T2 TSE",
    series_number: int = 1,
    slice_thickness_mm: float | None = None,
    repetition_time_ms: float = 3500.0,
    echo_time_ms: float = 100.0,
    echo_train_length: int = 15,
    field_strength_tesla: float = 1.5,
    fat_suppressed: bool = False,
) -> None:
    """Write one file a slice (`IM0001.dcm`...) into a new folder.

    Instances are uncompressed, 16 bits allocated (12 stored where the values allow it), and all
    their UIDs follow from `uid_seed`: the same call writes the same bytes. Series with the same
    `uid_seed` and another `series_number` belong to one study and one frame of reference.

    Args:
        image: sagittal order (`mri_resorb.model`), any direction cosines; values are rounded and
            must lie within 0-65535.
        folder: must not exist; it appears whole or not at all.
        slice_thickness_mm: nominal thickness; the slice distance where None. The slice distance
            itself goes into SpacingBetweenSlices and ImagePositionPatient.

    Raises:
        ValueError: values outside 0-65535 or not finite, or not a 3-D image.
        FileExistsError: something is there already.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; give a new folder.")
    pixels, bits_stored = _pixels(image)
    column_mm, row_mm, slice_distance_mm = image.GetSpacing()
    axes = np.array(image.GetDirection()).reshape(3, 3)
    study_uid = generate_uid(entropy_srcs=["study", uid_seed])
    series_uid = generate_uid(entropy_srcs=["series", uid_seed, str(series_number)])

    shared = Dataset()
    shared.SpecificCharacterSet = "ISO_IR 192"
    shared.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    shared.SOPClassUID = MRImageStorage
    shared.StudyDate = shared.SeriesDate = shared.AcquisitionDate = shared.ContentDate = (
        study_date.strftime("%Y%m%d")
    )
    shared.StudyTime = shared.SeriesTime = shared.AcquisitionTime = shared.ContentTime = "120000"
    shared.AccessionNumber = ""
    shared.Modality = "MR"
    shared.Manufacturer = "mri_resorb"
    shared.ManufacturerModelName = "lumbar phantom"
    shared.ReferringPhysicianName = ""
    shared.StudyDescription = study_description
    shared.SeriesDescription = series_description
    shared.PatientName = patient_name
    shared.PatientID = patient.id or ""
    shared.PatientBirthDate = ""
    shared.PatientSex = patient.sex or ""
    if patient.age_years is not None:
        shared.PatientAge = f"{patient.age_years:03d}Y"
    shared.BodyPartExamined = "LSPINE"
    shared.ScanningSequence = "SE"
    shared.SequenceVariant = "SK"
    shared.ScanOptions = "FS" if fat_suppressed else ""
    shared.MRAcquisitionType = "2D"
    shared.SliceThickness = _decimal(
        slice_distance_mm if slice_thickness_mm is None else slice_thickness_mm
    )
    shared.RepetitionTime = _decimal(repetition_time_ms)
    shared.EchoTime = _decimal(echo_time_ms)
    shared.ImagingFrequency = _decimal(field_strength_tesla * _GYROMAGNETIC_RATIO_MHZ_PER_TESLA)
    shared.ImagedNucleus = "1H"
    shared.MagneticFieldStrength = _decimal(field_strength_tesla)
    shared.SpacingBetweenSlices = _decimal(slice_distance_mm)
    shared.EchoTrainLength = echo_train_length
    shared.FlipAngle = "90"
    shared.PatientPosition = "HFS"
    shared.StudyInstanceUID = study_uid
    shared.SeriesInstanceUID = series_uid
    shared.StudyID = "1"
    shared.SeriesNumber = series_number
    shared.AcquisitionNumber = 1
    shared.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame of reference", uid_seed])
    shared.PositionReferenceIndicator = ""
    shared.ImageOrientationPatient = [_decimal(v) for v in (*axes[:, 0], *axes[:, 1])]
    shared.SamplesPerPixel = 1
    shared.PhotometricInterpretation = "MONOCHROME2"
    shared.Rows, shared.Columns = pixels.shape[1:]
    shared.PixelSpacing = [_decimal(row_mm), _decimal(column_mm)]
    shared.BitsAllocated = 16
    shared.BitsStored = bits_stored
    shared.HighBit = bits_stored - 1
    shared.PixelRepresentation = 0
    brightest = float(np.percentile(pixels, 99.5))
    shared.WindowCenter, shared.WindowWidth = _decimal(brightest / 2), _decimal(max(brightest, 1))

    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for number, plane in enumerate(pixels, start=1):
            position = image.TransformIndexToPhysicalPoint((0, 0, number - 1))
            _write_instance(
                beside / f"IM{number:04d}.dcm",
                shared=shared,
                plane=plane,
                number=number,
                position_mm=position,
                uid=generate_uid(
                    entropy_srcs=["instance", uid_seed, str(series_number), str(number)]
                ),
            )
        beside.chmod(0o755)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _write_instance(
    path: Path,
    *,
    shared: Dataset,
    plane: npt.NDArray[np.uint16],
    number: int,
    position_mm: tuple[float, ...],
    uid: UID,
) -> None:
    instance = Dataset()
    instance.update(shared)
    instance.SOPInstanceUID = uid
    instance.InstanceNumber = number
    instance.ImagePositionPatient = [_decimal(v) for v in position_mm]
    normal = np.cross(
        np.array(instance.ImageOrientationPatient[:3], float),
        np.array(instance.ImageOrientationPatient[3:], float),
    )
    instance.SliceLocation = _decimal(float(normal @ np.array(position_mm)))
    instance.PixelData = np.ascontiguousarray(plane, dtype="<u2").tobytes()
    instance.file_meta = FileMetaDataset()
    instance.file_meta.MediaStorageSOPClassUID = MRImageStorage
    instance.file_meta.MediaStorageSOPInstanceUID = uid
    instance.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    instance.save_as(path, enforce_file_format=True)


def _pixels(image: sitk.Image) -> tuple[npt.NDArray[np.uint16], Literal[12, 16]]:
    values = sitk.GetArrayViewFromImage(image)
    if values.ndim != 3:
        raise ValueError(f"A series is a 3-D image; this one has {values.ndim} dimensions.")
    rounded = np.rint(values)
    if not np.isfinite(rounded).all() or rounded.min() < 0 or rounded.max() > _LARGEST_16_BIT:
        raise ValueError("Intensities must be finite and within 0-65535; scale them first.")
    return rounded.astype(np.uint16), 12 if rounded.max() <= _LARGEST_12_BIT else 16


def _decimal(value: float) -> str:
    """A DICOM decimal string: 16 characters at most."""
    for digits in range(15, 0, -1):
        text = f"{float(value):.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError(f"{value} does not fit a decimal string.")
