"""Dice under every degradation, as a table and as curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.anatomy.degradations import DEGRADATIONS, Degradation, Degraded, plain
from benchmarks.anatomy.scores import CLASSES, dices, mean_and_worst
from benchmarks.anatomy.unseen import Body, outlined, where_known

DISC_DICE_LEAST = 0.75
"""Of the mean over patients at middle strength; below, the network has collapsed."""


@dataclass(frozen=True)
class Result:
    """One patient under one degradation; `strength` 0 is none, 1-3 slight to severe.

    Attributes:
        refused: what the scan check says, None where it lets the scan pass.
    """

    degradation: str
    strength: int
    patient: str
    dice: dict[str, float]
    refused: str | None


def measure_robustness(
    body: Body, degradations: Sequence[Degradation] = DEGRADATIONS
) -> list[Result]:
    """One patient under everything."""
    results = [_result(plain(body), body, name="none", strength=0)]
    for number, degradation in enumerate(degradations):
        for k, strength in enumerate(degradation.strengths):
            rng = np.random.default_rng([int(body.patient.patient), number])
            degraded = degradation.make(body, strength, rng)
            results.append(_result(degraded, body, name=degradation.name, strength=k + 1))
    return results


def _result(degraded: Degraded, body: Body, *, name: str, strength: int) -> Result:
    found = outlined(degraded.image, body.weights).where_known(degraded.truth)
    return Result(
        degradation=name,
        strength=strength,
        patient=body.patient.patient,
        dice=dices(found.anatomy, where_known(degraded.truth, degraded.truth)),
        refused=found.refusal,
    )


def mean_dice(results: Sequence[Result], name: str, strength: int, structure: str) -> float:
    """Over patients."""
    return float(np.mean([r.dice[structure] for r in _of(results, name, strength)]))


def _of(results: Sequence[Result], name: str, strength: int) -> list[Result]:
    return [r for r in results if (r.degradation, r.strength) == (name, strength)]


def collapsed(results: Sequence[Result]) -> list[str]:
    """The degradations whose middle strength is too much."""
    return [
        one.name
        for one in DEGRADATIONS
        if mean_dice(results, one.name, 2, "disc") < DISC_DICE_LEAST
    ]


def table(results: Sequence[Result]) -> str:
    """Mean Dice by strength, worst disc and refusals, as Markdown."""
    lines = [
        "| degradation | strength | vertebra | disc | canal | sacrum | worst disc | refused |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = [("none", "", 0)]
    rows += [
        (one.name, f"{one.measure}: {strength:g}", k + 1)
        for one in DEGRADATIONS
        for k, strength in enumerate(one.strengths)
    ]
    for name, measure, k in rows:
        means = " | ".join(f"{mean_dice(results, name, k, part):.3f}" for part in CLASSES)
        kept = _of(results, name, k)
        _, worst = mean_and_worst(r.dice["disc"] for r in kept)
        refused = sum(r.refused is not None for r in kept)
        lines.append(f"| {name} | {measure} | {means} | {worst:.3f} | {refused} of {len(kept)} |")
    lines.append(f"\nCollapsed at middle strength: {', '.join(collapsed(results)) or 'none'}.")
    return "\n".join(lines)


def draw(results: Sequence[Result], path: Path) -> None:
    """A small panel a degradation: mean Dice of each class by strength."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        4, 5, figsize=(11, 8.4), sharey=True, layout="constrained", dpi=100
    )
    for axis, one in zip(axes.flat, DEGRADATIONS, strict=True):
        axis.axhline(DISC_DICE_LEAST, color="0.7", linewidth=0.8, linestyle="--")
        for structure in CLASSES:
            names = ["none", one.name, one.name, one.name]
            means = [mean_dice(results, name, k, structure) for k, name in enumerate(names)]
            axis.plot(range(4), means, marker="o", markersize=3, label=structure)
        axis.set_title(one.name, fontsize=9)
        axis.set_xlabel(one.measure, fontsize=8)
        axis.set_xticks(range(4), ["none", *(f"{s:g}" for s in one.strengths)], fontsize=8)
        axis.set_ylim(0, 1)
    axes[0, 0].legend(fontsize=7, loc="lower left")
    figure.supylabel("Dice, mean of the patients", fontsize=9)
    figure.savefig(path)
    pyplot.close(figure)
