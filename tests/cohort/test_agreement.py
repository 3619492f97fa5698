from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cohort_cases import case, undetermined

from mri_resorb.cohort.agreement import bland_altman, compare, intraclass_correlations

SHROUT_FLEISS = [
    [9, 2, 5, 8],
    [6, 1, 3, 2],
    [8, 4, 6, 8],
    [7, 1, 2, 6],
    [10, 5, 6, 9],
    [6, 2, 4, 7],
]
"""Shrout and Fleiss, Psychol Bull 86:420 (1979), table 2: six subjects, four judges."""

# Peak expiratory flow, l/min, 17 people, each meter twice: Bland and Altman, Lancet i:307 (1986).
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
WRIGHT_AGAIN = [490, 397, 512, 401, 470, 611, 415, 431, 638, 429, 420, 633, 275, 492, 165, 372, 421]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_icc_is_that_printed_by_shrout_and_fleiss() -> None:
    made = intraclass_correlations(SHROUT_FLEISS)
    assert made is not None
    agreement, consistency = made
    assert (round(agreement.value, 2), round(consistency.value, 2)) == (0.29, 0.71)
    # Limits as R's psych::ICC and irr::icc print them for this table.
    assert (round(agreement.low, 3), round(agreement.high, 3)) == (0.019, 0.761)
    assert (round(consistency.low, 3), round(consistency.high, 3)) == (0.342, 0.946)


def test_bland_altman_is_that_printed_for_peak_flow() -> None:
    made = bland_altman(WRIGHT, MINI)
    assert (round(made.bias.value, 1), round(made.standard_deviation, 1)) == (-2.1, 38.8)
    assert (round(made.bias.low, 1), round(made.bias.high, 1)) == (-22.0, 17.8)
    # The paper takes 2 SD of its rounded figures for the limits: -79.7 to 75.5.
    assert made.lower_limit.value == pytest.approx(-79.7, abs=1.7)
    assert made.upper_limit.value == pytest.approx(75.5, abs=1.7)


def test_limits_have_the_printed_intervals() -> None:
    """Bland and Altman, Stat Methods Med Res 8:135 (1999): 85 people, mean -16.29, SD 19.61."""
    shape = np.random.default_rng(0).normal(size=85)
    differences = (shape - shape.mean()) / shape.std(ddof=1) * 19.61 - 16.29
    made = bland_altman(differences, np.zeros(85))
    assert (round(made.lower_limit.value, 1), round(made.upper_limit.value, 1)) == (-54.7, 22.1)
    # The paper goes on from rounded figures, hence a tenth.
    assert (made.lower_limit.low, made.lower_limit.high) == pytest.approx((-61.9, -47.5), abs=0.1)
    assert (made.upper_limit.low, made.upper_limit.high) == pytest.approx((14.9, 29.3), abs=0.15)


def test_repeatability_is_that_printed_for_peak_flow() -> None:
    """The paper's coefficient, 43.2 l/min, is twice the standard deviation; ours 1.96 times."""
    a = [case(str(k), baseline_cm3=float(value)) for k, value in enumerate(WRIGHT)]
    b = [case(str(k), baseline_cm3=float(value)) for k, value in enumerate(WRIGHT_AGAIN)]
    made = compare(a, b).agreements[0]
    assert made.repeatability_coefficient.value == pytest.approx(43.2 * 1.96 / 2, abs=0.1)


def test_a_constant_difference_is_error_in_agreement_and_cancels_in_change() -> None:
    a = [case(str(k), baseline_cm3=1.0 + k / 10) for k in range(20)]
    b = [replace(one, baseline_cm3=(one.baseline_cm3 or 0) - 0.3) for one in a]
    made = compare(a, b).agreements[0]
    assert made.icc_agreement is not None
    assert made.icc_consistency is not None
    assert made.icc_agreement.value < 0.9
    assert made.icc_consistency.value == pytest.approx(1)
    assert made.bland_altman.bias.value == pytest.approx(0.3)
    assert made.repeatability_coefficient.value == pytest.approx(1.96 * 0.3)
    assert made.smallest_detectable_change.value == pytest.approx(0, abs=1e-9)


def test_the_same_readings_agree_wholly() -> None:
    cases = [case(str(k), baseline_cm3=1.0 + k / 10) for k in range(5)]
    made = compare(cases, cases).agreements[0]
    assert made.icc_agreement is not None
    assert made.icc_agreement.value == made.icc_agreement.low == 1
    assert made.bland_altman.lower_limit.value == 0


def test_readings_that_do_not_vary_have_no_correlation() -> None:
    cases = [case(str(k)) for k in range(5)]
    assert compare(cases, cases).agreements[0].icc_agreement is None


def test_cases_are_matched_by_name_and_what_is_not_compared_is_listed() -> None:
    a = [case("1"), case("2"), case("3"), case("only-a"), undetermined("4")]
    b = [case("3", verdict="no_change_beyond_error"), case("2"), case("1"), case("4")]
    made = compare(a, b)
    assert (made.cases, made.only_in_a, made.only_in_b) == (4, ("only-a",), ())
    assert (made.same_verdict, made.verdicts) == (2, 3)
    followed = {agreement.figure: agreement.names for agreement in made.agreements}
    assert followed["baseline_cm3"] == ("1", "2", "3", "4")
    assert followed["follow_up_cm3"] == ("1", "2", "3")


def test_two_pairs_are_too_few() -> None:
    assert compare([case("1"), case("2")], [case("1"), case("2")]).agreements == ()


def test_intervals_cover_the_truth() -> None:
    """Fragments 0.4 cm3 apart, readings 0.2 cm3; the second reader 0.1 cm3 above the first."""
    rng = np.random.default_rng(4)
    consistency = 0.16 / (0.16 + 0.04)
    covered = np.zeros(3)
    repetitions = 400
    for _ in range(repetitions):
        true = rng.normal(1, 0.4, 40)
        a, b = (true + rng.normal(offset, 0.2, 40) for offset in (0.0, 0.1))
        made = intraclass_correlations(np.column_stack([a, b]))
        assert made is not None
        lines = bland_altman(a, b)
        upper = -0.1 + 1.96 * np.sqrt(2) * 0.2
        covered += [
            made[1].low <= consistency <= made[1].high,
            lines.bias.low <= -0.1 <= lines.bias.high,
            lines.upper_limit.low <= upper <= lines.upper_limit.high,
        ]
    assert all(0.92 <= covered / repetitions)
    assert all(covered / repetitions <= 0.98)
