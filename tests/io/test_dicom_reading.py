"""Every voxel lies where the file says, whatever the orientation, order, encoding or class."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import dicom_files
import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import Grid, truth_error
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.fileset import FileSet
from scipy.spatial.transform import Rotation

from mri_resorb.io.studies import read_study

ROUNDING = 0.51
"""Stored values are whole numbers."""


@st.composite
def sagittal_grids(draw: st.DrawFn) -> Grid:
    """Turned up to 25 degrees, rows and columns flipped or swapped, slices either way."""
    axis = np.array(draw(st.tuples(*[st.floats(0.01, 1)] * 3)))
    angle = np.radians(draw(st.floats(-25, 25)))
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    signs = draw(st.tuples(*[st.sampled_from((-1, 1))] * 2))
    row, column = (
        sign * np.asarray(d) @ turn.T for sign, d in zip(signs, dicom_files.SAGITTAL, strict=True)
    )
    if draw(st.booleans()):
        row, column = column, row
    return Grid(
        slices=draw(st.integers(3, 8)),
        rows=draw(st.integers(5, 12)),
        columns=draw(st.integers(5, 12)),
        orientation=(tuple(row), tuple(column)),
        spacing_mm=(draw(st.floats(0.3, 2.0)), draw(st.floats(0.3, 2.0))),
        distance_mm=draw(st.floats(0.8, 6.0)),
        backwards=draw(st.booleans()),
    )


@settings(max_examples=40, deadline=None)
@given(grid=sagittal_grids(), shuffle=st.randoms(use_true_random=False))
def test_voxels_lie_where_the_files_say(grid: Grid, shuffle) -> None:
    datasets = dicom_files.series(grid)
    shuffle.shuffle(datasets)
    with TemporaryDirectory() as folder:
        dicom_files.write(datasets, Path(folder))
        scan = read_study(Path(folder))
    assert truth_error(scan.image) < ROUNDING
    assert (
        sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(scan.image.GetDirection())
        == "PIL"
    )
    assert scan.image.GetSize()[2] == grid.slices
    assert scan.image.GetSpacing()[2] == pytest.approx(grid.distance_mm, abs=1e-5)
    assert scan.image.GetPixelID() == sitk.sitkFloat32


@settings(max_examples=12, deadline=None)
@given(grid=sagittal_grids(), enhanced=st.booleans(), shuffle=st.randoms(use_true_random=False))
def test_each_slice_knows_the_frame_that_it_came_from(
    grid: Grid, enhanced: bool, shuffle: Random
) -> None:
    order = list(range(grid.slices))
    shuffle.shuffle(order)
    classic = dicom_files.series(grid)
    datasets = (
        [dicom_files.enhanced(grid, frame_order=order)] if enhanced else [classic[k] for k in order]
    )
    with TemporaryDirectory() as folder:
        dicom_files.write(datasets, Path(folder))
        scan = read_study(Path(folder))
    through = np.reshape(scan.image.GetDirection(), (3, 3))[:, 2]
    assert len(scan.frames) == grid.slices
    for k, frame in enumerate(scan.frames):
        place = frame.header
        if enhanced:
            groups = place.PerFrameFunctionalGroupsSequence[frame.number - 1]
            place = groups.PlanePositionSequence[0]
        slice_mm = np.array(scan.image.TransformIndexToPhysicalPoint((0, 0, k)))
        assert abs((np.array(place.ImagePositionPatient) - slice_mm) @ through) < 1e-3


def test_headers_are_kept_without_pixels_and_private_attributes_and_never_shown(
    tmp_path: Path,
) -> None:
    datasets = dicom_files.series()
    for dataset in datasets:
        dataset.private_block(0x0029, "SCANNER", create=True).add_new(0x10, "OB", b"\0" * 100_000)
    dicom_files.write(datasets, tmp_path)
    scan = read_study(tmp_path)
    header = scan.frames[0].header
    assert header.PatientName == "Doe^Jane"
    assert "PixelData" not in header
    assert len(pickle.dumps(scan.frames)) < 50_000
    assert "Doe" not in repr(scan)
    assert "Doe" not in repr(scan.frames)


@settings(max_examples=20, deadline=None)
@given(grid=sagittal_grids())
def test_native_orientation_leads_back_to_the_order_of_the_files(grid: Grid) -> None:
    grid = replace(grid, backwards=False)
    with TemporaryDirectory() as folder:
        dicom_files.write(dicom_files.series(grid), Path(folder))
        scan = read_study(Path(folder))
    back = sitk.GetArrayFromImage(sitk.DICOMOrient(scan.image, scan.native_orientation))
    assert np.array_equal(back, np.round(grid.values()))


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transfer_syntaxes(tmp_path: Path, syntax: uid.UID, dtype: type) -> None:
    slope = 16 if dtype is np.uint8 else 1
    grid = Grid()
    datasets = dicom_files.series(grid, RescaleSlope=slope, RescaleIntercept=0)
    for dataset, pixels in zip(datasets, grid.values(), strict=True):
        dicom_files._set_pixels(dataset, np.round(pixels / slope).astype(dtype))
    paths = dicom_files.write(datasets, tmp_path, syntax=syntax)
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == syntax
    assert truth_error(read_study(tmp_path).image) < ROUNDING * slope


def test_signed_values_with_rescaling(tmp_path: Path) -> None:
    datasets = dicom_files.series(
        dtype=np.int16, shift=1500.0, RescaleSlope=1, RescaleIntercept=1500
    )
    assert min(np.frombuffer(dataset.PixelData, np.int16).min() for dataset in datasets) < 0
    dicom_files.write(datasets, tmp_path)
    assert truth_error(read_study(tmp_path).image) < ROUNDING


def test_bits_above_those_stored_are_not_part_of_the_value(tmp_path: Path) -> None:
    datasets = dicom_files.series(BitsStored=12, HighBit=11)
    for dataset in datasets:
        pixels = np.frombuffer(dataset.PixelData, np.uint16) | 0x8000
        dataset.PixelData = pixels.tobytes()
    dicom_files.write(datasets, tmp_path)
    assert truth_error(read_study(tmp_path).image) < ROUNDING


def test_monochrome1_is_turned_so_that_bright_is_signal(tmp_path: Path) -> None:
    datasets = dicom_files.series(
        BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1"
    )
    for dataset in datasets:
        dataset.PixelData = (4095 - np.frombuffer(dataset.PixelData, np.uint16)).tobytes()
    dicom_files.write(datasets, tmp_path)
    assert truth_error(read_study(tmp_path).image) < ROUNDING


def test_enhanced_multiframe_with_frames_out_of_order(tmp_path: Path) -> None:
    dataset = dicom_files.enhanced(frame_order=[4, 0, 6, 2, 1, 5, 3])
    dicom_files.write([dataset], tmp_path)
    scan = read_study(tmp_path)
    assert truth_error(scan.image) < ROUNDING / 2
    assert "sagittal T2" in str(scan.chosen_because)
    assert scan.slice_thickness_mm == 4.0


def test_enhanced_file_given_by_itself(tmp_path: Path) -> None:
    (path,) = dicom_files.write([dicom_files.enhanced()], tmp_path)
    assert truth_error(read_study(path).image) < ROUNDING / 2


def test_enhanced_class_with_one_frame_a_file_and_hardly_any_header(tmp_path: Path) -> None:
    taken_away = ["Modality", "StudyDate", "PatientName", "PatientBirthDate", "PatientSex"]
    taken_away += ["EchoTime", "RepetitionTime", "SeriesDescription", "SeriesNumber", "ImageType"]
    datasets = dicom_files.series(
        SOPClassUID=uid.EnhancedMRImageStorage,
        StudyInstanceUID="4003253",
        SeriesInstanceUID="702807833",
        **dict.fromkeys(taken_away),
    )
    for number, dataset in enumerate(datasets):
        dataset.SOPInstanceUID = str(number)
    dicom_files.write(datasets, tmp_path)
    scan = read_study(tmp_path)
    assert truth_error(scan.image) < ROUNDING
    assert scan.date is None
    assert scan.series_uid == "702807833"
    assert "unknown weighting" in str(scan.chosen_because)


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian],
    ids=lambda syntax: syntax.name,
)
def test_files_without_preamble(tmp_path: Path, syntax: uid.UID) -> None:
    dicom_files.write(dicom_files.series(), tmp_path, syntax=syntax, preamble=False)
    assert truth_error(read_study(tmp_path).image) < ROUNDING


def test_dicomdir_beside_the_files_and_given_itself(tmp_path: Path) -> None:
    files = FileSet()
    for path in dicom_files.write(dicom_files.series(), tmp_path / "loose"):
        files.add(path)
    files.write(tmp_path / "disc")
    assert truth_error(read_study(tmp_path / "disc").image) < ROUNDING
    assert truth_error(read_study(tmp_path / "disc" / "DICOMDIR").image) < ROUNDING


def test_slices_measured_by_position_not_by_what_the_header_says_of_spacing(
    tmp_path: Path,
) -> None:
    datasets = dicom_files.series(SliceThickness=4.0, SpacingBetweenSlices=0.4)
    dicom_files.write(datasets, tmp_path)
    assert read_study(tmp_path).image.GetSpacing()[2] == pytest.approx(4.4)


def test_same_volume_as_other_readers(tmp_path: Path) -> None:
    turn = Rotation.from_euler("zyx", [11, -7, 5], degrees=True).as_matrix()
    row, column = (tuple(turn @ direction) for direction in dicom_files.SAGITTAL)
    paths = dicom_files.write(dicom_files.series(Grid(orientation=(row, column))), tmp_path)
    scan = read_study(tmp_path)
    ours = sitk.DICOMOrient(scan.image, scan.native_orientation)

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    itk = reader.Execute()
    assert ours.GetSpacing() == pytest.approx(itk.GetSpacing(), abs=1e-6)
    assert ours.GetOrigin() == pytest.approx(itk.GetOrigin(), abs=1e-4)
    assert ours.GetDirection() == pytest.approx(itk.GetDirection(), abs=1e-6)
    assert np.array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(itk))

    volume = highdicom.get_volume_from_series([pydicom.dcmread(path) for path in paths])
    first_voxel = volume.affine @ [0, 0, 0, 1]
    index = ours.TransformPhysicalPointToIndex(first_voxel[:3].tolist())
    assert ours.GetPixel(*index) == volume.array[0, 0, 0]


def test_what_the_scan_says_of_itself(tmp_path: Path) -> None:
    paths = dicom_files.write(
        dicom_files.series(
            AcquisitionDate="20181104",
            PatientAge="040Y",
            MagneticFieldStrength=1.5,
            Manufacturer="SIEMENS",
            ManufacturerModelName="Avanto_fit",
        ),
        tmp_path,
    )
    (tmp_path / "readme.txt").write_text("not DICOM")
    scan = read_study(tmp_path)
    assert str(scan.date) == "2018-11-04"
    assert (scan.patient.id, scan.patient.sex, scan.patient.age_years) == ("P-17", "F", 40)
    assert (scan.scanner, scan.field_strength_tesla) == ("SIEMENS Avanto_fit", 1.5)
    assert scan.sha256 == tuple(
        sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    )


@pytest.mark.parametrize(
    ("attributes", "date", "age"),
    [
        ({"AcquisitionDate": "20181103", "SeriesDate": "20181104"}, "2018-11-03", 40),
        ({"AcquisitionDateTime": "20181103101500.5"}, "2018-11-03", 40),
        ({"AcquisitionDate": "20181399", "SeriesDate": "20181104"}, "2018-11-04", 40),
        ({"AcquisitionDate": "", "SeriesDate": "ANONYMOUS"}, "2018-11-05", 40),
        ({"AcquisitionDate": "19000101"}, "2018-11-05", 40),
        ({"PatientBirthDate": "19781106"}, "2018-11-05", 39),
        ({"PatientBirthDate": None, "PatientAge": "018M"}, "2018-11-05", 1),
        ({"PatientBirthDate": None, "PatientAge": "about 40"}, "2018-11-05", None),
        ({"StudyDate": None}, "None", None),
    ],
)
def test_dates_and_ages(tmp_path: Path, attributes: dict, date: str, age: int | None) -> None:
    dicom_files.write(dicom_files.series(**attributes), tmp_path)
    scan = read_study(tmp_path)
    assert (str(scan.date), scan.patient.age_years) == (date, age)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    odd = {"StudyInstanceUID": "not.a.uid", "PatientAge": "forty", "StudyDate": "2018/11/05"}
    dicom_files.write(dicom_files.series(**odd), tmp_path)
    read_study(tmp_path)
    assert capfd.readouterr() == ("", "")
