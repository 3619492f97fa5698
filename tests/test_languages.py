"""The catalogues say the same in every language, and the package says nothing else."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from babel import Locale

from mri_resorb.languages import Language, Phrase, catalogue, decimal, long_date, say

PACKAGE = Path(__file__).resolve().parents[1] / "mri_resorb"
OTHERS = [language for language in Language if language is not Language.EN]
SECTIONS = {name.split(".")[0] for name in catalogue(Language.EN)}


def placeholders(sentence: str) -> set[tuple[str, bool]]:
    """Names of a sentence's values, and which of them have plural forms."""
    return {
        (name, "#" in (spec or ""))
        for _, name, spec, _ in string.Formatter().parse(sentence)
        if name is not None
    }


def without_values(sentence: str) -> str:
    return re.sub(r"\{[^{}]*\}", " ", sentence)


def said_in_the_package() -> tuple[set[str], set[str]]:
    """Names of sentences written out in the code, and the beginnings of those put together."""
    whole, begun = set(), set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begin = str(node.values[0].value)
                if re.fullmatch(r"[a-z]{2,}[a-z.-]*[.-]", begin):
                    begun.add(begin)
    for file in PACKAGE.rglob("*.html"):
        for text in re.findall(r"[\"']([a-z0-9.-]+)[\"']", file.read_text(encoding="utf-8")):
            (begun if text.endswith("-") else whole).add(text)
    for file in (PACKAGE / "service" / "web" / "static").glob("*.js"):
        script = file.read_text(encoding="utf-8")
        whole.update(re.findall(r"\"([a-z0-9._-]+)\"", script))
        begun.update(re.findall(r"`([a-z]+\.[a-z-]*-)\$\{", script))
    return whole, begun


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_missing_or_superfluous(language: Language) -> None:
    assert catalogue(language).keys() == catalogue(Language.EN).keys()


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_takes_the_same_values(language: Language) -> None:
    differing = {
        name
        for name, sentence in catalogue(language).items()
        if {value for value, _ in placeholders(sentence)}
        != {value for value, _ in placeholders(catalogue(Language.EN)[name])}
    }
    assert not differing


@pytest.mark.parametrize("language", Language)
def test_plurals_have_as_many_forms_as_the_language(language: Language) -> None:
    forms = len(Locale(language.value).plural_form.tags | {"other"})
    for name, sentence in catalogue(language).items():
        for _, _, spec, _ in string.Formatter().parse(sentence):
            if "#" in (spec or ""):
                assert spec.count("|") + 1 in {1 if language is Language.KK else forms, forms}, name


@pytest.mark.parametrize("language", Language)
def test_sentences_are_of_their_own_language(language: Language) -> None:
    """Nothing is left untranslated, and no letter of the other alphabet stands within a word."""
    for name, sentence in catalogue(language).items():
        words = without_values(sentence)
        assert not re.search(r"[a-z][а-яёәғқңөұүһі]|[а-яёәғқңөұүһі][a-z]", words, re.I), name
        if language is Language.EN:
            assert not re.search("[а-яё]", words.replace("х", ""), re.I), name
        elif re.search(r"[a-z]{4}", without_values(catalogue(Language.EN)[name]), re.I):
            assert sentence != catalogue(Language.EN)[name], name


def test_each_sentence_is_said_somewhere_and_none_else() -> None:
    whole, begun = said_in_the_package()

    def is_said(name: str) -> bool:
        section, key = name.split(".")
        if name in whole or any(name.startswith(start) for start in begun - {f"{section}."}):
            return True
        put_together = section == "remarks" or f"{section}." in begun
        return put_together and (
            key in whole
            or any(key.startswith(start) for start in begun)
            or any(f"-{end}" in whole for end in (key.split("-", 1)[1:]))
            or all(part in whole for part in key.split("-"))
        )

    assert not {name for name in catalogue(Language.EN) if not is_said(name)}
    unknown = {
        text
        for text in whole - begun
        if re.fullmatch(r"[a-z]+\.[a-z0-9-]+", text)
        and not text.endswith((".txt", ".json", ".html", ".css"))
        and text.split(".")[0] in SECTIONS
        and text not in catalogue(Language.EN)
    }
    assert not unknown


def test_no_sentence_stands_twice_under_one_name() -> None:
    for language in Language:
        text = (PACKAGE / "languages" / f"{language}.toml").read_text(encoding="utf-8")
        sections = Counter(re.findall(r"(?m)^\[(\w+)\]", text))
        assert set(sections) == tomllib.loads(text).keys() == SECTIONS


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (Language.EN, "November 5, 2018"),
        (Language.RU, "5 ноября 2018 г."),
        (Language.KK, "2018 ж. 5 қараша"),
    ],
)
def test_dates_are_written_as_the_language_does(language: Language, expected: str) -> None:
    assert long_date(date(2018, 11, 5), language=language) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "1 срез"),
        (2, "2 среза"),
        (5, "5 срезов"),
        (11, "11 срезов"),
        (21, "21 срез"),
        (22, "22 среза"),
        (2.5, "2,5 среза"),
    ],
)
def test_russian_plurals(count: float, expected: str) -> None:
    assert say("series.slices", language=Language.RU, slices=count) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(1.3, "1,30"), (-0.001, "0,00"), (-1.255, "-1,25"), (0.0, "0,00")]
)
def test_decimals_have_a_comma_and_zero_no_minus(value: float, expected: str) -> None:
    assert decimal(value, places=2) == expected


def test_phrases_stand_in_phrases_of_the_same_language() -> None:
    what = [Phrase("series.sagittal"), Phrase("series.slices", {"slices": 7})]
    series = Phrase("series.numbered", {"number": 3, "what": what})
    assert str(series) == "series 3 (sagittal, 7 slices)"
    assert series.text(Language.RU) == "серия 3 (сагиттальная, 7 срезов)"
    assert series.text(Language.KK) == "3-серия (сагитталды, 7 кесінді)"


def test_a_missing_value_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        Phrase("series.slices").text()
