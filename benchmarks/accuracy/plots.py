"""Bland-Altman plots of volume and resorption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.accuracy.measure import Row
from mri_resorb.cohort.agreement import bland_altman

_COLOURS = {"implant": "#b04a1e", "phantom": "#1f5f8b"}


def plot(rows: Sequence[Row], file: Path) -> None:
    """Difference over truth, volumes (mm3) beside resorption (points)."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    volumes, percents = figure.subplots(1, 2)
    for family, colour in _COLOURS.items():
        of = [row for row in rows if row.family == family]
        dates = [d for r in of for d in (r.baseline, r.follow_up) if d.found_cm3 and d.truth_cm3]
        truth = np.array([d.truth_cm3 for d in dates])
        found = np.array([d.found_cm3[0] for d in dates if d.found_cm3])
        volumes.plot(truth, 1000 * (found - truth), ".", color=colour, label=family)
        known = [r for r in of if r.percent and r.baseline.truth_cm3 > 0]
        percents.plot(
            [r.baseline.truth_cm3 for r in known],
            [
                r.percent[0] - r.true_percent
                for r in known
                if r.percent and r.true_percent is not None
            ],
            ".",
            color=colour,
            label=family,
        )
    every = [d for r in rows for d in (r.baseline, r.follow_up) if d.found_cm3 and d.truth_cm3]
    agreement = bland_altman(
        [d.found_cm3[0] for d in every if d.found_cm3], [d.truth_cm3 for d in every]
    )
    for limit in (agreement.lower_limit, agreement.bias, agreement.upper_limit):
        volumes.axhline(1000 * limit.value, color="0.4", linewidth=0.8, linestyle="--")
    for axes, label in ((volumes, "found - true, mm³"), (percents, "found - true, points")):
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.set_ylabel(label)
    volumes.set_xlabel("true volume, cm³")
    percents.set_xlabel("true baseline volume, cm³")
    volumes.set_title("Volume, with limits of agreement")
    percents.set_title("Resorption")
    percents.set_ylim(-100, 100)
    volumes.legend(frameon=False)
    figure.savefig(file, dpi=110)
