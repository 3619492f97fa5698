"""Where the marks of the plots lie: geometry alone, in the units of each plot's picture.

The words and the SVG elements are in `plots.html`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from math import ceil, floor, log10

from mri_resorb.model import Estimate

WIDTH, MARGIN = 340.0, 44.0


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and the value that it stands for."""

    at: float
    value: float


@dataclass(frozen=True)
class VolumeMark:
    """One date of a trajectory; y runs downwards, None where nothing was measured."""

    x: float
    y: float | None
    low: float | None
    high: float | None
    day: date | None
    estimate: Estimate | None


@dataclass(frozen=True)
class Trajectory:
    """Volume over two or more dates.

    Attributes:
        lines: (x1, y1, x2, y2) between neighbouring dates that were both measured.
    """

    marks: tuple[VolumeMark, ...]
    lines: tuple[tuple[float, float, float, float], ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Bar:
    """An estimate on a horizontal axis."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class PercentPlot:
    """Resorption on an axis from growth to 100 %."""

    bar: Bar
    nothing_at: float
    ticks: tuple[Tick, ...]


_PERCENT_STEPS = tuple(factor * 10.0**power for power in range(1, 9) for factor in (2.5, 5, 10, 20))
_MOST_TICKS = 8
TRAJECTORY_HEIGHT = 210.0
_TOP, _BOTTOM = 18.0, 34.0


def trajectory(points: Sequence[tuple[date | None, Estimate | None]]) -> Trajectory:
    """Lay out volumes (cm3) over time, of two or more studies in their order.

    Dates are placed to scale where all are known and no two are the same, else evenly. A study
    without a volume keeps its place, and no line is drawn through it.
    """
    most = max((e.high for _, e in points if e is not None), default=1.0)
    step = _step(most)
    top = max(step, ceil(most / step) * step)

    def height(value: float) -> float:
        return _TOP + (1 - value / top) * (TRAJECTORY_HEIGHT - _TOP - _BOTTOM)

    marks = tuple(
        VolumeMark(
            x=x,
            y=None if estimate is None else height(estimate.value),
            low=None if estimate is None else height(estimate.low),
            high=None if estimate is None else height(estimate.high),
            day=day,
            estimate=estimate,
        )
        for x, (day, estimate) in zip(_places([day for day, _ in points]), points, strict=True)
    )
    lines = tuple(
        (a.x, a.y, b.x, b.y) for a, b in pairwise(marks) if a.y is not None and b.y is not None
    )
    ticks = tuple(Tick(height(n * step), n * step) for n in range(round(top / step) + 1))
    return Trajectory(marks, lines, ticks)


def percent_plot(estimate: Estimate) -> PercentPlot:
    """Lay out percent resorption, from the lowest 25 % below the interval, or -25 %, to 100 %."""
    lowest = min(-25.0, floor(estimate.low / 25) * 25.0)

    def place(value: float) -> float:
        return MARGIN / 2 + (value - lowest) / (100 - lowest) * (WIDTH - MARGIN)

    step = next(step for step in _PERCENT_STEPS if (100 - lowest) / step <= _MOST_TICKS)
    values = [*(n * step for n in range(ceil(lowest / step), ceil(100 / step))), 100.0]
    ticks = tuple(Tick(place(value), value) for value in values)
    return PercentPlot(
        bar=Bar(place(estimate.value), place(estimate.low), place(min(estimate.high, 100.0))),
        nothing_at=place(0.0),
        ticks=ticks,
    )


@dataclass(frozen=True)
class Axis:
    """A horizontal axis from 0, with as many rows as there are things to compare."""

    most: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Where a value lies."""
        return MARGIN / 2 + value / self.most * (WIDTH - MARGIN)


def axis(*, most: float, step: float | None = None) -> Axis:
    """An axis that holds `most`, with ticks every `step`, or at round values."""
    step = _step(most) if step is None else step
    top = max(step, ceil(most / step - 1e-9) * step)
    bare = Axis(top, ())
    ticks = tuple(Tick(bare.place(n * step), n * step) for n in range(round(top / step) + 1))
    return Axis(top, ticks)


def _places(days: Sequence[date | None]) -> list[float]:
    left, right = MARGIN + 24, WIDTH - 40
    known = [day for day in days if day is not None]
    if len(known) == len(days) and len(set(known)) == len(days) > 1:
        span = (max(known) - min(known)).days
        return [left + (day - min(known)).days / span * (right - left) for day in known]
    count = max(len(days) - 1, 1)
    return [left + n / count * (right - left) for n in range(len(days))]


def _step(most: float) -> float:
    """Round, for three to six ticks."""
    rough = max(most, 1e-3) / 4
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
