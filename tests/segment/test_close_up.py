"""The closer look at one disc: where it looks, and where what it sees is put."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.network import fragment_scores
from mri_resorb.model import Anatomy, DiscFrame, FloatArray, Structure
from mri_resorb.segment import close_up
from mri_resorb.segment.close_up import look_closely, slices_shown
from mri_resorb.segment.network import WEIGHTS
from training.patients import labelled_scan, read_patient, sites

SLICES, ROWS, COLUMNS = 5, 200, 180


def scan(pixel_mm: float, slice_mm: float) -> sitk.Image:
    """An empty sagittal volume, rows downwards, columns to the back."""
    image = sitk.Image(COLUMNS, ROWS, SLICES, sitk.sitkFloat32)
    image.SetSpacing((pixel_mm, pixel_mm, slice_mm))
    image.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))
    image.SetOrigin((-slice_mm * (SLICES - 1) / 2, -30.0, 40.0))
    return image


def points_of(image: sitk.Image) -> FloatArray:
    """LPS of every voxel, (slices, rows, columns, 3)."""
    k, j, i = np.mgrid[:SLICES, :ROWS, :COLUMNS]
    columns_mm, rows_mm, slices_mm = image.GetSpacing()
    x, y, z = image.GetOrigin()
    return np.stack([x + k * slices_mm, y + i * columns_mm, z - j * rows_mm], axis=-1)


def frame_turned(degrees: float) -> DiscFrame:
    """Origin at the volume's middle; turned about the left-right axis."""
    angle = np.deg2rad(degrees)
    back = np.array([0.0, np.cos(angle), np.sin(angle)])
    up = np.array([0.0, -np.sin(angle), np.cos(angle)])
    return DiscFrame.at(np.array([0.5, 5.0, 2.0]), np.stack([back, [1.0, 0.0, 0.0], up]))


def nothing_on(image: sitk.Image) -> Anatomy:
    return Anatomy(*(sitk.Image(image) * 0 for _ in range(4)))


@given(
    pixel_mm=st.floats(0.35, 0.9),
    slice_mm=st.floats(0.9, 5.0),
    degrees=st.floats(-40, 40),
    ap_mm=st.floats(-4, 14),
    height_mm=st.floats(-18, 18),
)
@settings(max_examples=25, deadline=None)
def test_what_is_seen_is_put_where_it_lies(
    pixel_mm: float, slice_mm: float, degrees: float, ap_mm: float, height_mm: float
) -> None:
    """A network that calls everything bright disc outlines a bright ball where it is."""
    image, frame = scan(pixel_mm, slice_mm), frame_turned(degrees)
    centre = frame.to_patient(np.array([ap_mm, 0.0, height_mm]))
    ball = np.linalg.norm(points_of(image) - centre, axis=-1) < 6.0
    values = sitk.GetImageFromArray(ball.astype(np.float32) * 100)
    values.CopyInformation(image)

    def bright_is_disc(planes: np.ndarray, *, transverse_mm: float, weights: Path) -> np.ndarray:
        seen = np.zeros((4, *close_up.SHAPE), np.float32)
        seen[1] = planes[2] >= 0.5
        return seen

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(close_up, "_run", bright_is_disc)
        anatomy = look_closely(nothing_on(image), image=values, frame=frame)
    found = sitk.GetArrayFromImage(anatomy.disc) >= 0.5
    off_mm = points_of(image)[found].mean(axis=0) - points_of(image)[ball].mean(axis=0)
    assert np.abs(off_mm).max() < 0.25
    # Its outline is drawn in pixels of 0.55 mm.
    assert found.sum() == pytest.approx(ball.sum(), rel=0.12)
    for part in (anatomy.vertebra, anatomy.canal, anatomy.sacrum):
        assert not sitk.GetArrayViewFromImage(part).any()


def test_far_from_the_disc_the_first_networks_word_stands() -> None:
    image, frame = scan(0.6, 4.0), frame_turned(15.0)
    first = Anatomy(*(sitk.Image(image) + value for value in (0.1, 0.2, 0.3, 0.4)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            close_up, "_run", lambda planes, **_: np.zeros((4, *close_up.SHAPE), np.float32)
        )
        anatomy = look_closely(first, image=image, frame=frame)
    away = np.abs(frame.to_frame(points_of(image)) - [close_up.BEHIND_MM, 0, 0])
    rows_mm, columns_mm = (n * close_up.PIXEL_MM / 2 for n in close_up.SHAPE)
    outside = (away[..., 2] > rows_mm + 0.6) | (away[..., 0] > columns_mm + 0.6)
    inside = (away[..., 2] < rows_mm - 6) & (away[..., 0] < columns_mm - 6)
    disc = sitk.GetArrayFromImage(anatomy.disc)
    assert outside.any()
    assert disc[outside] == pytest.approx(0.2)
    assert disc[inside] == pytest.approx(0.0)


@given(count=st.integers(1, 40), distance_mm=st.floats(0.5, 6.0), data=st.data())
def test_five_slices_about_a_slice(count: int, distance_mm: float, data: st.DataObject) -> None:
    middle = data.draw(st.integers(0, count - 1))
    shown = slices_shown(middle, count, distance_mm=distance_mm)
    assert shown[2] == middle
    assert list(shown) == sorted(shown)
    assert all(0 <= k < count for k in shown)
    if 12 <= middle < count - 12:
        far = shown[4] - middle
        assert shown == (middle - far, middle - 1, middle, middle + 1, middle + far)
        assert far == 2 or abs(far * distance_mm - close_up.FAR_MM) <= distance_mm / 2 + 1e-9


@pytest.mark.real_data
def test_by_itself_it_outlines_an_unseen_disc_and_canal_like_the_experts(spider: Path) -> None:
    patient = read_patient(spider, "78")
    image = sitk.Cast(patient.volume, sitk.sitkFloat32)
    frame, _ = sites(patient)[1]
    seen = look_closely(nothing_on(image), image=image, frame=frame)
    matrix = labelled_scan(patient).to_patient
    points = np.moveaxis(np.indices(patient.labels.shape), 0, -1) @ matrix[:, :3].T + matrix[:, 3]
    at = np.abs(frame.to_frame(points) - [close_up.BEHIND_MM, 0, 0])
    shown = (at[..., 0] < 22) & (at[..., 2] < 30)  # within the rim
    for structure, part in ((Structure.DISC, seen.disc), (Structure.CANAL, seen.canal)):
        ours = (sitk.GetArrayFromImage(part) >= 0.5) & shown
        theirs = (patient.labels == structure) & shown
        assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) >= 0.8, structure


@pytest.mark.real_data
def test_it_sees_fragments_implanted_in_an_unseen_patient(spider: Path) -> None:
    """Of the shape family that scores, which no training has seen."""
    patient = read_patient(spider, "78")
    places = sites(patient)
    looks = [
        fragment_scores(patient, places[k], weights=WEIGHTS, seed=500 + k, scoring=True)
        for k in (1, 3)
    ]
    real, called, both = np.sum([closer for _, closer in looks], axis=0)
    assert both / real >= 0.6
    assert both / called >= 0.6
