"""What `cohort` and `agreement` leave in a folder: a document, pictures, and the tables as text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from mri_resorb import __version__
from mri_resorb.cohort.agreement import Comparison
from mri_resorb.cohort.output import write_files
from mri_resorb.cohort.summary import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from mri_resorb.cohort.claim import ClaimCheck

AGREEMENT_SCHEMA = "mri-resorb/agreement/1"
CLAIM_SCHEMA = "mri-resorb/claim/1"
_TEXT_WIDTH = 140


def cohort_json(cohort: Cohort) -> str:
    """The cohort's document, indented, with a final newline."""
    return _json(asdict(cohort))


def agreement_json(comparison: Comparison) -> str:
    """The comparison's document, likewise."""
    return _json({"schema": AGREEMENT_SCHEMA, "version": __version__, **asdict(comparison)})


def claim_json(check: ClaimCheck) -> str:
    """The check's document, likewise."""
    stated = check.claim.model_dump(mode="json")
    found = {field.name: getattr(check, field.name) for field in fields(check)}
    return _json({"schema": CLAIM_SCHEMA, "version": __version__, **found, "claim": stated})


def write_cohort(cohort: Cohort, folder: Path) -> None:
    """Write `cohort.json`, `cohort.txt`, `forest.png` and, with both dates, `half-volume.png`.

    Raises:
        OutputError: the folder cannot take them; what was there stays.
    """
    from mri_resorb.cohort.figures import forest_figure, half_volume_figure
    from mri_resorb.cohort.tables import cohort_tables

    time = cohort.time_to_half_volume
    write_files(
        folder,
        {
            "forest.png": _picture(forest_figure(cohort.incidences)),
            "half-volume.png": _picture(half_volume_figure(time)) if time else None,
            "cohort.txt": _text(cohort_tables(cohort)),
            "cohort.json": _words(cohort_json(cohort)),
        },
        document="cohort.json",
        schema=cohort.schema,
    )


def write_agreement(comparison: Comparison, folder: Path) -> None:
    """Write `agreement.json`, `agreement.txt` and `bland-altman.png`.

    Raises:
        OutputError: the folder cannot take them; what was there stays.
    """
    from mri_resorb.cohort.figures import bland_altman_figure
    from mri_resorb.cohort.tables import agreement_tables

    made = comparison.agreements
    write_files(
        folder,
        {
            "bland-altman.png": _picture(bland_altman_figure(made)) if made else None,
            "agreement.txt": _text(agreement_tables(comparison)),
            "agreement.json": _words(agreement_json(comparison)),
        },
        document="agreement.json",
        schema=AGREEMENT_SCHEMA,
    )


def _json(document: dict[str, Any]) -> str:
    plain = _without_parts(to_jsonable_python(document))
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _without_parts(value: Any) -> Any:
    """An estimate of a cohort has no named parts of its error: leave out the empty field."""
    if isinstance(value, dict):
        return {k: _without_parts(v) for k, v in value.items() if (k, v) != ("parts", {})}
    return [_without_parts(item) for item in value] if isinstance(value, list) else value


def _picture(figure: Figure) -> Callable[[Path], None]:
    return lambda path: figure.savefig(path)


def _words(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    return write


def _text(shown: RenderableType) -> Callable[[Path], None]:
    from rich.console import Console

    page = io.StringIO()
    Console(file=page, width=_TEXT_WIDTH, color_system=None).print(shown)
    return _words("\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n")
