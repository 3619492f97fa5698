"""Masks written and read back, whatever their grid, and what is refused as a mask."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import slicerio
from case_results import SAGITTAL, anatomy, blank, ellipsoid, hard, like, points_mm
from hypothesis import given
from hypothesis import strategies as st

from mri_resorb.errors import MaskError
from mri_resorb.io.masks import (
    read_fragment_mask,
    write_labels,
    write_occupancy,
    write_slicer_segmentation,
)
from mri_resorb.model import Anatomy, Level, Scan, Structure

ORIENTATIONS = [
    "".join(letters)
    for order in itertools.permutations(["LR", "AP", "SI"])
    for letters in itertools.product(*order)
]


def assert_same_voxels(left: sitk.Image, right: sitk.Image) -> None:
    assert left.GetSize() == right.GetSize()
    np.testing.assert_allclose(left.GetOrigin(), right.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(left.GetDirection(), right.GetDirection(), atol=1e-5)
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(left), sitk.GetArrayViewFromImage(right)
    )


@given(native=st.sampled_from(ORIENTATIONS), tilt=st.floats(-0.3, 0.3))
def test_occupancy_comes_back_the_same_from_any_native_orientation(
    tmp_path_factory: pytest.TempPathFactory, native: str, tilt: float
) -> None:
    turn = np.array(
        [[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1.0]]
    )
    direction = tuple((turn @ np.asarray(SAGITTAL).reshape(3, 3)).ravel())
    image = blank(shape=(5, 12, 9), direction=direction)
    scan = Scan(image=image, native_orientation=native)
    drawn = ellipsoid(image, centre=(2.0, 41.0, -16.0), radii_mm=(6.0, 3.0, 3.0))
    path = tmp_path_factory.mktemp("mask") / "fragment.nii.gz"
    write_occupancy(drawn, path, native_orientation=native)
    assert_same_voxels(read_fragment_mask(path, scan=scan), drawn)


def test_written_mask_lies_on_the_same_millimetres_in_another_reader(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    write_occupancy(drawn, tmp_path / "m.nii.gz", native_orientation="LPS")
    read = nib.load(tmp_path / "m.nii.gz")
    assert nib.aff2axcodes(read.affine) == ("L", "P", "S")
    values = np.asarray(read.dataobj)
    indices = np.argwhere(values > 0)
    ras = nib.affines.apply_affine(read.affine, indices)
    expected = points_mm(drawn)[sitk.GetArrayFromImage(drawn) > 0] * (-1, -1, 1)
    assert {tuple(np.round(p, 2)) for p in ras} == {tuple(np.round(p, 2)) for p in expected}
    assert values.dtype == np.float32


def test_each_voxel_is_labelled_by_what_fills_most_of_it(tmp_path: Path) -> None:
    # Columns: background 0.4 leads; vertebra leads; disc leads; canal leads; sacrum leads.
    image = blank(shape=(1, 1, 5))
    parts = {
        "vertebra": [0.3, 0.6, 0.1, 0.0, 0.1],
        "disc": [0.3, 0.3, 0.5, 0.1, 0.2],
        "canal": [0.0, 0.0, 0.4, 0.8, 0.0],
        "sacrum": [0.0, 0.1, 0.0, 0.1, 0.7],
    }
    made = Anatomy(**{name: like(np.reshape(row, (1, 1, 5)), image) for name, row in parts.items()})
    write_labels(made, tmp_path / "a.nii.gz", native_orientation="PIL")
    written = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    assert written.GetPixelID() == sitk.sitkUInt8
    assert sitk.GetArrayFromImage(written).ravel().tolist() == [
        0,
        Structure.VERTEBRA,
        Structure.DISC,
        Structure.CANAL,
        Structure.SACRUM,
    ]


def test_labels_are_written_in_the_grid_of_the_files(tmp_path: Path) -> None:
    image = blank(shape=(5, 30, 20))
    write_labels(anatomy(image), tmp_path / "a.nii.gz", native_orientation="RAI")
    written = sitk.ReadImage(str(tmp_path / "a.nii.gz"))
    native = sitk.DICOMOrient(image, "RAI")
    assert written.GetSize() == native.GetSize()
    np.testing.assert_allclose(written.GetOrigin(), native.GetOrigin(), atol=1e-3)


@pytest.mark.parametrize("label", [1, 2, 255])
def test_a_single_label_of_any_value_is_a_full_voxel(
    tmp_path: Path, scan: Scan, drawn: sitk.Image, label: int
) -> None:
    sitk.WriteImage(hard(drawn) * label, str(tmp_path / "m.nii.gz"))
    assert_same_voxels(
        read_fragment_mask(tmp_path / "m.nii.gz", scan=scan), sitk.Cast(hard(drawn), 8)
    )


def test_a_cropped_mask_on_the_same_voxels_is_put_in_its_place(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    filled = np.argwhere(sitk.GetArrayFromImage(drawn) > 0)
    low, high = filled.min(axis=0)[::-1].tolist(), filled.max(axis=0)[::-1].tolist()
    cropped = drawn[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    sitk.WriteImage(sitk.DICOMOrient(cropped, "RAS"), str(tmp_path / "m.nrrd"))
    assert_same_voxels(read_fragment_mask(tmp_path / "m.nrrd", scan=scan), drawn)


def test_a_padded_mask_is_cropped_when_nothing_lies_outside(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    sitk.WriteImage(sitk.ConstantPad(drawn, [2, 3, 1], [1, 0, 4]), str(tmp_path / "m.mha"))
    assert_same_voxels(read_fragment_mask(tmp_path / "m.mha", scan=scan), drawn)
    sitk.WriteImage(sitk.ConstantPad(drawn, [2, 3, 1], [1, 0, 4], 1.0), str(tmp_path / "m.mha"))
    with pytest.raises(MaskError, match="outside"):
        read_fragment_mask(tmp_path / "m.mha", scan=scan)


def test_slicer_s_reader_finds_name_colour_terms_and_voxels(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    path = tmp_path / "fragment.seg.nrrd"
    write_slicer_segmentation(drawn, path, native_orientation="LPS", level=Level.L5_S1)
    read = slicerio.read_segmentation(str(path))
    (segment,) = read["segments"]
    assert segment["name"] == "Herniated disc fragment L5-S1"
    assert segment["color"] == [0.90, 0.29, 0.21]
    assert segment["terminology"]["type"] == ["SCT", "414403008", "Herniated structure"]
    assert segment["terminology"]["anatomicRegion"] == ["SCT", "715056000", "L5/S1 disc"]
    filled = np.argwhere(read["voxels"] == segment["labelValue"])
    assert segment["extent"] == np.stack([filled.min(0), filled.max(0)], axis=1).ravel().tolist()
    lps = nib.affines.apply_affine(read["ijkToLPS"], filled)
    expected = points_mm(drawn)[sitk.GetArrayFromImage(drawn) >= 0.5]
    assert {tuple(np.round(p, 2)) for p in lps} == {tuple(np.round(p, 2)) for p in expected}


def test_a_mask_saved_by_slicer_s_writer_comes_back(
    tmp_path: Path, scan: Scan, drawn: sitk.Image
) -> None:
    ours, theirs = tmp_path / "ours.seg.nrrd", tmp_path / "theirs.seg.nrrd"
    write_slicer_segmentation(drawn, ours, native_orientation="RAI", level=Level.L5_S1)
    slicerio.write_segmentation(str(theirs), slicerio.read_segmentation(str(ours)))
    assert_same_voxels(read_fragment_mask(theirs, scan=scan), sitk.Cast(hard(drawn), 8))


def shifted(image: sitk.Image) -> sitk.Image:
    moved = sitk.Image(image)
    moved.SetOrigin((image.GetOrigin()[0] + 0.3, *image.GetOrigin()[1:]))
    return moved


def turned(image: sitk.Image) -> sitk.Image:
    """Half a degree about the first corner: a voxel away at the far one."""
    angle = np.deg2rad(0.5)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    moved = sitk.Image(image)
    moved.SetDirection((turn @ np.asarray(image.GetDirection()).reshape(3, 3)).ravel().tolist())
    return moved


def finer(image: sitk.Image) -> sitk.Image:
    return sitk.Expand(image, [1, 1, 2])


@pytest.mark.parametrize("spoil", [shifted, turned, finer])
def test_a_mask_on_another_grid_is_refused(
    tmp_path: Path, scan: Scan, drawn: sitk.Image, spoil: object
) -> None:
    assert callable(spoil)
    sitk.WriteImage(spoil(drawn), str(tmp_path / "m.nii.gz"))
    with pytest.raises(MaskError, match="another grid"):
        read_fragment_mask(tmp_path / "m.nii.gz", scan=scan)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda mask: mask * 0, "empty"),
        (lambda mask: mask + 2 * (mask > 0.9), "several labels"),
        (lambda mask: mask - 1, "negative"),
        (lambda mask: np.where(mask > 0.9, np.nan, mask), "non-finite"),
    ],
)
def test_values_that_are_no_mask_are_refused(
    tmp_path: Path, scan: Scan, drawn: sitk.Image, values: object, message: str
) -> None:
    assert callable(values)
    spoilt = like(values(sitk.GetArrayFromImage(drawn)), drawn)
    sitk.WriteImage(spoilt, str(tmp_path / "m.mha"))
    with pytest.raises(MaskError, match=message):
        read_fragment_mask(tmp_path / "m.mha", scan=scan)


def test_what_is_no_mask_file_is_refused(tmp_path: Path, scan: Scan) -> None:
    with pytest.raises(MaskError, match="not a mask file"):
        read_fragment_mask(tmp_path / "nowhere.nii.gz", scan=scan)
    (tmp_path / "notes.nii.gz").write_text("not an image")
    with pytest.raises(MaskError, match="cannot be read"):
        read_fragment_mask(tmp_path / "notes.nii.gz", scan=scan)
    (tmp_path / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\1" * 40)
    with pytest.raises(MaskError, match="cannot be read"):
        read_fragment_mask(tmp_path / "broken.dcm", scan=scan)
