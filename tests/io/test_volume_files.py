"""NIfTI, NRRD and MetaImage as other programs write them, in any axis order."""

from __future__ import annotations

import itertools
from pathlib import Path

import dicom_files
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import Grid, truth_error

from mri_resorb.errors import GeometryError, PixelDataError, SeriesChoiceError
from mri_resorb.io.studies import read_study

GRID = Grid(slices=7, rows=11, columns=9)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _affine_lps(grid: Grid) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = (grid.steps_mm[:, None] * grid.directions).T
    affine[:3, 3] = grid.origin_mm
    return affine


def _nifti(path: Path, grid: Grid = GRID, *, dtype: type = np.float32, **forms: int) -> Path:
    """Written by nibabel: index axes along a row, down a column, from slice to slice."""
    values = grid.values().transpose(2, 1, 0).astype(dtype)
    image = nib.Nifti1Image(values, LPS_TO_RAS @ _affine_lps(grid), dtype=dtype)
    affine = image.affine.copy()
    image.set_sform(affine, code=forms.get("sform", 1))
    image.set_qform(affine, code=forms.get("qform", 1))
    nib.save(image, path)
    return path


def _itk(grid: Grid = GRID) -> sitk.Image:
    image = sitk.GetImageFromArray(grid.values().astype(np.float32))
    image.SetOrigin(grid.origin_mm.tolist())
    image.SetSpacing(grid.steps_mm.tolist())
    image.SetDirection(grid.directions.T.ravel().tolist())
    return image


ORIENTATIONS = [
    "".join(axes)
    for order in itertools.permutations(("RL", "AP", "SI"))
    for axes in itertools.product(*order)
]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_any_axis_order(tmp_path: Path, orientation: str) -> None:
    turned = sitk.DICOMOrient(_itk(), orientation)
    for name in ("a.nii.gz", "a.nrrd", "a.mha"):
        sitk.WriteImage(turned, str(tmp_path / name))
        scan = read_study(tmp_path / name)
        assert scan.native_orientation == orientation
        assert truth_error(scan.image) < 0.05
        back = sitk.DICOMOrient(scan.image, scan.native_orientation)
        assert np.array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(turned))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_number_types(tmp_path: Path, dtype: type) -> None:
    grid = Grid(slices=5, rows=6, columns=5, spacing_mm=(0.5, 0.5), distance_mm=1.0)
    path = tmp_path / "a.nii"
    values = grid.values()
    if dtype is np.uint8:
        values = values / 16
    image = nib.Nifti1Image(
        np.round(values).astype(dtype).transpose(2, 1, 0), LPS_TO_RAS @ _affine_lps(grid)
    )
    if dtype is np.uint8:
        image.header.set_slope_inter(16, 0)
    nib.save(image, path)
    assert truth_error(read_study(path).image) < (8.1 if dtype is np.uint8 else 0.51)


@pytest.mark.parametrize("forms", [{"sform": 0}, {"qform": 0}, {}])
def test_one_form_is_enough(tmp_path: Path, forms: dict[str, int]) -> None:
    path = _nifti(tmp_path / "a.nii.gz", **forms)
    assert truth_error(read_study(path).image) < 0.05


def test_forms_that_disagree(tmp_path: Path) -> None:
    path = _nifti(tmp_path / "a.nii")
    image = nib.load(path)
    moved = image.affine.copy()
    moved[0, 3] += 5
    image.set_sform(moved, code=2)
    nib.save(image, tmp_path / "b.nii")
    with pytest.raises(GeometryError, match=r"5\.0 mm apart"):
        read_study(tmp_path / "b.nii")


def test_no_form_at_all(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="neither sform nor qform"):
        read_study(_nifti(tmp_path / "a.nii", sform=0, qform=0))


def test_sheared_axes(tmp_path: Path) -> None:
    affine = LPS_TO_RAS @ _affine_lps(GRID)
    affine[:3, 2] += 0.3 * affine[:3, 0]
    image = nib.Nifti1Image(GRID.values().transpose(2, 1, 0).astype(np.float32), affine)
    image.set_qform(None, code=0)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(GeometryError, match="perpendicular"):
        read_study(tmp_path / "a.nii")


