"""Discs of prism spines: told apart, their frames against the truth."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from spines import Grid, Spine, box, dome, ellipsoid

from mri_resorb.model import Anatomy, DiscFrame, Point
from mri_resorb.segment.discs import find_discs

NONE: Point = (0.0, 0.0, 0.0)


def tilt_degrees(first: DiscFrame, second: DiscFrame, axis: int) -> float:
    """Angle between the same axis of two frames."""
    return float(np.degrees(np.arccos(np.clip(first.axes[axis] @ second.axes[axis], -1, 1))))


def whole_grid(spine: Spine, *, slice_mm: float = 4.4, in_plane_mm: float = 0.8) -> Grid:
    middle = np.mean([spine.disc_frame(k).origin_mm for k in range(spine.discs)], axis=0)
    return Grid.around(
        middle - [0, 10, 0],
        in_plane_mm=in_plane_mm,
        slice_mm=slice_mm,
        extent_mm=(110.0, 37.0 * spine.discs + 50, 50.0),
    )


@pytest.mark.parametrize(
    ("turn", "slice_mm"),
    [(NONE, 4.4), ((6.0, 0.0, 0.0), 3.3), ((-5.0, 8.0, 0.0), 4.4), ((3.0, -6.0, 5.0), 2.0)],
)
def test_each_disc_of_a_lordosis_has_its_true_mid_plane(turn: Point, slice_mm: float) -> None:
    spine = Spine(discs=4, lordosis=1.0, turn_degrees=turn, shift_mm=(15.0, -120.0, 300.0))
    discs = find_discs(spine.anatomy(whole_grid(spine, slice_mm=slice_mm, in_plane_mm=1.0)))
    assert len(discs) == 4
    for number, disc in enumerate(discs):
        truth = spine.disc_frame(number)
        _, transverse, height = truth.to_frame(np.array(disc.centre_mm))
        assert abs(height) < 0.5
        assert abs(transverse) < 3.5, "the midline, where the spine is turned in the grid"
        assert tilt_degrees(disc.frame, truth, 2) < 1.5
        assert disc.frame.axes @ disc.frame.axes.T == pytest.approx(np.eye(3), abs=1e-9)
        assert disc.frame.axes[0] @ [0, 1, 0] > 0.7, "ap points back"
        assert disc.frame.axes[1] @ [1, 0, 0] > 0.7, "transverse points to the left"
        assert disc.frame.axes[2] @ [0, 0, 1] > 0.7, "craniocaudal points up"
    assert discs[0].sacrum_below > 0.95
    assert all(disc.sacrum_below < 0.05 for disc in discs[1:])


def test_nothing_but_bone_says_what_lies_below() -> None:
    spine = Spine(discs=1)
    anatomy = spine.anatomy(whole_grid(spine))
    blind = Anatomy(anatomy.vertebra * 0, anatomy.disc, anatomy.canal, anatomy.sacrum * 0)
    assert np.isnan(find_discs(blind)[0].sacrum_below)


def test_a_detached_fragment_is_no_disc() -> None:
    sequester = ellipsoid(ap=10, transverse=14, craniocaudal=20, at=(7.0, 3.0, 17.0))
    spine = Spine(discs=2).with_fragment(sequester)
    assert len(find_discs(spine.anatomy(whole_grid(spine)))) == 2


def test_a_large_herniation_does_not_turn_its_disc() -> None:
    spine = Spine(discs=1, lordosis=1.0).with_fragment(
        dome(depth=10, width=16, height=9), box(depth=6, width=12, height=14, at=(1.0, 0.0, 7.0))
    )
    (disc,) = find_discs(spine.anatomy(whole_grid(spine, in_plane_mm=0.6)))
    assert tilt_degrees(disc.frame, spine.disc_frame(), 2) < 3
    assert abs(spine.disc_frame().to_frame(np.array(disc.centre_mm))[2]) < 1


def test_the_midline_is_the_canals_however_the_slab_lies() -> None:
    spine = Spine(discs=1)
    truth = spine.disc_frame()
    for beside_mm in (-8.0, 0.0, 8.0):
        grid = Grid.around(np.array([beside_mm, -12.0, 32.0]), extent_mm=(70.0, 70.0, 44.0))
        (disc,) = find_discs(spine.anatomy(grid))
        assert truth.to_frame(np.array(disc.centre_mm))[1] == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("axes", [(True, False, False), (False, True, False), (False, False, True)])
def test_a_flipped_copy_gives_the_same_frames(axes: tuple[bool, bool, bool]) -> None:
    spine = Spine(discs=2, lordosis=1.0, turn_degrees=(4.0, 3.0, 0.0))
    anatomy = spine.anatomy(whole_grid(spine))
    images = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    flipped = Anatomy(*(sitk.Flip(image, list(axes)) for image in images))
    for one, other in zip(find_discs(anatomy), find_discs(flipped), strict=True):
        assert other.centre_mm == pytest.approx(one.centre_mm, abs=0.05)
        assert other.frame.axes == pytest.approx(one.frame.axes, abs=0.01)


def test_an_empty_anatomy_has_no_discs() -> None:
    empty = Spine(discs=1).anatomy(Grid.around(np.array([0.0, 500.0, 0.0])))
    assert find_discs(empty) == ()
