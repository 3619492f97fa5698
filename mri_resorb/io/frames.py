"""Headers to frames: what one image of a DICOM file says of its place, contrast and patient.

Classic files say it plainly, Enhanced ones in functional groups, for each frame or shared by all,
and some sets have the Enhanced class with the plain attributes: each value is looked for in all
three places, nearest first. Values that cannot be read count as missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast

from pydicom.dataset import Dataset

from mri_resorb.model import Sex

EARLIEST_MRI = date(1980, 1, 1)
"""Dates before it are placeholders of de-identification software."""

HEADER_KEYWORDS = [
    "AcquisitionDate",
    "AcquisitionDateTime",
    "AcquisitionNumber",
    "BitsAllocated",
    "BodyPartExamined",
    "Columns",
    "DiffusionBValue",
    "EchoNumbers",
    "EchoTime",
    "EffectiveEchoTime",
    "EchoPulseSequence",
    "FrameType",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InversionTime",
    "MagneticFieldStrength",
    "Manufacturer",
    "ManufacturerModelName",
    "Modality",
    "NumberOfFrames",
    "PatientAge",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "PerFrameFunctionalGroupsSequence",
    "PhotometricInterpretation",
    "PixelSpacing",
    "ProtocolName",
    "PulseSequenceName",
    "RepetitionTime",
    "RescaleIntercept",
    "RescaleSlope",
    "Rows",
    "SOPClassUID",
    "SOPInstanceUID",
    "SamplesPerPixel",
    "ScanOptions",
    "ScanningSequence",
    "SequenceName",
    "SequenceVariant",
    "SeriesDate",
    "SeriesDescription",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SharedFunctionalGroupsSequence",
    "SliceThickness",
    "StudyDate",
    "StudyDescription",
    "StudyInstanceUID",
    "TemporalPositionIdentifier",
]
"""What is read of a header: leaving the rest makes reading faster."""


@dataclass(frozen=True)
class Header:
    """What a DICOM file says of itself as a whole; None or "" where it says nothing."""

    path: Path
    place: str
    """ "file 7 of 20": how messages name the file."""
    sop_instance: str
    study: str
    series: str
    """SeriesInstanceUID, or "" where there is none."""
    series_number: int | None
    series_description: str
    """Lower case."""
    description: str
    """Series description and protocol name, lower case: for finding words in, never for output."""
    modality: str
    body_part: str
    image_type: tuple[str, ...]
    photometric: str
    patient_id: str
    patient_name: str
    birth_date: date | None
    sex: Sex | None
    age_years: int | None
    acquired: date | None
    scanner: str | None
    field_strength_tesla: float | None

    @property
    def patient_key(self) -> tuple[str, str, date | None, Sex | None]:
        """What tells the patients of one folder apart."""
        return (self.patient_id.casefold(), self.patient_name, self.birth_date, self.sex)


@dataclass(frozen=True)
class Contrast:
    """What decides the weighting of a frame; times in ms, None where not said."""

    echo_time_ms: float | None
    repetition_time_ms: float | None
    inversion_time_ms: float | None
    b_value: float | None
    gradient_echo: bool | None
    """True for gradient echo and echo planar, False for spin echo."""
    fat_suppressed: bool | None
    """As the technical attributes say; descriptions are judged in `choice`."""


@dataclass(frozen=True)
class Frame:
    """One image of a file.

    Attributes:
        index: number of the frame in the file, from 0.
        position_mm: ImagePositionPatient, LPS, centre of the first voxel; None where missing.
        orientation: ImageOrientationPatient: direction of a row, then of a column, LPS.
        spacing_mm: PixelSpacing: between rows, then between columns.
        splits: what may tell repeated images of one slice apart, in order of trust.
    """

    header: Header
    index: int
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing_mm: tuple[float, ...] | None
    rows: int
    columns: int
    thickness_mm: float | None
    slope: float
    intercept: float
    contrast: Contrast
    splits: tuple[str, ...]


def frames_of(dataset: Dataset, *, path: Path, place: str) -> Iterator[Frame]:
    """All frames of a file; none for colour images, which are screenshots."""
    header = _header(dataset, path=path, place=place)
    if int(dataset.get("SamplesPerPixel", 1) or 1) != 1:
        return
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for index in range(int(dataset.get("NumberOfFrames", 1) or 1)):
        own = per_frame[index] if index < len(per_frame) else Dataset()
        yield _frame(_Sources((own, shared[0], dataset)), header=header, index=index)


@dataclass(frozen=True)
class _Sources:
    """Where a frame's attributes stand, nearest first: per frame, shared, whole file."""

    datasets: tuple[Dataset, ...]

    def value(self, keyword: str, *, macro: str | None = None) -> Any:
        """The first value found, in functional group `macro` or plainly."""
        for dataset in self.datasets:
            groups = dataset.get(macro) if macro else None
            for place in (groups[0] if groups else None, dataset):
                found = None if place is None else place.get(keyword)
                if found is not None and found != "":
                    return found
        return None

    def number(self, keyword: str, *, macro: str | None = None) -> float | None:
        return _number(self.value(keyword, macro=macro))

    def numbers(self, keyword: str, count: int, *, macro: str) -> tuple[float, ...] | None:
        found = self.value(keyword, macro=macro)
        if not isinstance(found, Sequence) and not hasattr(found, "__iter__"):
            return None
        values = [_number(value) for value in cast(Sequence[object], found)]
        if len(values) != count or any(value is None for value in values):
            return None
        return tuple(value for value in values if value is not None)


