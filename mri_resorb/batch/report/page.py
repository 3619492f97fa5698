"""The page: failures on top, the waterfall plot, and a table that sorts.

Nothing in it comes from elsewhere; it links to what lies in the cases' folders.
"""

from __future__ import annotations

import hashlib
import io
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mri_resorb import __version__
from mri_resorb.batch.journal import Outcome
from mri_resorb.batch.report.waterfall import Waterfall, waterfall
from mri_resorb.io.results import DateDocument, EstimateDocument, FollowUpDocument
from mri_resorb.languages import Language, decimal
from mri_resorb.model import DEFINITIONS_VERSION
from mri_resorb.outputs import CASE_TEXT_NAME, HTML_NAME, OVERLAY_NAME
from mri_resorb.report import wording

THUMBNAIL_PIXELS = (160, 90)

VERDICTS = {
    "decreased": "decreased",
    "no_change_beyond_error": "no change beyond error",
    "increased": "increased",
    "undetermined": "undetermined",
}


@dataclass(frozen=True)
class _Cell:
    """Words, and what they are sorted by."""

    text: str
    key: str | float


@dataclass(frozen=True)
class _Entry:
    """One row of the table.

    Attributes:
        id: of the row, for links within the page.
        link: the case's report, from the page.
        thumbnail: a data URI; None where the pipeline makes no picture.
    """

    id: str
    case: str
    link: str
    thumbnail: str | None
    percent: str
    verdict: str
    cells: tuple[_Cell, ...]
    remarks: tuple[str, ...]


COLUMNS = ("Case", "Level", "Days", "Baseline, cm³", "Follow-up, cm³", "Resorption, %", "Verdict")


def batch_report(
    documents: Mapping[str, FollowUpDocument], failures: Sequence[Outcome], *, output: Path
) -> str:
    """The whole page, UTF-8 when it is written.

    Args:
        documents: by the case's name, in the order of the rows.
        output: the folder that holds the cases' folders, and the page.
    """
    package = files("mri_resorb.batch.report")
    style = package.joinpath("page.css").read_text(encoding="utf-8")
    script = package.joinpath("sort.js").read_text(encoding="utf-8")
    counted = dict.fromkeys(VERDICTS.values(), 0)
    for document in documents.values():
        counted[VERDICTS[document.change.verdict]] += 1
    entries = [
        _entry(f"case-{number}", name, document, folder=output / name)
        for number, (name, document) in enumerate(documents.items(), start=1)
    ]
    return (
        Environment(
            loader=PackageLoader("mri_resorb.batch", "report"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        .get_template("page.html")
        .render(
            style=Markup(style),
            style_hash=_hash(style),
            script=Markup(script),
            script_hash=_hash(script),
            version=__version__,
            definitions=DEFINITIONS_VERSION,
            disclaimer=wording.disclaimer(Language.EN),
            columns=COLUMNS,
            failures=failures,
            counted=counted,
            cases=len(documents),
            plot=_plot(documents),
            entries=entries,
            rows={entry.case: entry for entry in entries},
            pictures=any(entry.thumbnail for entry in entries),
        )
    )


def _plot(documents: Mapping[str, FollowUpDocument]) -> Waterfall:
    return waterfall(
        {
            name: document.change.resorption_percent
            for name, document in documents.items()
            if document.change.resorption_percent is not None
        }
    )


def _entry(id_: str, name: str, document: FollowUpDocument, *, folder: Path) -> _Entry:
    percent = document.change.resorption_percent
    interval = document.interval
    verdict = document.change.verdict
    report = next(
        (file for file in (HTML_NAME, OVERLAY_NAME) if (folder / file).is_file()), CASE_TEXT_NAME
    )
    return _Entry(
        id=id_,
        case=name,
        link=f"{quote(name)}/{report}",
        thumbnail=_thumbnail(folder / OVERLAY_NAME),
        percent=_figure(percent, wording.percent),
        verdict=verdict,
        cells=(
            _Cell(str(document.level), str(document.level)),
            _Cell(str(interval.days), interval.days) if interval else _Cell("–", ""),
            _volume(document.baseline),
            _volume(document.follow_up),
            _Cell(_figure(percent, wording.percent), percent.value if percent else ""),
            _Cell(VERDICTS[verdict], VERDICTS[verdict]),
        ),
        remarks=tuple(remark.message for remark in document.reasons),
    )


def _volume(date: DateDocument) -> _Cell:
    volume = date.volume_cm3
    if volume is None:
        return _Cell(date.status, "")
    if date.status == "absent":
        return _Cell("absent", 0.0)
    return _Cell(_figure(volume, lambda value: decimal(value, places=2)), volume.value)


def _figure(estimate: EstimateDocument | None, shown: Callable[[float], str]) -> str:
    if estimate is None:
        return "–"
    value, low, high = (shown(figure) for figure in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def _thumbnail(picture: Path) -> str | None:
    if not picture.is_file():
        return None
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(picture) as image:
            small = image.convert("RGB")
    except (OSError, UnidentifiedImageError):
        return None
    small.thumbnail(THUMBNAIL_PIXELS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=70)
    return "data:image/jpeg;base64," + b64encode(content.getvalue()).decode()


def _hash(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()
