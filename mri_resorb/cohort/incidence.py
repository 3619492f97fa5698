"""What share was resorbed, under each definition that papers use, overall and by group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from mri_resorb.cohort.read import Case
from mri_resorb.model import Estimate

Definition = Literal["any-decrease", "beyond-error", "over-25", "over-50", "complete"]
Grouping = Literal["all", "type", "level", "sex", "age", "interval"]

DEFINITIONS: Mapping[Definition, Callable[[Case], bool]] = {
    "any-decrease": lambda case: (case.resorption_percent or 0) > 0,
    "beyond-error": lambda case: case.verdict == "decreased",
    "over-25": lambda case: (case.resorption_percent or 0) >= 25,
    "over-50": lambda case: (case.resorption_percent or 0) >= 50,
    "complete": lambda case: case.is_complete,
}
"""Each asks a case with a herniation at baseline. All but "beyond-error" go by the figure alone, as
the papers do; `Incidence.within_error` says how many of them error alone could explain."""

NOT_STATED = "not stated"
_Z = 1.959963984540054
_AGE_BANDS = ((30, "under 30"), (40, "30-39"), (50, "40-49"), (60, "50-59"))
_OLDEST = "60 and over"
_INTERVALS = ((91, "under 91 days"), (183, "91-182 days"), (366, "183-365 days"))
_LONGEST = "over 365 days"


@dataclass(frozen=True)
class Incidence:
    """A share of the cases that had a herniation at baseline, with its Wilson interval.

    Attributes:
        group: the value by which cases are grouped, e.g. "sequestration"; "all" for all.
        resorbed, cases: the share's counts.
        percent: None where there are no cases.
        within_error: how many of `resorbed` have a verdict other than "decreased".
    """

    grouping: Grouping
    group: str
    definition: Definition
    resorbed: int
    cases: int
    percent: Estimate | None
    within_error: int


@dataclass(frozen=True)
class Rate:
    """Median percent a day with its distribution-free 95 % interval, and the middle half.

    Attributes:
        interval: (low, high); None where there are too few cases for one (under 6).
    """

    group: str
    cases: int
    median: float
    interval: tuple[float, float] | None
    quartiles: tuple[float, float]


def wilson_percent(successes: int, trials: int) -> Estimate | None:
    """A share in percent with its 95 % score interval (Wilson, JASA 22:209, 1927).

    Without continuity correction, method 3 of Newcombe, Stat Med 17:857 (1998). None of no trials.
    """
    if trials == 0:
        return None
    part, square = successes / trials, _Z**2 / trials
    centre = (part + square / 2) / (1 + square)
    half = _Z * sqrt(part * (1 - part) / trials + square / (4 * trials)) / (1 + square)
    # Rounding may put a limit of 0 or 1 a hair beyond the share itself.
    low, high = max(0.0, min(centre - half, part)), min(1.0, max(centre + half, part))
    return Estimate(100 * part, 100 * low, 100 * high)


def incidences(cases: Iterable[Case]) -> tuple[Incidence, ...]:
    """Every definition for all cases and for each group, of those with a herniation at baseline.

    Undetermined cases, and those without a herniation at baseline, are in no share.
    """
    at_risk = [case for case in cases if case.had_herniation]
    return tuple(
        _incidence(members, grouping=grouping, group=group, definition=definition)
        for grouping, group, members in _groups(at_risk)
        for definition in DEFINITIONS
    )


def rates(cases: Iterable[Case]) -> tuple[Rate, ...]:
    """Percent a day, for all cases and by type, of those with a herniation and an interval."""
    timed = [case for case in cases if case.had_herniation and case.percent_per_day is not None]
    return tuple(
        _rate([case.percent_per_day or 0.0 for case in members], group=group)
        for grouping, group, members in _groups(timed)
        if grouping in ("all", "type") and members
    )


def _incidence(
    members: Sequence[Case], *, grouping: Grouping, group: str, definition: Definition
) -> Incidence:
    resorbed = [case for case in members if DEFINITIONS[definition](case)]
    return Incidence(
        grouping=grouping,
        group=group,
        definition=definition,
        resorbed=len(resorbed),
        cases=len(members),
        percent=wilson_percent(len(resorbed), len(members)),
        within_error=sum(case.verdict != "decreased" for case in resorbed),
    )


def _groups(cases: Sequence[Case]) -> Iterable[tuple[Grouping, str, list[Case]]]:
    yield "all", "all", list(cases)
    keys: Mapping[Grouping, Callable[[Case], str | None]] = {
        "type": lambda case: case.type,
        "level": lambda case: case.level,
        "sex": lambda case: case.sex,
        "age": lambda case: _band(case.age_years, _AGE_BANDS, above=_OLDEST),
        "interval": lambda case: _band(case.interval_days, _INTERVALS, above=_LONGEST),
    }
    for grouping, key in keys.items():
        members: dict[str, list[Case]] = {}
        for case in cases:
            members.setdefault(key(case) or NOT_STATED, []).append(case)
        for group in sorted(members, key=_in_order):
            yield grouping, group, members[group]


def _band(value: int | None, bands: Sequence[tuple[int, str]], *, above: str) -> str | None:
    if value is None:
        return None
    return next((name for limit, name in bands if value < limit), above)


def _in_order(group: str) -> tuple[int, str]:
    names = [name for _, name in _AGE_BANDS] + [_OLDEST]
    names += [name for _, name in _INTERVALS] + [_LONGEST]
    names += ["bulge", "protrusion", "extrusion", "sequestration"]
    return (names.index(group) if group in names else 100 * (group == NOT_STATED), group)


def _rate(values: Sequence[float], *, group: str) -> Rate:
    from scipy.stats import quantile_test  # slow to import, and a single case's report needs none

    median = quantile_test(values, p=0.5)
    interval = median.confidence_interval(0.95)
    known = len(values) >= 6 and bool(np.isfinite([interval.low, interval.high]).all())
    low, middle, high = (float(q) for q in np.percentile(values, (25, 50, 75)))
    return Rate(
        group=group,
        cases=len(values),
        median=middle,
        interval=(float(interval.low), float(interval.high)) if known else None,
        quartiles=(low, high),
    )
