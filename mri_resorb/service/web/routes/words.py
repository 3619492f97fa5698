"""The page's words, in each language of the results; anybody may have them, before signing in."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, Response

from mri_resorb.languages import Language, catalogue

router = APIRouter(prefix="/api/words", tags=["page"])

_SECTIONS = frozenset({"case", "figure", "html", "page"})
"""Of the catalogues: what the page says."""


@router.get("/{language}")
def words(language: Language, response: Response) -> dict[str, str]:
    """Sentences by `section.key`; `mri_resorb.languages` says how values stand in them."""
    response.headers["Cache-Control"] = "no-cache"
    return _sentences(language)


@cache
def _sentences(language: Language) -> dict[str, str]:
    return {
        name: sentence
        for name, sentence in catalogue(language).items()
        if name.split(".")[0] in _SECTIONS
    }
