"""Whether the network's occupancies mean what they say: a reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from benchmarks.anatomy.scores import CLASSES
from benchmarks.anatomy.unseen import Body

BINS = 20
AT_ALL = 0.01
"""Voxels that are nothing of a structure by both are left out: there are too many of them."""
DOUBTFUL = (0.05, 0.95)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Sums over the voxels of each bin of predicted occupancy."""

    count: Array
    predicted: Array
    true: Array

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.count + other.count, self.predicted + other.predicted, self.true + other.true
        )

    def volume_ratio(self) -> float:
        """Sum of the occupancies that are found over that of the true ones."""
        return float(self.predicted.sum() / self.true.sum())

    def expected_error(self, *, doubtful: bool = False) -> float:
        """Expected calibration error: mean over the voxels of |predicted - true| of their bin."""
        edges = np.linspace(0, 1, BINS + 1)
        kept = np.ones(BINS, bool)
        if doubtful:
            kept = (edges[:-1] >= DOUBTFUL[0] - 1e-9) & (edges[1:] <= DOUBTFUL[1] + 1e-9)
        gap = np.abs(self.predicted - self.true)[kept]
        return float(gap.sum() / max(self.count[kept].sum(), 1))


Sums = dict[str, dict[str, Reliability]]
"""By kind of slices and class."""


def reliability(found: sitk.Image, truth: sitk.Image) -> Reliability:
    """Of one structure in one scan."""
    predicted = sitk.GetArrayViewFromImage(found).astype(float).ravel()
    true = sitk.GetArrayViewFromImage(truth).astype(float).ravel()
    kept = (predicted >= AT_ALL) | (true >= AT_ALL)
    predicted, true = predicted[kept], true[kept]
    place = np.minimum((predicted * BINS).astype(int), BINS - 1)

    def total(weights: Array | None = None) -> Array:
        return np.bincount(place, weights=weights, minlength=BINS).astype(float)

    return Reliability(total(), total(predicted), total(true))


def measure_reliability(body: Body) -> Sums:
    """By kind of slices and class."""
    return {
        slices: {
            name: reliability(getattr(found.anatomy, name), getattr(truth, name))
            for name in CLASSES
        }
        for slices, _, truth, found in body.both
    }


def added(all_sums: Sequence[Sums]) -> Sums:
    """Of all patients together."""
    return {
        slices: {name: reduce(add, (sums[slices][name] for sums in all_sums)) for name in by_class}
        for slices, by_class in all_sums[0].items()
    }


def document(sums: Sums) -> dict[str, object]:
    """For JSON."""
    return {
        slices: {
            name: {
                "count": one.count.tolist(),
                "predicted": one.predicted.tolist(),
                "true": one.true.tolist(),
                "expected_error": one.expected_error(),
                "expected_error_of_doubtful": one.expected_error(doubtful=True),
            }
            for name, one in by_class.items()
        }
        for slices, by_class in sums.items()
    }


def table(sums: Sums) -> str:
    """Expected calibration errors, as Markdown."""
    lines = [
        "| slices | structure | error, all voxels | error, occupancies of 0.05 to 0.95 "
        "| volume, found over true |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {kind} | {name} | {one.expected_error():.3f} "
        f"| {one.expected_error(doubtful=True):.3f} | {one.volume_ratio():.3f} |"
        for kind, by_class in sums.items()
        for name, one in by_class.items()
    ]
    return "\n".join(lines)


def draw(sums: Sums, path: Path) -> None:
    """One panel a kind of slices."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(sums), figsize=(9, 4.4), layout="constrained", dpi=110)
    for axis, (kind, by_class) in zip(np.atleast_1d(axes), sums.items(), strict=True):
        axis.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
        for name, one in by_class.items():
            enough = one.count >= 50
            axis.plot(
                (one.predicted / np.maximum(one.count, 1))[enough],
                (one.true / np.maximum(one.count, 1))[enough],
                marker="o",
                markersize=3,
                label=f"{name} (error {one.expected_error():.3f})",
            )
        axis.set(
            title=f"{kind} slices",
            xlabel="occupancy by the network",
            ylabel="occupancy by the experts' labels",
            xlim=(0, 1),
            ylim=(0, 1),
            aspect="equal",
        )
        axis.legend(fontsize=8, loc="upper left")
    figure.savefig(path)
    pyplot.close(figure)
