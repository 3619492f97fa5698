"""What a run leaves: each output's files, and how they are written.

A new output is one entry here; a pipeline file names those that it wants. Libraries that only one
output needs are imported when it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mri_resorb.io.inputs import INPUTS_NAME, write_inputs
from mri_resorb.io.results import (
    Which,
    anatomy_mask_name,
    document,
    drawn_mask_name,
    fragment_mask_name,
)
from mri_resorb.languages import Language
from mri_resorb.model import CaseResult, TimePoint

RESULT_NAME = "result.json"
CASE_TEXT_NAME = "case.txt"
HTML_NAME = "report.html"
PDF_NAME = "report.pdf"
ENCAPSULATED_PDF_NAME = "report.pdf.dcm"
OVERLAY_NAME = "overlay.png"
BIDS_NAME = "bids"

REPORT_SR_NAME = "report.sr.dcm"

OutputName = Literal[
    "html", "pdf", "picture", "nrrd", "seg", "occupancy-seg", "sr", "encapsulated-pdf"
]
Layout = Literal["plain", "bids"]
"""How the files lie: `bids` adds a folder that is a BIDS derivatives dataset."""

DATES: tuple[Which, Which] = ("baseline", "follow_up")


@dataclass(frozen=True)
class Output:
    """One kind of output.

    Attributes:
        description: what it is, for people, without a full stop.
        files: the names, of files or folders, that it may write in the result folder.
        write: makes them from a case, in a folder that is there; words in the language given.
    """

    description: str
    files: tuple[str, ...]
    write: Callable[[CaseResult, Path, Language], None]


def _write_document(case: CaseResult, folder: Path, _: Language) -> None:
    (folder / RESULT_NAME).write_text(document(case).to_json(), encoding="utf-8")


def _write_text(case: CaseResult, folder: Path, language: Language) -> None:
    from mri_resorb.report.case_text import case_text

    (folder / CASE_TEXT_NAME).write_text(case_text(case, language=language), encoding="utf-8")


def _write_masks(case: CaseResult, folder: Path, _: Language) -> None:
    from mri_resorb.io.masks import write_labels, write_occupancy

    dates: tuple[tuple[TimePoint, Which], ...] = (
        (case.baseline, "baseline"),
        (case.follow_up, "follow_up"),
    )
    for point, which in dates:
        native = point.scan.native_orientation
        write_labels(point.anatomy, folder / anatomy_mask_name(which), native_orientation=native)
        if point.fragment is not None:
            write_occupancy(
                point.fragment.occupancy,
                folder / fragment_mask_name(which),
                native_orientation=native,
            )
        if point.drawn is not None:
            write_occupancy(point.drawn, folder / drawn_mask_name(which), native_orientation=native)


def _write_inputs(case: CaseResult, folder: Path, _: Language) -> None:
    if case.inputs is not None:
        write_inputs(case.inputs, folder / INPUTS_NAME)


def _write_slicer_masks(case: CaseResult, folder: Path, _: Language) -> None:
    from mri_resorb.io.masks import write_slicer_segmentation

    for which in DATES:
        point = case.baseline if which == "baseline" else case.follow_up
        if point.fragment is not None:
            write_slicer_segmentation(
                point.fragment.occupancy,
                folder / _slicer_mask_name(which),
                native_orientation=point.scan.native_orientation,
                level=case.level,
            )


def _slicer_mask_name(which: Which) -> str:
    return f"{which}_fragment.seg.nrrd"


def _segmentation_name(which: Which) -> str:
    return f"{which}_fragment.seg.dcm"


def _occupancy_segmentation_name(which: Which) -> str:
    return f"{which}_occupancy.seg.dcm"


def _write_segmentations(case: CaseResult, folder: Path, _: Language) -> None:
    from mri_resorb.report.dicom_seg import segmentation

    for which in DATES:
        made = segmentation(case, which)
        if made is not None:
            made.save_as(folder / _segmentation_name(which))


def _write_occupancy_segmentations(case: CaseResult, folder: Path, _: Language) -> None:
    from mri_resorb.report.dicom_seg import segmentation

    for which in DATES:
        made = segmentation(case, which, kind="FRACTIONAL")
        if made is not None:
            made.save_as(folder / _occupancy_segmentation_name(which))


def _write_structured_report(case: CaseResult, folder: Path, _: Language) -> None:
    from mri_resorb.report.dicom_seg import segmentation
    from mri_resorb.report.dicom_sr import structured_report

    made = structured_report(
        case, segmentations={which: segmentation(case, which) for which in DATES}
    )
    made.save_as(folder / REPORT_SR_NAME)


def _write_page(case: CaseResult, folder: Path, language: Language) -> None:
    from mri_resorb.report.html.page import html_report

    (folder / HTML_NAME).write_text(html_report(case, language=language), encoding="utf-8")


def _write_pdf(case: CaseResult, folder: Path, language: Language) -> None:
    from mri_resorb.report.pdf import pdf_report

    (folder / PDF_NAME).write_bytes(pdf_report(case, language=language))


def _write_encapsulated_pdf(case: CaseResult, folder: Path, language: Language) -> None:
    from mri_resorb.report.dicom_pdf import encapsulated_pdf
    from mri_resorb.report.pdf import pdf_report

    made = encapsulated_pdf(case, pdf_report(case, language=language))
    made.save_as(folder / ENCAPSULATED_PDF_NAME, enforce_file_format=True)


def _write_picture(case: CaseResult, folder: Path, language: Language) -> None:
    from mri_resorb.report.figures import overlay
    from mri_resorb.report.painting import paint, write_png

    write_png(paint(overlay(case, language=language)), folder / OVERLAY_NAME)


ALWAYS: tuple[Output, ...] = (
    Output("the result for programs", (RESULT_NAME,), _write_document),
    Output("the case in a few lines", (CASE_TEXT_NAME,), _write_text),
    Output(
        "masks, NIfTI in the series' own grid",
        (
            fragment_mask_name("baseline"),
            anatomy_mask_name("baseline"),
            fragment_mask_name("follow_up"),
            anatomy_mask_name("follow_up"),
            drawn_mask_name("baseline"),
            drawn_mask_name("follow_up"),
        ),
        _write_masks,
    ),
    Output("where the studies lie, not to be passed on", (INPUTS_NAME,), _write_inputs),
)
"""What every run leaves; `result.json` is the first file, see `mri_resorb.io.result_folder`."""

CHOSEN: dict[OutputName, Output] = {
    "html": Output("the report, a page for any browser", (HTML_NAME,), _write_page),
    "pdf": Output("the report, to print", (PDF_NAME,), _write_pdf),
    "picture": Output("both dates side by side", (OVERLAY_NAME,), _write_picture),
    "nrrd": Output(
        "fragments for 3D Slicer and ITK-SNAP",
        tuple(_slicer_mask_name(which) for which in DATES),
        _write_slicer_masks,
    ),
    "seg": Output(
        "fragments, DICOM segmentations",
        tuple(_segmentation_name(which) for which in DATES),
        _write_segmentations,
    ),
    "occupancy-seg": Output(
        "fragments, fractional DICOM segmentations",
        tuple(_occupancy_segmentation_name(which) for which in DATES),
        _write_occupancy_segmentations,
    ),
    "sr": Output(
        "figures, DICOM structured report (refers to the objects of `seg`)",
        (REPORT_SR_NAME,),
        _write_structured_report,
    ),
    "encapsulated-pdf": Output(
        "the report to print, in DICOM", (ENCAPSULATED_PDF_NAME,), _write_encapsulated_pdf
    ),
}
"""What a pipeline may ask for besides."""


def bids(subject: str | None) -> Output:
    """The layout `bids`; `subject` is its label, one that names nobody where None."""

    def write(case: CaseResult, folder: Path, _: Language) -> None:
        from mri_resorb.io.bids import subject_label, write_bids

        write_bids(case, folder / BIDS_NAME, subject=subject_label(case, given=subject))

    return Output("BIDS derivatives dataset", (BIDS_NAME,), write)


def made_before(folder: Path) -> list[OutputName | Output]:
    """What of the chosen outputs a result folder holds, to be made again."""
    found: list[OutputName | Output] = [
        name
        for name, output in CHOSEN.items()
        if any((folder / file).exists() for file in output.files)
    ]
    subjects = sorted((folder / BIDS_NAME).glob("sub-*"))
    return [*found, bids(subjects[0].name.removeprefix("sub-"))] if subjects else found


OWN_NAMES: tuple[str, ...] = tuple(
    name for output in (*ALWAYS, *CHOSEN.values(), bids(None)) for name in output.files
)
"""Every file or folder name that a run may leave, `result.json` first."""
