"""What a case holds: its result, images, masks and reports."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse

from mri_resorb.io.inputs import INPUTS_NAME
from mri_resorb.io.results import Which, fragment_mask_name
from mri_resorb.outputs import (
    BIDS_NAME,
    CASE_TEXT_NAME,
    HTML_NAME,
    OWN_NAMES,
    PDF_NAME,
    RESULT_NAME,
)
from mri_resorb.service.cases import Case, get_case, job_folder, result_folder
from mri_resorb.service.store import Store
from mri_resorb.service.web.access import Reader, StoreOf
from mri_resorb.service.web.documents import Document
from mri_resorb.service.web.journal import Journal
from mri_resorb.service.web.preparation import Preparation
from mri_resorb.service.web.problems import Problem
from mri_resorb.service.web.revisions import CaseId
from mri_resorb.service.web.security import REPORT_CSP

router = APIRouter(prefix="/api/cases/{case_id}", tags=["files"])

FILE_NAMES = frozenset(OWN_NAMES) - {INPUTS_NAME, BIDS_NAME}
"""What may be fetched of a result; not where the studies lie."""

_NIFTI = "application/gzip"
_MEDIA_TYPES = {
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".dcm": "application/dicom",
    ".gz": _NIFTI,
    ".nrrd": "application/octet-stream",
}


@router.get("/result", response_class=FileResponse)
def result(case_id: CaseId, request: Request, visitor: Reader, store: StoreOf) -> FileResponse:
    """`result.json`, of the schema `mri-resorb/follow-up/1`."""
    case = get_case(store, case_id)
    answer = _file(_result(store, case) / RESULT_NAME, case=case)
    _tell(request, visitor.name, case, "result")
    if visitor.is_person and case.state == "measured":
        preparation: Preparation = request.app.state.preparation
        preparation.opened(case)
    return answer


@router.get("/images/{date}", response_class=FileResponse)
def image(
    case_id: CaseId, date: Which, request: Request, visitor: Reader, store: StoreOf
) -> FileResponse:
    """The series that is measured: NIfTI on its own grid."""
    case = get_case(store, case_id)
    _result(store, case)
    _tell(request, visitor.name, case, "images")
    return _file(job_folder(store, case) / f"{date}_image.nii.gz", case=case)


@router.get("/masks/{date}", response_class=FileResponse)
def mask(
    case_id: CaseId,
    date: Which,
    request: Request,
    visitor: Reader,
    store: StoreOf,
    kind: Literal["measured", "automatic"] = "measured",
) -> FileResponse:
    """The fragment, occupancy 0-1 as NIfTI: the one that stands, or the automatic one."""
    case = get_case(store, case_id)
    folder = job_folder(store, case) if kind == "automatic" else _result(store, case)
    _tell(request, visitor.name, case, "masks")
    return _file(folder / fragment_mask_name(date), case=case)


class FileDocument(Document):
    """A file of a result."""

    name: str
    bytes: int


@router.get("/files")
def list_files(
    case_id: CaseId, request: Request, visitor: Reader, store: StoreOf
) -> list[FileDocument]:
    """What may be fetched of the result."""
    case = get_case(store, case_id)
    folder = _result(store, case)
    _check_written(case)
    _tell(request, visitor.name, case, "files")
    return [
        FileDocument(name=name, bytes=(folder / name).stat().st_size)
        for name in sorted(FILE_NAMES)
        if (folder / name).is_file()
    ]


@router.get("/files/{name}", response_class=FileResponse)
def file(
    case_id: CaseId, name: str, request: Request, visitor: Reader, store: StoreOf
) -> FileResponse:
    """A file of the result: `report.pdf`, `report.html`, `report.sr.dcm` and the like."""
    if name not in FILE_NAMES:
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", "There is no such file.")
    case = get_case(store, case_id)
    folder = _result(store, case)
    if name not in (RESULT_NAME, CASE_TEXT_NAME):
        _check_written(case)
    journal: Journal = request.app.state.journal
    journal.saw(visitor.name, "downloaded", case.id, file=name, revision=case.revision)
    answer = _file(folder / name, case=case)
    shown = name in (HTML_NAME, PDF_NAME)
    answer.headers["Content-Disposition"] = (
        f'{"inline" if shown else "attachment"}; filename="{name}"'
    )
    if name == HTML_NAME:
        answer.headers["Content-Security-Policy"] = REPORT_CSP
    return answer


def _result(store: Store, case: Case) -> Path:
    folder = result_folder(store, case)
    if folder is None:
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", "The case is not measured yet.")
    return folder


def _check_written(case: Case) -> None:
    if case.reports == "none":
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "being-made",
            "The reports of this revision are being written; ask again in a few seconds.",
            headers={"Retry-After": "2"},
        )


def _file(path: Path, *, case: Case) -> FileResponse:
    if not path.is_file():
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", "This result has no such file.")
    return FileResponse(
        path,
        media_type=_MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        headers={"X-Revision": str(case.revision)},
    )


def _tell(request: Request, who: str, case: Case, what: str) -> None:
    journal: Journal = request.app.state.journal
    journal.saw(who, "viewed", case.id, what=what, revision=case.revision)