def _frame(sources: _Sources, *, header: Header, index: int) -> Frame:
    slope = sources.number("RescaleSlope", macro="PixelValueTransformationSequence")
    intercept = sources.number("RescaleIntercept", macro="PixelValueTransformationSequence")
    splits = (
        sources.value("EchoNumbers"),
        sources.value("TemporalPositionIndex", macro="FrameContentSequence"),
        sources.value("TemporalPositionIdentifier"),
        sources.value("FrameAcquisitionNumber", macro="FrameContentSequence"),
        sources.value("AcquisitionNumber"),
        sources.value("FrameType", macro="MRImageFrameTypeSequence") or header.image_type,
    )
    return Frame(
        header=header,
        index=index,
        position_mm=sources.numbers("ImagePositionPatient", 3, macro="PlanePositionSequence"),
        orientation=sources.numbers("ImageOrientationPatient", 6, macro="PlaneOrientationSequence"),
        spacing_mm=sources.numbers("PixelSpacing", 2, macro="PixelMeasuresSequence"),
        rows=int(sources.value("Rows") or 0),
        columns=int(sources.value("Columns") or 0),
        thickness_mm=sources.number("SliceThickness", macro="PixelMeasuresSequence"),
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        contrast=_contrast(sources),
        splits=tuple("" if value is None else str(value) for value in splits),
    )


def _contrast(sources: _Sources) -> Contrast:
    inversion = sources.value("InversionTime") or sources.value(
        "InversionTimes", macro="MRModifierSequence"
    )
    if isinstance(inversion, Sequence) and not isinstance(inversion, str):
        inversion = inversion[0] if len(inversion) else None
    echo_time = sources.number("EchoTime")
    if echo_time is None:
        echo_time = sources.number("EffectiveEchoTime", macro="MREchoSequence")
    return Contrast(
        echo_time_ms=echo_time,
        repetition_time_ms=sources.number(
            "RepetitionTime", macro="MRTimingAndRelatedParametersSequence"
        ),
        inversion_time_ms=_number(inversion),
        b_value=sources.number("DiffusionBValue", macro="MRDiffusionSequence"),
        gradient_echo=_gradient_echo(sources),
        fat_suppressed=_fat_suppressed(sources),
    )


