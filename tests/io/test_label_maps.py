"""Label maps of four programs, made from the phantom: the same structures, the right names."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from label_maps import (
    SCHEMES,
    instances,
    spider_downwards,
    spineps_subregions,
    total_mr,
    totalspineseg,
    vertebrae_mr,
    write,
    write_scheme,
)
from phantoms import ann, array

from mri_resorb.errors import MaskError
from mri_resorb.io.label_maps import read_label_maps
from mri_resorb.model import Level, Point, Scan, Structure
from mri_resorb.simulate.acquisition import Acquisition, acquire

HOLDS_CANAL = {"TotalSpineSeg", "TotalSpineSeg before", "SPINEPS both"} | {
    name for name in SCHEMES if name.startswith("SPIDER")
}


@cache
def scanned() -> Acquisition:
    return acquire(ann(), noise_seed=1, pixel_mm=1.0, matrix=(260, 120), slices=9)


def scan_of(acquisition: Acquisition) -> Scan:
    return Scan(sitk.Cast(acquisition.image, sitk.sitkFloat32), "RPI")


def apart_mm(one: Point, other: Point) -> float:
    return float(np.linalg.norm(np.subtract(one, other)))


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *((name, ".nii.gz") for name in SCHEMES),
        ("SPIDER upwards", ".mha"),
        ("TotalSpineSeg", ".nrrd"),
    ],
)
def test_every_program_gives_the_true_structures_and_names(
    name: str, suffix: str, tmp_path: Path
) -> None:
    found = read_label_maps(
        write_scheme(name, scanned(), tmp_path, suffix=suffix), scan=scan_of(scanned())
    )
    assert found.tool == name.split()[0]
    seen = instances(scanned())
    expected = {Structure.VERTEBRA, Structure.DISC}
    expected |= {Structure.CANAL} if name in HOLDS_CANAL else set()
    expected |= set() if name.startswith("SPIDER") else {Structure.SACRUM}
    assert set(found.structures) == expected
    for structure, image in found.structures.items():
        np.testing.assert_array_equal(array(image), seen.structure == structure)
    assert set(found.disc_at) == set(Level)
    for level, at in found.disc_at.items():
        assert apart_mm(at, scanned().disc_centres_mm[level]) < 8, level
    assert [remark.code for remark in found.warnings] == ["anatomy-from-labels"]


def test_structures_alone_name_nothing(tmp_path: Path) -> None:
    seen = instances(scanned())
    for labels in (total_mr, spineps_subregions):
        path = write(labels(seen), tmp_path / "map.nii.gz", like=seen.image)
        assert read_label_maps([path], scan=scan_of(scanned())).disc_at == {}


@pytest.mark.parametrize(
    ("labels", "sixth"), [(totalspineseg, 46), (spider_downwards, 25)], ids=["45", "24"]
)
def test_with_a_sixth_lumbar_vertebra_no_disc_is_l5_s1(
    labels: object, sixth: int, tmp_path: Path
) -> None:
    """Everything is numbered one further up, as if the lowest body were L6."""
    seen = instances(scanned())
    map_ = labels(seen)  # type: ignore[operator]
    if sixth == 46:
        shifted = {45: 46, 44: 45, 43: 44, 42: 43, 41: 42, 95: 96, 94: 95, 93: 94, 92: 93}
        moved = map_.copy()
        for old, new in shifted.items():
            moved[map_ == old] = new
    else:
        moved = np.where((map_ > 0) & (map_ != 100), map_ + 1, map_)
    path = write(moved, tmp_path / "map.nii.gz", like=seen.image)
    found = read_label_maps([path], scan=scan_of(scanned()))
    assert Level.L5_S1 not in found.disc_at
    assert apart_mm(found.disc_at[Level.L4_L5], scanned().disc_centres_mm[Level.L3_L4]) < 8
    assert "sixth-lumbar-vertebra" in {remark.code for remark in found.warnings}


def test_a_map_on_another_grid_is_resampled_with_a_word(tmp_path: Path) -> None:
    """An isotropic map of 1 mm, as TotalSpineSeg can leave."""
    fine = acquire(
        ann(),
        noise_seed=1,
        pixel_mm=1.0,
        matrix=(260, 120),
        slices=40,
        slice_distance_mm=1.0,
        slice_thickness_mm=1.0,
    )
    found = read_label_maps(write_scheme("TotalSpineSeg", fine, tmp_path), scan=scan_of(scanned()))
    assert "anatomy-resampled" in {remark.code for remark in found.warnings}
    disc = array(found.structures[Structure.DISC])
    truth = instances(scanned()).structure == Structure.DISC
    inside = np.s_[1:-1]  # the fine map ends within the outermost slices
    overlap = 2 * (disc[inside] >= 0.5)[truth[inside]].sum()
    assert overlap / ((disc[inside] >= 0.5).sum() + truth[inside].sum()) > 0.9
    assert apart_mm(found.disc_at[Level.L3_L4], scanned().disc_centres_mm[Level.L3_L4]) < 8


def test_a_cropped_map_on_the_scans_voxels_is_taken_as_it_is(tmp_path: Path) -> None:
    seen = instances(scanned())
    whole = write(totalspineseg(seen), tmp_path / "map.nii.gz", like=seen.image)
    cropped = sitk.ReadImage(str(whole))[2:-1, 5:-4, 3:-7]
    sitk.WriteImage(cropped, str(tmp_path / "cropped.nii.gz"))
    found = read_label_maps([tmp_path / "cropped.nii.gz"], scan=scan_of(scanned()))
    assert {remark.code for remark in found.warnings} == {"anatomy-from-labels"}
    assert set(np.unique(array(found.structures[Structure.DISC]))) == {0.0, 1.0}


def refused(labels: np.ndarray, tmp_path: Path, *, match: str) -> None:
    path = write(labels, tmp_path / "map.nii.gz", like=scanned().image)
    with pytest.raises(MaskError, match=match) as caught:
        read_label_maps([path], scan=scan_of(scanned()))
    assert "\n" not in str(caught.value)


def test_labels_of_no_program_are_refused_with_the_option_named(tmp_path: Path) -> None:
    seen = instances(scanned())
    refused(seen.structure, tmp_path, match="no disc is labelled")  # 1-4: vertebrae's names
    refused(np.where(seen.structure > 0, 300, 0), tmp_path, match="--anatomy-labels")
    refused(0 * seen.structure, tmp_path, match="empty")


def test_a_canal_left_out_makes_spider_doubtful_until_it_is_said(tmp_path: Path) -> None:
    seen = instances(scanned())
    labels = spider_downwards(seen)
    labels[labels == 100] = 0
    refused(labels, tmp_path, match="--anatomy-labels")
    path = write(labels, tmp_path / "map.nii.gz", like=seen.image)
    found = read_label_maps([path], scan=scan_of(scanned()), scheme="spider")
    assert apart_mm(found.disc_at[Level.L5_S1], scanned().disc_centres_mm[Level.L5_S1]) < 8


def test_names_without_discs_are_no_anatomy(tmp_path: Path) -> None:
    refused(vertebrae_mr(instances(scanned())), tmp_path, match="no disc is labelled")


def test_maps_of_two_programs_are_not_mixed(tmp_path: Path) -> None:
    seen = instances(scanned())
    paths = [
        write(labels(seen), tmp_path / f"{k}.nii.gz", like=seen.image)
        for k, labels in enumerate((total_mr, spineps_subregions))
    ]
    with pytest.raises(MaskError, match="different programs"):
        read_label_maps(paths, scan=scan_of(scanned()))


def test_a_map_of_another_place_is_refused(tmp_path: Path) -> None:
    elsewhere = sitk.Image(scanned().image)
    elsewhere.SetOrigin(np.add(elsewhere.GetOrigin(), (0.0, 0.0, 400.0)).tolist())
    path = write(totalspineseg(instances(scanned())), tmp_path / "map.nii.gz", like=elsewhere)
    with pytest.raises(MaskError, match="another scan"):
        read_label_maps([path], scan=scan_of(scanned()))


def test_probabilities_are_no_labels(tmp_path: Path) -> None:
    sitk.WriteImage(scanned().anatomy.disc, str(tmp_path / "map.nii.gz"))
    with pytest.raises(MaskError, match="fractions"):
        read_label_maps([tmp_path / "map.nii.gz"], scan=scan_of(scanned()))
