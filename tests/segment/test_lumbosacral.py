"""How sure the name of the lowest disc is, and the count upwards from it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spines import Grid, Spine

from mri_resorb.model import DiscFrame
from mri_resorb.segment.discs import Disc, find_discs
from mri_resorb.segment.lumbosacral import (
    LEAST_CERTAINTY,
    MOST_CERTAINTY,
    LevelNotFoundError,
    certainty_upwards,
    lumbosacral_disc,
)

USUAL_TILTS = (-33.0, -11.0, -1.0, 6.0, 10.0)


@cache
def a_disc() -> Disc:
    spine = Spine(discs=1)
    middle = spine.disc_frame().origin_mm
    return find_discs(spine.anatomy(Grid.around(np.array(middle) - [0, 17, 0], slice_mm=8.0)))[0]


def row(
    *,
    tilts: tuple[float, ...] = USUAL_TILTS,
    steps_mm: tuple[float, ...] = (36.0, 37.0, 37.0, 36.0),
    sacrum: float = 1.0,
) -> tuple[Disc, ...]:
    """Discs above each other, the lowest on a sacrum; how their ap axes lean (degrees)."""
    heights = np.concatenate([[0.0], np.cumsum(steps_mm)])
    discs = []
    for tilt, height in zip(tilts, heights, strict=False):
        c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
        axes = np.array([[0, c, -s], [1, 0, 0], [0, s, c]])
        frame = DiscFrame.at(np.array([0.0, 0.0, height]), axes)
        discs.append(replace(a_disc(), frame=frame, sacrum_below=0.0 if discs else sacrum))
    return tuple(discs)


def refusal(discs: tuple[Disc, ...]) -> str:
    with pytest.raises(LevelNotFoundError) as error:
        lumbosacral_disc(discs)
    assert error.value.reason.text().endswith(".")
    return error.value.reason.code


def test_a_usual_spine_is_named_nearly_as_surely_as_any() -> None:
    found = lumbosacral_disc(row())
    assert found.index == 0
    assert 0.93 < found.certainty < MOST_CERTAINTY


def test_a_spine_that_bends_one_disc_higher_is_suspected() -> None:
    """As in a patient whose lowest disc one reader counts as L5-S1 and another as S1-S2."""
    assert refusal(row(tilts=(-45.0, -32.0, 1.0, 9.0, 10.0))) == "transitional-suspected"
    assert lumbosacral_disc(row(tilts=(-39.0, -25.0, -8.0, 5.0, 6.0))).certainty > 0.85


def test_sacrum_in_part_only_is_named_less_surely_or_not() -> None:
    assert refusal(row(sacrum=0.7)) == "sacrum-doubtful"
    assert lumbosacral_disc(row(sacrum=0.85)).certainty < lumbosacral_disc(row()).certainty


def test_with_two_discs_in_view_the_bend_is_unknown_and_the_name_less_sure() -> None:
    two = lumbosacral_disc(row()[:2])
    assert LEAST_CERTAINTY < two.certainty < lumbosacral_disc(row()).certainty


@given(st.lists(st.floats(25.0, 45.0), min_size=1, max_size=4))
def test_a_certainty_is_one_and_falls_as_the_row_grows(steps: list[float]) -> None:
    discs = row(steps_mm=tuple(steps))
    certainties = [certainty_upwards(discs[:count]) for count in range(1, len(discs) + 1)]
    assert certainties[0] == 1
    assert all(0 <= one <= 1 for one in certainties)


@pytest.mark.parametrize("usual_mm", [26.0, 33.0, 40.0])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_missing_disc_is_noticed_in_small_people_too(usual_mm: float, missing: int) -> None:
    """Two steps of a small spine are no longer than the longest step of a large one."""
    steps = [usual_mm] * 4
    steps[missing] *= 2
    discs = row(steps_mm=tuple(steps))
    assert certainty_upwards(discs[: missing + 1]) > 0.99
    assert certainty_upwards(discs[: missing + 2]) < 0.5


def test_a_disc_in_two_halves_is_noticed() -> None:
    assert certainty_upwards(row(steps_mm=(36.0, 37.0, 9.0, 28.0))) == 0
