"""What a published claim amounts to: its interval, its volume, its error, and the base rate.

Nothing is read into it. Volumes follow from sizes only within the limits that a fragment's shape
and the canal leave, and those are wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import pi
from typing import Literal

import SimpleITK as sitk

from mri_resorb.cohort.claim_text import Claim, Plane
from mri_resorb.cohort.published import PublishedIncidence, published
from mri_resorb.measure.occupancy import Occupancy
from mri_resorb.measure.uncertainty import VolumeError, change_estimates, volume_error

DAYS_A_MONTH = 30.4375
TYPICAL_SLICE_DISTANCE_MM = 4.4
"""4.0 mm slices with a gap of 0.4 mm."""
THINNEST_CM = 0.4
"""An extent below one usual slice would hardly be seen, let alone measured."""
CANAL_WIDTH_CM = 2.7
"""Mean interpedicular distance at L5, the widest (dry vertebrae, 63 subjects, Gujarat, 2012:
21.3 mm at L1 in women to 27.0 mm at L5 in men). A few people's canal is wider."""
REACH_CRANIOCAUDAL_CM = 3.4
"""From the middle of one vertebral body to that of the next: posterior heights of bodies and discs,
Panjabi et al., Spine 17:299 (1992), and Zhou et al., Eur Spine J 9:242 (2000), rounded."""
BY_HAND_CM3 = 0.25
"""Half the width of the limits of agreement, -293 to +199 mm3, of the best of the volumes that one
reader drew twice (Tunset et al., Chiropr Man Therap 21:26, 2013)."""

Beyond = Literal["within", "possible", "depends-on-the-true-volume", "not-known"]
"""Only "within" is sure: what exceeds the best that a method can do may still be error."""


@dataclass(frozen=True)
class Interval:
    """Time between the two examinations.

    Attributes:
        months: days / 30.4375.
        stated_fits: the stated length is the computed one, rounded as it was stated; None where
            none was stated.
    """

    days: int
    months: float
    stated_months: float | None
    stated_fits: bool | None


@dataclass(frozen=True)
class VolumeRange:
    """What volumes the stated sizes allow, cm3: `low` an ellipsoid, `high` a box."""

    low: float
    high: float
    assumption: str


@dataclass(frozen=True)
class ErrorCheck:
    """Whether a change of the claimed size is more than measurement error.

    Attributes:
        claimed_percent: as stated, from stated volumes, or 100 for a complete resorption.
        beyond_error: whether that can be more than error at all, by `detectable_percent`.
        detectable_percent: the smallest decrease that this project's error model tells from none,
            at best (see `smallest_detectable_percent`), for the smallest and the largest volume
            that the claim allows.
        by_hand_percent: the same for one reader's volumes drawn by hand, at best.
    """

    claimed_percent: float | None
    beyond_error: Beyond
    detectable_percent: tuple[float | None, float | None] | None
    by_hand_percent: tuple[float, float] | None


@dataclass(frozen=True)
class ClaimCheck:
    """All that can be said of a claim; None where it does not state enough.

    Attributes:
        lacks: what a reader needs and the claim does not state.
        contradictions: where it contradicts itself.
        base_rates: what papers report for such herniations under conservative treatment.
    """

    claim: Claim
    interval: Interval | None
    volume: VolumeRange | None
    follow_up_volume: VolumeRange | None
    error: ErrorCheck
    base_rates: tuple[PublishedIncidence, ...]
    complete_rates: tuple[PublishedIncidence, ...]
    lacks: tuple[str, ...]
    contradictions: tuple[str, ...]


def check(claim: Claim) -> ClaimCheck:
    """Check a claim for what it says and what it lacks."""
    volume = _volume(claim.volume_cm3, claim.size_cm, plane=claim.plane)
    after = _volume(claim.follow_up_volume_cm3, claim.follow_up_size_cm, plane=claim.plane)
    group = claim.type or "all"
    return ClaimCheck(
        claim=claim,
        interval=_interval(claim),
        volume=volume,
        follow_up_volume=after,
        error=_error(_claimed_percent(claim), volume),
        base_rates=published(definition="as-defined-by-each-paper", group=group),
        complete_rates=published(definition="complete", group=group),
        lacks=tuple(_lacks(claim)),
        contradictions=tuple(_contradictions(claim)),
    )


@cache
def smallest_detectable_percent(volume_cm3: float) -> float | None:
    """Smallest decrease, percent, whose 95 % interval excludes no change, at best.

    By the error model of `mri_resorb.measure.uncertainty`, for a ball of this volume in slices
    4.4 mm apart, well aligned and seen without doubt: a real fragment's error is larger. None where
    even nothing left would not be told from no change.
    """
    if not _exceeds_error(volume_cm3, percent=100):
        return None
    low, high = 0.0, 100.0
    while high - low > 0.5:
        middle = (low + high) / 2
        if _exceeds_error(volume_cm3, percent=middle):
            high = middle
        else:
            low = middle
    return high


def _exceeds_error(volume_cm3: float, *, percent: float) -> bool:
    left_cm3 = volume_cm3 * (1 - percent / 100)
    estimate, _ = change_estimates(
        baseline_cm3=volume_cm3,
        follow_up_cm3=left_cm3,
        baseline_error=_ball_error(volume_cm3, footprint_of_cm3=volume_cm3),
        follow_up_error=_ball_error(left_cm3, footprint_of_cm3=volume_cm3),
    )
    return estimate is not None and estimate.low > 0


