"""Three dates of a drawn spine in one frame: volumes known by arithmetic, and who is left out."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from spines import Grid, Spine, dome

from mri_resorb.measure.dates import measure_dates
from mri_resorb.measure.shared_frame import Placed, Refused, place, share_frame
from mri_resorb.model import Level, Scan, TimePoint
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.levels import locate_pair

SPINE = Spine(discs=2)
DEPTHS_MM = (9.0, 6.0, 4.0)
SOLIDS = tuple(dome(depth=depth, width=14.0, height=8.0) for depth in DEPTHS_MM)
POSES = (
    ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ((4.0, 0.0, 1.0), (3.0, -5.0, 12.0)),
    ((-3.0, 1.0, 0.0), (-2.0, 4.0, -9.0)),
)


@cache
def date(number: int, *, spine: Spine = SPINE) -> Placed | Refused:
    turn, shift = POSES[number]
    posed = spine.with_fragment(SOLIDS[number], disc=0).posed(turn_degrees=turn, shift_mm=shift)
    x, y, z = posed.disc_frame(0).origin_mm
    anatomy = posed.anatomy(Grid((1.0, 1.0, 3.3), (86, 110, 13), (x, y - 10, z)))
    discs = find_discs(anatomy)
    found, _ = locate_pair(discs, discs, level=Level.L5_S1)
    return place(Scan(image=anatomy.disc, native_orientation="PIL"), anatomy, found)


def volume(point: TimePoint) -> float:
    assert point.fragment is not None
    return point.fragment.volume_cm3.value


def test_three_dates_share_a_frame_and_have_their_true_volumes() -> None:
    shared = share_frame(*(date(k) for k in range(3)))
    assert all(isinstance(one, Placed) for one in shared)
    for k, one in enumerate(shared):
        assert isinstance(one, Placed)
        turn, shift = POSES[k]
        own = SPINE.posed(turn_degrees=turn, shift_mm=shift).disc_frame(0)
        # The same point of the body at every date, whatever the pose.
        assert np.linalg.norm(own.to_frame(np.array(one.frame.origin_mm))) < 1.0
    points, errors = measure_dates(*shared)
    assert len(points) == len(errors) == 3
    for point, solid in zip(points, SOLIDS, strict=True):
        assert point.fragment is not None
        estimate = point.fragment.volume_cm3
        assert estimate.low <= solid.volume_cm3 <= estimate.high
    assert volume(points[0]) > volume(points[1]) > volume(points[2])


def test_the_order_of_the_later_dates_changes_no_volume() -> None:
    one, _ = measure_dates(*share_frame(date(0), date(1), date(2)))
    other, _ = measure_dates(*share_frame(date(0), date(2), date(1)))
    for first, second in ((one[0], other[0]), (one[1], other[2]), (one[2], other[1])):
        assert volume(first) == pytest.approx(volume(second), rel=0.01)


def test_a_date_of_another_body_is_left_out_and_the_others_go_on() -> None:
    other = date(1, spine=Spine(discs=2, lordosis=1.0, body_height_mm=20.0))
    first, middle, last = share_frame(date(0), other, date(2))
    assert isinstance(middle, Refused)
    assert middle.reason.code in {"pair-misaligned", "boundary-not-shared"}
    alone = share_frame(date(0), date(2))
    for one, same in zip((first, last), alone, strict=True):
        assert isinstance(one, Placed)
        assert isinstance(same, Placed)
        assert one.frame.origin_mm == pytest.approx(same.frame.origin_mm)
    points, _ = measure_dates(first, middle, last)
    assert [point.status for point in points] == ["measured", "undetermined", "measured"]


def test_of_two_dates_that_do_not_fit_both_are_refused() -> None:
    other = date(1, spine=Spine(discs=2, lordosis=1.0, body_height_mm=20.0))
    assert all(isinstance(one, Refused) for one in share_frame(date(0), other))


def test_a_date_alone_keeps_its_own_frame() -> None:
    placed = date(0)
    assert share_frame(placed) == (placed,)
