"""Which disc is L5-S1, and how surely; how surely the count goes on upwards from it.

From a lumbar field of view alone nobody can number the spine of everyone: 14.1 % of readings are
wrong (PMC3955794), 18.1 % of people have a transitional vertebra (doi 10.1148/radiol.12112747). So
the disc is named by what is seen, with a certainty that is never more than `MOST_CERTAINTY`, and
not at all below `LEAST_CERTAINTY`. The certainty is a product of rules whose constants were set on
28 patients; it orders cases, it is no frequency that was measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mri_resorb.languages import Value
from mri_resorb.model import FloatArray, Remark
from mri_resorb.segment.discs import Disc

MOST_CERTAINTY = 0.95
LEAST_CERTAINTY = 0.75

_BEND_UNKNOWN = 0.9
"""Too few discs are seen above to know where the spine bends."""
_BEND_EXCESS_DEGREES = 11.0
_BEND_SOFTNESS_DEGREES = 2.5
"""The spine bends most at L5-S1. Where the next disc up bends more, by so much that the certainty
is halved, what looks like L5 may be part of the sacrum: at most 3 degrees more in 24 of 28
patients whose levels are clear, 20 in one whose readers disagree."""
_STEP_RATIO = 1.45
_STEP_SOFTNESS = 0.05
"""A step from disc to disc that differs from the usual one of this spine by so much (and the
softness, in the logarithm) halves the certainty; 0.8-1.25 in patients. One disc missing makes 2."""
_STEP_MM = (18.0, 55.0)


class LevelNotFoundError(Exception):
    """The level cannot be named safely; carries the reason as a `Remark`."""

    def __init__(self, code: str, **values: Value) -> None:
        super().__init__(code)
        self.reason = Remark(code, values)


@dataclass(frozen=True)
class Lumbosacral:
    """The disc taken as L5-S1.

    Attributes:
        index: its place in the row of discs, from the lowest.
        certainty: that it is, 0-1 (see the module).
    """

    index: int
    certainty: float


def lumbosacral_disc(discs: tuple[Disc, ...]) -> Lumbosacral:
    """The disc that rests on the sacrum.

    Args:
        discs: from the lowest upwards.

    Raises:
        LevelNotFoundError: no sacrum is seen under a disc, it is doubtful, there is a disc below
            the first sacral segment, or the spine bends like one with a transitional vertebra.
    """
    on_sacrum = [k for k, disc in enumerate(discs) if disc.sacrum_below > 0.5]
    if not on_sacrum:
        raise LevelNotFoundError("sacrum-not-seen")
    index = on_sacrum[-1]
    if index > 0 or len(on_sacrum) > 1:
        raise LevelNotFoundError("transitional-anatomy")
    sacrum = discs[index].sacrum_below
    if MOST_CERTAINTY * sacrum < LEAST_CERTAINTY:
        raise LevelNotFoundError("sacrum-doubtful")
    certainty = MOST_CERTAINTY * sacrum * _bends_lowest(discs[index : index + 3])
    if certainty < LEAST_CERTAINTY:
        raise LevelNotFoundError("transitional-suspected", certainty=certainty)
    return Lumbosacral(index, certainty)


def certainty_upwards(discs: tuple[Disc, ...]) -> float:
    """That no disc is missing or doubled from the first to the last of these, 0-1."""
    steps = _steps_mm(discs)
    if not steps.size:
        return 1.0
    low, high = _STEP_MM
    if np.any((steps < low) | (steps > high)):
        return 0.0
    away = np.abs(np.log(steps / np.median(steps)))
    return float(np.prod(_falling(away, at=float(np.log(_STEP_RATIO)), softness=_STEP_SOFTNESS)))


def _bends_lowest(lowest: tuple[Disc, ...]) -> float:
    """That the spine bends at the lowest of these discs as it does at L5-S1."""
    if len(lowest) < 3:
        return _BEND_UNKNOWN
    axes = [disc.frame.axes[0] for disc in lowest]
    tilts = np.degrees([np.arctan2(-axis[2], axis[1]) for axis in axes])
    at_lowest, at_next = np.diff(tilts)
    excess = np.array(at_next - at_lowest)
    return float(_falling(excess, at=_BEND_EXCESS_DEGREES, softness=_BEND_SOFTNESS_DEGREES))


def _steps_mm(discs: tuple[Disc, ...]) -> FloatArray:
    centres: FloatArray = np.array([disc.centre_mm for disc in discs]).reshape(-1, 3)
    return np.asarray(np.linalg.norm(np.diff(centres, axis=0), axis=1))


def _falling(values: FloatArray, *, at: float, softness: float) -> FloatArray:
    """From 1 to 0, a half where the values are `at`."""
    return np.asarray(1 / (1 + np.exp(np.clip((values - at) / softness, -50, 50))))
