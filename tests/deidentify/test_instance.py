"""One instance without the person: nothing planted comes through, and the picture stays."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dicom_files
import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as standard
from pydicom.datadict import (
    DicomDictionary,
    RepeatersDictionary,
    dictionary_VR,
    keyword_for_tag,
    tag_for_keyword,
)
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels.utils import pixel_array
from pydicom.sr.codedict import codes
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from mri_resorb.deidentify import kept
from mri_resorb.deidentify.instance import deidentified
from mri_resorb.deidentify.key import LEAST_DAYS, MOST_DAYS, Key
from mri_resorb.errors import BurnedInError, NotDeidentifiableError
from mri_resorb.io.studies import read_study

KEY = Key(bytes(range(32)))

NAME, NUMBER, BORN, SEEN = b"ZHANSAYAQ", b"KZ7F3Q9X", b"19631107", b"20191003"
CYRILLIC = "Жансая"
SECRETS = (NAME, NUMBER, BORN, SEEN, CYRILLIC.encode(), CYRILLIC.encode("iso8859_5"))

PLANTED = {
    "PN": NAME + b"^" + CYRILLIC.encode(),
    "UI": b"1.2.840.10008." + BORN + b".1",
    "DA": SEEN,
    "DT": SEEN + b"101500.25+0500",
    "TM": NAME,
    "AS": b"056Y",
    "CS": NAME,
    "AE": NUMBER,
    "DS": NUMBER,
    "IS": NUMBER,
}
"""By value representation; all others hold the three together."""

_LONG_LENGTH = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905
_PICTURE = (
    "SOPClassUID Modality PhotometricInterpretation SamplesPerPixel Rows Columns BitsAllocated "
    "BitsStored HighBit PixelRepresentation PixelData BurnedInAnnotation NumberOfFrames "
    "FloatPixelData DoubleFloatPixelData PixelDataProviderURL"
)
_NOT_PLANTED = frozenset(_PICTURE.split())
"""What makes the file a picture that can be de-identified at all."""


def element(tag: int, vr: str, value: bytes, *, implicit: bool) -> bytes:
    value += b"\0" * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<I", len(value)) + value
    if vr in _LONG_LENGTH:
        return head + vr.encode() + b"\0\0" + struct.pack("<I", len(value)) + value
    return head + vr.encode() + struct.pack("<H", len(value)) + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def private(group: int, *, implicit: bool) -> bytes:
    return b"".join(
        element(group << 16 | low, vr, value, implicit=implicit)
        for low, vr, value in (
            (0x10, "LO", NAME),
            (0x1001, "LO", NUMBER),
            (0x1002, "UN", NAME + BORN),
            (0x1003, "SQ", item(element(0x00100010, "PN", NAME, implicit=implicit))),
        )
    )


def tags() -> Iterator[tuple[int, str]]:
    """Every attribute of the dictionary, a repeated group of each kind, in order."""
    repeated = [int(mask.replace("x", "0"), 16) for mask in RepeatersDictionary]
    for tag in sorted({*DicomDictionary, *repeated}):
        group, low = tag >> 16, tag & 0xFFFF
        named = keyword_for_tag(tag) or ""
        if group > 2 and low and group != 0xFFFE and tag != 0x60000102:
            vr = dictionary_VR(tag).split(" or ")[0]
            if vr != "NONE" and named not in _NOT_PLANTED and named != "SpecificCharacterSet":
                yield tag, vr


def planted_value(vr: str, *, tag: int, implicit: bool, depth: int = 0) -> bytes:
    if vr != "SQ":
        return PLANTED.get(vr, b" ".join((NAME, NUMBER, BORN, SEEN)))
    inner = [
        (0x00080012, "DA", SEEN),
        (0x00080018, "UI", PLANTED["UI"]),
        (0x00081030, "LO", NAME),
        (0x00100010, "PN", PLANTED["PN"]),
        (0x00189074, "DT", PLANTED["DT"]),
        (0x00280030, "LT", NAME),  # not of its own kind
    ]
    content = b"".join(element(t, v, value, implicit=implicit) for t, v, value in inner)
    content += private(0x0029, implicit=implicit)
    if depth < 2:
        deeper = planted_value("SQ", tag=0x00289110, implicit=implicit, depth=depth + 1)
        content += element(0x00289110, "SQ", deeper, implicit=implicit)
    return item(content)


def planted(*, implicit: bool) -> bytes:
    """A file with a secret wherever one can be."""
    (picture,) = dicom_files.series(dicom_files.Grid(slices=1))
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    meta = element(2 << 16 | 0x10, "UI", syntax.encode(), implicit=False)
    meta += element(2 << 16 | 0x16, "AE", NUMBER, implicit=False)
    meta += element(2 << 16 | 0x0100, "UI", PLANTED["UI"], implicit=False)
    meta += element(2 << 16 | 0x0102, "OB", NAME, implicit=False)
    parts = {
        tag: element(tag, vr, planted_value(vr, tag=tag, implicit=implicit), implicit=implicit)
        for tag, vr in tags()
    }
    real = {
        0x00080005: ("CS", b"ISO_IR 192"),
        0x00080016: ("UI", picture.SOPClassUID.encode()),
        0x00080060: ("CS", b"MR"),
        0x00280002: ("US", struct.pack("<H", 1)),
        0x00280004: ("CS", b"MONOCHROME2"),
        0x00280010: ("US", struct.pack("<H", picture.Rows)),
        0x00280011: ("US", struct.pack("<H", picture.Columns)),
        0x00280100: ("US", struct.pack("<H", 16)),
        0x00280101: ("US", struct.pack("<H", 12)),
        0x00280102: ("US", struct.pack("<H", 11)),
        0x00280103: ("US", struct.pack("<H", 0)),
        0x00280301: ("CS", b"NO"),
        0x7FE00010: ("OW", picture.PixelData + NAME + NUMBER),
    }
    parts |= {tag: element(tag, vr, value, implicit=implicit) for tag, (vr, value) in real.items()}
    for group in (0x0009, 0x0011, 0x0019, 0x0029, 0x0051, 0x7FE1):
        parts[group << 16] = private(group, implicit=implicit)
    return (
        (NAME + BORN).ljust(128, b"\0") + b"DICM" + meta + b"".join(parts[t] for t in sorted(parts))
    )


def read(content: bytes) -> FileDataset:
    return pydicom.dcmread(io.BytesIO(content), force=True)


def written(made: Dataset) -> bytes:
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.parametrize("implicit", [False, True])
def test_nothing_that_is_planted_comes_through(implicit: bool) -> None:
    content = planted(implicit=implicit)
    for secret in SECRETS[:5]:
        assert content.count(secret) > 100 or secret == CYRILLIC.encode()
    source = read(content)
    assert len(source) > 4000  # pydicom reads on to the end
    out = written(deidentified(source, key=KEY))
    for secret in SECRETS:
        assert secret not in out
        assert secret.lower() not in out.lower()


def test_of_what_the_standard_lists_only_what_it_lets_stay_is_left() -> None:
    source = read(planted(implicit=False))
    made = deidentified(source, key=KEY)
    listed = {Tag(tag) for tag in standard.ALL_TAGS if len(tag) == 2}
    assert len(listed) > 600
    left = {keyword_for_tag(tag) for tag in listed if tag in made and not made[tag].is_empty}
    changed = {"PatientName", "PatientID", "SeriesDescription"}
    assert left <= kept.DATES | kept.UIDS | changed
    assert all(made[keyword].value != source[keyword].value for keyword in left)


def test_the_lists_hold_what_they_say() -> None:
    for keywords, representations in (
        (kept.NUMBERS, {"DS", "IS", "US", "UL", "FD", "FL"}),
        (kept.WORDS_IN, {"CS", "SH"}),
        (kept.SEQUENCES, {"SQ"}),
        (kept.UIDS, {"UI"}),
        (kept.DATES, {"DA", "DT"}),
        (kept.TIMES, {"TM"}),
    ):
        for keyword in keywords:
            tag = tag_for_keyword(keyword)
            assert tag is not None, keyword
            assert dictionary_VR(tag) in representations, keyword


def test_how_it_was_done_is_recorded() -> None:
    made = deidentified(in_file(dicom_files.series()[0]), key=KEY)
    assert made.PatientIdentityRemoved == "YES"
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    said = {
        (c.CodeValue, c.CodingSchemeDesignator) for c in made.DeidentificationMethodCodeSequence
    }
    assert said == {("113100", "DCM"), ("113107", "DCM"), ("113105", "DCM")}
    assert codes.cid7050.CleanDescriptorsOption.value == "113105"


def in_file(dataset: Dataset) -> FileDataset:
    """As it is read from a file."""
    with tempfile.TemporaryDirectory() as folder:
        (path,) = dicom_files.write([dataset], Path(folder))
        return read(path.read_bytes())


def test_dates_of_a_patient_move_alike_and_others_otherwise() -> None:
    def moved(day: str, patient: str) -> date:
        (one,) = dicom_files.series(
            dicom_files.Grid(slices=1), PatientID=patient, StudyDate=day, AcquisitionDate=day
        )
        made = deidentified(in_file(one), key=KEY)
        assert made.StudyDate == made.AcquisitionDate
        return date.fromisoformat(made.StudyDate)

    first, second = moved("20181105", "17"), moved("20190202", "17 ")
    assert (second - first).days == 89
    assert LEAST_DAYS <= (date(2018, 11, 5) - first).days <= MOST_DAYS
    assert moved("20181105", "18") != first


def pseudonym(**attributes: str) -> str:
    (one,) = dicom_files.series(dicom_files.Grid(slices=1), **attributes)
    return str(deidentified(in_file(one), key=KEY).PatientID)


def test_people_are_neither_mixed_up_nor_torn_apart() -> None:
    one = {"PatientID": "17", "PatientName": "A^B", "PatientBirthDate": "19631107"}
    assert pseudonym(**one) == pseudonym(**{**one, "PatientName": "A^B^C"})
    assert pseudonym(**one) != pseudonym(**{**one, "PatientBirthDate": "19701107"})
    nameless = {**one, "PatientID": ""}
    assert pseudonym(**nameless) == pseudonym(**{**one, "PatientID": "Anonymous"})
    assert pseudonym(PatientID="anonymous", PatientName="A^B", PatientBirthDate="") == ""


def test_a_placeholder_date_does_not_tell_by_how_much_dates_were_moved() -> None:
    source = in_file(dicom_files.series(SeriesDate="19000101", AcquisitionDateTime="1")[0])
    made = deidentified(source, key=KEY)
    assert "SeriesDate" not in made
    assert "AcquisitionDateTime" not in made


def test_what_belongs_together_stays_together() -> None:
    sources = [in_file(one) for one in dicom_files.series()]
    made = [deidentified(one, key=KEY) for one in sources]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert len({one[keyword].value for one in made}) == 1
        assert made[0][keyword].value != sources[0][keyword].value
    assert len({one.SOPInstanceUID for one in made}) == len(sources)
    assert all(UID(one.SOPInstanceUID).is_valid for one in made)
    assert made[0].file_meta.MediaStorageSOPInstanceUID == made[0].SOPInstanceUID
    other = deidentified(sources[0], key=Key.made())
    assert other.PatientID != made[0].PatientID
    assert other.SOPInstanceUID != made[0].SOPInstanceUID


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        RLELossless,
        JPEG2000Lossless,
    ],
)
def test_the_picture_stays_whatever_its_encoding(syntax: UID, tmp_path: Path) -> None:
    datasets = dicom_files.series()
    sources = dicom_files.write(datasets, tmp_path / "in", syntax=syntax)
    made = [deidentified(pydicom.dcmread(path, force=True), key=KEY) for path in sources]
    dicom_files.write(made, tmp_path / "out")
    for one, source in zip(made, datasets, strict=True):
        stored = np.frombuffer(source.PixelData, "<u2")
        assert (np.frombuffer(one.PixelData, "<u2") == stored).all()
    assert dicom_files.truth_error(read_study(tmp_path / "out").image) <= 0.5


def test_an_enhanced_file_keeps_the_place_and_contrast_of_its_frames(tmp_path: Path) -> None:
    source = in_file(dicom_files.enhanced(frame_order=[3, 1, 0, 2, 6, 5, 4]))
    dicom_files.write([deidentified(source, key=KEY)], tmp_path)
    assert dicom_files.truth_error(read_study(tmp_path).image) <= 0.5


def test_a_name_in_a_description_goes_and_the_words_that_choose_a_series_stay() -> None:
    source = dicom_files.series(SeriesDescription=f"{NAME.decode()}_t2_tse_STIR_sag lumbar 1963")
    made = deidentified(in_file(source[0]), key=KEY)
    assert set(made.SeriesDescription.split()) == {"T2", "STIR", "LUMB"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"BurnedInAnnotation": "YES"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"OverlayBitPosition": 12},
    ],
)
def test_a_picture_that_may_show_a_name_is_left_out(attributes: dict[str, object]) -> None:
    (source,) = dicom_files.series(dicom_files.Grid(slices=1))
    for keyword, value in attributes.items():
        if keyword == "OverlayBitPosition":
            source.add_new(0x60000102, "US", value)
        else:
            setattr(source, keyword, value)
    with pytest.raises(BurnedInError):
        deidentified(in_file(source), key=KEY)


@pytest.mark.parametrize(
    "attributes",
    [
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},
        {"Modality": "OT"},
        {"PixelData": b"\0\0"},
        {"SeriesInstanceUID": None},
    ],
)
def test_what_is_no_whole_mr_image_is_left_out(attributes: dict[str, object]) -> None:
    (source,) = dicom_files.series(dicom_files.Grid(slices=1), **attributes)
    with pytest.raises(NotDeidentifiableError):
        deidentified(in_file(source), key=KEY)


def test_pixel_values_outlive_their_codec(tmp_path: Path) -> None:
    (path,) = dicom_files.write(
        dicom_files.series(dicom_files.Grid(slices=1)), tmp_path, syntax=JPEG2000Lossless
    )
    made = deidentified(pydicom.dcmread(path), key=KEY)
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (pixel_array(in_file(made)) == pixel_array(path)).all()
