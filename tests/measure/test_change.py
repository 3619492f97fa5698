"""Percent, verdict and band from two dates' volumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spines import Grid

from mri_resorb.measure.change import UNKNOWN_CHANGE, find_change
from mri_resorb.measure.uncertainty import VolumeError, volume_estimate
from mri_resorb.model import Anatomy, Change, Fragment, Scan, Status, TimePoint

EMPTY = Grid((1.0, 1.0, 4.0), (3, 3, 3)).image(np.zeros((3, 3, 3)))
SMALL = VolumeError({"network": 0.01}, {"boundary": 0.01})
LARGE = VolumeError({"network": 0.3}, {"boundary": 0.05})


def date(
    volume: float | None, status: Status = "measured", error: VolumeError = SMALL
) -> TimePoint:
    fragment = None
    if volume is not None:
        fragment = Fragment(
            occupancy=EMPTY,
            volume_cm3=volume_estimate(volume, error),
            joined_cm3=volume,
            detached_cm3=0.0,
            reach_mm=5.0,
            size=None,
            type="protrusion",
            migration=None,
            canal_compromise_percent=None,
        )
    return TimePoint(
        scan=Scan(image=EMPTY, native_orientation="PIL"),
        status=status,
        anatomy=Anatomy(EMPTY, EMPTY, EMPTY, EMPTY),
        fragment=fragment,
    )


def change(
    baseline: TimePoint,
    follow_up: TimePoint,
    *,
    error: VolumeError = SMALL,
    interval_days: int | None = 100,
) -> Change:
    errors = tuple(error if point.fragment else None for point in (baseline, follow_up))
    return find_change(
        baseline,
        follow_up,
        errors=errors,  # type: ignore[arg-type]
        interval_days=interval_days,
    )


def test_a_change_is_called_from_the_smallest_detectable_one_on() -> None:
    unchanged = change(date(1.0), date(1.0))
    assert unchanged.smallest_detectable_percent == pytest.approx(100 * 1.96 * 0.01 * 2**0.5)
    smallest = unchanged.smallest_detectable_percent / 100
    assert change(date(1.0), date(1.0 - 1.1 * smallest)).verdict == "decreased"
    assert change(date(1.0), date(1.0 - 0.9 * smallest)).verdict == "no_change_beyond_error"


def test_the_smallest_detectable_change_reckons_with_what_the_dates_do_not_share() -> None:
    made = find_change(
        date(1.0),
        date(0.5),
        errors=(VolumeError({"network": 0.03}, {"boundary": 0.09}), VolumeError({}, {})),
        interval_days=None,
    )
    together = np.hypot(0.03, 0.09)
    assert made.smallest_detectable_percent == pytest.approx(100 * 1.96 * together)


def test_shrinking_is_positive_and_growth_negative() -> None:
    shrunk, grown = change(date(1.0), date(0.4)), change(date(0.5), date(1.25))
    assert shrunk.resorption_percent is not None
    assert shrunk.absolute_cm3 is not None
    assert shrunk.resorption_percent.value == pytest.approx(60)
    assert shrunk.absolute_cm3.value == pytest.approx(0.6)
    assert shrunk.percent_per_day == pytest.approx(0.6)
    assert shrunk.verdict == "decreased"
    assert grown.resorption_percent is not None
    assert grown.absolute_cm3 is not None
    assert grown.resorption_percent.value == pytest.approx(-150), "never clipped"
    assert grown.absolute_cm3.value == pytest.approx(-0.75)
    assert grown.percent_per_day == pytest.approx(-1.5)
    assert (grown.verdict, grown.band) == ("increased", None)


@pytest.mark.parametrize(
    ("left", "band"), [(0.9, "under-25"), (0.7, "25-50"), (0.45, "50-100"), (0.02, "50-100")]
)
def test_bands_follow_the_percentage(left: float, band: str) -> None:
    assert change(date(1.0), date(left)).band == band


@pytest.mark.parametrize("left", [0.9, 1.0, 1.1])
def test_no_change_within_the_error_has_no_band(left: float) -> None:
    found = change(date(1.0), date(left), error=LARGE)
    assert (found.verdict, found.band) == ("no_change_beyond_error", None)
    assert found.resorption_percent is not None


def test_complete_is_a_finding_not_a_percentage() -> None:
    """Absent after measured is complete though rim is left, and 0 cm3 measured is not complete."""
    found = change(date(1.0), date(0.12, "absent"))
    assert found.band == "complete"
    assert found.resorption_percent is not None
    assert found.resorption_percent.value == pytest.approx(88)
    assert change(date(1.0), date(0.0)).band == "50-100"


def test_an_absent_baseline_has_no_percentage() -> None:
    appeared = change(date(0.05, "absent"), date(0.9))
    assert appeared.resorption_percent is None
    assert appeared.percent_per_day is None
    assert appeared.verdict == "increased"
    assert appeared.band is None
    assert appeared.absolute_cm3 is not None
    assert appeared.absolute_cm3.value == pytest.approx(-0.85)
    from_nothing = change(date(0.0, "absent"), date(0.9))
    assert from_nothing.absolute_cm3 is not None
    assert from_nothing.absolute_cm3.value == pytest.approx(-0.9)


def test_absent_at_both_dates_is_no_change_without_a_percentage() -> None:
    found = change(date(0.0, "absent"), date(0.0, "absent"))
    assert found.resorption_percent is None
    assert found.absolute_cm3 is not None
    assert (found.absolute_cm3.value, found.verdict) == (0.0, "no_change_beyond_error")


@pytest.mark.parametrize("status", ["incomplete", "undetermined"])
def test_a_date_without_a_figure_leaves_everything_unknown(status: Status) -> None:
    whole, broken = date(1.0), date(None, status)
    assert change(whole, broken) == change(broken, whole) == UNKNOWN_CHANGE
    assert UNKNOWN_CHANGE.verdict == "undetermined"
    assert UNKNOWN_CHANGE.resorption_percent is None


def test_without_dates_the_rest_still_stands() -> None:
    found = change(date(1.0), date(0.4), interval_days=None)
    assert found.percent_per_day is None
    assert found.verdict == "decreased"


@settings(deadline=None, max_examples=60)
@given(st.floats(0.02, 4), st.floats(0, 4), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_verdict_is_said_only_where_the_interval_excludes_no_change(
    before: float, after: float, own: float, shared: float
) -> None:
    error = VolumeError({"network": own}, {"boundary": shared})
    found = change(date(before), date(after), error=error)
    percent = found.resorption_percent
    assert percent is not None
    assert percent.low <= percent.value <= percent.high
    expected = {(True, False): "decreased", (False, True): "increased"}.get(
        (percent.low > 0, percent.high < 0), "no_change_beyond_error"
    )
    assert found.verdict == expected
    assert (found.band is not None) == (found.verdict == "decreased")


def test_other_slices_at_the_other_date_make_the_change_less_sure() -> None:
    """Of the pair itself: a third study with other slices changes nothing between these two."""
    error = VolumeError({"network": 0.03}, {"network": 0.1})
    thick, thin = date(1.0, error=error), date(0.7, error=error)
    fine = Grid((1.0, 1.0, 0.9), (3, 3, 3)).image(np.zeros((3, 3, 3)))
    same = change(thick, thin, error=error).resorption_percent
    other = change(
        thick, replace(thin, scan=replace(thin.scan, image=fine)), error=error
    ).resorption_percent
    assert same is not None
    assert other is not None
    assert other.value == same.value
    assert other.high - other.low > 1.2 * (same.high - same.low)
