"""A published claim, as far as its own words go: what is not found there is not stated.

The words are those of clinics' case lines: American dates with the month's name, a decimal comma or
point, sizes joined by `x`, `×` or the Cyrillic letter.
"""

from __future__ import annotations

import re
from calendar import month_name
from collections.abc import Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mri_resorb.errors import ClaimError, LevelNameError
from mri_resorb.model import HerniationType, Level, Sex

Plane = Literal["sagittal", "axial"]
Result = Literal["complete", "partial"]
_Name = TypeVar("_Name", bound=str)
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Sizes = Annotated[tuple[_Positive, ...], Field(min_length=2, max_length=3)]


class Claim(BaseModel):
    """What a claim states of one case; None where it does not.

    Attributes:
        interval_months: as stated, to the step `interval_step_months` that it is rounded to.
        size_cm: two or three extents at baseline; `plane` is the one that two were measured in.
        error_stated: some error, interval or limits of the measurement.
        notes: how odd words were read, and which were left unread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sex: Sex | None = None
    age_years: int | None = None
    type: HerniationType | None = None
    level: Level | None = None
    baseline_date: date | None = None
    follow_up_date: date | None = None
    interval_months: _Positive | None = None
    interval_step_months: _Positive = 1.0
    size_cm: _Sizes | None = None
    follow_up_size_cm: _Sizes | None = None
    plane: Plane | None = None
    volume_cm3: _Positive | None = None
    follow_up_volume_cm3: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    resorption_percent: Annotated[float, Field(le=100, allow_inf_nan=False)] | None = None
    result: Result | None = None
    error_stated: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """It states nothing that could be checked."""
        unstated = self.model_dump(exclude={"notes", "interval_step_months", "error_stated"})
        return all(value is None for value in unstated.values())


def read_claim_file(file: Path) -> Claim:
    """Read a YAML file whose keys are those of `Claim`.

    Raises:
        ClaimError: not there, not YAML, or a wrong key or value.
    """
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(f"{file} is not there or cannot be read.") from error
    except yaml.YAMLError as error:
        raise ClaimError(f"{file} is not YAML; see docs/claims.md for an example.") from error
    if not isinstance(content, dict):
        raise ClaimError(f"{file} holds no keys; see docs/claims.md for an example.")
    try:
        return Claim.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ClaimError(f"{file}: {where}: {fault['msg']}.") from error


def read_claim(text: str) -> Claim:
    """Read a claim in words.

    Raises:
        ClaimError: there are no words.
    """
    if not text.strip():
        raise ClaimError("The claim is empty; give its words, or a .yaml file.")
    notes: list[str] = []
    own = _normalised(_without_generalities(text, notes))
    first, second = _dates(own, notes)
    months, step = _stated_interval(own)
    sizes = _sizes(own, notes)
    volumes = _volumes(own)
    return Claim(
        sex=_only(_SEXES, own, "sex", notes),
        age_years=_age(own),
        type=_only(_TYPES, own, "type", notes),
        level=_level(own, notes),
        baseline_date=first,
        follow_up_date=second,
        interval_months=months,
        interval_step_months=step,
        size_cm=sizes[0],
        follow_up_size_cm=sizes[1],
        plane=_only(_PLANES, own, "plane", notes),
        volume_cm3=volumes[0] or None,
        follow_up_volume_cm3=volumes[1],
        resorption_percent=_percent(own),
        result=_result(own, notes),
        error_stated=bool(re.search(r"±|\bCI\b|confidence|measurement error|95 ?% interval", own)),
        notes=tuple(notes),
    )


_NUMBER = r"\d+(?:[.,]\d+)?"
_SEXES: Mapping[Sex, str] = {"F": r"\b(?:wom[ae]n|female)\b", "M": r"\b(?:m[ae]n|male)\b"}
_PLANES: Mapping[Plane, str] = {"sagittal": r"\bsagittal", "axial": r"\baxial"}
_TYPES: Mapping[HerniationType, str] = {
    "sequestration": "sequest",
    "extrusion": "extru",
    "protrusion": "protru",
    "bulge": r"\bbulg",
}
_MONTHS = [month_name[number].lower() for number in range(1, 13)]
_DAYS_A_MONTH = 30.4375
_IN_MONTHS = {"day": 1 / _DAYS_A_MONTH, "week": 7 / _DAYS_A_MONTH, "month": 1.0, "year": 12.0}


def _normalised(text: str) -> str:
    """One kind of times sign, dash and space; the unit of several sizes once, after the last."""
    text = re.sub(r"(?<=\d)\s*(?:cm|mm)?\s*[x×хХX*]\s*(?=\d)", "x", text)
    text = re.sub("[\u2010-\u2015]", "-", text)
    return " ".join(text.split())


def _without_generalities(text: str, notes: list[str]) -> str:
    """Leave out sentences that speak of such cases at large, which are no result of this one."""
    kept = []
    for sentence in re.split(r"(?<=[.!?;])\s+(?=[A-Z])|\n(?=\s*\w+:)", text):
        if re.search(r"\b(usually|mostly|typically|generally|often|such cases)\b", sentence, re.I):
            words = " ".join(sentence.split())
            notes.append(f"Not a result of this case, left unread: “{words}”")
        else:
            kept.append(sentence)
    return "\n".join(kept)


def _only(patterns: Mapping[_Name, str], text: str, what: str, notes: list[str]) -> _Name | None:
    found = [name for name, pattern in patterns.items() if re.search(pattern, text, re.I)]
    if len(found) > 1:
        notes.append(f"More than one {what} is named ({', '.join(found)}): none was taken.")
    return found[0] if len(found) == 1 else None


def _age(text: str) -> int | None:
    found = re.search(r"\b(\d{1,3})[ -](?:years?[ -]old|y/?o\b)", text, re.I)
    return int(found.group(1)) if found else None


def _level(text: str, notes: list[str]) -> Level | None:
    levels = set()
    for found in re.findall(r"\bL ?\d ?[-/]? ?[LS]? ?\d\b", text, re.I):
        try:
            levels.add(Level.parse(found))
        except LevelNameError:
            notes.append(f"'{found}' is not a lumbar level.")
    if len(levels) > 1:
        notes.append(f"More than one level is named ({', '.join(sorted(levels))}): none was taken.")
    return levels.pop() if len(levels) == 1 else None


def _dates(text: str, notes: list[str]) -> tuple[date | None, date | None]:
    """The two examinations, in the order of the text, which is checked later."""
    days = list(_days(text, notes))
    if len(days) == 2:
        return days[0], days[1]
    if days:
        notes.append(f"{len(days)} dates, where two examinations have two: none was taken.")
    return None, None


def _days(text: str, notes: list[str]) -> Iterator[date]:
    word, day, year = (
        r"(?P<word>[A-Za-z]{3,})\.?",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?",
        r"(?P<year>\d{4})",
    )
    american = rf"{word},? {day},? {year}\b"
    european = rf"\b{day} {word},? {year}\b"
    iso = r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})\b"
    hits = [hit for pattern in (american, european, iso) for hit in re.finditer(pattern, text)]
    for hit in sorted(hits, key=lambda hit: hit.start()):
        parts = hit.groupdict()
        month = int(parts["month"]) if "month" in parts else _month(parts["word"], notes)
        if month is None:
            continue
        try:
            yield date(int(parts["year"]), month, int(parts["day"]))
        except ValueError:
            notes.append(f"'{hit.group()}' is no day of the calendar.")
    for hit in re.finditer(r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b", text):
        notes.append(f"'{hit.group()}' does not say which number is the month: not read.")


def _month(word: str, notes: list[str]) -> int | None:
    name = word.lower()
    for number, month in enumerate(_MONTHS, start=1):
        if name == month or name == month[:3] or (name, month) == ("sept", "september"):
            return number
    close = get_close_matches(name, _MONTHS, n=1, cutoff=0.85)
    if not close:
        return None
    notes.append(f"'{word}' was read as {close[0].capitalize()}.")
    return _MONTHS.index(close[0]) + 1


def _stated_interval(text: str) -> tuple[float | None, float]:
    """Months between the examinations and the step they are rounded to; (None, 1) if not stated."""
    length = rf"({_NUMBER})[ -](day|week|month|year)s?"
    found = re.search(rf"{length} (?:between|apart|later)", text, re.I) or re.search(
        rf"(?:interval(?: of)?|after|in|within|follow-up (?:of|at)):? {length}\b(?! old)",
        text,
        re.I,
    )
    if found is None:
        return None, 1.0
    number, unit = found.group(1), _IN_MONTHS[found.group(2).lower()]
    step = 0.5 if re.search(r"[.,]5$", number) else 0.1 if re.search(r"[.,]", number) else 1.0
    return _float(number) * unit, step * unit


def _sizes(
    text: str, notes: list[str]
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Sizes before and after, cm; a second one counts as after only where the words say so."""
    hits = list(re.finditer(rf"{_NUMBER}(?:x{_NUMBER}){{1,2}}(?: ?(?:cm|mm)\b)?", text))
    read: list[tuple[float, ...] | None] = []
    for hit in hits:
        unit = re.search(r"cm|mm", hit.group())
        if unit is None:
            notes.append(f"The size {hit.group()} has no unit: not read.")
            continue
        scale = 1.0 if unit.group() == "cm" else 0.1
        read.append(tuple(scale * _float(part) for part in re.findall(_NUMBER, hit.group())))
    if len(read) == 2 and re.search(
        r"\b(to|after|then|follow-up|now)\b|->|→", text[hits[0].end() : hits[-1].start()]
    ):
        return read[0], read[1]
    if len(read) > 1:
        notes.append(
            f"{len(read)} sizes, not said which is before and which after: none was taken."
        )
        return None, None
    return (read[0] if read else None), None


