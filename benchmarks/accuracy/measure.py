"""One pair measured: what the product says, and what perfect contours on the same scans say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import SimpleITK as sitk

from benchmarks.accuracy.scenes import Scene, Site
from benchmarks.anatomy.scores import dice, filled, surface_distance_mm
from benchmarks.anatomy.unseen import outlined
from mri_resorb.comparison import compared
from mri_resorb.measure.dates import measure_dates
from mri_resorb.measure.shared_frame import Placed, Refused, place, place_closely, share_frame
from mri_resorb.model import (
    Anatomy,
    CaseResult,
    Estimate,
    Fragment,
    Remark,
    Scan,
    SizeMm,
    TimePoint,
)
from mri_resorb.segment.close_up import WEIGHTS as CLOSE_UP_WEIGHTS
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.levels import Found, locate_pair
from mri_resorb.segment.network import WEIGHTS

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class DateRow:
    """One date of a pair: truth, what was found, and what perfect contours give.

    Attributes:
        found_cm3, type, sizes_mm: None where refused; with `oracle_`, by perfect contours.
        sizes_mm, true_sizes_mm: ap, transverse, craniocaudal.
        dice, surface_mm: of the fragment; None where there is none in truth or none was found.
    """

    slice_mm: float
    truth_cm3: float
    found_cm3: Triple | None
    parts: dict[str, float]
    oracle_cm3: float | None
    status: str
    reason: str | None
    true_type: str
    type: str | None
    oracle_type: str | None
    true_sizes_mm: Triple | None
    sizes_mm: Triple | None
    oracle_sizes_mm: Triple | None
    dice: float | None
    surface_mm: float | None


@dataclass(frozen=True)
class Row:
    """One pair."""

    name: str
    family: str
    level: str
    fate: str
    baseline: DateRow
    follow_up: DateRow
    true_percent: float | None
    percent: Triple | None
    oracle_percent: float | None
    verdict: str


def measure(
    scene: Scene, *, weights: Path = WEIGHTS, close_up_weights: Path = CLOSE_UP_WEIGHTS
) -> list[Row]:
    """Measure every level of a scene.

    Args:
        weights, close_up_weights: of the anatomy network and of the closer look.
    """
    placed = partial(place_closely, weights=close_up_weights)
    seen = [outlined(taken.image, weights) for taken in scene.dates]
    refusal = next((one.refusal for one in seen if one.refusal), None)
    return [
        _row(
            scene,
            site,
            case=None
            if refusal
            else compare(scene, site, [one.anatomy for one in seen], placed=placed),
            oracle=compare(scene, site, [taken.anatomy for taken in scene.dates], placed=place),
            refusal=refusal,
        )
        for site in scene.sites
    ]


def compare(
    scene: Scene,
    site: Site,
    anatomies: Sequence[Anatomy],
    *,
    placed: Callable[[Scan, Anatomy, Found | Remark], Placed | Refused],
) -> CaseResult:
    """From anatomies on as the product does it; perfect contours need no closer look."""
    scans = [
        Scan(taken.image, "PIL", slice_thickness_mm=protocol.slice_thickness_mm)
        for taken, protocol in zip(scene.dates, scene.protocols, strict=True)
    ]
    discs = [find_discs(anatomy) for anatomy in anatomies]
    located = locate_pair(discs[0], discs[1], level=site.level, disc_at_mm=site.disc_at)
    dates = [placed(*of) for of in zip(scans, anatomies, located, strict=True)]
    points, errors = measure_dates(*share_frame(*dates))
    return compared(site.level, points[0], points[1], errors=(errors[0], errors[1]))


def _row(
    scene: Scene, site: Site, *, case: CaseResult | None, oracle: CaseResult, refusal: str | None
) -> Row:
    first, second = (
        _date_row(scene, site, number=number, case=case, oracle=oracle, refusal=refusal)
        for number in (0, 1)
    )
    v0, v1 = first.oracle_cm3, second.oracle_cm3
    return Row(
        name=f"{scene.name}-{site.level}",
        family=scene.family,
        level=str(site.level),
        fate=site.fate,
        baseline=first,
        follow_up=second,
        true_percent=site.resorption_percent,
        percent=_triple(case.change.resorption_percent) if case else None,
        oracle_percent=100 * (v0 - v1) / v0 if v0 and v1 is not None else None,
        verdict=case.change.verdict if case else "undetermined",
    )


def _date_row(
    scene: Scene,
    site: Site,
    *,
    number: int,
    case: CaseResult | None,
    oracle: CaseResult,
    refusal: str | None,
) -> DateRow:
    point = _point(case, number) if case else None
    truth = (site.baseline, site.follow_up)[number]
    found = point.fragment if point else None
    perfect = _point(oracle, number).fragment
    overlap = _overlap(scene.dates[number].fragments.get(site.level), found)
    return DateRow(
        slice_mm=scene.protocols[number].slice_distance_mm,
        truth_cm3=truth.volume_cm3,
        found_cm3=_triple(found.volume_cm3) if found else None,
        parts=dict(found.volume_cm3.parts) if found else {},
        oracle_cm3=perfect.volume_cm3.value if perfect else None,
        status=point.status if point else "undetermined",
        reason=point.reason.code if point and point.reason else refusal,
        true_type=truth.type,
        type=found.type if found else None,
        oracle_type=perfect.type if perfect else None,
        true_sizes_mm=_sizes(truth.size),
        sizes_mm=_sizes(found.size) if found else None,
        oracle_sizes_mm=_sizes(perfect.size) if perfect else None,
        dice=overlap[0] if overlap else None,
        surface_mm=overlap[1] if overlap else None,
    )


def _point(case: CaseResult, number: int) -> TimePoint:
    return (case.baseline, case.follow_up)[number]


def _overlap(truth: sitk.Image | None, found: Fragment | None) -> tuple[float, float] | None:
    """Dice and mean surface distance (mm) of the fragment, at half occupancy."""
    if truth is None or found is None:
        return None
    masks = filled(truth), filled(found.occupancy)
    if not all(mask.any() for mask in masks):
        return None
    columns_mm, rows_mm, slices_mm = truth.GetSpacing()
    return dice(*masks), surface_distance_mm(*masks, (slices_mm, rows_mm, columns_mm))


def _triple(estimate: Estimate | None) -> Triple | None:
    return None if estimate is None else (estimate.value, estimate.low, estimate.high)


def _sizes(size: SizeMm | None) -> Triple | None:
    return None if size is None else (size.ap, size.transverse, size.craniocaudal)
