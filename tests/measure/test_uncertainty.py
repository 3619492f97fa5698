"""Intervals: they hold their value, grow with the errors, and shared errors cancel in a ratio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spines import Grid

from mri_resorb.measure.occupancy import Occupancy
from mri_resorb.measure.uncertainty import (
    VolumeError,
    change_estimates,
    of_unlike_slices,
    volume_error,
    volume_estimate,
)
from mri_resorb.model import Estimate

volumes = st.floats(0.0, 5.0)
deviations = st.floats(0.0, 1.0)
errors = st.builds(
    lambda own, shared: VolumeError({"network": own}, {"boundary": shared}), deviations, deviations
)


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


@given(volumes, errors)
def test_a_volume_lies_in_its_interval_and_is_not_negative(
    volume: float, error: VolumeError
) -> None:
    estimate = volume_estimate(volume, error)
    assert 0 <= estimate.low <= estimate.value <= estimate.high
    assert estimate.value == volume


@settings(deadline=None, max_examples=40)
@given(st.floats(1e-3, 5.0), volumes, errors, errors)
def test_changes_lie_in_their_intervals(
    baseline: float, follow_up: float, first: VolumeError, second: VolumeError
) -> None:
    percent, absolute = change_estimates(
        baseline_cm3=baseline,
        follow_up_cm3=follow_up,
        baseline_error=first,
        follow_up_error=second,
    )
    assert percent is not None
    assert percent.value == pytest.approx(100 * (baseline - follow_up) / baseline, abs=1e-9)
    assert absolute.value == pytest.approx(baseline - follow_up)
    for estimate in (percent, absolute):
        assert estimate.low <= estimate.value <= estimate.high
        assert np.isfinite([estimate.low, estimate.high]).all()
    assert percent.high <= 100 + 1e-9, "no more than everything can go"


def test_nothing_at_the_baseline_has_a_difference_but_no_percentage() -> None:
    error = VolumeError({"noise": 0.01}, {})
    percent, absolute = change_estimates(
        baseline_cm3=0.0, follow_up_cm3=0.9, baseline_error=error, follow_up_error=error
    )
    assert percent is None
    assert absolute.value == -0.9


def changes(error: VolumeError) -> tuple[Estimate, Estimate]:
    percent, absolute = change_estimates(
        baseline_cm3=1.0, follow_up_cm3=0.5, baseline_error=error, follow_up_error=error
    )
    assert percent is not None
    return percent, absolute


def test_shared_errors_cancel_and_own_ones_do_not() -> None:
    shared_percent, shared_absolute = changes(VolumeError({}, {"boundary": 0.1}))
    own_percent, own_absolute = changes(VolumeError({"boundary": 0.1}, {}))
    assert width(shared_percent) < 0.6 * width(own_percent)
    assert width(shared_absolute) < 1e-9, "an equal shift of both leaves their difference"
    # Of two own errors of 0.1 cm3, by arithmetic: 2 x 1.96 x 0.1 x sqrt(2).
    assert width(own_absolute) == pytest.approx(0.554, rel=0.03)


def test_the_interval_of_a_ratio_is_asymmetric() -> None:
    percent, _ = changes(VolumeError({"network": 0.2}, {}))
    assert percent.value - percent.low > 1.3 * (percent.high - percent.value)


def test_the_interval_is_that_of_the_error_model() -> None:
    """Against draws of its own: 95 % of ratios drawn from the stated errors lie within."""
    rng = np.random.default_rng(7)
    n = 40_000
    common = rng.normal(0, 0.08, n)
    first = 1.2 + common + rng.normal(0, 0.05, n)
    second = 0.7 + 0.5 * common + rng.normal(0, 0.04, n)
    percent, absolute = change_estimates(
        baseline_cm3=1.2,
        follow_up_cm3=0.7,
        baseline_error=VolumeError({"network": 0.03, "noise": 0.04}, {"boundary": 0.08}),
        follow_up_error=VolumeError({"network": 0.04}, {"boundary": 0.04}),
    )
    assert percent is not None
    for estimate, drawn in ((percent, 100 * (first - second) / first), (absolute, first - second)):
        within = np.mean((drawn > estimate.low) & (drawn < estimate.high))
        assert within == pytest.approx(0.95, abs=0.01)


@given(errors, st.floats(1.0, 3.0))
@settings(deadline=None, max_examples=20)
def test_larger_errors_never_narrow_a_volume(error: VolumeError, factor: float) -> None:
    larger = VolumeError(
        {name: sd * factor for name, sd in error.own.items()},
        {name: sd * factor for name, sd in error.shared.items()},
    )
    assert larger.total_cm3 >= error.total_cm3
    assert width(volume_estimate(1.0, larger)) >= width(volume_estimate(1.0, error)) - 1e-12


def test_parts_add_in_squares_to_the_whole() -> None:
    error = VolumeError({"network": 0.03, "noise": 0.01}, {"network": 0.04})
    assert error.parts == pytest.approx({"network": 0.05, "noise": 0.01})
    assert error.total_cm3 == pytest.approx(np.sqrt(0.05**2 + 0.01**2))


def test_thicker_slices_and_boundaries_that_disagree_cost_certainty() -> None:
    thin, thick = (
        Occupancy(
            image=Grid((0.6, 0.6, mm), (4, 4, 4)).image(np.zeros((4, 4, 4))),
            joined_cm3=0.8,
            detached_cm3=0.0,
            footprint_cm2=1.5,
            surface_cm2=4.0,
            touches_edge=False,
        )
        for mm in (2.0, 4.4)
    )
    alone = volume_error(thin, boundary_disagreement_mm=None)
    assert volume_error(thick, boundary_disagreement_mm=None).total_cm3 > alone.total_cm3
    assert volume_error(thin, boundary_disagreement_mm=1.0).total_cm3 > alone.total_cm3
    nothing = replace(thin, joined_cm3=0.0, footprint_cm2=0.0, surface_cm2=0.0)
    assert volume_error(nothing, boundary_disagreement_mm=None).total_cm3 > 0


def test_other_slices_at_the_other_date_make_the_change_less_sure_and_no_volume() -> None:
    seen = Occupancy(
        image=Grid((0.6, 0.6, 4.0), (4, 4, 4)).image(np.zeros((4, 4, 4))),
        joined_cm3=0.8,
        detached_cm3=0.0,
        footprint_cm2=1.5,
        surface_cm2=4.0,
        touches_edge=False,
        doubt_cm3=0.2,
    )
    same = volume_error(seen, boundary_disagreement_mm=0.2)
    other = of_unlike_slices(same)
    assert other.total_cm3 == pytest.approx(same.total_cm3)
    changes = [
        change_estimates(
            baseline_cm3=0.8, follow_up_cm3=0.5, baseline_error=error, follow_up_error=error
        )
        for error in (same, other)
    ]
    for of_same, of_other in zip(*changes, strict=True):
        assert of_same is not None
        assert of_other is not None
        assert width(of_other) > 1.2 * width(of_same)


def test_where_nothing_is_found_the_interval_holds_what_the_network_has_missed() -> None:
    """0.16 cm3 in 0.9 mm slices; more than thick slices hide from perfect contours."""
    nothing = Occupancy(
        Grid((0.6, 0.6, 0.9), (4, 4, 4)).image(np.zeros((4, 4, 4))), 0, 0, 0, 0, False
    )
    error = volume_error(nothing, boundary_disagreement_mm=None, absent=True)
    assert round(volume_estimate(0.0, error).high, 2) >= 0.16
    alone = volume_error(nothing, boundary_disagreement_mm=None, absent=True, nothing_measured=True)
    assert round(volume_estimate(0.0, alone).high, 2) >= 0.23, "real discs found to hold nothing"
