"""What went wrong, as `application/problem+json` (RFC 9457), in words that name nobody.

`type` is for programs and for the page, which says it in the reader's language; an answer never
quotes what was sent, and the log of a fault holds the kind of it and the place, no more.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, JsonValue
from starlette.exceptions import HTTPException

from mri_resorb.errors import (
    InputError,
    NotThereError,
    OutputError,
    ResultsError,
    StateError,
    StoreError,
)

PROBLEM_JSON = "application/problem+json"

Kind = Literal[
    "not-signed-in",
    "wrong-password",
    "too-many-logins",
    "csrf",
    "not-allowed",
    "other-site",
    "not-found",
    "stale-revision",
    "revision-missing",
    "wrong-state",
    "unusable",
    "malformed",
    "too-large",
    "too-many-requests",
    "media-type",
    "no-room",
    "being-made",
    "fault",
    "about:blank",
]

_KINDS: Mapping[HTTPStatus, Kind] = {
    HTTPStatus.NOT_FOUND: "not-found",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-large",
    HTTPStatus.BAD_REQUEST: "malformed",
}
"""Of what the framework itself answers."""

_LOG = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is no success.

    Attributes:
        kind: for programs; the page has words for each.
        detail: one sentence for people, in English.
        extra: members of the answer besides.
    """

    def __init__(
        self,
        status: HTTPStatus,
        kind: Kind,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind: Kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class ProblemDocument(BaseModel):
    """RFC 9457."""

    type: Kind
    title: str
    status: int
    detail: str


def answer(problem: Problem) -> JSONResponse:
    """The problem as a response."""
    document = ProblemDocument(
        type=problem.kind,
        title=problem.status.phrase,
        status=problem.status,
        detail=problem.detail,
    )
    return JSONResponse(
        {**problem.extra, **document.model_dump()},
        status_code=problem.status,
        headers=problem.headers,
        media_type=PROBLEM_JSON,
    )


def answer_to_fault(error: Exception) -> JSONResponse:
    """What a bug, or a machine that fails, is answered with; its words may quote a header."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "?"
    _LOG.error("fault %s at %s", type(error).__name__, where)
    return answer(
        Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "fault",
            "The service failed at this; its log says where.",
        )
    )


def no_room() -> Problem:
    """The disk is full, or cannot be written to."""
    return Problem(
        HTTPStatus.INSUFFICIENT_STORAGE,
        "no-room",
        "The service's disk takes nothing more; free some of it.",
    )


def install(app: FastAPI) -> None:
    """Have an application answer with problems, whatever is raised in it."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(InputError, _on_input_error)
    app.add_exception_handler(RequestValidationError, _on_malformed)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(OSError, _on_os_error)
    app.add_exception_handler(sqlite3.OperationalError, _on_database_error)


def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return answer(error)


def _on_input_error(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, NotThereError):
        return answer(Problem(HTTPStatus.NOT_FOUND, "not-found", str(error)))
    if isinstance(error, StateError):
        return answer(Problem(HTTPStatus.CONFLICT, "wrong-state", str(error)))
    if isinstance(error, (StoreError, OutputError)):
        return answer(no_room())
    if isinstance(error, ResultsError):  # of our own, whose message says where it lies
        return answer(
            Problem(
                HTTPStatus.CONFLICT,
                "wrong-state",
                "What this case was measured from has changed or is gone; set its level to have "
                "it measured again.",
            )
        )
    return answer(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unusable", str(error)))


def _on_malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if any(fault["loc"][0] == "path" for fault in faults):
        return answer(Problem(HTTPStatus.NOT_FOUND, "not-found", "There is nothing here."))
    places = sorted({_place(fault["loc"], kind=fault["type"]) for fault in faults})
    return answer(
        Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "malformed",
            f"The request is wrong at {', '.join(places[:5])}.",
        )
    )


def _place(location: Sequence[int | str], *, kind: str) -> str:
    """Where in a request something is wrong, in our own words: a key that is none may be a name."""
    known = location[:-1] if kind == "extra_forbidden" else location
    return ".".join(str(part) for part in known)


def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    kind: Kind = _KINDS.get(status, "about:blank")
    return answer(Problem(status, kind, f"{status.phrase}.", headers=error.headers))


def _on_os_error(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        return answer(no_room())
    return answer_to_fault(error)


def _on_database_error(_: Request, error: Exception) -> JSONResponse:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
    ):
        return answer(no_room())
    if code is not None and code & 0xFF == sqlite3.SQLITE_BUSY:
        return answer(
            Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too-many-requests",
                "The service is busy; try again in a few seconds.",
                headers={"Retry-After": "5"},
            )
        )
    return answer_to_fault(error)
