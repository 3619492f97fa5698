"""The nouns: names of levels as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mri_resorb.errors import InputError, LevelNameError
from mri_resorb.model import Level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("L4-L5", Level.L4_L5),
        ("L4/5", Level.L4_L5),
        ("L4/L5", Level.L4_L5),
        ("L4–L5", Level.L4_L5),
        ("L4—5", Level.L4_L5),
        ("l4l5", Level.L4_L5),
        ("L45", Level.L4_L5),
        (" l4 - l5 ", Level.L4_L5),
        ("L5-S1", Level.L5_S1),
        ("L5/1", Level.L5_S1),
        ("l5s1", Level.L5_S1),
        ("L5 - S1", Level.L5_S1),
        ("L1-L2", Level.L1_L2),
        ("L2/3", Level.L2_L3),
        ("L3-4", Level.L3_L4),
    ],
)
def test_usual_spellings(text: str, level: Level) -> None:
    assert Level.parse(text) is level


@pytest.mark.parametrize(
    "text",
    [
        *("", "L4", "L5", "S1", "4-5", "L4-L6", "L5-L6", "L0-L1", "T12-L1", "C4-C5", "L44-L5"),
        *("L5-L1", "L4-S5", "L1-S1", "L4-S1", "L3-L5", "L5-L4", "L4--L5", "L4-L5-S1"),
        "L4-L5 and L5-S1",
    ],
)
def test_what_is_no_lumbar_level_is_refused_and_the_levels_are_told(text: str) -> None:
    with pytest.raises(LevelNameError, match="L5-S1") as refusal:
        Level.parse(text)
    assert isinstance(refusal.value, InputError)


@settings(max_examples=60)
@given(st.one_of(st.text(max_size=12), st.from_regex(r"[LSTls0-9 /\-–]{1,8}", fullmatch=True)))
@example("L٤-L٥")
def test_a_text_is_a_level_only_by_its_two_digits(text: str) -> None:
    try:
        level = Level.parse(text)
    except LevelNameError:
        return
    assert re.findall(r"[0-9]", text) == re.findall(r"[0-9]", level)


@given(st.sampled_from(Level), st.sampled_from(["-", "/", "–", "", " - "]), st.booleans())
def test_a_level_is_read_back(level: Level, between: str, lower: bool) -> None:
    text = level.replace("-", between)
    assert Level.parse(text.lower() if lower else text) is level


def test_levels_are_counted_up_from_the_sacrum() -> None:
    assert [level.discs_above_sacrum for level in Level] == [4, 3, 2, 1, 0]
