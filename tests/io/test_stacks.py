"""What is no regular volume is refused with the place named; what holds several is taken apart."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

import dicom_files
import numpy as np
import pytest
from dicom_files import Grid, truth_error
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from mri_resorb.errors import GeometryError, PixelDataError
from mri_resorb.io.studies import read_study
from mri_resorb.languages import decimal

GRID = Grid(slices=9)
X_MM = GRID.positions()[:, 0]
"""Slice places; the normal of the sagittal grid points to the patient's right, so places fall."""


def _read(datasets: list[Dataset], folder: Path):
    dicom_files.write(datasets, folder)
    return read_study(folder)


@settings(max_examples=15, deadline=None)
@given(lost=st.sets(st.integers(1, 7), min_size=1, max_size=3), angle=st.floats(-20, 20))
def test_missing_slices_are_named_by_place(lost: set[int], angle: float) -> None:
    turn = Rotation.from_euler("z", angle, degrees=True).as_matrix()
    row, column = (tuple(turn @ direction) for direction in dicom_files.SAGITTAL)
    grid = Grid(slices=9, orientation=(row, column))
    datasets = dicom_files.series(grid)
    kept = [dataset for number, dataset in enumerate(datasets) if number not in lost]
    first = grid.positions()[min(lost)] @ np.cross(row, column)
    with TemporaryDirectory() as folder, pytest.raises(GeometryError) as caught:
        _read(kept, Path(folder))
    assert "missing" in str(caught.value) or "apart" in str(caught.value)
    if len(lost) == 1:
        assert f"missing at {decimal(first, places=1)} mm" in str(caught.value)


def _shift(dataset: Dataset, offset: tuple[float, float, float]) -> None:
    place = np.add(dataset.ImagePositionPatient, offset)
    dataset.ImagePositionPatient = [round(float(value), 6) for value in place]


def _tilt(dataset: Dataset, degrees: float) -> None:
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    turned = np.reshape(dataset.ImageOrientationPatient, (2, 3)) @ turn.T
    dataset.ImageOrientationPatient = [round(float(value), 6) for value in turned.ravel()]


def _double(datasets: list[Dataset]) -> None:
    datasets.append(deepcopy(datasets[4]))
    datasets[-1].SOPInstanceUID = generate_uid()


def _each(change: Callable[[Dataset], None]) -> Callable[[list[Dataset]], None]:
    return lambda datasets: [change(dataset) for dataset in datasets] and None


def _set(**attributes: object) -> Callable[[Dataset], None]:
    return lambda dataset: dicom_files._change(dataset, attributes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda datasets: _shift(datasets[4], (1.0, 0, 0)), "3,40 mm after the slice at"),
        (lambda datasets: _shift(datasets[4], (0, 0.5, 0)), "shifted sideways by 0,5 mm"),
        (
            lambda datasets: _tilt(datasets[4], 1.0),
            f"at {decimal(-X_MM[4], places=1)} mm is not parallel",
        ),
        (lambda datasets: _tilt(datasets[4], 45.0), f"missing at {decimal(-X_MM[4], places=1)} mm"),
        (_double, f"same slice position, {decimal(-X_MM[4], places=1)} mm"),
        (lambda datasets: _set(PixelSpacing=[1.0, 1.0])(datasets[4]), "missing"),
        (lambda datasets: datasets.__delitem__(slice(2, None)), "2 slices are no volume"),
        (lambda datasets: datasets.__delitem__(slice(1, None)), "One slice is no volume"),
        (_each(_set(PixelSpacing=[0.0, 0.0])), "pixel spacing of 0 x 0 mm"),
        (_each(_set(PixelSpacing=[25.0, 25.0])), "pixel spacing of 25 x 25 mm"),
        (_each(_set(PixelSpacing=None)), "pixel spacing"),
        (_each(_set(ImageOrientationPatient=[0, 1, 0, 0, 0.7, -0.7])), "perpendicular"),
        (lambda datasets: _set(ImagePositionPatient=None)(datasets[4]), "where its image lies"),
    ],
)
def test_irregular_series(
    tmp_path: Path, change: Callable[[list[Dataset]], None], words: str
) -> None:
    datasets = dicom_files.series(GRID)
    change(datasets)
    with pytest.raises(GeometryError) as caught:
        _read(datasets, tmp_path)
    assert words in str(caught.value)


