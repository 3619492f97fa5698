"""Synthetic MR series as DICOM files: the truth is a function of the place in the patient.

`intensity` gives the value at any point (LPS mm). A grid, however it lies, samples it, so a reader
is right exactly if every voxel it returns holds the intensity of the place where it says it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

BLOB_MM = (8.0, -12.0, 95.0)
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def intensity(points_mm: np.ndarray) -> np.ndarray:
    """Value at LPS points (..., 3): a blob on a slope that differs along each axis, 0-4000."""
    offset = points_mm - np.asarray(BLOB_MM)
    blob = np.exp(-np.sum((offset / (9.0, 6.0, 12.0)) ** 2, axis=-1))
    return 900 + offset @ np.array([7.0, 3.0, -2.0]) + 2000 * blob


@dataclass(frozen=True)
class Grid:
    """Where a series samples: `rows` x `columns` pixels on `slices` planes, centred on the blob.

    Attributes:
        orientation: direction of a row and of a column, LPS, as ImageOrientationPatient.
        spacing_mm: between rows, between columns.
        backwards: slices are stored against the normal (row x column), not along it.
    """

    slices: int = 7
    rows: int = 24
    columns: int = 20
    orientation: tuple[Sequence[float], Sequence[float]] = SAGITTAL
    spacing_mm: tuple[float, float] = (1.25, 1.5)
    distance_mm: float = 4.4
    backwards: bool = False

    @property
    def directions(self) -> np.ndarray:
        """Rows: unit vectors along a row, down a column, from slice to slice."""
        row, column = np.asarray(self.orientation, float)
        through = np.cross(row, column) * (-1 if self.backwards else 1)
        return np.stack([row, column, through])

    @property
    def origin_mm(self) -> np.ndarray:
        counts = np.array([self.columns, self.rows, self.slices]) - 1
        return np.asarray(BLOB_MM) - (counts / 2 * self.steps_mm) @ self.directions

    @property
    def steps_mm(self) -> np.ndarray:
        return np.array([self.spacing_mm[1], self.spacing_mm[0], self.distance_mm])

    def positions(self) -> np.ndarray:
        """ImagePositionPatient of each slice, (slices, 3)."""
        offsets = np.arange(self.slices)[:, None] * self.distance_mm * self.directions[2]
        return self.origin_mm + offsets

    def values(self) -> np.ndarray:
        """Intensities, (slices, rows, columns)."""
        k, j, i = np.indices((self.slices, self.rows, self.columns))
        index = np.stack([i, j, k], axis=-1) * self.steps_mm
        return intensity(self.origin_mm + index @ self.directions)


@disable_value_validation()
def series(
    grid: Grid | None = None, *, dtype: Any = np.uint16, shift: float = 0.0, **attributes: Any
) -> list[Dataset]:
    """A classic MR series, one dataset a slice, in spatial order.

    Stored values are the rounded intensities minus `shift`. `attributes` overrule or add DICOM
    attributes of every slice; None takes one away.
    """
    grid = grid or Grid()
    common = _common(attributes)
    made = []
    for number, (position, pixels) in enumerate(
        zip(grid.positions(), grid.values(), strict=True), start=1
    ):
        dataset = deepcopy(common)
        dataset.SOPInstanceUID = generate_uid()
        dataset.InstanceNumber = number
        dataset.ImagePositionPatient = _decimals(position)
        dataset.ImageOrientationPatient = _decimals(np.ravel(grid.orientation))
        dataset.PixelSpacing = list(grid.spacing_mm)
        _set_pixels(dataset, np.round(pixels - shift).astype(dtype))
        _change(dataset, attributes)
        made.append(dataset)
    return made


@disable_value_validation()
def enhanced(
    grid: Grid | None = None, *, frame_order: Sequence[int] | None = None, **attributes: Any
) -> Dataset:
    """An Enhanced MR object of the same truth; frames stored in `frame_order`."""
    grid = grid or Grid()
    order = list(range(grid.slices)) if frame_order is None else list(frame_order)
    dataset = _common(attributes)
    for keyword in ("EchoTime", "RepetitionTime", "SliceThickness", "ScanningSequence"):
        del dataset[keyword]
    dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.NumberOfFrames = grid.slices
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            PixelMeasuresSequence=[_item(PixelSpacing=list(grid.spacing_mm), SliceThickness=4.0)],
            PlaneOrientationSequence=[
                _item(ImageOrientationPatient=_decimals(np.ravel(grid.orientation)))
            ],
            MRTimingAndRelatedParametersSequence=[_item(RepetitionTime=3500.0)],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            PlanePositionSequence=[_item(ImagePositionPatient=_decimals(grid.positions()[k]))],
            MREchoSequence=[_item(EffectiveEchoTime=102.0)],
            FrameContentSequence=[_item(StackID="1", InStackPositionNumber=k + 1)],
            # Stored values are those of the frame before: each frame has its own intercept.
            PixelValueTransformationSequence=[
                _item(RescaleSlope=0.5, RescaleIntercept=float(-10 * k), RescaleType="US")
            ],
        )
        for k in order
    ]
    offsets = 10.0 * np.arange(grid.slices)[:, None, None]
    _set_pixels(dataset, np.round((grid.values() + offsets) / 0.5).astype(np.uint16)[order])
    _change(dataset, attributes)
    return dataset


@disable_value_validation()
def write(
    datasets: Sequence[Dataset],
    folder: Path,
    *,
    syntax: pydicom.uid.UID = ExplicitVRLittleEndian,
    preamble: bool = True,
    prefix: str = "IM",
) -> list[Path]:
    """Write datasets as `prefix`0001 ... in `syntax`; compressed ones are encoded by GDCM."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, dataset in enumerate(datasets, start=1):
        path = folder / f"{prefix}{number:04d}"
        _write(dataset, path, syntax=syntax, preamble=preamble)
        paths.append(path)
    return paths


