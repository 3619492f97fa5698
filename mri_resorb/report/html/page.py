"""The case as one self-contained HTML page: no network, readable without its script.

The page keeps to what the result says: a date that was refused shows its picture and the reason,
and no figure.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from markupsafe import Markup

from mri_resorb import __version__
from mri_resorb.languages import Language, decimal, long_date
from mri_resorb.model import DEFINITIONS_VERSION, CaseResult, Estimate, TimePoint, Trajectory
from mri_resorb.report import wording
from mri_resorb.report.case_text import case_text
from mri_resorb.report.html import charts
from mri_resorb.report.html.planes import Picture
from mri_resorb.report.html.stacks import Panel, Stack, stacks
from mri_resorb.report.html.tables import Tables


def html_report(
    case: CaseResult,
    *,
    language: Language = Language.EN,
    volumes_cm3: Sequence[tuple[date | None, Estimate | None]] | None = None,
) -> str:
    """The whole page, UTF-8 when it is written.

    Args:
        volumes_cm3: date and volume of every study, where there are more than the case's two.
    """
    tables = Tables(case, language)
    pictures = stacks(case)
    style, script = (
        files("mri_resorb.report.html").joinpath(name).read_text(encoding="utf-8")
        for name in ("style.css", "script.js")
    )
    return (
        _environment()
        .get_template("report.html")
        .render(
            **_words(case, tables),
            case=case,
            version=__version__,
            definitions=DEFINITIONS_VERSION,
            disclaimer=wording.disclaimer(language),
            style=Markup(style),
            style_hash=_hash(style),
            script=Markup(script),
            script_hash=_hash(script),
            verdict=wording.verdict(case, language=language),
            case_lines=_case_lines(case, language=language),
            reasons=[reason.text(language) for reason in case.reasons],
            warnings=[warning.text(language) for warning in case.warnings],
            percent=charts.percent(case, tables),
            stacks=pictures,
            drawn=_drawn(pictures),
            volumes=charts.volumes(volumes_cm3 or charts.volumes_of(case), tables),
            sizes=charts.sizes(case, tables),
            compromise=charts.compromise(case, tables),
            measures=tables.measures(),
            changes=tables.changes(),
            pieces=tables.pieces(),
            error_parts=tables.error_parts(),
            context=tables.context(),
            choices=tables.choices(),
            provenance=tables.provenance(),
        )
    )


def trajectory_report(trajectory: Trajectory, *, language: Language = Language.EN) -> str:
    """The page of the last study against the first, with the volumes of all studies over time."""
    last = len(trajectory.points) - 1
    return html_report(
        trajectory.comparisons[0, last], language=language, volumes_cm3=trajectory.volumes_cm3
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mri_resorb.report.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_bytecode_cache(),
    )


def _bytecode_cache() -> FileSystemBytecodeCache | None:
    """Compiled templates, kept from run to run; none where there is no place of the user's own."""
    try:
        return FileSystemBytecodeCache()
    except (OSError, RuntimeError):
        return None


def _hash(text: str) -> str:
    """For the page's content security policy, which lets nothing else run or load."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _case_lines(case: CaseResult, *, language: Language) -> list[tuple[str, str]]:
    """The clinic's three lines: patient, diagnosis, result."""
    lines = [line.partition(": ") for line in case_text(case, language=language).splitlines()[:3]]
    return [(label, text) for label, _, text in lines]


def _words(case: CaseResult, tables: Tables) -> dict[str, object]:
    """What the templates say, in the tables' language."""
    t, language = tables.t, tables.language
    points = {"baseline": case.baseline, "follow-up": case.follow_up}

    def day(which: str) -> str:
        known = points[which].scan.date
        return t("no-date") if known is None else long_date(known, language=language)

    def finding(which: str, *, why: bool = True) -> str:
        return _finding(points[which], tables, why=why)

    def place(plane: str, offset_mm: float) -> str:
        if abs(offset_mm) < 0.5:
            return t(f"place-{plane}-0")
        side = (
            ("left" if offset_mm > 0 else "right")
            if plane == "sagittal"
            else ("above" if offset_mm > 0 else "below")
        )
        return t(f"place-{side}", mm=abs(offset_mm))

    def where(stack: Stack, panel: Panel, picture: Picture) -> str:
        at = place(stack.plane, picture.offset_mm)
        if picture.number is None:
            return at
        point = case.baseline if panel is stack.baseline else case.follow_up
        count = point.scan.image.GetSize()[2]
        known = point.frame is not None or point.disc is not None
        name = "where" if known else "where-unknown"
        return t(name, number=picture.number, count=count, place=at)

    def alt(which: str, stack: Stack) -> str:
        return t(
            "picture-alt",
            date=t(which),
            day=day(which),
            plane=t(f"plane-{stack.plane}"),
            finding=finding(which),
        )

    def plane_note(stack: Stack) -> str:
        spacings = [point.scan.image.GetSpacing() for point in points.values()]
        (across, _, apart), (their_across, _, their_apart) = spacings
        return t(
            f"note-{stack.plane}",
            apart=apart,
            their_apart=their_apart,
            across=across,
            their_across=their_across,
        )

    def steps_json(stack: Stack) -> str:
        return json.dumps(
            [
                [place(stack.plane, step.offset_mm), step.baseline, step.follow_up]
                for step in stack.steps
            ],
            ensure_ascii=False,
        )

    return {
        "t": t,
        "language": str(language),
        "day": day,
        "refused": lambda which: points[which].fragment is None,
        "finding": finding,
        "change_finding": _change_finding(case, tables),
        "place": place,
        "where": where,
        "alt": alt,
        "plane_note": plane_note,
        "steps_json": steps_json,
        "short_date": lambda known, number: charts.short_date(known, number, tables),
        "number": lambda value: wording.trimmed(value, places=2),
        "cm3": lambda value: decimal(value, places=2),
    }


def _finding(point: TimePoint, tables: Tables, *, why: bool) -> str:
    """What a date shows, for captions and for those who do not see the picture."""
    fragment = point.fragment
    if fragment is None:
        status = tables.t(f"status-{point.status}")
        if not why or point.reason is None:
            return status
        return f"{status}. {point.reason.text(tables.language).rstrip('.')}"
    volume = tables.estimate(fragment.volume_cm3, places=2, unit=f" {tables.t('cm3')}")
    if point.status == "absent":
        return tables.t("finding-absent", volume=volume)
    return tables.t("finding-measured", type=tables.t(f"type-{fragment.type}"), volume=volume)


def _change_finding(case: CaseResult, tables: Tables) -> str:
    change = case.change.absolute_cm3
    if change is None:
        return tables.t("change-unknown")
    name = "change-finding"
    if change.value < 0:
        name, change = "change-finding-gained", Estimate(-change.value, -change.high, -change.low)
    return tables.t(name, volume=tables.estimate(change, places=2, unit=f" {tables.t('cm3')}"))


def _drawn(pictures: list[Stack]) -> set[str]:
    """What can be switched off, because it is there."""
    panels = [panel for stack in pictures for panel in (stack.baseline, stack.follow_up)]
    outlines: set[str] = {
        name
        for panel in panels
        for picture in panel.pictures.values()
        for name, line in picture.outlines.items()
        if line
    }
    return outlines | ({"reference"} if len(pictures) > 1 else set())
