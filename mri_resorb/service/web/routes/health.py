"""Whether the service is well, for whatever watches it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from mri_resorb.service.web.access import StoreOf
from mri_resorb.service.web.documents import Document

router = APIRouter(prefix="/api/health", tags=["health"])


class HealthDocument(Document):
    """It answers, and its database too."""

    status: Literal["ok"] = "ok"


@router.get("")
def health(store: StoreOf) -> HealthDocument:
    """Whether the service answers."""
    with store.reading() as connection:
        connection.execute("SELECT 1 FROM cases LIMIT 1")
    return HealthDocument()
