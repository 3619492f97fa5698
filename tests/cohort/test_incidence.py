from __future__ import annotations

import numpy as np
import pytest
from cohort_cases import case, undetermined

from mri_resorb.cohort.incidence import Definition, Incidence, incidences, rates, wilson_percent
from mri_resorb.cohort.read import Case


def overall(cases: list[Case], definition: Definition) -> Incidence:
    return next(
        entry
        for entry in incidences(cases)
        if entry.grouping == "all" and entry.definition == definition
    )


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_are_those_printed_by_newcombe(
    successes: int, trials: int, low: float, high: float
) -> None:
    """Newcombe, Stat Med 17:857 (1998), table I, method 3."""
    made = wilson_percent(successes, trials)
    assert made is not None
    assert (round(made.low / 100, 4), round(made.high / 100, 4)) == (low, high)


def test_every_successful_trial_keeps_the_share_inside_its_interval() -> None:
    made = wilson_percent(20, 20)
    assert made is not None
    assert made.low < made.value == made.high == 100


def test_no_cases_have_no_share() -> None:
    assert wilson_percent(0, 0) is None
    assert overall([undetermined()], "any-decrease").percent is None


@pytest.mark.parametrize(
    ("definition", "resorbed"),
    [("any-decrease", 4), ("beyond-error", 3), ("over-25", 3), ("over-50", 2), ("complete", 1)],
)
def test_each_definition_counts_its_own(definition: Definition, resorbed: int) -> None:
    cases = [
        case("complete", resorption_percent=97.0, follow_up_status="absent"),
        case("half", resorption_percent=50.0),
        case("quarter", resorption_percent=25.0),
        case("little", resorption_percent=24.9, verdict="no_change_beyond_error"),
        case("same", resorption_percent=0.0, verdict="no_change_beyond_error"),
        case("grown", resorption_percent=-60.0, verdict="increased"),
    ]
    made = overall(cases, definition)
    assert (made.resorbed, made.cases) == (resorbed, 6)


def test_a_decrease_within_error_is_told_apart_under_every_definition() -> None:
    cases = [
        case("sure", resorption_percent=60.0),
        case("unsure", resorption_percent=55.0, verdict="no_change_beyond_error"),
    ]
    made = overall(cases, "over-50")
    assert (made.resorbed, made.within_error) == (2, 1)
    assert overall(cases, "beyond-error").within_error == 0


def test_undetermined_cases_and_discs_without_herniation_are_in_no_share() -> None:
    nothing_there = case(
        "n", baseline_status="absent", resorption_percent=None, verdict="no_change_beyond_error"
    )
    for definition in ("any-decrease", "complete"):
        assert overall([case(), undetermined(), nothing_there], definition).cases == 1


def test_groups_hold_every_case_once() -> None:
    cases = [
        case("1", type="bulge", age_years=29, interval_days=90, sex="M"),
        case("2", type="bulge", age_years=30, interval_days=91),
        case("3", age_years=60, interval_days=366),
        case("4", age_years=None, interval_days=None, sex=None, level=None),
    ]
    groups = {
        (entry.grouping, entry.group): entry.cases
        for entry in incidences(cases)
        if entry.definition == "any-decrease"
    }
    assert groups == {
        ("all", "all"): 4,
        ("type", "bulge"): 2,
        ("type", "extrusion"): 2,
        ("level", "L5-S1"): 3,
        ("level", "not stated"): 1,
        ("sex", "F"): 2,
        ("sex", "M"): 1,
        ("sex", "not stated"): 1,
        ("age", "under 30"): 1,
        ("age", "30-39"): 1,
        ("age", "60 and over"): 1,
        ("age", "not stated"): 1,
        ("interval", "under 91 days"): 1,
        ("interval", "91-182 days"): 1,
        ("interval", "over 365 days"): 1,
        ("interval", "not stated"): 1,
    }


def test_intervals_cover_the_truth_of_a_cohort_of_known_incidence() -> None:
    """Of sequesters 80 %, of protrusions 30 % resorbed by more than half."""
    truth = {"sequestration": 80, "protrusion": 30, "all": 55}
    rng = np.random.default_rng(6)
    covered = dict.fromkeys(truth, 0)
    repetitions = 120
    for _ in range(repetitions):
        cohort = [
            case(str(k), type=type_, resorption_percent=70.0 if rng.random() < p else 10.0)
            for type_, p in (("sequestration", 0.8), ("protrusion", 0.3))
            for k in range(40)
        ]
        for entry in incidences(cohort):
            if entry.definition == "over-50" and entry.group in truth:
                assert entry.percent is not None
                covered[entry.group] += (
                    entry.percent.low <= truth[entry.group] <= entry.percent.high
                )
    assert all(0.90 <= count / repetitions <= 0.99 for count in covered.values()), covered


def test_rates_are_the_median_percent_a_day() -> None:
    cases = [
        case(str(p), resorption_percent=float(p), interval_days=10) for p in range(10, 100, 10)
    ]
    rate = rates(cases)[0]
    assert (rate.group, rate.cases, rate.median) == ("all", 9, 5.0)
    # Order statistics 2 and 8 of 9: the binomial probability of fewer than 2 of 9 is 2 %.
    assert rate.interval == (2.0, 8.0)


def test_a_rate_needs_days() -> None:
    assert rates([case(interval_days=None)]) == ()
    assert rates([case(interval_days=0)]) == ()
    assert rates([case()])[0].interval is None
