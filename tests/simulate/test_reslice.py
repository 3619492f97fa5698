"""Another examination of the same body: what it keeps, where things come to lie, its noise."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from spines import Grid, Solid, ellipsoid

from mri_resorb.geometry import voxel_points
from mri_resorb.model import DiscFrame, FloatArray, Point
from mri_resorb.simulate.reslice import Pose, reslice, with_rician_noise

CENTRE: Point = (12.0, -40.0, 300.0)
GRID = Grid((0.6, 0.6, 0.9), (80, 84, 50), centre_mm=CENTRE)
PATIENT_AXES = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
"""Rows: to the back, to the left, up, as a disc frame has them."""
ANGLES = st.floats(-10, 10)
SHIFTS = st.floats(-15, 15)
POSES = st.builds(
    Pose,
    rotation_degrees=st.tuples(ANGLES, ANGLES, ANGLES),
    translation_mm=st.tuples(SHIFTS, SHIFTS, SHIFTS),
    centre_mm=st.tuples(*(st.floats(c - 20, c + 20) for c in CENTRE)),
)


def occupied(solid: Solid) -> sitk.Image:
    return GRID.image(GRID.occupancy(solid, DiscFrame.at(np.array(CENTRE), PATIENT_AXES)))


BALL_AT: Point = (5.0, -2.0, 6.0)
BALL = occupied(ellipsoid(ap=12, transverse=14, craniocaudal=10, at=BALL_AT))
BALL_CM3 = 4 / 3 * np.pi * 6 * 7 * 5 / 1000


def volume_cm3(image: sitk.Image) -> float:
    return float(
        sitk.GetArrayViewFromImage(image).sum(dtype=float) * np.prod(image.GetSpacing()) / 1000
    )


def centroid(image: sitk.Image) -> FloatArray:
    values = sitk.GetArrayViewFromImage(image)
    index = np.argwhere(values > 1e-3)
    weight = values[tuple(index.T)].astype(float)
    return np.asarray(weight @ voxel_points(image, index.astype(float)) / weight.sum())


@settings(max_examples=15, deadline=None)
@given(
    pose=POSES,
    slice_mm=st.sampled_from([2.0, 4.0, 5.0]),
    pixel_mm=st.sampled_from([0.4, 0.6, 0.9]),
    offset_mm=st.floats(-1.5, 1.5),
)
def test_contiguous_slices_keep_the_volume_and_move_with_the_pose(
    pose: Pose, slice_mm: float, pixel_mm: float, offset_mm: float
) -> None:
    (taken,) = reslice(
        [BALL],
        slice_distance_mm=slice_mm,
        slice_thickness_mm=slice_mm,
        pixel_mm=pixel_mm,
        pose=pose,
        offset_mm=offset_mm,
    )
    assert taken.GetSpacing() == pytest.approx((pixel_mm, pixel_mm, slice_mm))
    assert volume_cm3(taken) == pytest.approx(BALL_CM3, rel=0.02)
    ap, transverse, up = BALL_AT
    first: Point = (CENTRE[0] + transverse, CENTRE[1] + ap, CENTRE[2] + up)
    assert np.linalg.norm(centroid(taken) - pose.moved(first)) < pixel_mm / 2


@pytest.mark.parametrize(
    ("rotation", "translation", "expected"),
    [
        ((0.0, 0.0, 90.0), (0.0, 0.0, 0.0), (0.0, 10.0, 0.0)),  # about up: left goes to the back
        ((90.0, 0.0, 0.0), (0.0, 0.0, 0.0), (10.0, 0.0, 0.0)),  # about left: left stays
        ((0.0, 90.0, 0.0), (1.0, 2.0, 3.0), (1.0, 2.0, -7.0)),  # about back: left goes down
    ],
)
def test_a_pose_turns_about_the_patients_axes_then_moves(
    rotation: Point, translation: Point, expected: Point
) -> None:
    pose = Pose(rotation_degrees=rotation, translation_mm=translation, centre_mm=CENTRE)
    moved = pose.moved((CENTRE[0] + 10, CENTRE[1], CENTRE[2]))
    assert np.array(moved) - CENTRE == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("offset_mm", [0.0, 1.3, -1.3])
@pytest.mark.parametrize(("distance_mm", "thickness_mm"), [(4.0, 4.0), (4.4, 4.0), (5.0, 3.0)])
def test_slices_lie_wholly_in_the_first_volume(
    distance_mm: float, thickness_mm: float, offset_mm: float
) -> None:
    ones = GRID.image(np.ones(GRID.size[::-1]))
    (taken,) = reslice(
        [ones],
        slice_distance_mm=distance_mm,
        slice_thickness_mm=thickness_mm,
        pixel_mm=0.6,
        offset_mm=offset_mm,
    )
    values = sitk.GetArrayViewFromImage(taken)
    np.testing.assert_allclose(values[:, 2:-2, 2:-2], 1.0, atol=1e-6)
    coverage = GRID.size[2] * GRID.spacing_mm[2]
    count = len(values)
    used = (count - 1) * distance_mm + thickness_mm
    assert used + 2 * abs(offset_mm) <= coverage + 1e-6
    assert used + 2 * abs(offset_mm) + distance_mm > coverage
    middle = taken.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in taken.GetSize()])
    assert middle == pytest.approx((CENTRE[0] + offset_mm, *CENTRE[1:]), abs=0.31)


def test_a_slab_narrower_than_a_slice_is_refused() -> None:
    with pytest.raises(ValueError, match="No slice of 4 mm fits"):
        reslice([BALL[:, :, :4]], slice_distance_mm=4.0, slice_thickness_mm=4.0, pixel_mm=0.6)


def test_what_lies_in_a_gap_is_not_seen() -> None:
    """A sheet of one first slice shows in one new slice, by its part of the thickness, or none."""
    seen = []
    for k in range(20, 30):
        sheet = np.zeros(GRID.size[::-1])
        sheet[k] = 1
        (taken,) = reslice(
            [GRID.image(sheet)], slice_distance_mm=5.4, slice_thickness_mm=2.7, pixel_mm=0.6
        )
        seen.append(sitk.GetArrayFromImage(taken)[:, 40, 40])
    most = np.max(seen, axis=1)
    assert most.max() == pytest.approx(1 / 3, rel=0.15)
    assert most.min() == 0
    assert np.all(np.count_nonzero(seen, axis=1) <= 1)


def test_everything_given_lies_on_one_new_grid() -> None:
    image, occupancy = reslice(
        [200 * BALL, BALL], slice_distance_mm=4, slice_thickness_mm=4, pixel_mm=0.6
    )
    np.testing.assert_allclose(
        sitk.GetArrayViewFromImage(image), 200 * sitk.GetArrayViewFromImage(occupancy), atol=1e-3
    )
    assert image.GetOrigin() == occupancy.GetOrigin()


@pytest.mark.parametrize("signal", [0.0, 3.0, 100.0])
def test_noise_is_rician(signal: float) -> None:
    """E[M^2] = A^2 + 2 sigma^2 everywhere; Rayleigh's mean without signal (Gudbjartsson 1995)."""
    sigma = 4.0
    image = sitk.Image([64, 64, 25], sitk.sitkFloat32) + signal
    noisy = sitk.GetArrayFromImage(with_rician_noise(image, sigma=sigma, seed=5)).astype(float)
    assert np.mean(noisy**2) == pytest.approx(signal**2 + 2 * sigma**2, rel=0.02)
    if signal == 0:
        assert noisy.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.01)
    if signal > 10 * sigma:
        assert noisy.std() == pytest.approx(sigma, rel=0.02)


def test_noise_is_repeatable_and_keeps_the_grid() -> None:
    first, again, other = (with_rician_noise(BALL, sigma=0.1, seed=seed) for seed in (1, 1, 2))
    same = sitk.GetArrayViewFromImage(first)
    np.testing.assert_array_equal(same, sitk.GetArrayViewFromImage(again))
    assert not np.array_equal(same, sitk.GetArrayViewFromImage(other))
    assert first.GetOrigin() == BALL.GetOrigin()
    assert first.GetDirection() == BALL.GetDirection()
