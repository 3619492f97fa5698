"""The SPIDER release as published is read as the same patient's slab is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import Structure
from training.patients import UNKNOWN, all_patients, fold, number_of, read_patient
from training.release import structures

PATIENT = "22"


@pytest.fixture(scope="module")
def release(spider: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared patient in the release's layout, numbers and orientation, and what is beside it."""
    folder = tmp_path_factory.mktemp("spider_release")
    image = sitk.ReadImage(spider / f"{PATIENT}_image.nii.gz")
    mask = sitk.ReadImage(spider / f"{PATIENT}_mask.nii.gz")
    labels = sitk.GetArrayFromImage(sitk.DICOMOrient(mask, "PIL"))
    numbered = np.zeros(labels.shape, np.uint16)
    for structure, first in ((Structure.VERTEBRA, 1), (Structure.DISC, 201)):
        parts, _ = ndimage.label(labels == structure)
        order = np.argsort([-place[1].stop for place in ndimage.find_objects(parts)])
        for number, part in enumerate(order[:20]):
            numbered[parts == part + 1] = first + number
        numbered[np.isin(parts, order[20:] + 1)] = first + 20
    numbered[numbered == numbered[numbered < 26].max()] += 100  # the uppermost is cut
    numbered[labels == Structure.CANAL] = 100
    instances = sitk.GetImageFromArray(numbered)
    instances.CopyInformation(sitk.DICOMOrient(mask, "PIL"))
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for series in ("t1", "t2", "t2_SPACE"):
        bright = sitk.Cast(image, sitk.sitkInt16) * 7
        sitk.WriteImage(sitk.DICOMOrient(bright, "LPS"), folder / f"images/{PATIENT}_{series}.mha")
        sitk.WriteImage(
            sitk.DICOMOrient(instances, "LPS"), folder / f"masks/{PATIENT}_{series}.mha"
        )
    sitk.WriteImage(image, folder / "images/7_t2.mha")  # without a mask
    return folder


@pytest.mark.real_data
def test_t2_series_with_a_mask_are_found_and_held_out_by_patient(release: Path) -> None:
    names = all_patients(release)
    assert names == ["22_t2", "22_t2_SPACE"]
    assert all(number_of(name) in fold(3) for name in names)


@pytest.mark.real_data
def test_a_series_is_the_patient_that_it_was_made_from(release: Path, spider: Path) -> None:
    made, slab = read_patient(release, f"{PATIENT}_t2"), read_patient(spider, PATIENT)
    assert made.spacing_mm == pytest.approx(slab.spacing_mm)
    assert made.volume.GetOrigin() == pytest.approx(slab.volume.GetOrigin(), abs=1e-3)
    for structure in (Structure.VERTEBRA, Structure.DISC, Structure.CANAL):
        assert np.array_equal(made.labels == structure, slab.labels == structure), structure
    assert np.all(made.labels[slab.labels == Structure.SACRUM] == UNKNOWN)
    assert np.corrcoef(made.image.ravel(), slab.image.ravel())[0, 1] > 0.995
    assert 200 < np.percentile(made.image, 99.8) <= 255


def test_labels_that_the_release_does_not_describe_are_refused() -> None:
    known = np.array([0, 1, 25, 100, 101, 125, 201, 225], np.uint16)
    assert structures(known, name="1_t2").tolist() == [0, 1, 1, 3, 1, 1, 2, 2]
    with pytest.raises(ValueError, match=r"1_t2: .*\[26, 226\]"):
        structures(np.array([0, 26, 226, 201], np.uint16), name="1_t2")
