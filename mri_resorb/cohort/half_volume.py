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
from itertools import groupby, takewhile
from math import ceil

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import beta

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
    lows, highs = _limits(days, halved, times=times)
    return TimeToHalf(
        cases=len(days),
        halved=int(halved.sum()),
        curve=tuple(
            HalvedBy(
                int(time),
                # Outside of its own interval where few cases lie to one side of the time.
                Estimate(100 * share, 100 * min(low, share), 100 * max(high, share)),
            )
            for time, share, low, high in zip(
                times, fitted.tolist(), lows.tolist(), highs.tolist(), strict=True
            )
        ),
        median_days=_median(times.tolist(), fitted.tolist()),
        median_interval_days=_median_interval(
            times.tolist(), lows=lows.tolist(), highs=highs.tolist()
        ),
    )


def _limits(
    days: np.ndarray, halved: np.ndarray, *, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper 95 % limits of the share halved by each time, for any number of cases.

    Those examined before had halved with no larger probability, those examined after with no
    smaller one. So Clopper and Pearson's lower limit from the nearest n^(2/3) examined at or before
    that time, and the upper one from as many at or after it, are wrong in 2.5 % each at most (the
    binomial framework of Kim, Fay and Proschan, arXiv 1805.06488).

    Args:
        days: sorted.
    """
    nearest = ceil(len(days) ** (2 / 3))
    until, since = np.searchsorted(days, times, "right"), np.searchsorted(days, times, "left")
    # Whole days only, so that it never depends on the outcome who is counted.
    first = np.searchsorted(days, days[np.maximum(until - nearest, 0)], "left")
    last = np.searchsorted(days, days[np.minimum(since + nearest, len(days)) - 1], "right")
    total = np.concatenate([[0], np.cumsum(halved)])
    before, of_before = total[until] - total[first], until - first
    after, of_after = total[last] - total[since], last - since
    low = np.where(before > 0, beta.ppf(0.025, before, of_before - before + 1), 0.0)
    high = np.where(after < of_after, beta.ppf(0.975, after + 1, of_after - after), 1.0)
    return low, high


def _median(times: Sequence[int], shares: Sequence[float]) -> tuple[int, int] | None:
    reached = next((k for k, share in enumerate(shares) if share >= 0.5), None)
    if reached is None:
        return None
    return (times[reached - 1] if reached else 0), times[reached]


def _median_interval(
    times: Sequence[int], *, lows: Sequence[float], highs: Sequence[float]
) -> tuple[int, int | None]:
    """From the first to the last time at which a half lies within the limits.

    The limits are steps: an upper one holds since the follow-up before, a lower one until the next.
    """
    out_of_reach = takewhile(lambda step: step[1] < 0.5, zip(times, highs, strict=True))
    from_behind = reversed(list(zip(times, lows, strict=True)))
    surely_reached = takewhile(lambda step: step[1] > 0.5, from_behind)
    low, high = [time for time, _ in out_of_reach], [time for time, _ in surely_reached]
    return max(low, default=0), min(high, default=None)
