"""How figures and findings are worded, in the text and in the pictures alike.

The form is the clinic's: a decimal comma in every language, months to the nearest half.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from mri_resorb.languages import Language, decimal, say
from mri_resorb.model import CaseResult, Estimate, Remark, TimePoint


def disclaimer(language: Language) -> str:
    """What the result is for, one sentence."""
    return say("case.disclaimer", language=language)


def trimmed(value: float, *, places: int) -> str:
    """A decimal without trailing zeros: 1,2 and 2, not 1,20 and 2,00."""
    text = decimal(value, places=places)
    return text.rstrip("0").rstrip(",") if "," in text else text


def percent(value: float) -> str:
    """Whole percent, except that nothing short of it is called 100: 99,7."""
    if 99.5 <= value < 100:
        return decimal(floor(value * 10) / 10, places=1)
    return decimal(value, places=0)


def volume(estimate: Estimate, *, language: Language) -> str:
    """1,30 cm³ (95 % interval 1,10 to 1,52)."""
    value, low, high = (
        decimal(figure, places=2) for figure in (estimate.value, estimate.low, estimate.high)
    )
    return say("case.estimate-cm3", language=language, value=value, low=low, high=high)


def volume_at(point: TimePoint, *, language: Language) -> str:
    """What was measured at one date, or that nothing was."""
    if point.fragment is None:
        return say(
            "case.volume-incomplete"
            if point.status == "incomplete"
            else "case.volume-undetermined",
            language=language,
        )
    if point.status == "absent":
        left = decimal(point.fragment.volume_cm3.value, places=2)
        return say("case.volume-absent", language=language, volume=left)
    return volume(point.fragment.volume_cm3, language=language)


def resorption(case: CaseResult, *, language: Language) -> str:
    """50 % (95 % interval 35 to 62 %); growth is negative."""
    estimate = case.change.resorption_percent
    if estimate is not None:
        value, low, high = (
            percent(figure) for figure in (estimate.value, estimate.low, estimate.high)
        )
        return say("case.estimate-percent", language=language, value=value, low=low, high=high)
    if case.status == "measured" and case.baseline.status == "absent":
        return say("case.resorption-without-baseline", language=language)
    return say("case.resorption-unknown", language=language)


def verdict(case: CaseResult, *, language: Language) -> str:
    """The verdict in words."""
    if case.status == "undetermined" or case.change.verdict == "undetermined":
        return say("case.verdict-undetermined", language=language)
    if case.baseline.status == case.follow_up.status == "absent":
        return say("case.verdict-absent", language=language)
    if case.change.verdict == "decreased":
        if case.change.band is None:
            return say("case.verdict-decreased", language=language)
        band = say(f"case.band-{case.change.band}", language=language)
        return say("case.verdict-decreased-band", language=language, band=band)
    if case.change.verdict == "increased":
        return say("case.verdict-increased", language=language)
    return say("case.verdict-unchanged", language=language)


def reasons(remarks: Sequence[Remark], *, language: Language) -> str:
    """Several remarks one after the other, without the last full stop."""
    return ". ".join(remark.text(language).rstrip(".") for remark in remarks)
