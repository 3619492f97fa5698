from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from cohort_cases import BASELINE_DATE, case

from mri_resorb.cohort.half_volume import TimeToHalf, time_to_half


def estimate(days: np.ndarray, halved: np.ndarray) -> TimeToHalf:
    made = time_to_half(
        case(str(k), interval_days=int(day), resorption_percent=75.0 if half else 10.0)
        for k, (day, half) in enumerate(zip(days, halved, strict=True))
    )
    assert made is not None
    return made


def turnbull(days: np.ndarray, halved: np.ndarray) -> np.ndarray:
    """Share halved by each time, from Turnbull's self-consistency equation (another algorithm)."""
    times = np.unique(days)
    support = np.append(times, np.inf)
    may_be = np.where(halved[:, None], support <= days[:, None], support > days[:, None])
    mass = np.full(len(support), 1 / len(support))
    for _ in range(20_000):
        weighted = may_be * mass
        mass = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
    return np.cumsum(mass)[:-1]


def test_estimate_is_turnbulls() -> None:
    rng = np.random.default_rng(3)
    days = rng.integers(30, 400, 40)
    halved = rng.exponential(200, 40) < days
    curve = [point.percent.value / 100 for point in estimate(days, halved).curve]
    assert curve == pytest.approx(turnbull(days, halved), abs=2e-3)


def test_a_share_that_halved_at_once_stays_that_share() -> None:
    """Kaplan-Meier with the follow-up's day for the time of halving would drop to nothing here."""
    days = np.arange(1, 201)
    halved = days % 10 < 3
    last = estimate(days, halved).curve[150].percent
    assert 25 <= last.value <= 35
    assert last.low <= 30 <= last.high


def test_median_lies_between_two_follow_ups() -> None:
    days = np.repeat([50, 100, 150, 200], 50)
    halved = np.concatenate([np.arange(50) < count for count in (5, 15, 35, 45)])
    made = estimate(days, halved)
    assert [point.percent.value for point in made.curve] == [10, 30, 70, 90]
    assert made.median_days == (100, 150)
    low, high = made.median_interval_days
    assert high is not None
    assert low <= 100 < 150 <= high


def test_median_that_is_not_reached_has_no_value_and_no_upper_limit() -> None:
    made = estimate(np.full(100, 300), np.arange(100) < 20)
    assert made.median_days is None
    assert made.median_interval_days == (300, None)


def test_median_reached_before_the_first_follow_up() -> None:
    made = estimate(np.full(100, 60), np.arange(100) < 90)
    assert made.median_days == (0, 60)
    assert made.median_interval_days == (0, 60)


def test_of_several_follow_ups_of_one_herniation_the_last_counts() -> None:
    later = BASELINE_DATE + timedelta(50)
    cases = [
        case("a", patient_id="P", interval_days=50, resorption_percent=10.0),
        case("b", patient_id="P", interval_days=200, resorption_percent=80.0),
        case("c", patient_id="P", interval_days=300, resorption_percent=5.0, baseline_date=later),
    ]
    made = time_to_half(cases)
    assert made is not None
    assert (made.cases, made.halved, made.curve[0].days) == (1, 1, 200)


def test_no_dates_no_estimate() -> None:
    assert time_to_half([case(interval_days=None)]) is None


def test_intervals_cover_the_true_share_and_the_true_median() -> None:
    """Times to half are exponential, a fifth never halve; half have by ln(8/3) x 150 days."""
    rng = np.random.default_rng(8)
    truth_at_200 = 80 * (1 - np.exp(-200 / 150))
    median = 150 * np.log(8 / 3)
    repetitions, share_in, median_in = 200, 0, 0
    for _ in range(repetitions):
        times = np.where(rng.random(120) < 0.2, np.inf, rng.exponential(150, 120))
        days = rng.integers(20, 500, 120)
        days[0] = 200
        made = estimate(days, times <= days)
        at_200 = next(point.percent for point in made.curve if point.days == 200)
        share_in += at_200.low <= truth_at_200 <= at_200.high
        low, high = made.median_interval_days
        median_in += low <= median and (high is None or median <= high)
    assert share_in / repetitions >= 0.94
    assert median_in / repetitions >= 0.94