def _gradient_echo(sources: _Sources) -> bool | None:
    words = _words(sources.value("ScanningSequence")) | _words(sources.value("EchoPulseSequence"))
    if words & {"GR", "EP", "GRADIENT", "BOTH"}:
        return True
    return False if words & {"SE", "SPIN"} else None


def _fat_suppressed(sources: _Sources) -> bool | None:
    enhanced = sources.value("SpectrallySelectedSuppression", macro="MRModifierSequence")
    if enhanced is not None:
        return "FAT" in str(enhanced).upper()
    options = sources.value("ScanOptions")
    return None if options is None else bool(_words(options) & {"FS", "FATSAT", "FAT_SAT", "SPIR"})


def _words(value: object) -> set[str]:
    if value is None:
        return set()
    parts = [value] if isinstance(value, str) else list(cast(Sequence[object], value))
    return {str(part).strip().upper() for part in parts}


def _header(dataset: Dataset, *, path: Path, place: str) -> Header:
    sources = _Sources((dataset,))
    number = sources.number("SeriesNumber")
    scanner = " ".join(
        filter(None, (text_of(dataset, "Manufacturer"), text_of(dataset, "ManufacturerModelName")))
    )
    acquired, born = _acquisition_date(dataset), _date(dataset.get("PatientBirthDate"))
    sex = text_of(dataset, "PatientSex").upper()
    return Header(
        path=path,
        place=place,
        sop_instance=text_of(dataset, "SOPInstanceUID"),
        study=text_of(dataset, "StudyInstanceUID"),
        series=text_of(dataset, "SeriesInstanceUID"),
        series_number=None if number is None else int(number),
        series_description=text_of(dataset, "SeriesDescription").lower(),
        description=" ".join(
            text_of(dataset, keyword).lower()
            for keyword in ("SeriesDescription", "ProtocolName", "SequenceName")
        ),
        modality=text_of(dataset, "Modality").upper(),
        body_part=text_of(dataset, "BodyPartExamined").upper(),
        image_type=tuple(sorted(_words(dataset.get("ImageType")))),
        photometric=text_of(dataset, "PhotometricInterpretation"),
        patient_id=text_of(dataset, "PatientID"),
        patient_name=text_of(dataset, "PatientName").casefold().replace("^", " ").strip(),
        birth_date=born,
        sex=cast(Sex, sex) if sex in {"F", "M"} else None,
        age_years=_age_years(text_of(dataset, "PatientAge"), born=born, acquired=acquired),
        acquired=acquired,
        scanner=scanner or None,
        field_strength_tesla=sources.number("MagneticFieldStrength"),
    )


def _acquisition_date(dataset: Dataset) -> date | None:
    for keyword in ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate"):
        found = _date(dataset.get(keyword))
        if found is not None and found >= EARLIEST_MRI:
            return found
    return None


def _age_years(text: str, *, born: date | None, acquired: date | None) -> int | None:
    """Whole years, from PatientAge ("040Y", "018M", "012W", "100D") or else from the dates."""
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.18, "D": 365.25}
    if len(text) > 1 and text[:-1].isdigit() and text[-1].upper() in per_year:
        return int(int(text[:-1]) / per_year[text[-1].upper()])
    if born is None or acquired is None or acquired < born:
        return None
    return acquired.year - born.year - ((acquired.month, acquired.day) < (born.month, born.day))


def _date(value: object) -> date | None:
    """Read YYYYMMDD..., or the YYYY.MM.DD and YYYY-MM-DD of old files; None for anything else."""
    text = str(value or "").strip().replace(".", "").replace("-", "")[:8]
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])) if text.isdigit() else None
    except ValueError:
        return None


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def text_of(dataset: Dataset, keyword: str) -> str:
    """An attribute as text without padding, "" where missing."""
    return str(dataset.get(keyword) or "").strip(" \0")
