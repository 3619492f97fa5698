"""One DICOM instance without the person: the same picture, and of the header what may stay.

Source: PS3.15 Annex E, Basic Application Level Confidentiality Profile with the options Retain
Longitudinal Temporal Information with Modified Dates, and Clean Descriptors. What the profile lets
go, goes with all else that `mri_resorb.deidentify.kept` does not name. Of descriptions stay the
words by which a series is chosen (T2, STIR, lumbar), none of which can name anybody. Sex, age and
the device's identity go.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from numbers import Real
from typing import Any

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian

import mri_resorb
from mri_resorb.batch.heap import PLACEHOLDER_IDS
from mri_resorb.deidentify import kept
from mri_resorb.deidentify.key import Key
from mri_resorb.errors import BurnedInError, NotDeidentifiableError
from mri_resorb.io.attributes import Values, plain_values, text_of
from mri_resorb.io.contrast import telling_words
from mri_resorb.io.dicom import quiet_pydicom, stored_pixels
from mri_resorb.io.frames import EARLIEST_MRI

_PIXEL_DATA = 0x7FE00010
_DEEPEST = 4
"""Enhanced images nest sequences two deep."""

_MOST_VALUES = 32
_LARGEST = 1e8
"""Four letters read as an integer are more."""

_METHODS = (
    codes.cid7050.BasicApplicationConfidentialityProfile,
    codes.cid7050.RetainLongitudinalTemporalInformationModifiedDatesOption,
    codes.cid7050.CleanDescriptorsOption,
)

_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_DESCRIPTIONS = ("SeriesDescription", "ProtocolName", "SequenceName", "PulseSequenceName")


@quiet_pydicom()
def deidentified(instance: FileDataset, *, key: Key) -> Dataset:
    """The instance without the person, in Explicit VR Little Endian and uncompressed.

    A patient whom nothing tells has no pseudonym; all such are moved in time alike.

    Args:
        instance: as `pydicom.dcmread` gives it.

    Raises:
        BurnedInError: the picture may show the person's name.
        NotDeidentifiableError: no MR image; pixels that cannot be decoded; or without UIDs. The
            message is the reason, and names nobody.
    """
    _check_kind(instance)
    patient = _patient_of(instance)
    made = _Keeping(key, moved_by=key.moved_by(patient)).kept(instance)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if not made.get(keyword):
            raise NotDeidentifiableError("without the UIDs that a DICOM instance needs")
    made.SOPClassUID = instance.SOPClassUID
    made.update(_pixels(instance))
    made.PatientID = key.pseudonym(patient) if patient else ""
    made.PatientName = f"{made.PatientID}^" if patient else ""
    made.SeriesDescription = _series_description(instance)
    made.Manufacturer = _manufacturer(instance)
    for keyword in kept.EMPTIED:
        setattr(made, keyword, "")
    for keyword in ("StudyDate", "StudyTime", "SeriesNumber", "InstanceNumber"):
        if keyword not in made:
            setattr(made, keyword, None)
    _record(made)
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def _check_kind(instance: Dataset) -> None:
    if text_of(instance, "SOPClassUID") not in kept.SOP_CLASSES:
        raise NotDeidentifiableError("no MR image")
    values = Values(plain_values(instance))
    if values.text("Modality").upper() not in ("", "MR"):
        raise NotDeidentifiableError("no MR image")
    burned_in = values.text("BurnedInAnnotation").upper() not in ("", "NO")
    words = values.words("ImageType", "FrameType")
    if burned_in or words & kept.CAPTURED or values.number("SamplesPerPixel") not in (None, 1.0):
        raise BurnedInError("a picture that may show the patient's name")
    if any(
        tag.group & 0xFF01 == 0x6000 and tag.element == 0x0102 and instance[tag].value
        for tag in instance.keys()  # noqa: SIM118 - iterating would convert, and stop at, odd values
    ):
        raise BurnedInError("a picture with an overlay among its pixels")


def _patient_of(instance: Dataset) -> str:
    """Who it is, by number and birth date, else by name and birth date; "" where nothing tells.

    With the birth date, so that two people who were given one number stay two.
    """
    born = text_of(instance, "PatientBirthDate")
    number = text_of(instance, "PatientID").casefold()
    if number and number.replace(" ", "_") not in PLACEHOLDER_IDS:
        return f"id {number} {born}"
    name = text_of(instance, "PatientName").casefold()
    return f"name {name} {born}" if name and born else ""


class _Keeping:
    """Goes through a header and its sequences, keeping what may stay."""

    def __init__(self, key: Key, *, moved_by: timedelta) -> None:
        self._key = key
        self._moved_by = moved_by
        rules: tuple[tuple[frozenset[str], Callable[[Any], Any]], ...] = (
            (kept.NUMBERS, _number),
            (kept.WORDS_IN, _word),
            (kept.UIDS, self._uid),
            (kept.DATES, self._date),
            (kept.TIMES, _time),
        )
        self._rules = {keyword: rule for keywords, rule in rules for keyword in keywords}

    def kept(self, header: Dataset, *, depth: int = 0) -> Dataset:
        made = Dataset()
        for tag in header.keys():  # noqa: SIM118 - as above
            keyword = keyword_for_tag(tag)
            if keyword not in self._rules and keyword not in kept.SEQUENCES:
                continue
            try:
                element = header[tag]
            except Exception:  # pydicom's converters raise whatever a malformed value leads them to
                continue
            if element.VR != dictionary_VR(tag):
                continue
            if keyword in kept.SEQUENCES:
                if depth < _DEEPEST:
                    items = Sequence(self.kept(item, depth=depth + 1) for item in element.value)
                    made.add(DataElement(tag, "SQ", items))
                continue
            if element.is_empty:
                made.add(DataElement(tag, element.VR, None))
                continue
            if not _may_have(element.VM, tag):
                continue
            values = element.value if element.VM > 1 else [element.value]
            staying = [self._rules[keyword](value) for value in values]
            if None not in staying:
                made.add(DataElement(tag, element.VR, staying if element.VM > 1 else staying[0]))
        return made

    def _uid(self, value: object) -> UID | None:
        uid = str(value).strip(" \0")
        if len(uid) > 64 or not _UID.fullmatch(uid):
            return self._key.uid(uid) if uid else None
        is_of_standard = UID(uid).name != uid
        return UID(uid) if is_of_standard else self._key.uid(uid)

    def _date(self, value: object) -> str | None:
        """A date, or date and time, moved; without the offset from UTC, which tells the place."""
        text = str(value).strip(" \0")
        day = Values({"day": text}).date("day")
        if day is None or day < EARLIEST_MRI:  # a placeholder would tell by how much it was moved
            return None
        time = re.split(r"[&+-]", text[8:])[0] if text[:8].isdigit() else ""
        moved = f"{day + self._moved_by:%Y%m%d}"
        return moved + time if _TIME.fullmatch(time) else moved


def _may_have(count: int, tag: BaseTag) -> bool:
    """Whether an attribute is to have so many values: many numbers in a row could be text."""
    multiplicity = dictionary_VM(tag)
    return count <= _MOST_VALUES if "n" in multiplicity else multiplicity == str(count)


def _number(value: object) -> Any:
    """The value as it is, so that not a digit changes, if it is such a number as MRI has."""
    try:
        is_number = isinstance(value, Real | str) and abs(float(value)) < _LARGEST
    except (ValueError, OverflowError):
        is_number = False
    return value if is_number else None


def _word(value: object) -> str:
    word = str(value).strip(" \0").upper()
    return word if word in kept.WORDS else "OTHER"


def _time(value: object) -> str | None:
    text = str(value).strip(" \0")
    return text if _TIME.fullmatch(text) else None


def _series_description(instance: Dataset) -> str:
    """Of all that describes the series, the words that tell what it shows."""
    said = " ".join(text_of(instance, keyword) for keyword in _DESCRIPTIONS)
    if not said.strip():
        return ""
    words = telling_words(f"{said} {text_of(instance, 'BodyPartExamined')}")
    return " ".join(words).upper()[:64].strip() or "MR"


def _manufacturer(instance: Dataset) -> str:
    said = text_of(instance, "Manufacturer").upper()
    return next((name for name in kept.MANUFACTURERS if said.startswith(name)), "")


def _record(made: Dataset) -> None:
    """Say that, and how, it was done (PS3.3 C.7.1.1, PS3.16 CID 7050)."""
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = f"mri-resorb {mri_resorb.__version__}"
    made.LongitudinalTemporalInformationModified = "MODIFIED"
    made.DeidentificationMethodCodeSequence = Sequence()
    for method in _METHODS:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = method.value, method.scheme_designator
        item.CodeMeaning = method.meaning
        made.DeidentificationMethodCodeSequence.append(item)


def _pixels(instance: FileDataset) -> Dataset:
    """The pixels alone: compressed ones decoded, since a codec's comments may hold anything.

    Bytes after the last pixel are left out.
    """
    try:
        if "PixelData" not in instance:
            raise ValueError("floating point")
        values = stored_pixels(instance)
    except Exception as error:  # each decoder, and each damaged element, has its own exceptions
        raise NotDeidentifiableError("pixels that are cut off or cannot be decoded") from error
    stored = values.astype(values.dtype.newbyteorder("<")).tobytes()
    made = Dataset()
    made.BitsAllocated = 8 * values.dtype.itemsize
    made.add(DataElement(_PIXEL_DATA, "OW", stored + b"\0" * (len(stored) % 2)))
    return made
