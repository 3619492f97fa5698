"""The audit log, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from mri_resorb.service.audit import Entry, Verified, entries, verify
from mri_resorb.service.web.access import Admin, StoreOf
from mri_resorb.service.web.documents import Document
from mri_resorb.service.web.journal import Journal

router = APIRouter(prefix="/api/audit", tags=["audit"])


class AuditDocument(Document):
    """Some entries, the newest first."""

    entries: list[Entry]


@router.get("")
def read(
    request: Request,
    visitor: Admin,
    store: StoreOf,
    before: Annotated[int, Query(ge=1, le=2**53)] = 2**53,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AuditDocument:
    """Who did what, the newest first; `before` a number for older ones."""
    journal: Journal = request.app.state.journal
    journal.saw(visitor.name, "audit read")
    with store.reading() as connection:
        return AuditDocument(entries=entries(connection, before=before, limit=limit))


@router.get("/verification")
def verification(store: StoreOf) -> Verified:
    """Whether each entry is as it was written."""
    with store.reading() as connection:
        return verify(connection)
