"""One frame in two scans: the same place of the same spine, and neither date the reference."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from spines import Grid, Spine, dome

from mri_resorb.measure.align import Alignment, align, moved
from mri_resorb.measure.boundary import frame_at_posterior_margin
from mri_resorb.model import Anatomy, DiscFrame, Point
from mri_resorb.segment.discs import find_discs

SPINE = Spine(discs=1, lordosis=1.0, rounding_mm=1.0)


@cache
def dated(spine: Spine, in_plane_mm: float, slice_mm: float, offset_mm: Point) -> Anatomy:
    return spine.anatomy(
        Grid.around(
            spine.disc_frame().to_patient(np.array([-12.0, 0.0, 0.0])),
            in_plane_mm=in_plane_mm,
            slice_mm=slice_mm,
            extent_mm=(74.0, 84.0, 52.0),
            offset_mm=offset_mm,
        )
    )


def own_frame(anatomy: Anatomy) -> DiscFrame:
    return frame_at_posterior_margin(anatomy=anatomy, frame=find_discs(anatomy)[0].frame)[0]


def aligned(baseline: Anatomy, follow_up: Anatomy) -> Alignment:
    return align(
        baseline=baseline,
        follow_up=follow_up,
        baseline_frame=own_frame(baseline),
        follow_up_frame=own_frame(follow_up),
    )


def apart_mm(first: Spine, second: Spine, alignment: Alignment) -> np.ndarray:
    """How far the same frame coordinates lie apart on the spine itself, (points, 3) mm."""
    points = np.array([[0, 0, 0], [8, 0, 0], [4, 0, 15], [4, 0, -15], [4, 8, 0], [4, -8, 0]], float)
    one = first.disc_frame().to_frame(alignment.baseline.to_patient(points))
    other = second.disc_frame().to_frame(alignment.follow_up.to_patient(points))
    return np.asarray(one - other)


@pytest.mark.parametrize(
    ("turn", "shift", "in_plane_mm", "slice_mm", "offset"),
    [
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.8, 4.4, (0.3, 0.2, 2.2)),
        ((8.0, 0.0, 0.0), (30.0, -20.0, 90.0), 0.6, 4.4, (0.0, 0.2, 1.0)),
        ((-5.0, 4.0, 5.0), (-300.0, 50.0, 10.0), 0.9, 3.3, (0.4, 0.0, -1.0)),
    ],
)
def test_a_reposed_copy_is_brought_onto_itself(
    turn: Point, shift: Point, in_plane_mm: float, slice_mm: float, offset: Point
) -> None:
    reposed = SPINE.posed(turn_degrees=turn, shift_mm=shift).with_fragment(
        dome(depth=6, width=14, height=9)
    )
    baseline = dated(SPINE, 0.7, 4.0, (0.0, 0.0, 0.0))
    alignment = aligned(baseline, dated(reposed, in_plane_mm, slice_mm, offset))
    apart = apart_mm(SPINE, reposed, alignment)
    assert alignment.bone_dice > 0.93
    # Along ap and craniocaudal to a part of a pixel; across, no better than part of a slice.
    assert np.abs(apart[:, [0, 2]]).max() < 0.6
    assert np.sqrt(np.mean(apart[:4, 0] ** 2)) < 0.3, "where the fragment is measured"
    assert np.abs(apart[:, 1]).max() < 1.5


def test_dates_that_show_nothing_in_common_do_not_overlap() -> None:
    """Slabs of one side each, seen through a frame at the midline."""
    sides = [
        SPINE.anatomy(
            Grid.around(
                SPINE.disc_frame().to_patient(np.array([-12.0, side, 0.0])),
                in_plane_mm=0.8,
                slice_mm=3.0,
                extent_mm=(74.0, 84.0, 12.0),
                offset_mm=(0.0, 0.0, 0.0),
            )
        )
        for side in (-12.0, 12.0)
    ]
    frame = SPINE.disc_frame()
    alignment = align(
        baseline=sides[0], follow_up=sides[1], baseline_frame=frame, follow_up_frame=frame
    )
    assert alignment.bone_dice == 0
    assert alignment.baseline.origin_mm == pytest.approx(frame.origin_mm)


def test_neither_date_is_the_reference() -> None:
    reposed = SPINE.posed(turn_degrees=(6.0, 0.0, 0.0), shift_mm=(0.0, 8.0, 5.0))
    first = dated(SPINE, 0.7, 4.0, (0.0, 0.0, 0.0))
    second = dated(reposed, 0.9, 4.4, (0.2, 0.0, 0.0))
    forth, back = aligned(first, second), aligned(second, first)
    for one, other in ((forth.baseline, back.follow_up), (forth.follow_up, back.baseline)):
        assert other.origin_mm == pytest.approx(one.origin_mm, abs=0.15)
        assert other.axes == pytest.approx(one.axes, abs=0.01)


def test_frames_move_along_and_about_their_own_axes() -> None:
    frame = SPINE.posed(turn_degrees=(10.0, 20.0, 30.0), shift_mm=(5.0, 6.0, 7.0)).disc_frame()
    shifted = moved(frame, np.array([1.0, 2.0, 3.0, 0.0, 0.0, 0.0]))
    assert frame.to_frame(np.array(shifted.origin_mm)) == pytest.approx([1, 2, 3])
    turned = moved(frame, np.array([0.0, 0.0, 0.0, 0.1, -0.2, 0.05]))
    assert turned.axes @ turned.axes.T == pytest.approx(np.eye(3), abs=1e-9)
    angle = np.degrees(np.arccos((np.trace(turned.axes @ frame.axes.T) - 1) / 2))
    assert angle == pytest.approx(np.degrees(np.linalg.norm([0.1, 0.2, 0.05])))