def truth_error(image: sitk.Image) -> float:
    """Largest difference between a voxel's value and the intensity where the image puts it."""
    values = sitk.GetArrayViewFromImage(image)
    index = np.stack(np.indices(values.shape)[::-1], axis=-1) * np.array(image.GetSpacing())
    direction = np.reshape(image.GetDirection(), (3, 3))
    points = np.array(image.GetOrigin()) + index @ direction.T
    return float(np.max(np.abs(values - intensity(points))))


def _write(dataset: Dataset, path: Path, *, syntax: pydicom.uid.UID, preamble: bool) -> None:
    plain = ImplicitVRLittleEndian if syntax == ImplicitVRLittleEndian else ExplicitVRLittleEndian
    if syntax == ExplicitVRBigEndian:
        plain = syntax
        dataset = deepcopy(dataset)
        if dataset.BitsAllocated == 16:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    if not preamble:
        dataset.save_as(
            path,
            implicit_vr=plain.is_implicit_VR,
            little_endian=plain.is_little_endian,
            enforce_file_format=False,
        )
        return
    if syntax.is_deflated:
        plain = syntax
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = plain
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.3")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3.4")
    dataset.save_as(path, enforce_file_format=True)
    del dataset.file_meta
    if syntax.is_compressed and not syntax.is_deflated:
        _compress(path, syntax)


def _compress(path: Path, syntax: pydicom.uid.UID) -> None:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change(), f"GDCM does not encode {syntax.name}"
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def _common(attributes: dict[str, Any]) -> Dataset:
    dataset = _item(
        SOPClassUID=MRImageStorage,
        StudyInstanceUID=attributes.get("StudyInstanceUID") or generate_uid(),
        SeriesInstanceUID=attributes.get("SeriesInstanceUID") or generate_uid(),
        Modality="MR",
        PatientID="P-17",
        PatientName="Doe^Jane",
        PatientBirthDate="19780315",
        PatientSex="F",
        StudyDate="20181105",
        FrameOfReferenceUID=attributes.get("FrameOfReferenceUID") or generate_uid(),
        StudyTime="101500",
        StudyID="1",
        SeriesNumber=4,
        SeriesDescription="T2 TSE SAG",
        ImageType=["ORIGINAL", "PRIMARY", "M"],
        ScanningSequence="SE",
        EchoTime=102.0,
        RepetitionTime=3500.0,
        SliceThickness=4.0,
    )
    _change(dataset, attributes)
    return dataset


def _change(dataset: Dataset, attributes: dict[str, Any]) -> None:
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)


def _set_pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", pixels.tobytes())


def _item(**attributes: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def _decimals(values: np.ndarray) -> list[float]:
    """As a scanner writes them: DS holds 16 characters."""
    return [round(float(value), 8) for value in values]
