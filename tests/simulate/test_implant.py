"""Herniations implanted into a spine of boxes: their volume, and what they leave alone.

What lies behind the boundary is brighter the further back, so that intensities in the sac tell
where each bit of it came from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.model import DiscFrame, FloatArray, Structure
from mri_resorb.simulate.implant import Implanted, LabelledScan, Shape, implant_herniation

DISC_HALF_HEIGHT_MM = 5.0
SAC_FRONT_MM, SAC_BACK_MM, SAC_HALF_WIDTH_MM = 2.0, 18.0, 10.0
FLAT = PosteriorBoundary(
    corners=np.array(
        [[[0, 0, 0], [DISC_HALF_HEIGHT_MM, 0, 0]], [[0, 0, 0], [-DISC_HALF_HEIGHT_MM, 0, 0]]]
    ),
    walls=np.zeros((2, 3)),
    transverse_range_mm=(-20.0, 20.0),
    scatter_mm=0.0,
)
FRAGMENT, FAT = 250.0, 300.0
SAGITTAL = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]).T
"""Columns: the patient's directions of slices, rows and columns in sagittal order."""


@dataclass(frozen=True)
class Site:
    """A labelled scan of one disc, its frame, and where each voxel lies in that frame."""

    scan: LabelledScan
    frame: DiscFrame
    points: FloatArray


def site(
    *,
    slice_mm: float = 1.5,
    pixel_mm: float = 0.5,
    turn_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Site:
    """A disc between two boxes, a sac behind them, laminae behind that, an osteophyte above.

    Args:
        turn_degrees: rotation vector by which the spine leaves the grid's axes.
    """
    size = np.round(np.array([26, 58, 42]) / [slice_mm, pixel_mm, pixel_mm]).astype(int)
    spacing = np.array([slice_mm, pixel_mm, pixel_mm])
    centre = np.array([7.0, -30.0, 55.0])
    origin = centre - SAGITTAL @ ((size - 1) / 2 * spacing)
    to_patient = np.column_stack([SAGITTAL * spacing, origin])
    turn = Rotation.from_rotvec(turn_degrees, degrees=True).as_matrix()
    axes = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]) @ turn.T
    frame = DiscFrame.at(centre - 6.0 * axes[0], axes)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), -1)
    points = frame.to_frame(index @ to_patient[:, :3].T + to_patient[:, 3])
    depth, transverse, height = np.moveaxis(points, -1, 0)

    labels = np.zeros(size, np.uint8)
    in_front = (depth < 0) & (depth > -32)
    labels[in_front] = Structure.VERTEBRA
    labels[in_front & (np.abs(height) < DISC_HALF_HEIGHT_MM)] = Structure.DISC
    labels[in_front & (height < -DISC_HALF_HEIGHT_MM)] = Structure.SACRUM
    sac = (depth > SAC_FRONT_MM) & (depth < SAC_BACK_MM) & (np.abs(transverse) < SAC_HALF_WIDTH_MM)
    labels[sac] = Structure.CANAL
    labels[(depth > 21) & (depth < 30)] = Structure.VERTEBRA
    spur = (depth >= 0) & (depth < 4) & (height > 7) & (height < 12) & (np.abs(transverse) < 4)
    labels[spur] = Structure.VERTEBRA
    image = np.where(labels == Structure.DISC, 420.0, 450.0)
    image = np.where(depth > 0, 450 + 10 * depth, image)
    return Site(LabelledScan(image, labels, to_patient), frame, points)


def implanted(at: Site, shape: Shape) -> Implanted:
    return implant_herniation(
        scan=at.scan,
        frame=at.frame,
        boundary=FLAT,
        shape=shape,
        texture=lambda points: np.full(points.shape[:-1], FRAGMENT),
        fat_intensity=FAT,
    )


def half_ellipsoid(depth: float, half_width: float, half_height: float) -> tuple[Shape, float]:
    """A dome that stands on the boundary, and its volume in cm3."""
    semi = np.array([depth, half_width, half_height])
    return (
        lambda points: np.square(points / semi).sum(axis=-1) < 1,
        2 / 3 * np.pi * float(semi.prod()) / 1000,
    )


def tube(radius: float, *ends: tuple[float, float, float]) -> tuple[Shape, float]:
    """A tube with round ends between two points, and its volume in cm3."""
    first, last = np.array(ends, float)
    along = last - first

    def inside(points: FloatArray) -> np.ndarray:
        part = np.clip((points - first) @ along / (along @ along), 0, 1)
        away = points - (first + part[..., None] * along)
        return np.square(away).sum(axis=-1) < radius**2

    volume = np.pi * radius**2 * np.linalg.norm(along) + 4 / 3 * np.pi * radius**3
    return inside, float(volume) / 1000


DOME = half_ellipsoid(7.0, 8.0, 4.5)
SEQUESTER = tube(3.0, (5.0, 1.0, -9.0), (6.0, -2.0, -16.0))


def everything(points: FloatArray) -> np.ndarray:
    return np.ones(points.shape[:-1], bool)


