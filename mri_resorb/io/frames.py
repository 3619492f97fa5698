"""Headers to frames: what one image of a DICOM file says of its place, contrast and patient.

Classic files say it plainly, Enhanced ones in functional groups, for each frame or shared by all,
and some sets have the Enhanced class with the plain attributes: each value is looked for in all
three places, nearest first. Values that cannot be read count as missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import cast

from pydicom.dataset import Dataset

from mri_resorb.io.attributes import Values, group_values, plain_values
from mri_resorb.languages import Phrase
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


_SPLITTING_KEYWORDS = (
    "EchoNumbers",
    "TemporalPositionIndex",
    "TemporalPositionIdentifier",
    "FrameAcquisitionNumber",
    "AcquisitionNumber",
    "FrameType",
    "ImageType",
)
"""What may tell repeated images of one slice apart, in order of trust."""


@dataclass(frozen=True)
class Header:
    """What a DICOM file says of itself as a whole; None or "" where it says nothing."""

    path: Path
    place: Phrase
    """ "File 7 of 20": how messages name the file."""
    sop_instance: str
    study: str
    series: str
    """SeriesInstanceUID, or "" where there is none."""
    series_number: int | None
    series_description: str
    """Lower case."""
    description: str
    """Series description, protocol and sequence name, lower case and without underscores: for
    finding words in, never for output."""
    modality: str
    body_part: str
    image_type: frozenset[str]
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
    """As the technical attributes say; descriptions are judged in `contrast`."""


@dataclass(frozen=True)
class Frame:
    """One image of a file.

    Attributes:
        index: number of the frame in the file, from 0.
        position_mm: ImagePositionPatient, LPS, centre of the first voxel; None where missing.
        orientation: ImageOrientationPatient: direction of a row, then of a column, LPS.
        spacing_mm: PixelSpacing: between rows, then between columns.
        splits: values of what may tell repeated images of one slice apart.
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


def frames_of(dataset: Dataset, *, path: Path, place: Phrase) -> Iterator[Frame]:
    """All frames of a file; none for colour images, which are screenshots.

    Frames without position where the file does not describe as many as it says it has.
    """
    whole = plain_values(dataset)
    if whole.get("SamplesPerPixel", 1) != 1:
        return
    header = _header(Values(whole), path=path, place=place)
    shared = group_values((dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0])
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    count = len(per_frame) or 1
    known = whole.get("NumberOfFrames", 1) == count
    for index in range(count):
        own = group_values(per_frame[index]) if per_frame else {}
        frame = _frame(Values({**whole, **shared, **own}), header=header, index=index)
        yield frame if known else replace(frame, position_mm=None)


def _frame(values: Values, *, header: Header, index: int) -> Frame:
    slope = values.number("RescaleSlope")
    return Frame(
        header=header,
        index=index,
        position_mm=values.numbers("ImagePositionPatient", count=3),
        orientation=values.numbers("ImageOrientationPatient", count=6),
        spacing_mm=values.numbers("PixelSpacing", count=2),
        rows=int(values.number("Rows") or 0),
        columns=int(values.number("Columns") or 0),
        thickness_mm=values.number("SliceThickness"),
        slope=1.0 if slope is None else slope,
        intercept=values.number("RescaleIntercept") or 0.0,
        contrast=_contrast(values),
        splits=tuple(values.text(keyword) for keyword in _SPLITTING_KEYWORDS),
    )


def _contrast(values: Values) -> Contrast:
    echo_time = values.number("EchoTime")
    inversion_time = values.number("InversionTime")
    return Contrast(
        echo_time_ms=values.number("EffectiveEchoTime") if echo_time is None else echo_time,
        repetition_time_ms=values.number("RepetitionTime"),
        inversion_time_ms=(
            values.number("InversionTimes") if inversion_time is None else inversion_time
        ),
        b_value=values.number("DiffusionBValue"),
        gradient_echo=_gradient_echo(values),
        fat_suppressed=_fat_suppressed(values),
    )


def _gradient_echo(values: Values) -> bool | None:
    words = values.words("ScanningSequence", "EchoPulseSequence")
    if words & {"GR", "EP", "GRADIENT", "BOTH"}:
        return True
    return False if words & {"SE", "SPIN"} else None


def _fat_suppressed(values: Values) -> bool | None:
    enhanced = values.words("SpectrallySelectedSuppression")
    if enhanced:
        return bool(enhanced & {"FAT", "FAT_AND_WATER"})
    options = values.words("ScanOptions")
    return bool(options & {"FS", "FATSAT", "FAT_SAT", "SPIR"}) if options else None


def _header(values: Values, *, path: Path, place: Phrase) -> Header:
    number = values.number("SeriesNumber")
    scanner = f"{values.text('Manufacturer')} {values.text('ManufacturerModelName')}".strip()
    acquired, born = _acquisition_date(values), values.date("PatientBirthDate")
    sex = values.text("PatientSex").upper()
    description = values.text("SeriesDescription").lower()
    return Header(
        path=path,
        place=place,
        sop_instance=values.text("SOPInstanceUID"),
        study=values.text("StudyInstanceUID"),
        series=values.text("SeriesInstanceUID"),
        series_number=None if number is None else int(number),
        series_description=description,
        description=" ".join(
            (description, values.text("ProtocolName").lower(), values.text("SequenceName").lower())
        ).replace("_", " "),
        modality=values.text("Modality").upper(),
        body_part=values.text("BodyPartExamined").upper(),
        image_type=values.words("ImageType", "FrameType"),
        patient_id=values.text("PatientID"),
        patient_name=values.text("PatientName").casefold().replace("^", " ").strip(),
        birth_date=born,
        sex=cast(Sex, sex) if sex in {"F", "M"} else None,
        age_years=_age_years(values.text("PatientAge"), born=born, acquired=acquired),
        acquired=acquired,
        scanner=scanner or None,
        field_strength_tesla=values.number("MagneticFieldStrength"),
    )


def _acquisition_date(values: Values) -> date | None:
    for keyword in ("AcquisitionDate", "AcquisitionDateTime", "SeriesDate", "StudyDate"):
        found = values.date(keyword)
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
