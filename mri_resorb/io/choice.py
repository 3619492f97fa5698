"""Which series to measure: sagittal T2, by named rules in a fixed order.

The weighting is judged from echo and repetition time, and from descriptions only where these say
nothing. Limits (ms) for spin echo at 0.2-3 T are convention, wide enough for the protocols of
lumbar spines: T2 has TE from 60 and TR from 1000 (3-D turbo spin echo repeats that fast), T1 has
TE to 40 and TR to 1100, or an inversion of 500-1200 (T1 FLAIR); an inversion of 80-300 nulls fat
(STIR) and shows fluid bright as T2 does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from mri_resorb.errors import GeometryError, SeriesChoiceError
from mri_resorb.io.frames import SECONDARY_CAPTURE
from mri_resorb.io.stacks import Stack, normal

Plane = Literal["sagittal", "coronal", "axial", "oblique"]
Weighting = Literal["T2", "T1", "PD", "other", "unknown"]

MAX_OBLIQUITY_DEGREES = 30.0
"""A volume is sagittal if its through-plane axis is no further than this from left-right."""

ALIKE_RATIO = 1.3
"""Spacings of two dates within this ratio count as the same resolution."""

OPTIONS = "--baseline-series or --follow-up-series"

_NOT_ANATOMY = re.compile(
    r"\b(loc|locali[sz]er|scout|survey|3[ -]?plane|calibration|phase|dwi|adc|diff|myelo\w*)\b"
)
_FAT_SUPPRESSED = re.compile(
    r"stir|tirm|spair|spir\b|\bfs\b|fat[ _-]?(sat|sup)|_fs|fs_|\bwater\b|_w\b"
)
_T2 = re.compile(r"t2|stir|tirm")
_T1 = re.compile(r"t1")
_OTHER_REGION = re.compile(r"cerv|c[ -]?spine|hws|thor|t[ -]?spine|bws|brain|head|knee|hip|pelv")
_LUMBAR = re.compile(r"lumb|l[ -]?spine|lws|lsp|l-s")


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
        grid = self.stack.grid
        spacing = (math.nan,) * 3 if grid is None else grid.spacing_mm
        return Kind(self.fat_suppressed, float(np.sqrt(spacing[0] * spacing[1])), spacing[2])

    def __str__(self) -> str:
        number = self.stack.header.series_number
        words = [
            "a series without number" if number is None else f"series {number}",
            f"({self.plane}",
            {"unknown": "of unknown weighting", "other": "of another contrast"}.get(
                self.weighting, self.weighting
            ),
        ]
        if self.fat_suppressed is not None:
            words.append("fat-suppressed" if self.fat_suppressed else "not fat-suppressed")
        slices = len(self.stack.frames)
        words.append(f"{slices} slice{'s' if slices > 1 else ''})")
        return f"{words[0]} {words[1]} {', '.join(words[2:])}"


_RULES: tuple[tuple[str, Callable[[Candidate], float]], ...] = (
    ("is T2-weighted by its own account", lambda one: one.weighting != "T2"),
    ("is not named after another part of the body", lambda one: _other_region(one.stack)),
    ("is not fat-suppressed", lambda one: {False: 0, None: 1, True: 2}[one.fat_suppressed]),
    ("is not derived from another", lambda one: "DERIVED" in one.stack.header.image_type),
    ("has the finest pixels", lambda one: round(one.kind.pixel_mm, 2)),
    ("has the most slices", lambda one: -len(one.stack.frames)),
    ("comes first", lambda one: one.stack.header.series_number or 0),
)


def fitting(stacks: Sequence[Stack], *, series: str | None) -> list[Candidate]:
    """Stacks that can be measured, best first.

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
    if series is None:
        wanted = [one for one in candidates if one.plane == "sagittal" and _may_be_t2(one)]
    else:
        wanted = [one for one in candidates if _is_series(one.stack, series)]
        if not wanted:
            raise SeriesChoiceError(
                f"There is no series '{series}'; there are: {_list(candidates)}."
            )
        wanted = [one for one in wanted if one.plane == "sagittal"]
    if not wanted:
        raise SeriesChoiceError(
            f"No sagittal T2-weighted series among: {_list(candidates)}. If one of them is a "
            f"sagittal T2 after all, name it with {OPTIONS}."
        )
    regular = [one for one in wanted if one.stack.grid is not None]
    if not regular:
        worst = max(wanted, key=lambda one: len(one.stack.frames))
        raise GeometryError(worst.stack.flaw or "")
    known = [one for one in regular if one.weighting == "T2"] or regular
    _check_one_study(known)
    if series is None and known[0].weighting != "T2" and len(known) > 1:
        raise SeriesChoiceError(
            f"The files do not say which series is T2-weighted: {_list(known)}; name one with "
            f"{OPTIONS}."
        )
    return sorted(regular, key=_rank)


def choose(candidates: Sequence[Candidate], *, like: Kind | None = None) -> tuple[Candidate, str]:
    """The best candidate, of the kind of the other date where there is one, and why, a sentence."""
    rules = (*_likeness_rules(like), *_RULES)
    ordered = sorted(candidates, key=lambda one: tuple(rule(one) for _, rule in rules))
    best = ordered[0]
    text = str(best)
    if len(ordered) == 1:
        return best, f"{text[0].upper()}{text[1:]} is the only sagittal T2."
    reason = next((why for why, rule in rules if rule(best) != rule(ordered[1])), "comes first")
    return best, f"{text[0].upper()}{text[1:]}: of {len(ordered)} sagittal series it {reason}."


def choose_pair(
    baseline: Sequence[Candidate], follow_up: Sequence[Candidate]
) -> tuple[Candidate, Candidate]:
    """The best pair of one kind: fat suppression first, then resolution, then the rules."""

    def cost(pair: tuple[Candidate, Candidate]) -> tuple[object, ...]:
        first, second = pair
        unlike = tuple(rule(second) for _, rule in _likeness_rules(first.kind))
        not_t2 = (first.weighting != "T2") + (second.weighting != "T2")
        return (not_t2, unlike, _rank(first), _rank(second))

    return min(((one, other) for one in baseline for other in follow_up), key=cost)


def plane(through_plane: Sequence[float] | np.ndarray) -> Plane:
    """Name a plane by its normal (LPS, unit length)."""
    angles = np.degrees(np.arccos(np.clip(np.abs(through_plane), 0, 1)))
    nearest = int(np.argmin(angles))
    if angles[nearest] > MAX_OBLIQUITY_DEGREES:
        return "oblique"
    names: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
    return names[nearest]


def weighting(stack: Stack) -> Weighting:
    """Weighting of a stack, from its times, else from its descriptions (see the module)."""
    header, contrast = stack.header, stack.frames[0].contrast
    if _NOT_ANATOMY.search(header.description) or {"P", "PHASE", "ADC"} & set(header.image_type):
        return "other"
    if contrast.gradient_echo or contrast.b_value:
        return "other"
    echo, repetition = contrast.echo_time_ms, contrast.repetition_time_ms
    inversion = contrast.inversion_time_ms or 0.0
    if echo and repetition:
        if 80 <= inversion <= 300 and repetition >= 1500:
            return "T2"
        if echo >= 60 and repetition >= 1000:
            return "T2"
        if echo <= 40 and (repetition <= 1100 or 500 <= inversion <= 1200):
            return "T1"
        return "PD" if repetition >= 1500 else "other"
    if _T2.search(header.description):
        return "T2"
    return "T1" if _T1.search(header.description) else "unknown"


def fat_suppressed(stack: Stack) -> bool | None:
    """Whether fat is suppressed, from inversion time and options, else from descriptions."""
    header, contrast = stack.header, stack.frames[0].contrast
    if 80 <= (contrast.inversion_time_ms or 0) <= 300 or contrast.fat_suppressed:
        return True
    if _FAT_SUPPRESSED.search(header.description):
        return True
    return False if header.description.strip() else contrast.fat_suppressed


def _rank(candidate: Candidate) -> tuple[float, ...]:
    return tuple(rule(candidate) for _, rule in _RULES)


def _likeness_rules(
    like: Kind | None,
) -> tuple[tuple[str, Callable[[Candidate], float]], ...]:
    if like is None:
        return ()
    return (
        (
            "has the other date's fat suppression",
            lambda one: bool(one.fat_suppressed) != bool(like.fat_suppressed),
        ),
        ("has the other date's resolution", lambda one: not one.kind.resembles(like)),
    )


def _may_be_mri(stack: Stack) -> bool:
    header = stack.header
    return (
        header.modality in {"", "MR"}
        and header.sop_class != SECONDARY_CAPTURE
        and not {"LOCALIZER", "SECONDARY"} & set(header.image_type)
    )


def _may_be_t2(candidate: Candidate) -> bool:
    return candidate.weighting in {"T2", "unknown"}


def _is_series(stack: Stack, series: str) -> bool:
    header = stack.header
    asked = series.strip().lower()
    return asked in {header.series, str(header.series_number), header.description}


def _other_region(stack: Stack) -> bool:
    named = f"{stack.header.body_part} {stack.header.description}".lower()
    return bool(_OTHER_REGION.search(named)) and not _LUMBAR.search(named)


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
    return "; ".join(sorted({str(one) for one in candidates}))
