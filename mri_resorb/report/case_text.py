"""The case in the form of the clinic's examples: three lines, then the figures and their error.

    Patient: Man, 50 years old
    Diagnosis: sequestrated herniated disc L3-L4 with the right cranial migration. Size - 2х1 cm
    Result: complete sequester resorption and partial hernia resorption. Here it is 3 months ...

What the input does not tell is left out, never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from mri_resorb import __version__
from mri_resorb.languages import Language, Value, say
from mri_resorb.model import DEFINITIONS_VERSION, CaseResult, Fragment, Migration, TimePoint
from mri_resorb.report import wording

_SHOWN_CM3 = 0.005
"""A volume under this reads 0,00: nothing is left of it."""


def case_text(case: CaseResult, *, language: Language = Language.EN) -> str:
    """All lines of `case.txt`, ended by a newline."""
    text = _Text(case, language)
    lines = [
        text.say("patient-line", patient=text.patient()),
        text.say("diagnosis-line", diagnosis=text.diagnosis()),
        text.say("result-line", finding=f"{text.finding()}{text.interval()}"),
        text.say("volume-line", baseline=text.volume_at(0), follow_up=text.volume_at(1)),
        text.say("resorption-line", resorption=wording.resorption(case, language=language)),
        text.say("verdict-line", verdict=wording.verdict(case, language=language)),
        *(text.say("note-line", remark=warning.text(language)) for warning in case.warnings),
        text.say(
            "last-line",
            definitions=DEFINITIONS_VERSION,
            version=__version__,
            disclaimer=wording.disclaimer(language),
        ),
    ]
    return "\n".join(" ".join(line.split()) for line in lines) + "\n"


@dataclass(frozen=True)
class _Text:
    case: CaseResult
    language: Language

    def say(self, key: str, **values: Value) -> str:
        return say(f"case.{key}", language=self.language, **values)

    def patient(self) -> str:
        patient = self.case.patient
        known = []
        if patient.sex is not None:
            known.append(self.say({"F": "woman", "M": "man"}[patient.sex]))
        if patient.age_years is not None:
            known.append(self.say("age", years=patient.age_years))
        return ", ".join(known) or self.say("patient-unknown")

    def diagnosis(self) -> str:
        level, fragment = str(self.case.level), self.case.baseline.fragment
        if fragment is None:
            return self.say("diagnosis-undetermined", level=level)
        if self.case.baseline.status == "absent":
            return self.say("diagnosis-absent", level=level)
        size_word = _size_word(fragment.canal_compromise_percent)
        kind = f"{fragment.type}-{size_word}" if size_word else fragment.type
        stenosis = self.say(f"stenosis-{size_word}") if size_word else ""
        return (
            f"{self.say(f'diagnosis-{kind}', level=level)}"
            f"{self._migration(fragment.migration)}{stenosis}{self._size(fragment)}"
        )

    def _migration(self, migration: Migration | None) -> str:
        if migration is None or migration.craniocaudal == "none":
            return ""
        return self.say(f"migration-{migration.craniocaudal}-{migration.side}")

    def _size(self, fragment: Fragment) -> str:
        if fragment.size is None:
            return ""
        ap, craniocaudal = (
            wording.trimmed(extent_mm / 10, places=2)
            for extent_mm in (fragment.size.ap, fragment.size.craniocaudal)
        )
        return self.say("size", ap=ap, craniocaudal=craniocaudal)

    def finding(self) -> str:
        case, before, after = self.case, self.case.baseline, self.case.follow_up
        if case.status == "undetermined" or before.fragment is None or after.fragment is None:
            why = wording.reasons(case.reasons, language=self.language)
            if why:
                return self.say("finding-undetermined-because", reasons=why)
            return self.say("finding-undetermined")
        if before.status == "absent":
            if after.status == "absent":
                return self.say("finding-absent")
            return self.say(f"finding-new-{after.fragment.type}")
        if case.change.verdict == "decreased":
            return self._resorbed(before.fragment, after)
        if case.change.verdict == "increased":
            return self.say("finding-increased")
        return self.say(
            "finding-unchanged-gone" if after.status == "absent" else "finding-unchanged"
        )

    def _resorbed(self, before: Fragment, after: TimePoint) -> str:
        """What shrank: the detached piece and the part joined to the disc, each by its own volumes.

        The interval is known for both together. A part is called partly resorbed only where it
        lost more than the whole's loss may be wrong by; and neither is told apart where the other
        one grew by as much, since a piece may have changed sides.
        """
        assert after.fragment is not None
        whole = "bulge" if before.type == "bulge" else "hernia"
        complete = after.status == "absent"
        if before.type != "sequestration":
            return self.say(f"{'complete' if complete else 'partial'}-{whole}")
        if complete:
            joined_before = before.joined_cm3 >= _SHOWN_CM3
            return self.say("complete-both" if joined_before else "complete-sequester")

        loss = self.case.change.absolute_cm3
        error_cm3 = inf if loss is None else loss.value - loss.low
        lost_joined = before.joined_cm3 - after.fragment.joined_cm3
        lost_detached = before.detached_cm3 - after.fragment.detached_cm3
        if min(lost_joined, lost_detached) < -error_cm3:
            return self.say("partial-hernia")
        degrees = {
            "sequester": _degree(
                left_cm3=after.fragment.detached_cm3, lost_cm3=lost_detached, error_cm3=error_cm3
            ),
            "hernia": _degree(
                left_cm3=after.fragment.joined_cm3, lost_cm3=lost_joined, error_cm3=error_cm3
            ),
        }
        parts = [self.say(f"{degree}-{part}") for part, degree in degrees.items() if degree]
        if len(parts) == 2:
            return self.say("and", first=parts[0], second=parts[1])
        return parts[0] if parts else self.say("partial-hernia")

    def interval(self) -> str:
        first, second = self.case.baseline.scan.date, self.case.follow_up.scan.date
        months = self.case.interval_months
        if self.case.interval_days is None or months is None or not (first and second):
            return ""
        half_months = round(2 * months) / 2
        if half_months < 1:
            length = self.say("days", days=self.case.interval_days)
        else:
            length = self.say("months", months=half_months)
        return self.say("interval", length=length, first=first, second=second)

    def volume_at(self, which: int) -> str:
        point = (self.case.baseline, self.case.follow_up)[which]
        volume = wording.volume_at(point, language=self.language)
        if point.scan.date is not None:
            return self.say("volume-dated", volume=volume, day=point.scan.date)
        return self.say(("volume-baseline", "volume-follow-up")[which], volume=volume)


def _size_word(percent: float | None) -> str:
    """The clinic's word for the part of the canal that is taken, by thirds; "" under a third."""
    if percent is None or percent < 100 / 3:
        return ""
    return "big" if percent <= 200 / 3 else "huge"


def _degree(*, left_cm3: float, lost_cm3: float, error_cm3: float) -> str:
    if lost_cm3 >= _SHOWN_CM3 > left_cm3:
        return "complete"
    return "partial" if lost_cm3 > error_cm3 else ""