@settings(max_examples=12, deadline=None)
@given(
    shape=st.sampled_from([DOME, SEQUESTER]),
    slice_mm=st.sampled_from([0.9, 1.5, 2.0]),
    pixel_mm=st.sampled_from([0.45, 0.7]),
    turn=st.tuples(st.floats(-12, 12), st.floats(-5, 5), st.floats(-5, 5)),
)
def test_the_volume_is_the_shapes_own(
    shape: tuple[Shape, float],
    slice_mm: float,
    pixel_mm: float,
    turn: tuple[float, float, float],
) -> None:
    inside, volume_cm3 = shape
    at = site(slice_mm=slice_mm, pixel_mm=pixel_mm, turn_degrees=turn)
    made = implanted(at, inside)
    assert made.volume_cm3 == pytest.approx(volume_cm3, rel=0.02)
    assert made.volume_cm3 == pytest.approx(
        made.fragment.sum() * slice_mm * pixel_mm**2 / 1000, rel=1e-6
    )


def test_the_fragment_shows_its_texture_and_its_label() -> None:
    at = site()
    made = implanted(at, DOME[0])
    whole = made.fragment == 1
    assert whole.sum() > 1000
    np.testing.assert_allclose(made.scan.image[whole], FRAGMENT)
    assert (made.scan.labels[made.fragment >= 0.5] == Structure.DISC).all()


def test_nothing_is_painted_into_bone_or_in_front_of_the_boundary() -> None:
    at = site(turn_degrees=(7.0, 0.0, 0.0))
    made = implanted(at, everything)
    bone = np.isin(at.scan.labels, [Structure.VERTEBRA, Structure.SACRUM])
    osteophyte = bone & (at.points[..., 0] > 0) & (at.points[..., 0] < 5)
    assert osteophyte.sum() > 100
    in_front = at.points[..., 0] < -0.5
    for kept in (bone, in_front):
        assert made.fragment[kept].max() == 0
        np.testing.assert_array_equal(made.scan.labels[kept], at.scan.labels[kept])
        np.testing.assert_allclose(made.scan.image[kept], at.scan.image[kept])


@pytest.mark.parametrize("shape", [DOME[0], SEQUESTER[0]], ids=["dome", "sequester"])
def test_away_from_the_place_nothing_changes(shape: Shape) -> None:
    at = site()
    made = implanted(at, shape)
    filled = at.points[made.fragment > 0]
    low, high = filled.min(axis=0)[1:] - 10, filled.max(axis=0)[1:] + 10
    away = np.any((at.points[..., 1:] < low) | (at.points[..., 1:] > high), axis=-1)
    away |= at.points[..., 0] > SAC_BACK_MM + 1
    assert away.mean() > 0.3
    np.testing.assert_array_equal(made.scan.image[away], at.scan.image[away])
    np.testing.assert_array_equal(made.scan.labels[away], at.scan.labels[away])


def test_the_scan_given_is_left_as_it_was() -> None:
    at = site()
    image, labels = at.scan.image.copy(), at.scan.labels.copy()
    implanted(at, DOME[0])
    np.testing.assert_array_equal(at.scan.image, image)
    np.testing.assert_array_equal(at.scan.labels, labels)


def test_however_large_the_herniation_the_sac_keeps_its_last_millimetres() -> None:
    pixel_mm = 0.5
    at = site(pixel_mm=pixel_mm)
    made = implanted(at, half_ellipsoid(40.0, 7.0, 9.0)[0])
    canal_before = (at.scan.labels == Structure.CANAL).sum(axis=2)
    canal_after = (made.scan.labels == Structure.CANAL).sum(axis=2)
    assert canal_after.min(where=canal_before > 0, initial=99) * pixel_mm >= 1.5 - pixel_mm
    assert canal_after.min(where=canal_before > 0, initial=99) * pixel_mm <= 4.0
    assert at.points[made.fragment > 0, 0].max() < SAC_BACK_MM


def test_the_sac_is_compressed_in_order_and_not_torn() -> None:
    """From front to back the sac's brightness still rises, through the whole of its old range."""
    at = site()
    made = implanted(at, DOME[0])
    crossed = [
        (k, row)
        for k, row in np.argwhere(made.fragment.max(axis=2) == 1)
        if abs(at.points[k, row, 0, 1]) < SAC_HALF_WIDTH_MM - 3
    ]
    assert len(crossed) > 50
    for k, row in crossed:
        sac = made.scan.labels[k, row] == Structure.CANAL
        columns = np.flatnonzero(sac)
        assert np.all(np.diff(columns) == 1)
        inner = made.scan.image[k, row, columns[1:-1]]
        assert np.all(np.diff(inner) > 0)
        before = at.scan.image[k, row, at.scan.labels[k, row] == Structure.CANAL]
        assert np.ptp(inner) > 0.75 * np.ptp(before)
        assert len(columns) < len(before)


def test_what_opens_beside_the_fragment_is_fat_and_no_longer_canal() -> None:
    at = site()
    made = implanted(at, DOME[0])
    opened = (at.scan.labels == Structure.CANAL) & (made.scan.labels == 0)
    assert opened.sum() > 20
    clear = opened & (made.fragment == 0)
    away_from_fat = np.abs(made.scan.image[clear] - FAT)
    assert np.median(away_from_fat) < 0.5 * np.median(np.abs(at.scan.image[clear] - FAT))
