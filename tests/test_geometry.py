"""Points, indices and frames agree with ITK whatever the grid."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from spines import Grid

from mri_resorb.geometry import box_around, frame_grid, sample, sample_grid, voxel_points
from mri_resorb.model import DiscFrame

angles = st.tuples(*[st.floats(-180, 180)] * 3)
offsets = st.tuples(*[st.floats(-500, 500)] * 3)
grids = st.builds(
    Grid,
    spacing_mm=st.tuples(*[st.floats(0.3, 6)] * 3),
    size=st.tuples(*[st.integers(3, 7)] * 3),
    centre_mm=offsets,
    turn_degrees=angles,
)


@settings(deadline=None, max_examples=30)
@given(grids, st.data())
def test_points_of_voxels_are_those_of_itk(grid: Grid, data: st.DataObject) -> None:
    image = grid.image(np.zeros(grid.size[::-1]))
    index = [data.draw(st.integers(0, n - 1)) for n in grid.size]
    point = voxel_points(image, np.array([index[::-1]], float))[0]
    assert point == pytest.approx(image.TransformIndexToPhysicalPoint(index), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(grids, st.data())
def test_sampling_reproduces_a_linear_field_and_is_zero_outside(
    grid: Grid, data: st.DataObject
) -> None:
    image = grid.image(np.zeros(grid.size[::-1]))
    index = np.argwhere(np.ones(grid.size[::-1]))
    points = voxel_points(image, index.astype(float))
    gradient = np.array([0.3, -0.2, 0.1])
    field = (points - np.array(grid.centre_mm)) @ gradient + 5
    image = grid.image(field.reshape(grid.size[::-1]))
    inside = np.array([data.draw(st.floats(0.01, n - 1.01)) for n in grid.size])
    point = np.array(image.TransformContinuousIndexToPhysicalPoint(inside))
    expected = (point - np.array(grid.centre_mm)) @ gradient + 5
    assert sample(image, point[None]) == pytest.approx(expected, abs=1e-3)
    beyond = np.array(grid.size) + 0.5
    outside = np.array([image.TransformContinuousIndexToPhysicalPoint(beyond)])
    assert sample(image, outside) == 0


@settings(deadline=None, max_examples=30)
@given(grids, angles, st.data())
def test_a_whole_grid_is_sampled_as_its_points_are(
    grid: Grid, turn_degrees: tuple[float, float, float], data: st.DataObject
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    image = grid.image(rng.random(grid.size[::-1]) + 1)
    origin = np.array(grid.centre_mm) + rng.uniform(-4, 4, 3)  # a part of it outside
    turn = Rotation.from_euler("xyz", turn_degrees, degrees=True).as_matrix()
    frame = DiscFrame.at(origin, turn)
    ap, transverse = np.arange(-5.0, 6.0, 0.7), np.arange(-3.0, 4.0, 1.1)
    craniocaudal = np.arange(0.0, -6.0, -0.9)
    expected = sample(image, frame.to_patient(frame_grid(ap, transverse, craniocaudal)))
    found = sample_grid(
        image, frame, ap_mm=ap, transverse_mm=transverse, craniocaudal_mm=craniocaudal
    )
    assert found == pytest.approx(expected, abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(grids, st.data())
def test_the_box_around_points_holds_the_voxels_beside_them(
    grid: Grid, data: st.DataObject
) -> None:
    image = grid.image(np.zeros(grid.size[::-1]))
    inside = [np.array([data.draw(st.floats(0.0, n - 1.0)) for n in grid.size]) for _ in range(3)]
    points = [image.TransformContinuousIndexToPhysicalPoint(at) for at in inside]
    box = box_around(image, np.array(points))
    for part, at, count in zip(box, np.transpose(inside)[::-1], image.GetSize()[::-1], strict=True):
        assert 0 <= part.start <= at.min() + 1e-6
        assert at.max() - 1e-6 <= part.stop - 1 < count


def test_sampling_does_not_depend_on_how_the_grid_is_stored() -> None:
    rng = np.random.default_rng(3)
    grid = Grid((0.6, 0.7, 4.4), (9, 8, 5), (10.0, -20.0, 30.0), (10.0, 20.0, -5.0))
    image = grid.image(rng.random(grid.size[::-1]))
    points = np.array(grid.centre_mm) + rng.uniform(-1, 1, (50, 3))
    expected = sample(image, points)
    assert expected.min() > 0
    for copy in (
        sitk.Flip(image, [True, False, False]),
        sitk.Flip(image, [False, True, True]),
        sitk.PermuteAxes(image, [2, 0, 1]),
    ):
        assert sample(copy, points) == pytest.approx(expected, abs=1e-5)


@given(offsets, angles, st.tuples(*[st.floats(-100, 100)] * 3))
def test_frame_and_patient_coordinates_are_inverse_and_keep_distances(
    origin: tuple[float, float, float],
    turn: tuple[float, float, float],
    point: tuple[float, float, float],
) -> None:
    axes = Rotation.from_rotvec(turn, degrees=True).as_matrix()
    frame = DiscFrame.at(np.array(origin), axes)
    there = frame.to_patient(np.array(point))
    assert frame.to_frame(there) == pytest.approx(point, abs=1e-6)
    assert np.linalg.norm(there - origin) == pytest.approx(np.linalg.norm(point), abs=1e-6)
    assert frame.to_frame(np.array(origin) + 3 * axes[2]) == pytest.approx([0, 0, 3], abs=1e-6)


def test_a_frame_grid_is_ordered_transverse_craniocaudal_ap() -> None:
    grid = frame_grid(np.array([1.0, 2.0]), np.array([10.0, 20.0, 30.0]), np.array([5.0] * 4))
    assert grid.shape == (3, 4, 2, 3)
    assert grid[2, 0, 1].tolist() == [2.0, 30.0, 5.0]
