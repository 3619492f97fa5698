"""The shipped network on patients it has not seen, and on images that are no lumbar spine."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from mri_resorb.errors import NotLumbarSpineError
from mri_resorb.model import Anatomy
from mri_resorb.segment import network
from mri_resorb.segment.network import find_anatomy, look, normalise
from mri_resorb.side_by_side import for_each_date
from training.patients import (
    LabelledVolume,
    anatomy_of_labels,
    read_patient,
    validation_patients,
)

UNSEEN = ("5", "78")
LEAST_DICE = {"vertebra": 0.85, "disc": 0.85, "canal": 0.85, "sacrum": 0.80}
SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
SHAPE = (9, 320, 320)


@cache
def patient(folder: Path, name: str) -> LabelledVolume:
    return read_patient(folder, name)


@cache
def found(folder: Path, name: str) -> Anatomy:
    return find_anatomy(sitk.Cast(patient(folder, name).volume, sitk.sitkFloat32))


def mask(occupancy: sitk.Image) -> np.ndarray:
    return np.asarray(sitk.GetArrayFromImage(occupancy) >= 0.5)


@pytest.mark.real_data
@pytest.mark.parametrize("name", UNSEEN)
def test_unseen_patients_are_outlined_like_the_experts_did(spider: Path, name: str) -> None:
    assert name in validation_patients()
    anatomy, truth = found(spider, name), anatomy_of_labels(patient(spider, name))
    for structure, least in LEAST_DICE.items():
        ours, theirs = mask(getattr(anatomy, structure)), mask(getattr(truth, structure))
        dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
        assert dice >= least, structure


@pytest.mark.real_data
def test_occupancies_lie_on_the_scans_grid_and_never_fill_a_voxel_twice(spider: Path) -> None:
    name = UNSEEN[0]
    anatomy, volume = found(spider, name), patient(spider, name).volume
    parts = [anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum]
    for part in parts:
        assert part.GetSize() == volume.GetSize()
        assert part.GetOrigin() == volume.GetOrigin()
        assert part.GetDirection() == volume.GetDirection()
    arrays = [sitk.GetArrayFromImage(part) for part in parts]
    assert min(a.min() for a in arrays) >= 0
    assert np.sum(arrays, axis=0).max() <= 1 + 1e-4


@pytest.mark.real_data
def test_two_dates_side_by_side_get_the_masks_of_one_alone(spider: Path) -> None:
    image = sitk.Cast(patient(spider, UNSEEN[0]).volume[:, :, 6:12], sitk.sitkFloat32)
    alone, *beside = (
        [mask(p) for p in (anatomy.vertebra, anatomy.disc, anatomy.canal)]
        for anatomy in (find_anatomy(image), *for_each_date(find_anatomy, [image, image]))
    )
    for masks in beside:
        np.testing.assert_array_equal(alone, masks)


@pytest.mark.real_data
@pytest.mark.parametrize("threads", [2, 4])
def test_more_threads_give_the_same_masks(
    spider: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = sitk.Cast(patient(spider, UNSEEN[0]).volume[:, :, 8:11], sitk.sitkFloat32)
    one = look(image).classes >= 0.5
    monkeypatch.setattr(network, "_THREADS", threads)
    network._load.cache_clear()
    try:
        np.testing.assert_array_equal(look(image).classes >= 0.5, one)
    finally:
        network._load.cache_clear()


def image_of(values: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing((0.7, 0.7, 4.4))
    image.SetDirection(SAGITTAL)
    return image


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(200, 50, SHAPE)


def constant() -> np.ndarray:
    return np.full(SHAPE, 200.0)


def head() -> np.ndarray:
    """Ellipsoids one within another: skin fat, skull, cerebrospinal fluid, brain, ventricle."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    radius = np.sqrt((z / 1.2) ** 2 + (y / 0.8) ** 2 + (x / 0.9) ** 2)
    image = np.full(SHAPE, 10.0)
    for edge, signal in ((1, 300), (0.92, 30), (0.85, 250), (0.8, 180), (0.2, 600)):
        image = np.where(radius < edge, signal, image)
    gyri = 60 * np.sin(20 * x) * np.cos(15 * y)
    image += np.where((radius < 0.8) & (radius > 0.2), gyri, 0)
    return image + np.random.default_rng(1).normal(0, 10, SHAPE)


def test_what_the_network_sees_in_the_belly_is_no_spine(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(slices: np.ndarray, _weights: Path) -> np.ndarray:
        classes = np.zeros((4, *slices.shape[1:]), np.float32)
        classes[0, 20:300, -100:-40] = 0.9
        classes[3, 150:170, 5:25] = 0.9
        return classes

    monkeypatch.setattr(network, "_run", seen)
    classes = look(image_of(noise())).classes
    assert (classes[0] > 0).any()
    assert not (classes[3] > 0).any()


@pytest.mark.parametrize("picture", [noise, constant, head])
def test_what_is_no_lumbar_spine_is_refused(picture) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotLumbarSpineError, match="No lumbar spine is recognised"):
        find_anatomy(image_of(picture()))


@pytest.mark.real_data
def test_axial_slices_are_refused(spider: Path) -> None:
    """A real spine cut across and handed over as if it were sagittal."""
    values = sitk.GetArrayFromImage(patient(spider, UNSEEN[0]).volume).astype(np.float32)
    axial = sitk.GetImageFromArray(np.repeat(values[:, ::30].transpose(1, 2, 0), 2, axis=2))
    axial.SetSpacing((0.469, 0.469, 14.0))
    axial.SetDirection(SAGITTAL)
    with pytest.raises(NotLumbarSpineError):
        find_anatomy(axial)


@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3), seed=st.integers(0, 2**16))
def test_normalised_intensities_do_not_know_scale_or_offset(
    scale: float, offset: float, seed: int
) -> None:
    slices = np.random.default_rng(seed).gamma(2.0, 1.0, (3, 24, 20)).astype(np.float32)
    first, second = normalise(slices), normalise(scale * (slices + np.float32(offset)))
    resolution = 1e-5 * (1 + abs(offset))  # what single precision leaves of them
    np.testing.assert_allclose(first, second, atol=resolution)
    assert np.mean(first < 0) < 0.05
    assert np.mean(first > 1) < 0.05