def _volumes(text: str) -> tuple[float | None, float | None]:
    hits = re.findall(rf"({_NUMBER}) ?(cm3|cm³|cc|ml|mm3|mm³)(?![a-z])", text)
    read = [_float(number) * (0.001 if unit.startswith("mm") else 1.0) for number, unit in hits]
    return (read[0], read[1]) if len(read) == 2 else (read[0] if len(read) == 1 else None, None)


def _percent(text: str) -> float | None:
    verb = r"(?:reduc|resor|shr[aiu]nk|decreas|regress)\w*"
    found = re.search(
        rf"{verb}[^.%]{{0,40}}?({_NUMBER}) ?%|({_NUMBER}) ?%[^.%]{{0,30}}?{verb}", text, re.I
    )
    if found is None:
        return None
    percent = _float(found.group(1) or found.group(2))
    return percent if percent <= 100 else None


def _result(text: str, notes: list[str]) -> Result | None:
    """ "complete" only where nothing is called partial beside it, and nothing is denied."""
    denied = r"\b(?:no|not|never|without|incomplete\w*)\b[^.]{0,30}?\b(?:resor|regress|disappear)"
    if found := re.search(denied, text, re.I):
        notes.append(f"'{found.group()}…' denies a result: none was read.")
        return None
    noun = r"(?:\w+ ){0,2}?(?:resorption|regression|resolution|disappearance)"
    part = rf"\bpartial {noun}|\bpartially (?:resorbed|regressed)"
    whole = rf"\b(?:complete|full|total) {noun}|\bcompletely (?:resorbed|regressed)|disappeared"
    is_part, is_whole = (bool(re.search(pattern, text, re.I)) for pattern in (part, whole))
    if is_part and is_whole:
        notes.append("Complete resorption of one part and partial of another: partial in all.")
    return "partial" if is_part else "complete" if is_whole else None


def _float(text: str) -> float:
    return float(text.replace(",", "."))
