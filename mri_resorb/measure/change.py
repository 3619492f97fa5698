"""What happened between two dates: percent, verdict and band (DEFINITIONS, "Change")."""

from __future__ import annotations

from mri_resorb.measure.uncertainty import (
    VolumeError,
    alike,
    change_estimates,
    of_unlike_slices,
    smallest_detectable_percent,
)
from mri_resorb.model import Band, Change, Estimate, TimePoint, Verdict

UNKNOWN_CHANGE = Change(None, None, None, "undetermined", None)


def find_change(
    baseline: TimePoint,
    follow_up: TimePoint,
    *,
    errors: tuple[VolumeError | None, VolumeError | None],
    interval_days: int | None,
) -> Change:
    """Compare two dates that were each measured or found absent; else everything is unknown.

    No percentage is given where the baseline is absent. "decreased" and "increased" are said only
    where the 95 % interval excludes no change.
    """
    baseline_error, follow_up_error = errors
    if not (baseline.fragment and follow_up.fragment and baseline_error and follow_up_error):
        return UNKNOWN_CHANGE
    if not alike(*(point.scan.image.GetSpacing()[2] for point in (baseline, follow_up))):
        baseline_error, follow_up_error = map(of_unlike_slices, (baseline_error, follow_up_error))
    volumes = (baseline.fragment.volume_cm3.value, follow_up.fragment.volume_cm3.value)
    percent, absolute = change_estimates(
        baseline_cm3=volumes[0],
        follow_up_cm3=volumes[1],
        baseline_error=baseline_error,
        follow_up_error=follow_up_error,
    )
    if baseline.status == "absent" and follow_up.status == "absent":
        return Change(None, absolute, None, "no_change_beyond_error", None)
    if baseline.status == "absent" or percent is None:
        return Change(None, absolute, None, _verdict(absolute), None)
    verdict = _verdict(percent)
    complete = follow_up.status == "absent"
    return Change(
        resorption_percent=percent,
        absolute_cm3=absolute,
        percent_per_day=percent.value / interval_days if interval_days else None,
        verdict=verdict,
        band="complete" if complete else _band(percent.value) if verdict == "decreased" else None,
        smallest_detectable_percent=smallest_detectable_percent(
            baseline_cm3=volumes[0],
            baseline_error=baseline_error,
            follow_up_error=follow_up_error,
        ),
    )


def _verdict(change: Estimate) -> Verdict:
    if change.low > 0:
        return "decreased"
    return "increased" if change.high < 0 else "no_change_beyond_error"


def _band(percent: float) -> Band:
    if percent >= 50:
        return "50-100"
    return "25-50" if percent >= 25 else "under-25"