def _ball_error(volume_cm3: float, *, footprint_of_cm3: float) -> VolumeError:
    """Error of a ball; both dates share the footprint of the larger."""
    grid = sitk.Image(1, 1, 1, sitk.sitkFloat32)
    grid.SetSpacing((0.6, 0.6, TYPICAL_SLICE_DISTANCE_MM))
    ball = Occupancy(
        image=grid,
        joined_cm3=volume_cm3,
        detached_cm3=0.0,
        footprint_cm2=pi / 4 * _diameter_cm(footprint_of_cm3) ** 2,
        surface_cm2=pi * _diameter_cm(volume_cm3) ** 2,
        touches_edge=False,
    )
    return volume_error(ball, boundary_disagreement_mm=0.0, absent=volume_cm3 == 0)


def _diameter_cm(volume_cm3: float) -> float:
    return float((6 * volume_cm3 / pi) ** (1 / 3))


def _interval(claim: Claim) -> Interval | None:
    first, second = claim.baseline_date, claim.follow_up_date
    if first is None or second is None or second <= first:
        return None
    days = (second - first).days
    months = days / DAYS_A_MONTH
    stated = claim.interval_months
    fits = None if stated is None else abs(months - stated) <= claim.interval_step_months / 2
    return Interval(days=days, months=months, stated_months=stated, stated_fits=fits)


def _volume(
    stated_cm3: float | None, size_cm: tuple[float, ...] | None, *, plane: Plane | None
) -> VolumeRange | None:
    if stated_cm3 is not None:
        return VolumeRange(stated_cm3, stated_cm3, "as stated")
    if size_cm is None:
        return None
    if len(size_cm) == 3:
        box = size_cm[0] * size_cm[1] * size_cm[2]
        return VolumeRange(pi / 6 * box, box, "an ellipsoid to a box of the three sizes")
    most = CANAL_WIDTH_CM if plane == "sagittal" else REACH_CRANIOCAUDAL_CM
    third = {
        "sagittal": f"across, up to {CANAL_WIDTH_CM} cm: the canal's usual width",
        "axial": f"craniocaudal, up to {REACH_CRANIOCAUDAL_CM} cm: from mid-body to mid-body",
        None: f"in a direction not stated, up to {REACH_CRANIOCAUDAL_CM} cm: from mid-body to "
        "mid-body, as the plane of the two is not stated",
    }[plane]
    area = size_cm[0] * size_cm[1]
    return VolumeRange(
        pi / 6 * area * THINNEST_CM,
        area * most,
        f"an ellipsoid to a box of the two sizes and a third, {third}; at least {THINNEST_CM} cm, "
        "one usual slice",
    )


def _claimed_percent(claim: Claim) -> float | None:
    if claim.resorption_percent is not None:
        return claim.resorption_percent
    if claim.volume_cm3 is not None and claim.follow_up_volume_cm3 is not None:
        return 100 * (claim.volume_cm3 - claim.follow_up_volume_cm3) / claim.volume_cm3
    return 100.0 if claim.result == "complete" else None


def _error(claimed_percent: float | None, volume: VolumeRange | None) -> ErrorCheck:
    if volume is None:
        return ErrorCheck(claimed_percent, "not-known", None, None)
    detectable = (
        smallest_detectable_percent(volume.low),
        smallest_detectable_percent(volume.high),
    )
    by_hand = (100 * BY_HAND_CM3 / volume.low, 100 * BY_HAND_CM3 / volume.high)
    if claimed_percent is None:
        return ErrorCheck(None, "not-known", detectable, by_hand)
    exceeds = [limit is not None and claimed_percent >= limit for limit in detectable]
    beyond: Beyond = (
        "possible" if all(exceeds) else "depends-on-the-true-volume" if any(exceeds) else "within"
    )
    return ErrorCheck(claimed_percent, beyond, detectable, by_hand)


def _lacks(claim: Claim) -> Iterator[str]:
    if claim.baseline_date is None or claim.follow_up_date is None:
        yield "the dates of both examinations"
    if claim.type is None:
        yield "the type of herniation"
    if claim.level is None:
        yield "the level"
    if claim.size_cm is None and claim.volume_cm3 is None:
        yield "any size before"
    if claim.follow_up_size_cm is None and claim.follow_up_volume_cm3 is None:
        yield "any size after"
    if claim.size_cm is not None and len(claim.size_cm) == 2 and claim.volume_cm3 is None:
        yield "the third dimension"
        if claim.plane is None:
            yield "the plane in which the sizes were measured"
    if claim.volume_cm3 is None or claim.follow_up_volume_cm3 is None:
        yield "the volumes before and after"
    if claim.resorption_percent is None:
        yield "a percentage"
    if not claim.error_stated:
        yield "the measurement's error"
    if claim.result is None and claim.resorption_percent is None:
        yield "what became of the herniation on MRI"
    yield "what becomes of such herniations without this treatment (no control group in one case)"


def _contradictions(claim: Claim) -> Iterator[str]:
    first, second = claim.baseline_date, claim.follow_up_date
    if first and second and second <= first:
        yield "The examination after is not later than the one before."
    interval = _interval(claim)
    if interval and interval.stated_fits is False:
        yield (
            f"Stated are {interval.stated_months:g} months; the dates are {interval.days} days "
            f"apart, {interval.months:.2f} months."
        )
    if claim.resorption_percent is not None and claim.volume_cm3 and claim.follow_up_volume_cm3:
        computed = 100 * (1 - claim.follow_up_volume_cm3 / claim.volume_cm3)
        if abs(computed - claim.resorption_percent) > 1:
            yield (
                f"Stated are {claim.resorption_percent:g} %; the stated volumes make "
                f"{computed:.0f} %."
            )
