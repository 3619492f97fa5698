"""The case in the form of the clinic's examples: three lines, then the figures and their error.

    Patient: Man, 50 years old
    Diagnosis: sequestrated herniated disc L3-L4 with the right cranial migration. Size - 2х1 cm
    Result: complete sequester resorption and partial hernia resorption. Here it is 3 months ...

What the input does not tell is left out, never guessed.
"""

from __future__ import annotations

from math import inf

from mri_resorb import __version__
from mri_resorb.model import (
    DEFINITIONS_VERSION,
    CaseResult,
    Fragment,
    HerniationType,
    Migration,
    Patient,
    TimePoint,
)
from mri_resorb.report import wording

_TYPE_WORDS: dict[HerniationType, str] = {
    "none": "herniated disc",
    "bulge": "bulging disc",
    "protrusion": "protruded herniated disc",
    "extrusion": "extruded herniated disc",
    "sequestration": "sequestrated herniated disc",
}
_TIMES = "х"  # the Cyrillic letter, as the clinic writes it
_SHOWN_CM3 = 0.005
"""A volume under this reads 0,00: nothing is left of it."""


def case_text(case: CaseResult) -> str:
    """All lines of `case.txt`, ended by a newline."""
    lines = [
        f"Patient: {_patient(case.patient)}",
        f"Diagnosis: {_diagnosis(case)}",
        f"Result: {_finding(case)}{_interval(case)}",
        f"Volume: {_volumes(case)}",
        f"Resorption: {wording.resorption(case)}",
        f"Verdict: {wording.verdict(case)}",
        *(f"Note: {warning.text()}" for warning in case.warnings),
        f"Definitions {DEFINITIONS_VERSION}, mri-resorb {__version__}. {wording.DISCLAIMER}",
    ]
    return "\n".join(" ".join(line.split()) for line in lines) + "\n"


def _patient(patient: Patient) -> str:
    sex = {"F": "Woman", "M": "Man", None: None}[patient.sex]
    age = None if patient.age_years is None else f"{patient.age_years} years old"
    return ", ".join(part for part in (sex, age) if part) or "sex and age not given"


def _diagnosis(case: CaseResult) -> str:
    fragment = case.baseline.fragment
    if fragment is None:
        return f"{case.level}, not determined at baseline"
    if case.baseline.status == "absent":
        return f"no herniated disc {case.level} at baseline"
    size_word, stenosis = _compromise_words(fragment.canal_compromise_percent)
    size = ""
    if fragment.size is not None:
        ap, craniocaudal = (
            wording.trimmed(extent / 10, places=2)
            for extent in (fragment.size.ap, fragment.size.craniocaudal)
        )
        size = f". Size - {ap}{_TIMES}{craniocaudal} cm"
    return (
        f"{size_word}{_TYPE_WORDS[fragment.type]} {case.level}"
        f"{_migration(fragment.migration)}{stenosis}{size}"
    )


def _compromise_words(percent: float | None) -> tuple[str, str]:
    """Size and stenosis words for the part of the canal that is taken (CLINIC-CASES: thirds)."""
    if percent is None or percent < 100 / 3:
        return "", ""
    if percent <= 200 / 3:
        return "big ", " + partial spinal stenosis"
    return "huge ", " + full spinal stenosis"


def _migration(migration: Migration | None) -> str:
    if migration is None or migration.craniocaudal == "none":
        return ""
    side = "" if migration.side == "central" else f"{migration.side} "
    return f" with the {side}{migration.craniocaudal} migration"


def _finding(case: CaseResult) -> str:
    before, after = case.baseline, case.follow_up
    if case.status == "undetermined" or before.fragment is None or after.fragment is None:
        why = wording.reasons(case.reasons)
        return f"undetermined ({why})" if why else "undetermined"
    if before.status == "absent":
        return (
            "no herniated disc at either examination"
            if after.status == "absent"
            else (f"a new {_TYPE_WORDS[after.fragment.type]}")
        )
    if case.change.verdict == "decreased":
        return _resorbed(case, before=before.fragment, after=after)
    if case.change.verdict == "increased":
        return "growth of the hernia beyond measurement error"
    gone = ", though what is left is no longer a herniation" if after.status == "absent" else ""
    return f"{wording.verdict(case)}{gone}"


def _resorbed(case: CaseResult, *, before: Fragment, after: TimePoint) -> str:
    """What shrank: the detached piece and the part joined to the disc, each by its own volumes.

    The interval is known for both together. A part is called partly resorbed only where it lost
    more than the whole's loss may be wrong by; and neither is told apart where the other one grew
    by as much, since a piece may have changed sides.
    """
    assert after.fragment is not None
    whole = "bulge" if before.type == "bulge" else "hernia"
    complete = after.status == "absent"
    if before.type != "sequestration":
        return f"{'complete' if complete else 'partial'} {whole} resorption"
    joined_before = before.joined_cm3 >= _SHOWN_CM3
    if complete:
        return f"complete sequester {'and hernia ' if joined_before else ''}resorption"

    loss = case.change.absolute_cm3
    error_cm3 = inf if loss is None else loss.value - loss.low
    lost_joined = before.joined_cm3 - after.fragment.joined_cm3
    lost_detached = before.detached_cm3 - after.fragment.detached_cm3
    if min(lost_joined, lost_detached) < -error_cm3:
        return "partial hernia resorption"
    degrees = {
        "sequester": _degree(
            left_cm3=after.fragment.detached_cm3, lost_cm3=lost_detached, error_cm3=error_cm3
        ),
        "hernia": _degree(
            left_cm3=after.fragment.joined_cm3, lost_cm3=lost_joined, error_cm3=error_cm3
        ),
    }
    parts = [f"{degree} {part} resorption" for part, degree in degrees.items() if degree]
    return " and ".join(parts) or "partial hernia resorption"


def _degree(*, left_cm3: float, lost_cm3: float, error_cm3: float) -> str:
    if lost_cm3 >= _SHOWN_CM3 > left_cm3:
        return "complete"
    return "partial" if lost_cm3 > error_cm3 else ""


def _interval(case: CaseResult) -> str:
    first, second = case.baseline.scan.date, case.follow_up.scan.date
    if case.interval_days is None or case.interval_months is None or not (first and second):
        return ""
    between = f"({wording.american_date(first)} - {wording.american_date(second)})"
    half_months = round(2 * case.interval_months) / 2
    if half_months < 1:
        length, unit = str(case.interval_days), "day" if case.interval_days == 1 else "days"
    else:
        length, unit = wording.trimmed(half_months, places=1), "months"
        unit = "month" if half_months == 1 else unit
    return f". Here it is {length} {unit} between MRI examination before and after {between}"


def _volumes(case: CaseResult) -> str:
    return "; ".join(
        f"{wording.volume_at(point)} {_when(point, name)}"
        for point, name in ((case.baseline, "at baseline"), (case.follow_up, "at follow-up"))
    )


def _when(point: TimePoint, name: str) -> str:
    return name if point.scan.date is None else f"on {wording.american_date(point.scan.date)}"
