"""The figures and the images that the anatomy is measured by."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk

from benchmarks.anatomy.degradations import DEGRADATIONS, Degradation, plain
from benchmarks.anatomy.reliability import reliability
from benchmarks.anatomy.scores import dice, dices, surface_distance_mm
from benchmarks.anatomy.unseen import Body, parts, truth_of, where_known
from mri_resorb.model import Structure
from mri_resorb.segment.network import WEIGHTS
from training.patients import UNKNOWN, LabelledVolume

SPACING_MM = (0.9, 0.5, 0.5)


def ball(radius_mm: float, *, slices: int = 61) -> np.ndarray:
    shape = (slices, 101, 101)
    index = [np.arange(n) - (n - 1) / 2 for n in shape]
    z, y, x = np.meshgrid(*index, indexing="ij")
    away = np.sqrt((z * 0.9) ** 2 + (y * 0.5) ** 2 + (x * 0.5) ** 2)
    return np.asarray(away <= radius_mm)


@pytest.mark.parametrize("slices", [61, 13])
def test_surfaces_of_balls_within_each_other_are_their_radii_apart(slices: int) -> None:
    """Also in a slab: its cut faces lie on each other and would make it 0."""
    one, other = ball(18.0, slices=slices), ball(20.0, slices=slices)
    assert surface_distance_mm(one, other, SPACING_MM) == pytest.approx(2.0, abs=0.25)
    assert surface_distance_mm(one, one, SPACING_MM) == 0
    assert np.isnan(surface_distance_mm(one, one & False, SPACING_MM))


def test_dice_of_half_and_of_nothing() -> None:
    whole = np.ones((2, 4, 4), bool)
    half = whole.copy()
    half[0] = False
    assert dice(whole, half) == pytest.approx(2 / 3)
    assert dice(whole, whole & False) == 0
    assert dice(whole & False, whole & False) == 1


def test_occupancy_that_says_too_much_is_off_by_so_much() -> None:
    rng = np.random.default_rng(0)
    says = rng.uniform(0, 1, (20, 50, 50))
    true = (rng.uniform(0, 1, says.shape) < says).astype(np.float32)
    images = [sitk.GetImageFromArray(a.astype(np.float32)) for a in (says, says**0.5, true)]
    assert reliability(images[0], images[2]).expected_error() < 0.02
    # The mean of sqrt(p) - p over 0-1 is 1/6.
    assert reliability(images[1], images[2]).expected_error() == pytest.approx(1 / 6, abs=0.02)


@cache
def body() -> Body:
    """Boxes for bodies, discs and canal, in the intensities of a T2."""
    labels = np.zeros((12, 124, 100), np.uint8)
    for top in (5, 51):
        labels[:, top : top + 34, 20:55] = Structure.VERTEBRA
        labels[:, top + 34 : top + 46, 21:57] = Structure.DISC
    labels[:, :, 60:75] = Structure.CANAL
    labels[:, 97:, 20:55] = Structure.SACRUM
    signal = np.array([40, 90, 60, 220, 90], np.float32)[labels]
    labels[:, :5, 20:55] = UNKNOWN
    signal[:, :, 82:] = 150  # fat
    noisy = signal + np.random.default_rng(0).normal(0, 4, signal.shape)
    image = np.clip(noisy, 0, 255).astype(np.uint8)
    volume = sitk.GetImageFromArray(image)
    volume.SetSpacing((0.469, 0.469, 0.9))
    volume.SetDirection((0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    patient = LabelledVolume("1", image, labels, (0.9, 0.469, 0.469), volume)
    float_image = sitk.Cast(volume, sitk.sitkFloat32)
    return Body(patient, float_image, truth_of(patient), WEIGHTS)


def test_what_is_found_where_nobody_has_labelled_does_not_count() -> None:
    truth = body().truth
    found = replace(body().truth, vertebra=truth.vertebra + truth.unlabelled)
    counted = dices(where_known(found, truth), where_known(truth, truth))
    assert counted["vertebra"] == 1
    assert dices(found, truth)["vertebra"] < 0.99


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda one: one.name)
def test_a_degradation_is_the_same_each_time_and_stronger_is_further_off(
    degradation: Degradation,
) -> None:
    def make(strength: float) -> tuple[np.ndarray, list[np.ndarray]]:
        degraded = degradation.make(body(), strength, np.random.default_rng(3))
        for part in parts(degraded.truth):
            assert part.GetSize() == degraded.image.GetSize()
            assert part.GetOrigin() == degraded.image.GetOrigin()
        image = sitk.GetArrayFromImage(degraded.image)
        assert np.isfinite(image).all()
        return image, [sitk.GetArrayFromImage(part) for part in parts(degraded.truth)]

    images = [make(strength) for strength in degradation.strengths]
    again, _ = make(degradation.strengths[0])
    np.testing.assert_array_equal(images[0][0], again)
    untouched = plain(body())
    reference = sitk.GetArrayFromImage(untouched.image)
    if all(image.shape == reference.shape for image, _ in images):
        away = [float(np.abs(image - reference).mean()) for image, _ in images]
        assert 0 < away[0] < away[1] < away[2]
    for _, truth in images:
        assert all(part.max() == pytest.approx(1, abs=0.01) for part in truth[:3])
