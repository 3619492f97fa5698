"""What results say, in every language: one catalogue file a language, this reader for all.

A catalogue is a TOML file of sentences in sections by use (`en.toml`, `ru.toml`, `kk.toml`); a
sentence is named `section.key`. Values stand in it as `{name}` with a format specification of
Python's, and are written as the language writes them. A specification with a `#` is a list of
plural forms, `{slices:# slice|# slices}`, in the order of Unicode's categories for the language
(one, other in English; one, few, many, other in Russian; one form for all in Kazakh).

Nothing else of the package is imported here.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any


class Language(StrEnum):
    """The languages that results are written in, as ISO 639-1 codes."""

    EN = "en"
    RU = "ru"
    KK = "kk"


@dataclass(frozen=True)
class Phrase:
    """Words kept apart from any language: a sentence's name in the catalogues, and its values.

    Attributes:
        name: `section.key`.
        values: what stands in the sentence; a sequence of phrases is joined by commas.
    """

    name: str
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def text(self, language: Language = Language.EN) -> str:
        """The words.

        Raises:
            KeyError: no such sentence, or a value of it is missing.
        """
        return say(self.name, language=language, **self.values)

    def __str__(self) -> str:
        return self.text()


Value = str | int | float | date | Phrase | Sequence[Phrase]


def say(name: str, /, *, language: Language, **values: Value) -> str:
    """The sentence `section.key` of a language, with its values.

    Raises:
        KeyError: no such sentence, or a value of it is missing.
    """
    return _Formatter(language).format(catalogue(language)[name], **values)


def decimal(value: float, *, places: int) -> str:
    """Round for people, with a decimal comma and no minus before a zero: 1,30.

    All three languages write it so: Russian and Kazakh by custom, English because the clinic's
    form does.
    """
    return _with_comma(f"{value:.{places}f}")


def long_date(day: date, *, language: Language) -> str:
    """November 5, 2018; 5 ноября 2018 г.; 2018 ж. 5 қараша (Unicode CLDR, long form)."""
    from babel.dates import format_date

    locale = "en_US" if language is Language.EN else language.value
    return " ".join(format_date(day, "long", locale=locale).split())


@cache
def catalogue(language: Language) -> Mapping[str, str]:
    """All sentences of a language by `section.key`."""
    import tomllib  # not needed by a command that only shows its help
    from importlib.resources import files

    text = files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    sections = tomllib.loads(text)
    return {
        f"{section}.{key}": sentence
        for section, sentences in sections.items()
        for key, sentence in sentences.items()
    }


class _Formatter(string.Formatter):
    """Writes values as a language does."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Phrase):
            return value.text(self.language)
        if isinstance(value, date):
            return long_date(value, language=self.language)
        if isinstance(value, (list, tuple)):
            return ", ".join(phrase.text(self.language) for phrase in value)
        if "#" in format_spec:
            return _plural(value, format_spec.split("|"), language=self.language)
        if isinstance(value, float):
            return _with_comma(format(value, format_spec or "g"))
        return format(value, format_spec)


def _plural(count: float, forms: list[str], *, language: Language) -> str:
    shown = _with_comma(f"{count:g}")
    return forms[_plural_index(count, language) if len(forms) > 1 else 0].replace("#", shown)


def _plural_index(count: float, language: Language) -> int:
    from babel import Locale

    rule = Locale(language.value).plural_form
    order = [tag for tag in ("zero", "one", "two", "few", "many") if tag in rule.tags]
    return [*order, "other"].index(rule(count))


def _with_comma(number: str) -> str:
    if not number.strip("-+0."):
        number = number.lstrip("-+")
    return number.replace(".", ",")
