"""Names of discs: counted from the sacrum, pointed at, found again; never a neighbour's."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from spines import Grid, Spine, ellipsoid

from mri_resorb.model import Level, Point, Remark
from mri_resorb.segment.discs import Disc, find_discs
from mri_resorb.segment.levels import Found, locate_pair

WHOLE = Spine(discs=5, lordosis=1.0, shift_mm=(4.0, 60.0, -200.0))
REPOSED = WHOLE.posed(turn_degrees=(8.0, 5.0, -4.0), shift_mm=(-30.0, 10.0, 400.0))


@cache
def seen(spine: Spine, *, lowest: int = 0, highest: int = 4) -> tuple[Disc, ...]:
    """The discs of a scan whose field of view ends in the bodies around these discs."""
    ends = [np.array(spine.disc_frame(k).origin_mm) for k in (lowest, highest)]
    low, high = ends[0][2] - 20, ends[1][2] + 20
    middle = np.mean(ends, axis=0)
    grid = Grid(
        (1.2, 1.2, 4.4),
        (100, round((high - low) / 1.2), 11),
        (middle[0], middle[1] - 15, (low + high) / 2),
    )
    return find_discs(spine.anatomy(grid))


def centre_of(spine: Spine, disc: int) -> Point:
    x, y, z = spine.disc_frame(disc).to_patient(np.array([-17.0, 0.0, 0.0]))
    return (float(x), float(y), float(z))


def disc_number(found: Found | Remark, spine: Spine) -> int:
    """Which disc of the spine was found, counted from the lowest."""
    assert isinstance(found, Found), found
    distances = [
        np.linalg.norm(np.subtract(found.disc.centre_mm, centre_of(spine, k)))
        for k in range(spine.discs)
    ]
    assert min(distances) < 6
    return int(np.argmin(distances))


def code(found: Found | Remark) -> str:
    assert isinstance(found, Remark), found
    assert found.text().endswith(".")
    return found.code


@pytest.mark.parametrize("level", Level)
def test_levels_are_counted_up_from_the_sacrum(level: Level) -> None:
    first, second = locate_pair(seen(WHOLE), seen(REPOSED), level=level)
    assert disc_number(first, WHOLE) == disc_number(second, REPOSED) == level.discs_above_sacrum
    assert isinstance(first, Found)
    assert (first.located.level, first.located.source) == (level, "counted")


def test_without_a_sacrum_nothing_is_counted() -> None:
    no_sacrum = Spine(discs=5, lordosis=1.0, sacral_bodies=0)
    first, second = locate_pair(seen(no_sacrum), seen(WHOLE), level=Level.L5_S1)
    assert code(first) == "sacrum-not-seen"
    assert disc_number(second, WHOLE) == 0, "the other date is named by itself"


def test_a_sacrum_below_the_picture_is_not_made_up() -> None:
    upper = seen(WHOLE, lowest=2)
    assert len(upper) == 3
    for level in Level:
        assert code(locate_pair(upper, upper, level=level)[0]) == "sacrum-not-seen"


def test_a_disc_below_the_first_sacral_segment_forbids_counting() -> None:
    transitional = Spine(discs=5, lordosis=1.0, sacral_bodies=2)
    for level in Level:
        first, second = locate_pair(seen(transitional), seen(transitional), level=level)
        assert code(first) == code(second) == "transitional-anatomy"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_gap_in_the_row_forbids_counting_past_it(missing: int) -> None:
    row = seen(Spine(discs=5, lordosis=1.0, without_disc=missing))
    for level in Level:
        first, _ = locate_pair(row, row, level=level)
        if level.discs_above_sacrum < missing:
            assert isinstance(first, Found)
        else:
            assert isinstance(first, Remark), f"{level} counted past a gap"


def test_a_missing_lowest_disc_is_not_replaced_by_the_next() -> None:
    row = seen(Spine(discs=5, lordosis=1.0, without_disc=0))
    for level in Level:
        assert code(locate_pair(row, row, level=level)[0]) == "sacrum-not-seen"


def test_a_level_above_the_picture_is_not_in_view() -> None:
    lower = seen(WHOLE, highest=2)
    assert len(lower) == 3
    assert code(locate_pair(lower, seen(WHOLE), level=Level.L2_L3)[0]) == "level-not-in-view"
    assert isinstance(locate_pair(lower, seen(WHOLE), level=Level.L3_L4)[0], Found)


def test_a_detached_fragment_does_not_shift_the_count() -> None:
    sequester = ellipsoid(ap=9, transverse=13, craniocaudal=16, at=(6.5, 0.0, 16.0))
    row = seen(WHOLE.with_fragment(sequester, disc=1))
    first, _ = locate_pair(row, row, level=Level.L3_L4)
    assert disc_number(first, WHOLE) == 2


@pytest.mark.parametrize("disc", range(5))
@pytest.mark.parametrize("view", [(0, 4), (0, 3), (1, 4), (1, 3), (2, 4)])
def test_a_pointed_disc_is_found_again_or_refused_never_its_neighbour(
    disc: int, view: tuple[int, int]
) -> None:
    lowest, highest = view
    follow_up = seen(REPOSED, lowest=lowest, highest=highest)
    first, second = locate_pair(
        seen(WHOLE), follow_up, level=Level.L4_L5, disc_at_mm=centre_of(WHOLE, disc)
    )
    assert disc_number(first, WHOLE) == disc
    if isinstance(second, Found):
        assert disc_number(second, REPOSED) == disc
    else:
        assert view[0] != 0 or disc > view[1], second.message


def test_a_point_settles_a_spine_that_cannot_be_counted() -> None:
    transitional = Spine(discs=5, lordosis=1.0, sacral_bodies=2)
    moved = transitional.posed(turn_degrees=(-6.0, 0.0, 3.0), shift_mm=(0.0, 40.0, 90.0))
    first, second = locate_pair(
        seen(transitional), seen(moved), level=Level.L5_S1, disc_at_mm=centre_of(transitional, 1)
    )
    assert disc_number(first, transitional) == disc_number(second, moved) == 1
    assert isinstance(first, Found)
    assert first.located.source == "point"


def test_a_point_beside_every_disc_is_refused() -> None:
    beside = WHOLE.disc_frame(2).to_patient(np.array([-17.0, 0.0, 18.0]))
    far = np.array([900.0, 0.0, 0.0])
    for x, y, z in (beside, far):
        first, second = locate_pair(
            seen(WHOLE), seen(WHOLE), level=Level.L3_L4, disc_at_mm=(float(x), float(y), float(z))
        )
        assert code(first) == code(second) == "no-disc-at-point"


def test_a_follow_up_of_one_disc_cannot_tell_which_it_is() -> None:
    lone = seen(REPOSED, lowest=2, highest=2)
    assert len(lone) == 1
    _, second = locate_pair(seen(WHOLE), lone, level=Level.L3_L4, disc_at_mm=centre_of(WHOLE, 2))
    assert code(second) == "disc-not-found-again"


def test_counts_that_contradict_each_other_are_refused() -> None:
    """At the follow-up the sacrum's label has climbed onto L5, so its count starts a disc high."""
    whole = seen(WHOLE)
    climbed = tuple(
        replace(disc, sacrum_below=1.0) if k == 1 else disc for k, disc in enumerate(whole)
    )[1:]
    _, second = locate_pair(whole, climbed, level=Level.L4_L5)
    assert code(second) == "levels-disagree"


def test_no_discs_at_all() -> None:
    for point in (None, (0.0, 0.0, 0.0)):
        for found in locate_pair((), (), level=Level.L5_S1, disc_at_mm=point):
            assert isinstance(found, Remark)
