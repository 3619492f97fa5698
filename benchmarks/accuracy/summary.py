"""Rows to figures: bias, limits of agreement, ICC, coverage, confusion, overall and by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.accuracy.measure import DateRow, Row, Triple
from mri_resorb.cohort.agreement import bland_altman, intraclass_correlations

AXES = ("ap", "transverse", "craniocaudal")
LARGE_CM3 = 0.4
"""From this volume on, resorption and overlap have targets."""
CLEAR_LOSS_PERCENT = 50.0
HERNIATED_CM3 = 0.1
"""A fragment of this size that is called absent is a miss."""
DETECTION_CM3 = (0.05, 0.1, 0.15, 0.2, 0.3)
FEWEST = 4
NO_CHANGE, CLEAR_LOSS = "none", "loss of 50 % and more"

Figures = dict[str, Any]


def summarise(rows: Sequence[Row]) -> Figures:
    """All figures, and each again by group."""
    return {
        "all": figures(rows),
        **{
            f"{name}: {value}": figures(of)
            for name, group in GROUPS.items()
            for value, of in _grouped(rows, group)
        },
    }


def by_slice(row: Row) -> str:
    """The thicker of the two dates' slices."""
    thickest = max(row.baseline.slice_mm, row.follow_up.slice_mm)
    return "up to 3.3 mm" if thickest <= 3.3 else "4-4.4 mm" if thickest <= 4.4 else "5-5.5 mm"


def by_volume(row: Row) -> str:
    """The larger of the two true volumes."""
    largest = max(row.baseline.truth_cm3, row.follow_up.truth_cm3)
    bounds = (0.2, 0.4, 1.0)
    names = ("under 0.2 cm3", "0.2-0.4 cm3", "0.4-1 cm3", "1 cm3 and more")
    return names[int(np.searchsorted(bounds, largest, side="right"))]


GROUPS: Mapping[str, Callable[[Row], str]] = {
    "family": lambda row: row.family,
    "slices": by_slice,
    "volume": by_volume,
    "type": lambda row: max(row.baseline, row.follow_up, key=lambda d: d.truth_cm3).true_type,
    "fate": lambda row: row.fate,
    "protocols": lambda row: (
        "the same" if row.baseline.slice_mm == row.follow_up.slice_mm else "changed slices"
    ),
}


def _grouped(
    rows: Sequence[Row], group: Callable[[Row], str]
) -> Iterable[tuple[str, Sequence[Row]]]:
    for value in sorted({group(row) for row in rows}):
        yield value, [row for row in rows if group(row) == value]


def figures(rows: Sequence[Row]) -> Figures:
    """The figures of one group of pairs."""
    dates = [date for row in rows for date in (row.baseline, row.follow_up)]
    there = [d for d in dates if d.truth_cm3 > 0]
    return {
        "pairs": len(rows),
        "measured at both dates": sum(_both(row) for row in rows),
        "refused for": dict(Counter(d.reason for d in dates if d.reason)),
        "volume": _volume(there),
        "volume interval": {
            "V0": _coverage([(r.baseline.truth_cm3, r.baseline.found_cm3) for r in rows]),
            "V1": _coverage([(r.follow_up.truth_cm3, r.follow_up.found_cm3) for r in rows]),
        },
        "resorption": _resorption(rows),
        "verdict": _verdicts(rows),
        "type": _types([(d.true_type, d.type) for d in dates]),
        "type by perfect contours": _types([(d.true_type, d.oracle_type) for d in dates]),
        "size error, mm": _sizes([(d.true_sizes_mm, d.sizes_mm, d.slice_mm) for d in there]),
        "size error by perfect contours, mm": _sizes(
            [(d.true_sizes_mm, d.oracle_sizes_mm, d.slice_mm) for d in there]
        ),
        "overlap": _overlap(there),
        "called absent, by true volume": _absent(there),
        "absent where there are 0.1 cm3 or more": [
            f"{d.truth_cm3:.2f} cm3" for d in dates if _missed(d)
        ],
    }


def _both(row: Row) -> bool:
    return row.baseline.found_cm3 is not None and row.follow_up.found_cm3 is not None


def _absent(dates: Sequence[DateRow]) -> dict[str, str]:
    """Of the fragments that were looked for, those not found; volumes in cm3."""
    counts = {}
    for low, high in pairwise((0.0, *DETECTION_CM3, float("inf"))):
        seen = [d for d in dates if low < d.truth_cm3 <= high and d.found_cm3]
        missed = sum(d.status == "absent" for d in seen)
        name = f"over {low:g}" if high == float("inf") else f"{low:g}-{high:g}"
        counts[name] = f"{missed} of {len(seen)}"
    return counts


def _missed(date: DateRow) -> bool:
    return date.status == "absent" and date.truth_cm3 >= HERNIATED_CM3


