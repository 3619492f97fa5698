"""A reader's corrections: the mask of a date comes in, the new figures go out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import JsonValue
from starlette.concurrency import run_in_threadpool

from mri_resorb.correction import read_result
from mri_resorb.errors import StateError
from mri_resorb.io.results import FollowUpDocument, Which
from mri_resorb.service.cases import Case, result_folder
from mri_resorb.service.store import Store
from mri_resorb.service.web.access import Reader, StoreOf
from mri_resorb.service.web.bodies import read_body
from mri_resorb.service.web.corrections import Corrections
from mri_resorb.service.web.documents import CaseDocument, Document
from mri_resorb.service.web.mask_upload import MOST_PACKED_BYTES
from mri_resorb.service.web.revisions import CaseId, Revision, on_revision, tagged

router = APIRouter(prefix="/api/cases/{case_id}/masks/{date}", tags=["masks"])

_BODY: dict[str, JsonValue] = {
    "requestBody": {
        "required": True,
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in ("application/gzip", "application/octet-stream")
        },
    }
}


class CorrectedDocument(Document):
    """The case and its figures after a correction."""

    case: CaseDocument
    result: FollowUpDocument


@router.put("", openapi_extra=_BODY)
async def correct(
    case_id: CaseId,
    date: Which,
    revision: Revision,
    request: Request,
    response: Response,
    visitor: Reader,
    store: StoreOf,
) -> CorrectedDocument:
    """Measure a fragment that a person drew: NIfTI, on the series' own grid, may be gzipped."""
    content = await read_body(request, most_bytes=MOST_PACKED_BYTES)

    def work() -> CorrectedDocument:
        corrections: Corrections = request.app.state.corrections
        with on_revision(store, case_id, revision) as case:
            _check_open(case)
            changed = corrections.put(case, date=date, content=content, by=visitor.name)
        return _corrected(store, changed, response)

    return await run_in_threadpool(work)


@router.delete("")
def take_back(
    case_id: CaseId,
    date: Which,
    revision: Revision,
    request: Request,
    response: Response,
    visitor: Reader,
    store: StoreOf,
) -> CorrectedDocument:
    """Measure the automatic fragment of a date again."""
    corrections: Corrections = request.app.state.corrections
    with on_revision(store, case_id, revision) as case:
        _check_open(case)
        changed = corrections.remove(case, date=date, by=visitor.name)
    return _corrected(store, changed, response)


def _check_open(case: Case) -> None:
    if case.state != "measured":
        raise StateError("Only a case that is measured and not signed can be corrected.")


def _corrected(store: Store, case: Case, response: Response) -> CorrectedDocument:
    folder = result_folder(store, case)
    assert folder is not None
    return CorrectedDocument(case=tagged(case, response), result=read_result(folder))
