"""Where the bars of the waterfall plot lie: geometry alone, in the units of its picture.

The words and the SVG elements are in `page.html`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor

from mri_resorb.io.results import EstimateDocument

WIDTH, HEIGHT = 960.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 8.0, 12.0, 12.0
LOWEST_PERCENT = -100.0
"""Growth beyond doubling is cut off and marked, so that the others can be read."""
_WIDEST_BAR = 28.0


@dataclass(frozen=True)
class Bar:
    """One case; y runs downwards.

    Attributes:
        cut: the bar goes on below the picture.
    """

    case: str
    x: float
    width: float
    y: float
    height: float
    low_y: float
    high_y: float
    cut: bool


@dataclass(frozen=True)
class Waterfall:
    """Resorption of all cases that have a percentage, the most grown first.

    Attributes:
        ticks: (y, percent).
    """

    bars: tuple[Bar, ...]
    zero_y: float
    ticks: tuple[tuple[float, int], ...]


def waterfall(percents: Mapping[str, EstimateDocument]) -> Waterfall:
    """Lay out percent resorption by case."""
    least = min((estimate.low for estimate in percents.values()), default=0.0)
    lowest = max(LOWEST_PERCENT, min(0.0, floor(least / 25) * 25.0))

    def height(percent: float) -> float:
        within = min(max(percent, lowest), 100.0)
        return round(TOP + (100 - within) / (100 - lowest) * (HEIGHT - TOP - BOTTOM), 2)

    order = sorted(percents, key=lambda case: (percents[case].value, case))
    step = min((WIDTH - LEFT - RIGHT) / max(len(order), 1), _WIDEST_BAR)
    bars = []
    for place, case in enumerate(order):
        estimate = percents[case]
        ends = sorted((height(estimate.value), height(0)))
        bars.append(
            Bar(
                case=case,
                x=round(LEFT + place * step, 2),
                width=round(step * 0.8, 2),
                y=ends[0],
                height=round(ends[1] - ends[0], 2),
                low_y=height(estimate.low),
                high_y=height(estimate.high),
                cut=estimate.value < lowest,
            )
        )
    ticks = tuple((height(percent), percent) for percent in range(int(lowest), 101, 25))
    return Waterfall(tuple(bars), height(0), ticks)
