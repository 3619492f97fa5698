"""Which series to measure: sagittal T2, by named rules in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from mri_resorb.errors import InputError, SeriesChoiceError
from mri_resorb.io.contrast import Weighting, fat_suppressed, is_other_region, weighting
from mri_resorb.io.stacks import MIN_SLICES, Stack, normal
from mri_resorb.languages import Phrase
from mri_resorb.model import Remark

Plane = Literal["sagittal", "coronal", "axial", "oblique"]

MAX_OBLIQUITY_DEGREES = 30.0
"""A volume is sagittal if its through-plane axis is no further than this from left-right."""

ALIKE_RATIO = 1.3
"""Spacings of two dates within this ratio count as the same resolution."""

WIDE_GAP_RATIO = 1.8
"""Slice distance to thickness; protocols leave gaps of 10-50 %."""

OPTIONS = "--baseline-series or --follow-up-series"


@dataclass(frozen=True)
class Kind:
    """What two dates should have in common."""

    fat_suppressed: bool | None
    pixel_mm: float
    slice_distance_mm: float

    def resembles(self, other: Kind) -> bool:
        """Whether both are of the same resolution."""
        ratios = (
            self.pixel_mm / other.pixel_mm,
            self.slice_distance_mm / other.slice_distance_mm,
        )
        return all(1 / ALIKE_RATIO <= ratio <= ALIKE_RATIO for ratio in ratios)


@dataclass(frozen=True)
class Candidate:
    """A stack with what the rules ask of it."""

    stack: Stack

    @cached_property
    def plane(self) -> Plane:
        """Plane of its slices."""
        return plane(normal(self.stack.frames[0].orientation or ()))

    @cached_property
    def weighting(self) -> Weighting:
        """Weighting (see `weighting`)."""
        return weighting(self.stack)

    @cached_property
    def fat_suppressed(self) -> bool | None:
        """Whether fat is suppressed; None if unknown."""
        return fat_suppressed(self.stack)

    @cached_property
    def kind(self) -> Kind:
        """What the other date should have too."""
        between_rows, between_columns = self.stack.frames[0].spacing_mm or (math.inf, math.inf)
        grid = self.stack.grid
        return Kind(
            fat_suppressed=self.fat_suppressed,
            pixel_mm=math.sqrt(between_rows * between_columns),
            slice_distance_mm=math.inf if grid is None else grid.spacing_mm[2],
        )

    @property
    def phrase(self) -> Phrase:
        """What it is, in words."""
        weighted = {"unknown": "series.weighting-unknown", "other": "series.weighting-other"}.get(
            self.weighting, "series.weighted"
        )
        seen_in = Phrase(f"series.{self.plane}")
        what = [Phrase(weighted, {"plane": seen_in, "weighting": self.weighting})]
        if self.fat_suppressed is not None:
            fat = "series.fat-suppressed" if self.fat_suppressed else "series.fat-shown"
            what.append(Phrase(fat))
        what.append(Phrase("series.slices", {"slices": len(self.stack.frames)}))
        number = self.stack.header.series_number
        if number is None:
            return Phrase("series.unnumbered", {"what": what})
        return Phrase("series.numbered", {"number": number, "what": what})

    def __str__(self) -> str:
        return self.phrase.text()


_FIRST = "choice.first"
_RULES: tuple[tuple[str, Callable[[Candidate], float]], ...] = (
    ("choice.lumbar", lambda one: is_other_region(one.stack)),
    ("choice.not-fat-suppressed", lambda one: {False: 0, None: 1, True: 2}[one.fat_suppressed]),
    ("choice.not-derived", lambda one: "DERIVED" in one.stack.header.image_type),
    ("choice.finest-pixels", lambda one: round(one.kind.pixel_mm, 2)),
    ("choice.most-slices", lambda one: -len(one.stack.frames)),
    (_FIRST, lambda one: one.stack.header.series_number or 0),
)


@dataclass(frozen=True)
class Fitting:
    """Candidates that can be measured, and those that only their geometry keeps from it."""

    regular: tuple[Candidate, ...]
    broken: tuple[Candidate, ...]


def fitting(stacks: Sequence[Stack], *, series: str | None) -> Fitting:
    """Stacks that can be measured.

    Args:
        stacks: all that a study holds, of any kind and any number of patients.
        series: SeriesInstanceUID, series number or description that the user asked for. It
            overrules the rules, but not the plane or the geometry.

    Raises:
        SeriesChoiceError: nothing fits; or what fits is of several patients, of several studies,
            or of unknown weighting.
        GeometryError: what would fit does not form one regular volume.
    """
    candidates = [Candidate(stack) for stack in stacks if _may_be_mri(stack)]
    if not candidates:
        raise SeriesChoiceError("The DICOM files hold no MR images with a place in the patient.")
    asked = [one for one in candidates if series is None or _is_series(one.stack, series)]
    if not asked:
        raise SeriesChoiceError(f"There is no series '{series}'; there are: {_list(candidates)}.")
    wanted = [
        one
        for one in asked
        if one.plane == "sagittal" and (series is not None or one.weighting in {"T2", "unknown"})
    ]
    if not wanted:
        raise SeriesChoiceError(
            f"No sagittal T2-weighted series among: {_list(asked)}. If one of them is a sagittal "
            f"T2 after all, name it with {OPTIONS}."
        )
    regular = [one for one in wanted if one.stack.grid is not None]
    broken = [one for one in wanted if one.stack.grid is None]
    if not regular:
        raise _flaw(max(broken, key=lambda one: len(one.stack.frames)))
    known = [one for one in regular if one.weighting == "T2"]
    _check_one_study(known or regular)
    if series is None and not known and len(regular) > 1:
        raise SeriesChoiceError(
            f"The files do not say which series is T2-weighted: {_list(regular)}; name one with "
            f"{OPTIONS}."
        )
    return Fitting(tuple(known or regular), tuple(broken))


def choose(fitting: Fitting, *, like: Kind | None = None) -> tuple[Candidate, Phrase]:
    """The best candidate, of the kind of the other date where there is one, and why, a sentence."""
    rules = (*_likeness_rules(like), *_RULES)
    ordered = sorted(fitting.regular, key=lambda one: tuple(rule(one) for _, rule in rules))
    best = ordered[0]
    if len(ordered) == 1:
        only = "choice.only-sagittal-t2" if best.weighting == "T2" else "choice.only-one-that-fits"
        return best, Phrase(only, {"series": best.phrase})
    why = next((name for name, rule in rules if rule(best) != rule(ordered[1])), _FIRST)
    return best, Phrase(
        "choice.best", {"series": best.phrase, "count": len(ordered), "why": Phrase(why)}
    )


def choose_pair(baseline: Fitting, follow_up: Fitting) -> tuple[Candidate, Candidate]:
    """The best pair of one kind: fat suppression first, then resolution, then the rules.

    Each of the two is also what `choose` takes when told the kind of the other.
    """

    def cost(pair: tuple[Candidate, Candidate]) -> tuple[object, ...]:
        first, second = pair
        unlike = tuple(rule(second) for _, rule in _likeness_rules(first.kind))
        return (unlike, _rank(first), _rank(second))

    return min(((one, other) for one in baseline.regular for other in follow_up.regular), key=cost)


def remarks(chosen: Candidate, *, fitting: Fitting) -> tuple[Remark, ...]:
    """What to warn of: weighting unproven, wide gaps, a better series left out as broken."""
    found = []
    if chosen.weighting == "unknown":
        found.append(Remark("weighting-unknown"))
    elif chosen.weighting != "T2":
        found.append(Remark("not-t2", {"series": chosen.phrase}))
    thickness = chosen.stack.frames[0].thickness_mm
    distance = chosen.kind.slice_distance_mm
    if thickness and distance > WIDE_GAP_RATIO * thickness:
        found.append(Remark("wide-gaps", {"thickness_mm": thickness, "distance_mm": distance}))
    found += [
        Remark("series-left-out", {"series": one.phrase, "flaw": _flaw(one).words})
        for one in fitting.broken
        if len(one.stack.frames) >= MIN_SLICES and _rank(one) < _rank(chosen)
    ]
    return tuple(found)


def plane(through_plane: Sequence[float] | np.ndarray) -> Plane:
    """Name a plane by its normal (LPS, unit length)."""
    angles = np.degrees(np.arccos(np.clip(np.abs(through_plane), 0, 1)))
    nearest = int(np.argmin(angles))
    if angles[nearest] > MAX_OBLIQUITY_DEGREES:
        return "oblique"
    names: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
    return names[nearest]


def _rank(candidate: Candidate) -> tuple[float, ...]:
    return tuple(rule(candidate) for _, rule in _RULES)


def _likeness_rules(
    like: Kind | None,
) -> tuple[tuple[str, Callable[[Candidate], float]], ...]:
    if like is None:
        return ()
    return (
        (
            "choice.same-fat-suppression",
            lambda one: bool(one.fat_suppressed) != bool(like.fat_suppressed),
        ),
        ("choice.same-resolution", lambda one: not one.kind.resembles(like)),
    )


def _flaw(broken: Candidate) -> InputError:
    assert broken.stack.flaw is not None
    return broken.stack.flaw


def _may_be_mri(stack: Stack) -> bool:
    header = stack.header
    return header.modality in {"", "MR"} and "LOCALIZER" not in header.image_type


def _is_series(stack: Stack, series: str) -> bool:
    header = stack.header
    asked = series.strip().lower()
    return asked in {header.series, str(header.series_number), header.series_description}


def _check_one_study(candidates: Sequence[Candidate]) -> None:
    headers = [one.stack.header for one in candidates]
    if len({header.patient_key for header in headers}) > 1:
        raise SeriesChoiceError(
            f"Several patients have a fitting series: {_list(candidates)}; name one with {OPTIONS}."
        )
    dates = {header.acquired or header.study for header in headers}
    if len(dates) > 1:
        raise SeriesChoiceError(
            f"Several studies have a fitting series: {_list(candidates)}; keep the two dates in "
            f"folders of their own, or name one with {OPTIONS}."
        )


def _list(candidates: Sequence[Candidate]) -> str:
    """The candidates in words; with their UIDs where numbers do not tell the series apart."""
    headers = [one.stack.header for one in candidates]
    numbered = {(header.series_number, header.series) for header in headers}
    ambiguous = len({number for number, _ in numbered}) < len(numbered)
    named = {f"{one}{f', UID {one.stack.header.series}' * ambiguous}" for one in candidates}
    return "; ".join(sorted(named))
