"""The posterior boundary: a line between corners, walls beyond them, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from spines import Grid, Spine, box, ellipsoid

from mri_resorb.errors import InputError
from mri_resorb.measure.boundary import (
    BoundaryNotSeenError,
    PosteriorBoundary,
    average_boundaries,
    fit_posterior_boundary,
)
from mri_resorb.model import Anatomy

ap_values = st.floats(-4, 4)
heights = st.floats(2, 9)


def plain(upper_ap: float, lower_ap: float, height: float) -> PosteriorBoundary:
    corners = np.zeros((2, 2, 3))
    corners[:, 0, 0] = upper_ap, lower_ap
    corners[:, 1, 0] = height, -height
    return PosteriorBoundary(corners, np.zeros((2, 3)), (-12.0, 12.0), 0.0)


@given(ap_values, ap_values, heights, st.floats(0, 1), st.floats(-20, 20))
def test_between_the_corners_it_is_their_straight_line(
    upper: float, lower: float, height: float, part: float, transverse: float
) -> None:
    boundary = plain(upper, lower, height)
    at = np.array(-height + part * 2 * height)
    assert boundary.ap_mm(np.array(transverse), at) == pytest.approx(
        lower + part * (upper - lower), abs=1e-9
    )
    assert boundary.disc_height_mm() == pytest.approx(2 * height)


def test_walls_go_on_from_the_corners_and_the_sides_from_the_last_plane_seen() -> None:
    boundary = replace(plain(0.0, 0.0, 5.0), walls=np.array([[2.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]))
    zero = np.array(0.0)
    assert boundary.ap_mm(zero, np.array(15.0)) == pytest.approx(2.0), "2 mm back in 10 mm"
    assert boundary.ap_mm(zero, np.array(-15.0)) == pytest.approx(-1.0)
    corners = boundary.corners.copy()
    corners[:, 0, 1] = 1.0
    slanted = replace(boundary, corners=corners)
    assert slanted.ap_mm(np.array(10.0), zero) == pytest.approx(1.0)
    assert slanted.ap_mm(np.array(40.0), zero) == slanted.ap_mm(np.array(12.0), zero)


@given(ap_values, ap_values, ap_values, ap_values)
def test_the_average_lies_midway_whichever_comes_first(
    a: float, b: float, c: float, d: float
) -> None:
    first, second = plain(a, b, 5.0), plain(c, d, 5.0)
    heights = np.linspace(-15, 15, 7)
    middle = average_boundaries(first, second).ap_mm(np.zeros(7), heights)
    assert middle == pytest.approx(average_boundaries(second, first).ap_mm(np.zeros(7), heights))
    expected = (first.ap_mm(np.zeros(7), heights) + second.ap_mm(np.zeros(7), heights)) / 2
    assert middle == pytest.approx(expected, abs=1e-9)


def grid_of(spine: Spine, *, in_plane_mm: float = 0.6, slice_mm: float = 4.0) -> Grid:
    return Grid.around(
        spine.disc_frame().to_patient(np.array([-10.0, 0.0, 0.0])),
        in_plane_mm=in_plane_mm,
        slice_mm=slice_mm,
        extent_mm=(70.0, 80.0, 48.0),
    )


@pytest.mark.parametrize(("in_plane_mm", "slice_mm"), [(0.5, 3.3), (0.9, 5.0)])
@pytest.mark.parametrize(
    ("rounding_mm", "lordosis"), [(0.0, 0.0), (1.5, 0.0), (0.0, 1.0), (1.5, 1.0)]
)
def test_fitted_line_and_walls_are_those_of_the_bodies(
    in_plane_mm: float, slice_mm: float, rounding_mm: float, lordosis: float
) -> None:
    spine = Spine(discs=1, lordosis=lordosis, rounding_mm=rounding_mm)
    anatomy = spine.anatomy(grid_of(spine, in_plane_mm=in_plane_mm, slice_mm=slice_mm))
    frame = spine.disc_frame()
    boundary = fit_posterior_boundary(anatomy=anatomy, frame=frame)
    across = np.arange(-10.0, 11.0, 5.0)
    # A round corner lies 0.29 of its radius in front of the sharp one, a sampled one a little too.
    blunt = 0.29 * rounding_mm
    line = boundary.ap_mm(across, np.zeros(5)) + blunt
    assert line.max() < 0.2
    assert line.min() > -0.5
    assert boundary.scatter_mm < 0.2
    for height in (17.0, -17.0):
        wall = _true_wall_ap(spine, height=height)
        assert boundary.ap_mm(across, np.full(5, height)) == pytest.approx([wall] * 5, abs=0.35)


def _true_wall_ap(spine: Spine, *, height: float) -> float:
    """Where the wall of the body above or below the disc lies in the disc's frame."""
    frame = spine.disc_frame()
    points = frame.to_frame(spine.wall_mm(1 if height > 0 else 0))
    return float(np.interp(height, points[:, 2], points[:, 0]))


def test_a_spur_in_one_plane_does_not_bend_the_boundary() -> None:
    spine = Spine(discs=1)
    grid = grid_of(spine)
    anatomy = spine.anatomy(grid)
    spur = grid.occupancy(box(depth=4, width=4, height=6, at=(0.0, 8.0, 8.0)), spine.disc_frame())
    spurred = replace(anatomy, vertebra=anatomy.vertebra + grid.image(spur))
    frame = spine.disc_frame()
    smooth = fit_posterior_boundary(anatomy=anatomy, frame=frame)
    bent = fit_posterior_boundary(anatomy=spurred, frame=frame)
    across, height = np.meshgrid(np.arange(-10.0, 11.0, 2.0), np.arange(-10.0, 11.0, 2.0))
    assert np.abs(smooth.ap_mm(across, height) - bent.ap_mm(across, height)).max() < 0.6


def test_a_fragment_does_not_move_the_boundary() -> None:
    spine = Spine(discs=1)
    herniated = spine.with_fragment(
        box(depth=6, width=14, height=9),
        ellipsoid(ap=7, transverse=10, craniocaudal=14, at=(5.0, 0.0, 14.0)),
    )
    frame = spine.disc_frame()
    first, second = (
        fit_posterior_boundary(anatomy=s.anatomy(grid_of(s)), frame=frame)
        for s in (spine, herniated)
    )
    assert second.corners == pytest.approx(first.corners, abs=1e-6)


def _cropped(
    anatomy: Anatomy, *, first: tuple[int, int, int], size: tuple[int, int, int]
) -> Anatomy:
    return Anatomy(
        *(
            sitk.RegionOfInterest(image, size, first)
            for image in (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
        )
    )


def test_bodies_out_of_view_are_refused_in_words() -> None:
    spine = Spine(discs=1)
    grid = grid_of(spine)
    anatomy = spine.anatomy(grid)
    columns, rows, slices = grid.size
    no_upper = _cropped(anatomy, first=(0, rows // 2, 0), size=(columns, rows - rows // 2, slices))
    one_slice = _cropped(anatomy, first=(0, 0, slices // 2), size=(columns, rows, 1))
    for cut, word in ((no_upper, "upper"), (one_slice, "three sagittal planes")):
        with pytest.raises(BoundaryNotSeenError, match=word) as refusal:
            fit_posterior_boundary(anatomy=cut, frame=spine.disc_frame())
        assert isinstance(refusal.value, InputError)
