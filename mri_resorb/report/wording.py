"""How figures, dates and findings are worded, in the text and in the pictures alike.

The form is the clinic's: decimal comma, American dates with the month's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from math import floor

from mri_resorb.model import CaseResult, Estimate, Remark, TimePoint

DISCLAIMER = "Research and decision support, not a medical device."

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def decimal(value: float, *, places: int) -> str:
    """Round for people, with a decimal comma and no minus before a zero: 1,30."""
    text = f"{value:.{places}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace(".", ",")


def trimmed(value: float, *, places: int) -> str:
    """The same without trailing zeros: 1,2 and 2, not 1,20 and 2,00."""
    text = decimal(value, places=places)
    return text.rstrip("0").rstrip(",") if "," in text else text


def percent(value: float) -> str:
    """Whole percent, except that nothing short of it is called 100: 99,7."""
    if 99.5 <= value < 100:
        return decimal(floor(value * 10) / 10, places=1)
    return decimal(value, places=0)


def american_date(day: date) -> str:
    """November 5, 2018."""
    return f"{_MONTHS[day.month - 1]} {day.day}, {day.year}"


def volume(estimate: Estimate) -> str:
    """1,30 cm³ (95 % interval 1,10 to 1,52)."""
    low, high = decimal(estimate.low, places=2), decimal(estimate.high, places=2)
    return f"{decimal(estimate.value, places=2)} cm³ (95 % interval {low} to {high})"


def volume_at(point: TimePoint) -> str:
    """What was measured at one date, or that nothing was."""
    if point.fragment is None:
        return "not fully seen" if point.status == "incomplete" else "not measured"
    if point.status == "absent":
        left = decimal(point.fragment.volume_cm3.value, places=2)
        return f"no herniation (disc material behind the boundary {left} cm³)"
    return volume(point.fragment.volume_cm3)


def resorption(case: CaseResult) -> str:
    """50 % (95 % interval 35 to 62 %); growth is negative."""
    estimate = case.change.resorption_percent
    if estimate is not None:
        low, high = percent(estimate.low), percent(estimate.high)
        return f"{percent(estimate.value)} % (95 % interval {low} to {high} %)"
    if case.status == "measured" and case.baseline.status == "absent":
        return "no percentage, as there was no herniation at baseline"
    return "not given"


def verdict(case: CaseResult) -> str:
    """The verdict in words."""
    if case.status == "undetermined" or case.change.verdict == "undetermined":
        return "undetermined"
    if case.baseline.status == case.follow_up.status == "absent":
        return "no herniation at either date"
    if case.change.verdict == "decreased":
        bands = {"under-25": "under 25 % resorbed", "complete": "complete resorption"}
        band = case.change.band
        shown = f" ({bands.get(band, f'{band} % resorbed')})" if band else ""
        return f"decreased beyond measurement error{shown}"
    if case.change.verdict == "increased":
        return "increased beyond measurement error"
    return "no change beyond measurement error"


def reasons(remarks: Sequence[Remark]) -> str:
    """Several remarks one after the other, without the last full stop."""
    return ". ".join(remark.text().rstrip(".") for remark in remarks)