@pytest.mark.parametrize("count", [1, 2])
def test_four_dimensions(tmp_path: Path, count: int) -> None:
    values = np.stack([GRID.values().transpose(2, 1, 0)] * count, axis=-1).astype(np.float32)
    nib.save(nib.Nifti1Image(values, LPS_TO_RAS @ _affine_lps(GRID)), tmp_path / "a.nii")
    joined = sitk.JoinSeries([_itk()] * count)
    sitk.WriteImage(joined, str(tmp_path / "a.mha"))
    for name in ("a.nii", "a.mha"):
        if count == 1:
            assert truth_error(read_study(tmp_path / name).image) < 0.05
        else:
            with pytest.raises(PixelDataError, match="2 volumes"):
                read_study(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_numbers(tmp_path: Path, value: float) -> None:
    values = GRID.values().transpose(2, 1, 0).astype(np.float32)
    affine = LPS_TO_RAS @ _affine_lps(GRID)
    values[0, 0, :3] = value
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "many.nii")
    with pytest.raises(PixelDataError, match="not numbers"):
        read_study(tmp_path / "many.nii")

    large = Grid(slices=11, rows=20, columns=20)
    values = large.values().transpose(2, 1, 0).astype(np.float32)
    values[0, 0, :3] = value
    nib.save(nib.Nifti1Image(values, LPS_TO_RAS @ _affine_lps(large)), tmp_path / "few.nii")
    scan = read_study(tmp_path / "few.nii")
    assert [remark.code for remark in scan.warnings] == ["non-finite"]
    pixels = sitk.GetArrayFromImage(scan.image)
    assert np.all(np.isfinite(pixels))
    assert np.count_nonzero(pixels == 0) == 3


@pytest.mark.parametrize("plane", [dicom_files.AXIAL, dicom_files.CORONAL])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_slices_in_another_plane(tmp_path: Path, plane: tuple, name: str) -> None:
    sitk.WriteImage(_itk(Grid(orientation=plane)), str(tmp_path / name))
    with pytest.raises(SeriesChoiceError, match="not sagittal"):
        read_study(tmp_path / name)


@pytest.mark.parametrize("plane", [dicom_files.AXIAL, dicom_files.CORONAL])
def test_an_isotropic_volume_has_no_plane(tmp_path: Path, plane: tuple) -> None:
    grid = Grid(orientation=plane, spacing_mm=(1.0, 1.0), distance_mm=1.0)
    sitk.WriteImage(_itk(grid), str(tmp_path / "a.nrrd"))
    assert truth_error(read_study(tmp_path / "a.nrrd").image) < 0.05


def test_nrrd_without_a_space(tmp_path: Path) -> None:
    path = tmp_path / "a.nrrd"
    header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 5 5\nencoding: raw\nspacings: 1 1 1\n\n"
    path.write_bytes(header.encode() + bytes(range(125)))
    with pytest.raises(GeometryError, match="anatomical space"):
        read_study(path)


@pytest.mark.real_data
def test_a_real_volume_lies_where_itk_reads_it(spider: Path) -> None:
    path = spider / "107_image.nii.gz"
    scan, itk = read_study(path), sitk.ReadImage(str(path))
    ours = sitk.DICOMOrient(scan.image, scan.native_orientation)
    assert ours.GetOrigin() == pytest.approx(itk.GetOrigin(), abs=1e-3)
    assert ours.GetDirection() == pytest.approx(itk.GetDirection(), abs=1e-5)
    assert ours.GetSpacing() == pytest.approx(itk.GetSpacing(), rel=1e-5)
    assert np.array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(itk))


def test_a_volume_file_has_no_series_to_name(tmp_path: Path) -> None:
    with pytest.raises(SeriesChoiceError, match="no series '4'"):
        read_study(_nifti(tmp_path / "a.nii"), series="4")


def test_the_only_volume_of_a_folder(tmp_path: Path) -> None:
    _nifti(tmp_path / "a.nii.gz")
    (tmp_path / "notes.txt").write_text("beside")
    assert truth_error(read_study(tmp_path).image) < 0.05
