"""Dice and surface distance of every patient, at 0.9 and at 4.4 mm slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.anatomy.scores import CLASSES, mean_and_worst, score
from benchmarks.anatomy.unseen import FINE, THICK, Body


@dataclass(frozen=True)
class Outline:
    """One structure of one patient.

    Attributes:
        refused: what the scan check says, None where it lets the scan pass.
    """

    patient: str
    slices: str
    structure: str
    dice: float
    surface_mm: float
    refused: str | None


def score_outlines(body: Body) -> list[Outline]:
    """Each structure at both kinds of slices."""
    return [
        Outline(body.patient.patient, slices, name, one.dice, one.surface_mm, found.refusal)
        for slices, _, truth, found in body.both
        for name, one in score(found.anatomy, truth).items()
    ]


def table(outlines: Sequence[Outline]) -> str:
    """Mean and worst of each class, as Markdown; in brackets the patient."""
    lines = [
        "| slices | structure | mean Dice | worst Dice | mean surface distance, mm | worst, mm |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for slices in (FINE, THICK):
        for name in CLASSES:
            kept = [o for o in outlines if (o.slices, o.structure) == (slices, name)]
            mean, worst = mean_and_worst(o.dice for o in kept)
            mean_mm, worst_mm = mean_and_worst((o.surface_mm for o in kept), lowest_is_worst=False)
            lowest = next(o.patient for o in kept if o.dice == worst)
            furthest = next(o.patient for o in kept if o.surface_mm == worst_mm)
            lines.append(
                f"| {slices} | {name} | {mean:.3f} | {worst:.3f} ({lowest}) "
                f"| {mean_mm:.2f} | {worst_mm:.2f} ({furthest}) |"
            )
    refused = sorted({f"{o.patient} ({o.slices}: {o.refused})" for o in outlines if o.refused})
    lines.append(f"\nRefused by the scan check: {', '.join(refused) or 'none'}.")
    return "\n".join(lines)
