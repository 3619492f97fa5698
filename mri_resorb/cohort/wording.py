"""How a cohort's figures are worded, in tables and pictures alike."""

from __future__ import annotations

from collections.abc import Mapping

from mri_resorb.cohort.agreement import Figure
from mri_resorb.cohort.incidence import Definition
from mri_resorb.model import Estimate

DEFINITION_WORDS: Mapping[Definition, str] = {
    "any-decrease": "any decrease",
    "beyond-error": "beyond error",
    "over-25": "25 % or over",
    "over-50": "50 % or over",
    "complete": "complete",
}
FIGURE_WORDS: Mapping[Figure, tuple[str, str, int]] = {
    "baseline_cm3": ("volume at baseline", "cm³", 2),
    "follow_up_cm3": ("volume at follow-up", "cm³", 2),
    "resorption_percent": ("resorption", "%", 0),
}
"""Name, unit, and decimal places."""


def interval(estimate: Estimate, *, places: int = 0) -> str:
    """12.3 (10.1 to 14.9)."""
    value, low, high = (
        number(figure, places=places) for figure in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"


def number(value: float, *, places: int) -> str:
    """Rounded, with no minus before a zero."""
    text = f"{value:.{places}f}"
    return text.lstrip("-") if float(text) == 0 else text
