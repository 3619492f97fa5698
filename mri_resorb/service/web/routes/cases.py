"""The work list, and what is decided of a case: its level, a signature, sending, deleting."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from mri_resorb.model import Level
from mri_resorb.service.cases import get_case
from mri_resorb.service.decisions import delete_case, reopen, send_again, set_level, sign
from mri_resorb.service.web.access import Admin, Person, Reader, StoreOf, find_visitor
from mri_resorb.service.web.documents import CaseDocument
from mri_resorb.service.web.events import Events
from mri_resorb.service.web.journal import Journal
from mri_resorb.service.web.problems import Problem
from mri_resorb.service.web.revisions import CaseId, Revision, on_revision, tagged
from mri_resorb.service.web.work_list import WorkList

router = APIRouter(prefix="/api", tags=["cases"])


class LevelDocument(BaseModel):
    """Which disc to measure."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    level: Level
    disc_at: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    """A point inside the disc in the baseline, patient mm (LPS); found by its name where null."""


def _printable(name: str) -> str:
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise ValueError("a name is of letters")
    return name


class SignatureDocument(BaseModel):
    """Who signs, as it shall stand on the report."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
    """At most 64 characters, as DICOM's person names."""


@router.get("/cases", response_model=list[CaseDocument])
def work_list(request: Request, visitor: Reader) -> Response:
    """Every case, the one that changed last first."""
    work: WorkList = request.app.state.work_list
    journal: Journal = request.app.state.journal
    number, content = work.content()
    journal.saw(visitor.name, "listed")
    tag = f'"{number}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})


@router.get("/cases/{case_id}")
def one(
    case_id: CaseId, request: Request, response: Response, visitor: Reader, store: StoreOf
) -> CaseDocument:
    """One case of the list."""
    case = get_case(store, case_id)
    _journal(request).saw(visitor.name, "viewed", case.id)
    return tagged(case, response)


@router.put("/cases/{case_id}/level", status_code=HTTPStatus.ACCEPTED)
def change_level(
    case_id: CaseId,
    wanted: LevelDocument,
    revision: Revision,
    request: Request,
    response: Response,
    visitor: Reader,
    store: StoreOf,
) -> CaseDocument:
    """Measure another level, or the disc at a point, anew; corrections are dropped."""
    with on_revision(store, case_id, revision), store.transaction():
        case = set_level(
            store, case_id, level=wanted.level, disc_at=wanted.disc_at, revision=revision
        )
        _journal(request).did(
            visitor.name,
            "level changed",
            case_id,
            level=str(wanted.level),
            pointed=int(wanted.disc_at is not None),
            revision=case.revision,
        )
    return tagged(case, response)


@router.post("/cases/{case_id}/signature")
def put_signature(
    case_id: CaseId,
    signature: SignatureDocument,
    revision: Revision,
    request: Request,
    response: Response,
    visitor: Person,
    store: StoreOf,
) -> CaseDocument:
    """Accept the result; it goes to the PACS where one is set."""
    with on_revision(store, case_id, revision), store.transaction():
        case = sign(store, case_id, account=visitor.name, name=signature.name, revision=revision)
        _journal(request).did(
            visitor.name, "signed", case_id, name=signature.name, revision=case.revision
        )
    return tagged(case, response)


@router.delete("/cases/{case_id}/signature")
def take_signature_back(
    case_id: CaseId,
    revision: Revision,
    request: Request,
    response: Response,
    visitor: Person,
    store: StoreOf,
) -> CaseDocument:
    """Open a signed case again; what was sent stays where it went."""
    with on_revision(store, case_id, revision), store.transaction():
        case = reopen(store, case_id, revision=revision)
        _journal(request).did(visitor.name, "reopened", case_id, revision=case.revision)
    return tagged(case, response)


@router.post("/cases/{case_id}/sending", status_code=HTTPStatus.ACCEPTED)
def send(
    case_id: CaseId, request: Request, response: Response, visitor: Reader, store: StoreOf
) -> CaseDocument:
    """Send a signed case now, or again."""
    with store.transaction():
        case = send_again(store, case_id)
        _journal(request).did(visitor.name, "sending asked", case_id, revision=case.revision)
    return tagged(case, response)


@router.delete("/cases/{case_id}", status_code=HTTPStatus.NO_CONTENT)
def delete(case_id: CaseId, request: Request, visitor: Admin, store: StoreOf) -> Response:
    """Forget a case and its results; the studies stay."""
    with store.transaction():
        _journal(request).did(visitor.name, "deleted", case_id)
        delete_case(store, case_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(request: Request, visitor: Reader) -> StreamingResponse:
    """Changes of cases as they happen: `{id, state, step, revision}`; state may be `deleted`."""
    told: Events = request.app.state.events
    if told.is_full:
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", "Too many pages listen already."
        )
    known = re.fullmatch(r"[0-9]{1,15}", request.headers.get("last-event-id", ""))

    async def may_still() -> bool:
        found = await run_in_threadpool(find_visitor, request)
        return found is not None and found.name == visitor.name

    return StreamingResponse(
        told.listen(since=int(known[0]) if known else None, may_still=may_still),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _journal(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal
