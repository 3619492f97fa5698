"""The error of a volume, part by part, and what it makes of the change.

A part is *own* to a date or *shared* by both: an own error shows up in the change, a shared one
cancels as far as both dates move alike. The sizes of the parts are constants of the method. Those
of the networks are calibrated on training-side pairs (`docs/validation.md`); most of them is
shared, since what is wrong at one date is wrong at the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mri_resorb.measure.occupancy import Occupancy
from mri_resorb.model import Estimate

SHARED_BOUNDARY_MM = 0.35
"""Placement of the posterior boundary that both dates share."""
OWN_BOUNDARY_MM = 0.15
"""What is left of it after the dates are aligned."""
NETWORK_MM = 0.09
"""Displacement of the whole outline by the networks, own to each date."""
SHARED_NETWORK_MM = 0.10
"""The same, alike on both dates."""
DOUBT_PART = 0.16
"""Of the networks' doubt around the fragment, `Occupancy.doubt_cm3`; own to each date."""
SHARED_DOUBT_PART = 0.30
"""The same, alike on both dates: what it is of two minds about at one, it is at the other."""
UNLIKE_SLICES_OWN = 2.0
"""Where two dates' slices are not equally far apart, so many times as much of the networks' parts
is each date's own, out of the same whole (chosen on training-side pairs, `docs/validation.md`)."""
ALIKE_SLICES = 0.1
"""Slice distances that differ by less than this part of the smaller are equal."""
HARD_DOUBT_MM = 0.5
"""Doubt over the fragment's surface, where an anatomy of 0 and 1 hides it: the network's own is
0.5 mm on the sample cases."""
SAMPLING_PART = 0.06
"""Of a slice's distance times the fragment's cross-section: where the slices happen to fall."""
NOISE_FLOOR_CM3 = 0.01
DETECTION_CM3 = 0.08
"""What may be left unseen where nothing is found: on training-side pairs 1.96 times this holds the
truth of 19 of 19 such dates. Slices of 5 mm and less hide smaller ones from perfect contours
(`benchmarks/detection.py`)."""
NOTHING_CM3 = 0.12
"""The same where no date shows anything, so that not even rim is measured: in 82 of 83 such real
discs, each unseen, 1.96 times this holds what the experts' outlines have (`benchmarks/readers.py`).
"""
CUT_RIM_MM = 3.0
"""How far the shallow rim may go on beyond the first and the last slice."""
THRESHOLD = "threshold"
"""The part for what may or may not be a herniation at all. It is one at both dates or at neither,
so it leaves the percentage as it is."""

_DRAWS = 20_000
_Z = 1.96


@dataclass(frozen=True)
class VolumeError:
    """Standard deviations of one date's volume, cm3."""

    own: Mapping[str, float]
    shared: Mapping[str, float]

    @property
    def parts(self) -> dict[str, float]:
        """All parts; what is both own and shared under one name is added in squares."""
        names = [*self.own, *(name for name in self.shared if name not in self.own)]
        return {
            name: float(np.hypot(self.own.get(name, 0.0), self.shared.get(name, 0.0)))
            for name in names
        }

    @property
    def own_cm3(self) -> float:
        """Standard deviation of what the dates do not share."""
        return float(np.sqrt(sum(part**2 for part in self.own.values())))

    @property
    def total_cm3(self) -> float:
        """Standard deviation of the volume."""
        return float(np.sqrt(sum(part**2 for part in self.parts.values())))


def volume_error(
    occupancy: Occupancy,
    *,
    boundary_disagreement_mm: float | None,
    absent: bool = False,
    nothing_measured: bool = False,
    almost_herniated_cm3: float = 0.0,
    hardly_herniated_part: float = 0.0,
    left_out_cm3: float = 0.0,
) -> VolumeError:
    """Errors of a fragment's volume.

    Args:
        boundary_disagreement_mm: how far the two dates' own boundaries lie apart after alignment;
            None where one date stands alone.
        absent: no herniation was found; a small piece may have been missed.
        nothing_measured: nor was one at any other date, so that there is no footprint.
        almost_herniated_cm3: what is not measured, but falls short of a herniation by less than its
            error.
        hardly_herniated_part: of the joined volume, what exceeds a rim's depth by less than its
            error.
        left_out_cm3: shallow rim that lies where the other date has no slices.
    """
    mm = 0.1  # cm
    slice_cm = occupancy.image.GetSpacing()[2] * mm
    disagreement = boundary_disagreement_mm or 0.0
    doubt_cm3 = occupancy.doubt_cm3
    if occupancy.hard:
        doubt_cm3 = max(doubt_cm3, occupancy.surface_cm2 * HARD_DOUBT_MM * mm)
    detection_cm3 = NOTHING_CM3 if nothing_measured else DETECTION_CM3
    hardly_herniated_cm3 = hardly_herniated_part * occupancy.joined_cm3
    cross_section_cm2 = occupancy.volume_cm3 ** (2 / 3)
    return VolumeError(
        own={
            "boundary": occupancy.footprint_cm2 * OWN_BOUNDARY_MM * mm,
            "alignment": occupancy.footprint_cm2 * disagreement / 2 * mm,
            "network": occupancy.surface_cm2 * NETWORK_MM * mm,
            "doubt": doubt_cm3 * DOUBT_PART,
            "sampling": slice_cm * cross_section_cm2 * SAMPLING_PART,
            "noise": NOISE_FLOOR_CM3,
            "detection": detection_cm3 if absent else 0.0,
        },
        shared={
            "boundary": occupancy.footprint_cm2 * SHARED_BOUNDARY_MM * mm,
            "network": occupancy.surface_cm2 * SHARED_NETWORK_MM * mm,
            "doubt": doubt_cm3 * SHARED_DOUBT_PART,
            "coverage": occupancy.cut_cm2 * CUT_RIM_MM * mm + left_out_cm3,
            THRESHOLD: float(np.hypot(almost_herniated_cm3, hardly_herniated_cm3)) / _Z,
        },
    )


def alike(first_mm: float, second_mm: float) -> bool:
    """Whether two dates' slices are equally far apart: if not, their errors are less alike."""
    return max(first_mm, second_mm) <= (1 + ALIKE_SLICES) * min(first_mm, second_mm)


def of_unlike_slices(error: VolumeError) -> VolumeError:
    """The error beside that of a date with other slices: more of it is own, the whole as it was."""
    own, shared = dict(error.own), dict(error.shared)
    for name in own.keys() & shared.keys() & {"network", "doubt"}:
        whole = np.hypot(own[name], shared[name])
        own[name] = min(UNLIKE_SLICES_OWN * own[name], whole)
        shared[name] = float(np.sqrt(whole**2 - own[name] ** 2))
    return VolumeError(own, shared)


def volume_estimate(volume_cm3: float, error: VolumeError) -> Estimate:
    """A volume with its 95 % interval; a volume is not negative."""
    half = _Z * error.total_cm3
    return Estimate(volume_cm3, max(0.0, volume_cm3 - half), volume_cm3 + half, error.parts)


def change_estimates(
    *,
    baseline_cm3: float,
    follow_up_cm3: float,
    baseline_error: VolumeError,
    follow_up_error: VolumeError,
) -> tuple[Estimate | None, Estimate]:
    """Percent resorption and absolute change (cm3, V0 - V1), with 95 % intervals.

    Of a baseline of 0 there is no percentage.

    The errors are drawn 20 000 times (always the same draws), the shared ones once for both dates,
    and carried through to the ratio, whose interval is asymmetric.
    """
    rng = np.random.default_rng(0)
    volumes, thresholds = [], []
    shared = {
        name: rng.standard_normal(_DRAWS)
        for name in sorted({*baseline_error.shared, *follow_up_error.shared, THRESHOLD})
    }
    for volume, error in ((baseline_cm3, baseline_error), (follow_up_cm3, follow_up_error)):
        drawn = volume + error.own_cm3 * rng.standard_normal(_DRAWS)
        for name, sd in error.shared.items():
            drawn = drawn + (sd * shared[name] if name != THRESHOLD else 0.0)
        volumes.append(drawn)
        thresholds.append(error.shared.get(THRESHOLD, 0.0) * shared[THRESHOLD])
    first, second = volumes
    absolute = first + thresholds[0] - second - thresholds[1]
    absolute_estimate = _interval(baseline_cm3 - follow_up_cm3, absolute)
    if baseline_cm3 <= 0:
        return None, absolute_estimate
    # A baseline drawn to nothing has no percentage; it is held at a tenth of what was measured.
    first = np.maximum(first, 0.1 * baseline_cm3)
    percent = 100 * (first - np.maximum(second, 0)) / first
    return (
        _interval(100 * (baseline_cm3 - follow_up_cm3) / baseline_cm3, percent),
        absolute_estimate,
    )


def smallest_detectable_percent(
    *, baseline_cm3: float, baseline_error: VolumeError, follow_up_error: VolumeError
) -> float | None:
    """The smallest change that these scans could have told from none, percent of the baseline.

    1.96 times the standard deviation of the difference, as the two dates' errors make it (de Vet et
    al., J Clin Epidemiol 59:1033, 2006); what both share cancels as far as it is alike. A larger
    change is called, a smaller one is not. None of a baseline of 0.
    """
    if baseline_cm3 <= 0:
        return None
    names = {*baseline_error.shared, *follow_up_error.shared} - {THRESHOLD}
    unlike = [
        baseline_error.shared.get(name, 0.0) - follow_up_error.shared.get(name, 0.0)
        for name in names
    ]
    squares = [baseline_error.own_cm3**2, follow_up_error.own_cm3**2, *(u**2 for u in unlike)]
    return 100 * _Z * float(np.sqrt(sum(squares))) / baseline_cm3


def _interval(value: float, drawn: np.ndarray) -> Estimate:
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(value, min(float(low), value), max(float(high), value))
