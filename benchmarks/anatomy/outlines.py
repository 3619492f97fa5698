"""Dice and surface distance of every patient, at 0.9 and at 4.4 mm slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.anatomy.scores import CLASSES, best_dice, mean_and_worst, score, volume_ratio
from benchmarks.anatomy.unseen import FINE, THICK, Body


@dataclass(frozen=True)
class Outline:
    """One structure of one patient.

    Attributes:
        best_dice: at the occupancy at which it would be best. What one patient's experts outline
            wider or narrower than others do costs nothing there.
        volume_ratio: of what is found to what is true; NaN where nothing is true.
        refused: what the scan check says, None where it lets the scan pass.
    """

    patient: str
    slices: str
    structure: str
    dice: float
    surface_mm: float
    best_dice: float
    volume_ratio: float
    refused: str | None


def score_outlines(body: Body) -> list[Outline]:
    """Each structure at both kinds of slices."""
    return [
        Outline(
            body.patient.patient,
            slices,
            name,
            one.dice,
            one.surface_mm,
            best_dice(getattr(found.anatomy, name), getattr(truth, name)),
            volume_ratio(getattr(found.anatomy, name), getattr(truth, name)),
            found.refusal,
        )
        for slices, _, truth, found in body.both
        for name, one in score(found.anatomy, truth).items()
    ]


def table(outlines: Sequence[Outline]) -> str:
    """Mean and worst of each class, as Markdown; in brackets the patient."""
    lines = [
        "| slices | structure | mean Dice | worst Dice | mean surface distance, mm | worst, mm "
        "| mean and worst Dice at each patient's best occupancy | volume, found over true |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for slices in (FINE, THICK):
        for name in CLASSES:
            kept = [o for o in outlines if (o.slices, o.structure) == (slices, name)]
            mean, worst = mean_and_worst(o.dice for o in kept)
            mean_mm, worst_mm = mean_and_worst((o.surface_mm for o in kept), lowest_is_worst=False)
            best, best_worst = mean_and_worst(o.best_dice for o in kept)
            lowest = next(o.patient for o in kept if o.dice == worst)
            furthest = next(o.patient for o in kept if o.surface_mm == worst_mm)
            lines.append(
                f"| {slices} | {name} | {mean:.3f} | {worst:.3f} ({lowest}) "
                f"| {mean_mm:.2f} | {worst_mm:.2f} ({furthest}) "
                f"| {best:.3f}, {best_worst:.3f} "
                f"| {min(o.volume_ratio for o in kept):.2f} to "
                f"{max(o.volume_ratio for o in kept):.2f} |"
            )
    refused = sorted({f"{o.patient} ({o.slices}: {o.refused})" for o in outlines if o.refused})
    lines.append(f"\nRefused by the scan check: {', '.join(refused) or 'none'}.")
    return "\n".join(lines)
