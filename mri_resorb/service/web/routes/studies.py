"""Studies come in: a zip, a DICOM file, or several of either in the parts of one request."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import JsonValue
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool

from mri_resorb.service.store import new_id
from mri_resorb.service.web.access import Reader, SettingsOf, StoreOf
from mri_resorb.service.web.bodies import save_body
from mri_resorb.service.web.documents import Document
from mri_resorb.service.web.journal import Journal
from mri_resorb.service.web.problems import Problem
from mri_resorb.service.web.uploads import Uploaded, take_upload

router = APIRouter(prefix="/api/studies", tags=["studies"])

MOST_UPLOADS = 4
"""At once; each may take as much of the disk as a request may hold."""
_FILE_TYPES = ("application/dicom", "application/zip", "application/x-zip-compressed")
_PART_TYPES = ("multipart/form-data", "multipart/related")
_BINARY: JsonValue = {"type": "string", "format": "binary"}
_BODY: dict[str, JsonValue] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/dicom": {"schema": _BINARY},
            "application/zip": {"schema": _BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "array", "items": _BINARY}},
                }
            },
        },
    }
}


class RefusedDocument(Document):
    """Files that were not taken, and why."""

    reason: str
    count: int


class UploadedDocument(Document):
    """What became of the files; `studies` are those that they belong to."""

    stored: int
    already_there: int
    refused: list[RefusedDocument]
    studies: list[str]


@router.post("", openapi_extra=_BODY)
async def upload(
    request: Request, visitor: Reader, store: StoreOf, settings: SettingsOf
) -> UploadedDocument:
    """Take MR images; those that are there already change nothing."""
    media_type, options = parse_options_header(request.headers.get("content-type"))
    kind = media_type.decode("latin-1")
    boundary = options.get(b"boundary", b"")
    if kind not in _FILE_TYPES and not (kind in _PART_TYPES and 0 < len(boundary) <= 70):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            "Send application/zip, application/dicom or multipart/form-data.",
        )
    uploads: asyncio.Semaphore = request.app.state.uploads
    if uploads.locked():
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too-many-requests",
            "Other uploads are being taken; try again in a few seconds.",
            headers={"Retry-After": "5"},
        )
    body = store.folder / "incoming" / f"{new_id()}.upload"
    async with uploads:
        try:
            await save_body(request, body, most_bytes=settings.limits.upload_bytes)
            taken = await run_in_threadpool(
                take_upload,
                store,
                body,
                kind="file" if kind in _FILE_TYPES else "multipart",
                boundary=boundary,
                sender=visitor.name,
                max_expansion=settings.limits.expansion,
                deidentify=request.app.state.deidentify,
            )
        finally:
            body.unlink(missing_ok=True)
    return _answer(taken, journal=request.app.state.journal, who=visitor.name)


def _answer(taken: Uploaded, *, journal: Journal, who: str) -> UploadedDocument:
    refused = [
        RefusedDocument(reason=reason, count=count)
        for reason, count in sorted(taken.refused.items())
    ]
    if refused:
        journal.did(who, "refused", count=sum(taken.refused.values()))
    if not taken.studies:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unusable",
            "No MR image that can be taken was sent.",
            extra={"refused": [one.model_dump() for one in refused]},
        )
    return UploadedDocument(
        stored=taken.stored,
        already_there=taken.already_there,
        refused=refused,
        studies=list(taken.studies),
    )
