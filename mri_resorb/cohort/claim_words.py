"""A claim's check in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mri_resorb.cohort.claim import ClaimCheck, ErrorCheck, VolumeRange
from mri_resorb.cohort.published import PublishedIncidence

_BEYOND = {
    "within": "within this method's measurement error, at any volume that the claim allows",
    "possible": "may be more than measurement error, which a stated error would have to show",
    "depends-on-the-true-volume": "may be more than measurement error if the fragment was large "
    "enough, is within it if not",
    "not-known": "not known whether more than measurement error",
}


def claim_lines(check: ClaimCheck) -> Iterator[str]:
    """One line a finding, in the order: stated, interval, volume, error, base rate, lacking."""
    yield f"Stated: {_stated(check)}"
    yield f"Interval: {_interval(check)}"
    yield f"Volume before: {_volume(check.volume)}"
    if check.follow_up_volume is not None:
        yield f"Volume after: {_volume(check.follow_up_volume)}"
    yield f"Change: {_change(check.error)}"
    yield from _error_lines(check)
    yield f"Base rate under conservative treatment: {_rates(check.base_rates)}"
    if check.complete_rates:
        yield f"Base rate of complete resorption: {_rates(check.complete_rates)}"
    yield from (f"Contradiction: {text}" for text in check.contradictions)
    yield f"Not stated: {'; '.join(check.lacks)}."
    yield from (f"Reading: {note}" for note in check.claim.notes)


def _stated(check: ClaimCheck) -> str:
    claim = check.claim
    words = [
        claim.sex and {"F": "woman", "M": "man"}[claim.sex],
        claim.age_years is not None and f"{claim.age_years} years",
        claim.type,
        claim.level,
        _sizes("size", claim.size_cm),
        claim.plane and f"{claim.plane} plane",
        _sizes("size after", claim.follow_up_size_cm),
        claim.volume_cm3 is not None and f"volume {claim.volume_cm3:g} cm³",
        claim.follow_up_volume_cm3 is not None
        and f"volume after {claim.follow_up_volume_cm3:g} cm³",
        claim.result and f"{claim.result} resorption",
        claim.resorption_percent is not None and f"{claim.resorption_percent:g} % resorbed",
    ]
    return ", ".join(str(word) for word in words if word) or "nothing that can be checked"


def _sizes(name: str, sizes_cm: Sequence[float] | None) -> str:
    return f"{name} {' x '.join(f'{size:g}' for size in sizes_cm)} cm" if sizes_cm else ""


def _interval(check: ClaimCheck) -> str:
    interval = check.interval
    if interval is None:
        stated = check.claim.interval_months
        if stated is None:
            return "not known, as the dates are not stated"
        return f"stated as {stated:g} months, which no dates confirm"
    dates = f"{check.claim.baseline_date} to {check.claim.follow_up_date}"
    length = f"{interval.days} days, {interval.months:.2f} months ({dates})"
    if interval.stated_fits is None:
        return length
    fits = "agrees" if interval.stated_fits else "does not agree"
    return f"{length}; the stated {interval.stated_months:g} months {fits}"


def _volume(volume: VolumeRange | None) -> str:
    if volume is None:
        return "not known, as no sizes are stated"
    if volume.low == volume.high:
        return f"{volume.low:g} cm³, {volume.assumption}"
    return (
        f"{volume.low:.2g} to {volume.high:.2g} cm³, {volume.high / volume.low:.0f}-fold "
        f"({volume.assumption})"
    )


def _change(error: ErrorCheck) -> str:
    size = (
        "no size of it is stated"
        if error.claimed_percent is None
        else f"{error.claimed_percent:.0f} % claimed"
    )
    return f"{size}; {_BEYOND[error.beyond_error]}"


def _error_lines(check: ClaimCheck) -> Iterator[str]:
    error, volume = check.error, check.volume
    if error.detectable_percent is None or error.by_hand_percent is None or volume is None:
        return
    figures = [
        (volume.low, error.detectable_percent[0], error.by_hand_percent[0]),
        (volume.high, error.detectable_percent[1], error.by_hand_percent[1]),
    ]
    for cm3, by_model, by_hand in figures[: 1 if volume.low == volume.high else 2]:
        yield (
            f"Of {cm3:.2g} cm³, a decrease can be told from error from {_least(by_model)} at best "
            f"by this method (4.4 mm slices), from {_least(by_hand)} at best by hand"
        )


def _least(percent: float | None) -> str:
    return "no percentage" if percent is None or percent > 100 else f"{percent:.0f} %"


def _rates(entries: Sequence[PublishedIncidence]) -> str:
    if not entries:
        return "none known for this type"
    of = "" if entries[0].group == "all" else f" of {entries[0].group}s"
    figures = [f"{e.percent:g} %{of} ({e.source.reference}, {e.source.found_at})" for e in entries]
    return "; ".join(figures)