def test_rows_that_differ_in_one_file_leave_a_gap(tmp_path: Path) -> None:
    datasets = dicom_files.series(GRID)
    dicom_files._set_pixels(datasets[4], np.zeros((10, 10), np.uint16))
    with pytest.raises(GeometryError, match="missing"):
        _read(datasets, tmp_path)


def test_positions_rounded_as_scanners_do_are_regular(tmp_path: Path) -> None:
    datasets = dicom_files.series(Grid(slices=15, distance_mm=3.8499))
    for dataset in datasets:
        dataset.ImagePositionPatient = [f"{value:.2f}" for value in dataset.ImagePositionPatient]
    scan = _read(datasets, tmp_path)
    assert scan.image.GetSpacing()[2] == pytest.approx(3.85, abs=0.002)


@pytest.mark.parametrize(
    "difference",
    [
        {"EchoTime": 20.0},
        {"EchoNumbers": 2},
        {"AcquisitionNumber": 2},
        {"TemporalPositionIdentifier": 2},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P"]},
        {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_one_series_that_holds_two_image_sets(tmp_path: Path, difference: dict) -> None:
    shared = {
        "SeriesInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "EchoNumbers": 1,
        "AcquisitionNumber": 1,
        "TemporalPositionIdentifier": 1,
    }
    wanted = dicom_files.series(GRID, **shared)
    other = dicom_files.series(GRID, **(shared | difference))
    for dataset in other:
        dataset.PixelData = bytes(len(dataset.PixelData))
    for one, two in zip(wanted, other, strict=True):
        two.ImagePositionPatient = one.ImagePositionPatient
    scan = _read([frame for pair in zip(wanted, other, strict=True) for frame in pair], tmp_path)
    assert scan.image.GetSize()[2] == 9
    assert truth_error(scan.image) < 0.51


def test_an_instance_stored_twice_counts_once(tmp_path: Path) -> None:
    datasets = dicom_files.series(GRID)
    scan = _read([*datasets, datasets[3]], tmp_path)
    assert scan.image.GetSize()[2] == 9


def test_two_interleaved_acquisitions_do_not_pass_as_one_of_half_the_distance(
    tmp_path: Path,
) -> None:
    shared = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
    first = dicom_files.series(GRID, AcquisitionNumber=1, **shared)
    second = dicom_files.series(GRID, AcquisitionNumber=2, **shared)
    for dataset in second:
        _shift(dataset, (2.2, 0, 0))
    scan = _read(first + second, tmp_path)
    assert scan.image.GetSpacing()[2] == pytest.approx(4.4)
    assert scan.image.GetSize()[2] == 9


def _cut_off_last(folder: Path, *, share: float) -> None:
    """Cut the outermost slice: left out unsaid, it would make a volume that looks whole."""
    path = dicom_files.write(dicom_files.series(GRID), folder)[-1]
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


@pytest.mark.parametrize("share", [0.5, 0.6, 0.9, 0.999])
def test_a_file_cut_off_is_named_by_its_place_only(tmp_path: Path, share: float) -> None:
    _cut_off_last(tmp_path, share=share)
    with pytest.raises(PixelDataError, match="File 9 of 9") as caught:
        read_study(tmp_path)
    assert "IM0009" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3])
def test_a_file_cut_off_before_it_names_its_series_is_warned_of(
    tmp_path: Path, share: float
) -> None:
    _cut_off_last(tmp_path, share=share)
    assert [remark.code for remark in read_study(tmp_path).warnings] == ["damaged-file"]


def test_a_compressed_file_cut_off(tmp_path: Path) -> None:
    from pydicom.uid import JPEGLosslessSV1

    paths = dicom_files.write(dicom_files.series(GRID), tmp_path, syntax=JPEGLosslessSV1)
    paths[-1].write_bytes(paths[-1].read_bytes()[:-200])
    with pytest.raises(PixelDataError, match="File 9 of 9"):
        read_study(tmp_path)