def _volume(dates: Sequence[DateRow]) -> Figures:
    """Found against true, where something is there and was measured or called absent."""
    known = [d for d in dates if d.found_cm3]
    if len(known) < FEWEST:
        return {"dates": len(known)}
    truth = np.array([d.truth_cm3 for d in known])
    found = np.array([d.found_cm3[0] for d in known if d.found_cm3])
    agreement = bland_altman(found, truth)
    icc = intraclass_correlations(np.column_stack([truth, found]))
    perfect = [
        (d.found_cm3[0] - d.truth_cm3, d.oracle_cm3 - d.truth_cm3)
        for d in known
        if d.found_cm3 and d.oracle_cm3 is not None
    ]
    ours, oracle = np.abs(np.array(perfect)).mean(axis=0)
    return {
        "dates": len(known),
        "ICC(A,1)": _rounded(icc[0].value, icc[0].low, icc[0].high, digits=3) if icc else None,
        "bias, percent of the mean": round(100 * agreement.bias.value / truth.mean(), 1),
        "bias, mm3": round(1000 * agreement.bias.value),
        "limits of agreement, mm3": [
            round(1000 * limit.value) for limit in (agreement.lower_limit, agreement.upper_limit)
        ],
        "mean absolute error, mm3": round(1000 * float(np.abs(found - truth).mean())),
        "the same for the oracle, mm3": round(1000 * float(oracle)),
        "error against the oracle's": round(float(ours / oracle), 2),
    }


def _rounded(*values: float, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def _coverage(pairs: Sequence[tuple[float | None, Triple | None]]) -> Figures:
    known = [(t, f) for t, f in pairs if t is not None and f is not None]
    if not known:
        return {"of": 0}
    inside = sum(low <= truth <= high for truth, (_, low, high) in known)
    return {
        "inside": inside,
        "of": len(known),
        "percent": round(100 * inside / len(known), 1),
        "median width": round(float(np.median([high - low for _, (_, low, high) in known])), 3),
    }


def _resorption(rows: Sequence[Row]) -> Figures:
    known = [r for r in rows if r.percent and r.true_percent is not None]
    large = [r for r in known if r.baseline.truth_cm3 >= LARGE_CM3]
    oracle = [r for r in large if r.oracle_percent is not None]
    return {
        **_coverage([(r.true_percent, r.percent) for r in known]),
        "baselines of 0.4 cm3 and more": len(large),
        "their mean absolute error, points": _mean(
            abs(r.percent[0] - r.true_percent)
            for r in large
            if r.percent and r.true_percent is not None
        ),
        "the same for the oracle": _mean(
            abs(r.oracle_percent - r.true_percent)
            for r in oracle
            if r.oracle_percent is not None and r.true_percent is not None
        ),
    }


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return round(float(np.mean(listed)), 2) if listed else None


def _true_change(row: Row) -> str:
    if row.baseline.truth_cm3 == row.follow_up.truth_cm3 or row.fate in ("stays", "none"):
        return NO_CHANGE
    before, after = row.baseline.truth_cm3, row.follow_up.truth_cm3
    if after > before:
        return "growth"
    clear = 100 * (before - after) >= CLEAR_LOSS_PERCENT * before
    return CLEAR_LOSS if clear else "smaller loss"


def _verdicts(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """True change against verdict, counted."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(_true_change(row), Counter())[row.verdict] += 1
    return {truth: dict(counts) for truth, counts in sorted(found.items())}


def _types(pairs: Sequence[tuple[str, str | None]]) -> Figures:
    """True types against those found."""
    known = [(_graded(true), _graded(found)) for true, found in pairs if found is not None]
    if not known:
        return {"of": 0}
    right = sum(true == found for true, found in known)
    wrong = Counter(f"{true} called {found}" for true, found in known if true != found)
    return {
        "right": right,
        "of": len(known),
        "percent": round(100 * right / len(known), 1),
        "wrong": dict(wrong.most_common()),
    }


def _graded(kind: str) -> str:
    return "none or bulge" if kind in ("none", "bulge") else kind


def _sizes(sizes: Sequence[tuple[Triple | None, Triple | None, float]]) -> Figures:
    """True and found sizes, mm, and the distance of the slices."""
    known = [(true, found, slice_mm) for true, found, slice_mm in sizes if true and found]
    if not known:
        return {"of": 0}
    error = np.array([np.subtract(found, true) for true, found, _ in known])
    slices = np.array([slice_mm for *_, slice_mm in known])
    return {
        "of": len(known),
        **dict(zip(AXES, _rounded(*np.abs(error).mean(axis=0), digits=2), strict=True)),
        "bias": _rounded(*error.mean(axis=0), digits=2),
        "transverse, slices": round(float((np.abs(error[:, 1]) / slices).mean()), 2),
    }


def _overlap(dates: Sequence[DateRow]) -> Figures:
    large = [d for d in dates if d.truth_cm3 >= LARGE_CM3 and d.dice is not None]
    every = [d for d in dates if d.dice is not None]
    return {
        "Dice": _mean(d.dice for d in every if d.dice is not None),
        "Dice of 0.4 cm3 and more": _mean(d.dice for d in large if d.dice is not None),
        "of": len(large),
        "mean surface distance, mm": _mean(d.surface_mm for d in every if d.surface_mm is not None),
    }
