"""Time to half volume.

No case shows *when* its fragment had shrunk to a half, only whether it had by the follow-up: every
time is censored, on one side or the other ("current status" data). Kaplan-Meier's estimate does not
hold for such data: taking the follow-up's date for the time of halving tells about when people were
examined, and drops to zero however few had halved. Its generalisation to interval-censored times
(Turnbull, J R Stat Soc B 38:290, 1976) does, and with one examination each it is the isotonic
regression of halved (1) or not (0) on time (Ayer et al., Ann Math Stat 26:641, 1955).

It takes for granted that a halved fragment stays so, and that the day of the follow-up was not
chosen by how the fragment did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, inf

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import binomtest

from mri_resorb.cohort.read import Case
from mri_resorb.model import Estimate


@dataclass(frozen=True)
class HalvedBy:
    """Share whose volume had halved within so many days, percent, with its 95 % interval."""

    days: int
    percent: Estimate


@dataclass(frozen=True)
class TimeToHalf:
    """How long until half of the volume is gone.

    Attributes:
        cases: one a herniation: of several follow-ups of one, only the last counts.
        halved: how many of them had lost half or more.
        curve: at each length of follow-up, in order.
        median_days: (more than, at most): the time by which half of the herniations had halved
            lies between these two follow-ups. None where that share is not reached.
        median_interval_days: 95 % interval of that time; the upper limit is None where it lies
            beyond the follow-up.
    """

    cases: int
    halved: int
    curve: tuple[HalvedBy, ...]
    median_days: tuple[int, int] | None
    median_interval_days: tuple[int, int | None]


def time_to_half(cases: Iterable[Case]) -> TimeToHalf | None:
    """Estimate it from the cases with a herniation at baseline and both dates; None of none."""
    observed = sorted(
        (case.interval_days, (case.resorption_percent or 0) >= 50)
        for case in _one_each(cases)
        if case.interval_days
    )
    if not observed:
        return None
    days = np.array([day for day, _ in observed])
    halved = np.array([half for _, half in observed])
    return _estimate(days, halved)


def _one_each(cases: Iterable[Case]) -> list[Case]:
    """One case a herniation: from its first baseline to its last follow-up."""

    def herniation(case: Case) -> tuple[str, str]:
        person = f"case {case.name}" if case.patient_id is None else f"patient {case.patient_id}"
        return person, case.level or ""

    def span(case: Case) -> tuple[int, int]:
        start = case.baseline_date.toordinal() if case.baseline_date else 0
        return -start, case.interval_days or 0

    known = sorted((case for case in cases if case.had_herniation), key=herniation)
    return [max(group, key=span) for _, group in groupby(known, key=herniation)]


def _estimate(days: np.ndarray, halved: np.ndarray) -> TimeToHalf:
    times, first, counts = np.unique(days, return_index=True, return_counts=True)
    shares = np.add.reduceat(halved.astype(float), first) / counts
    fitted = isotonic_regression(shares, weights=counts).x
    limits = [_limits(days, halved, at=int(time)) for time in times]
    return TimeToHalf(
        cases=len(days),
        halved=int(halved.sum()),
        curve=tuple(
            HalvedBy(
                int(time),
                # Outside of its own interval where few cases lie to one side of the time.
                Estimate(100 * share, 100 * min(low, share), 100 * max(high, share)),
            )
            for time, share, (low, high) in zip(times, fitted.tolist(), limits, strict=True)
        ),
        median_days=_median(times.tolist(), fitted.tolist()),
        median_interval_days=_median_interval(times.tolist(), limits),
    )


def _limits(days: np.ndarray, halved: np.ndarray, *, at: int) -> tuple[float, float]:
    """95 % limits of the share halved by a day, which hold for any number of cases.

    Those examined before had halved with no larger probability, those examined after with no
    smaller one. So Clopper and Pearson's lower limit from the nearest n^(2/3) examined at or before
    that day, and the upper one from as many at or after it, cannot be wrong in more than 2.5 % each
    (the binomial framework of Kim, Fay and Proschan, arXiv 1805.06488).
    """
    nearest = ceil(len(days) ** (2 / 3))
    before, after = np.flatnonzero(days <= at), np.flatnonzero(days >= at)
    earliest = days[before][-min(nearest, len(before))]
    latest = days[after][min(nearest, len(after)) - 1]
    low = halved[(days >= earliest) & (days <= at)]
    high = halved[(days >= at) & (days <= latest)]
    return _exact(low)[0], _exact(high)[1]


def _exact(halved: np.ndarray) -> tuple[float, float]:
    interval = binomtest(int(halved.sum()), len(halved)).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def _median(times: Sequence[int], shares: Sequence[float]) -> tuple[int, int] | None:
    reached = next((k for k, share in enumerate(shares) if share >= 0.5), None)
    if reached is None:
        return None
    return (times[reached - 1] if reached else 0), times[reached]


def _median_interval(
    times: Sequence[int], limits: Sequence[tuple[float, float]]
) -> tuple[int, int | None]:
    """All times at which a half lies within the limits; they are steps between examinations."""
    starts = [0, *times[:-1]]
    ends = [*times[1:], inf]
    low = next(
        (start for start, (_, high) in zip(starts, limits, strict=True) if high >= 0.5), None
    )
    high = next(
        (end for end, (least, _) in reversed(list(zip(ends, limits, strict=True))) if least <= 0.5),
        times[0],
    )
    if low is None:  # even by the last follow-up a half is out of reach
        low = times[-1]
    return low, None if high == inf else int(high)
