"""The page's words, in each language of the results; anybody may have them, before signing in.

Besides the catalogues' sentences: how dates are written, `date.long` (a pattern of Unicode CLDR
with y, MMMM, d and quoted text) and `date.month-1` to `date.month-12`.
"""

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
    said = {
        name: sentence
        for name, sentence in catalogue(language).items()
        if name.split(".")[0] in _SECTIONS
    }
    return {**said, **_dates(language)}


def _dates(language: Language) -> dict[str, str]:
    from babel.dates import get_date_format, get_month_names

    locale = "en_US" if language is Language.EN else language.value
    months = get_month_names("wide", locale=locale)
    pattern = get_date_format("long", locale=locale).pattern
    return {
        "date.long": pattern.replace("\u202f", " "),
        **{f"date.month-{number}": name for number, name in months.items()},
    }
