"""The PDF, read by another library: what it says and does not say, always in the same bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from case_results import UNKNOWN, absent, case_result, refused, time_point
from fontTools.ttLib import TTFont
from pypdf import PdfReader

from mri_resorb.languages import Language, catalogue, long_date
from mri_resorb.model import CaseResult, Estimate, Patient, Remark, Signature
from mri_resorb.outputs import CHOSEN
from mri_resorb.report import dicom_pdf, fonts
from mri_resorb.report.case_text import case_text
from mri_resorb.report.pdf import pdf_report

MANY_REMARKS = (
    Remark("different-contrast"),
    Remark("weighting-unknown"),
    Remark("identity-unverified"),
    Remark("lateral-coverage", {"from_mm": -9.0, "to_mm": 8.0}),
)
CASES = {
    "measured": case_result(),
    "absent": case_result(follow_up=absent()),
    "refused": case_result(
        follow_up=refused(),
        change=UNKNOWN,
        reasons=(Remark("transitional-anatomy"), Remark("fragment-at-edge")),
        warnings=MANY_REMARKS,
    ),
    "undated": case_result(baseline=time_point(day=None), follow_up=time_point(day=None)),
}


def read(case: CaseResult, language: Language) -> PdfReader:
    return PdfReader(BytesIO(pdf_report(case, language=language)), strict=True)


def words(reader: PdfReader) -> str:
    """The text without white space, which lines and columns break."""
    return re.sub(r"\s+", "", "".join(page.extract_text() for page in reader.pages))


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", CASES)
def test_one_or_two_pages_hold_the_case_in_its_language(name: str, language: Language) -> None:
    case = CASES[name]
    reader = read(case, language)
    assert 1 <= len(reader.pages) <= 2
    text = words(reader)
    for line in case_text(case, language=language).splitlines()[:6]:
        assert re.sub(r"\s+", "", line) in text
    for remark in (*case.warnings, *case.reasons):
        assert re.sub(r"\s+", "", remark.text(language)).rstrip(".") in text
    for page in reader.pages:
        disclaimer = catalogue(language)["case.disclaimer"]
        assert re.sub(r"\s+", "", disclaimer) in re.sub(r"\s+", "", page.extract_text())


@pytest.mark.parametrize("language", Language)
def test_title_language_and_the_pictures_words_are_in_the_document(language: Language) -> None:
    reader = read(CASES["measured"], language)
    root = reader.trailer["/Root"]
    assert root["/Lang"] == language.value
    assert reader.metadata is not None
    assert "L3-L4" in reader.metadata["/Title"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"].value
    assert root["/MarkInfo"]["/Marked"].value
    figure = root["/StructTreeRoot"]["/K"][0].get_object()["/K"][0].get_object()
    assert "1,20" in figure["/Alt"]
    assert len(reader.outline) >= 4


@pytest.mark.parametrize("language", Language)
def test_published_figures_are_named_as_figures_of_groups(language: Language) -> None:
    text = words(read(CASES["measured"], language))
    assert re.sub(r"\s+", "", catalogue(language)["html.context-note"]) in text
    assert "10.1097/BSD.0000000000001490" in text


def test_a_refused_case_gives_no_percentage() -> None:
    case = CASES["refused"]
    text = "".join(page.extract_text() for page in read(case, Language.EN).pages)
    before_context = text.split("Published figures")[0]
    assert not re.search(r"\d %? \(\d+ to \d+\) ?%", before_context)
    assert "resorbed" not in before_context


@pytest.mark.parametrize("name", CASES)
def test_the_same_case_gives_the_same_bytes(name: str) -> None:
    assert pdf_report(CASES[name]) == pdf_report(CASES[name])


def test_no_identity_is_in_the_document() -> None:
    person = Patient(id="HOSPITAL-4711", sex="F", age_years=44)
    made = pdf_report(case_result(patient=person))
    assert b"4711" not in made
    reader = PdfReader(BytesIO(made))
    assert "4711" not in words(reader)
    assert "4711" not in str(reader.metadata)


@pytest.mark.parametrize("file", [fonts.REGULAR, fonts.BOLD])
def test_the_font_has_every_letter(file: Path) -> None:
    glyphs = TTFont(file).getBestCmap().keys()
    dates = {long_date(CASES["measured"].baseline.scan.date, language=one) for one in Language}  # type: ignore[arg-type]
    said = "".join(sentence for one in Language for sentence in catalogue(one).values())
    kazakh = "әғқңөұүһіӘҒҚҢӨҰҮҺІ"
    missing = {
        letter for letter in said + "".join(dates) + kazakh + "•–…³" if ord(letter) not in glyphs
    }
    assert not missing


def test_long_figures_stay_on_the_page() -> None:
    huge = time_point(volume_cm3=Estimate(12345.67, 0.0, 98765.43, {"boundary": 1234.5}))
    assert len(read(case_result(baseline=huge), Language.RU).pages) <= 2


def test_the_dicom_object_is_a_whole_file_that_holds_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pydicom.Dataset()
    source.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.7"
    monkeypatch.setattr(dicom_pdf, "source_headers", lambda scan: [source])
    CHOSEN["encapsulated-pdf"].write(CASES["measured"], tmp_path, Language.KK)
    made = pydicom.dcmread(tmp_path / "report.pdf.dcm")  # raises without preamble and meta
    assert made.file_meta.FileMetaInformationGroupLength > 0
    document = made.EncapsulatedDocument[: made.EncapsulatedDocumentLength]
    assert document == pdf_report(CASES["measured"], language=Language.KK)


def test_who_signed_and_when_stands_in_the_report_of_what_was_signed_alone() -> None:
    case = case_result()
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=5)))
    signed = replace(case, signature=Signature("А. Reader", moment))
    assert "А.Reader" not in words(read(case, Language.EN))
    text = words(read(signed, Language.EN))
    assert "А.Reader" in text
    assert "2026-03-0104:30UTC" in text
