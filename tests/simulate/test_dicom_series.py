"""What is written as DICOM comes back through other people's readers."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from highdicom.image import get_volume_from_series
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_resorb.model import Patient
from mri_resorb.simulate.dicom_series import write_dicom_series

PATIENT = Patient(id="PHANTOM-7", sex="F", age_years=40)
SAGITTAL = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], float)


def _image(
    *, angles: tuple[float, float, float] = (0.0, 0.0, 0.0), slice_distance_mm: float = 4.4
) -> sitk.Image:
    values = np.random.default_rng(3).integers(0, 4000, (4, 9, 7)).astype(np.uint16)
    image = sitk.GetImageFromArray(values)
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*angles)
    image.SetSpacing((0.7, 0.8, slice_distance_mm))
    image.SetDirection((np.array(turn.GetMatrix()).reshape(3, 3) @ SAGITTAL).ravel().tolist())
    image.SetOrigin((-12.25, -80.123456789, 44.0))
    return image


def _write(image: sitk.Image, folder: Path, *, uid_seed: str = "seed") -> list[pydicom.Dataset]:
    write_dicom_series(
        image,
        folder,
        patient=PATIENT,
        patient_name="Phantom^Seven",
        study_date=date(2021, 3, 4),
        uid_seed=uid_seed,
        slice_thickness_mm=4.0,
    )
    return [pydicom.dcmread(path) for path in sorted(folder.iterdir())]


angle = st.floats(-0.4, 0.4)


@settings(max_examples=15, deadline=None)
@given(angles=st.tuples(angle, angle, angle), slice_distance_mm=st.floats(0.9, 6.0))
def test_highdicom_reads_back_voxels_and_geometry(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    slice_distance_mm: float,
) -> None:
    image = _image(angles=angles, slice_distance_mm=slice_distance_mm)
    folder = tmp_path_factory.mktemp("series") / "study"
    volume = get_volume_from_series(_write(image, folder))
    first_to_last = [volume.map_indices_to_reference(np.array([[k, 0, 0]]))[0] for k in (0, 3)]
    wanted = [image.TransformIndexToPhysicalPoint((0, 0, k)) for k in (0, 3)]
    order = 1 if np.allclose(first_to_last[0], wanted[0], atol=1e-3) else -1
    np.testing.assert_array_equal(volume.array[::order], sitk.GetArrayViewFromImage(image))
    for index in ((0, 0, 0), (3, 8, 6), (1, 5, 2)):
        k = index[0] if order == 1 else 3 - index[0]
        np.testing.assert_allclose(
            volume.map_indices_to_reference(np.array([[k, *index[1:]]]))[0],
            image.TransformIndexToPhysicalPoint((index[2], index[1], index[0])),
            atol=1e-5,
        )


def test_thickness_and_slice_distance_are_told_apart(tmp_path: Path) -> None:
    instance = _write(_image(), tmp_path / "study")[0]
    assert float(instance.SliceThickness) == 4.0
    assert float(instance.SpacingBetweenSlices) == pytest.approx(4.4)
    assert instance.PatientAge == "040Y"
    assert instance.StudyDate == "20210304"


def test_the_same_call_writes_the_same_bytes_and_another_seed_another_study(
    tmp_path: Path,
) -> None:
    first, again = _write(_image(), tmp_path / "a"), _write(_image(), tmp_path / "b")
    other = _write(_image(), tmp_path / "c", uid_seed="other")
    assert [p.read_bytes() for p in sorted((tmp_path / "a").iterdir())] == [
        p.read_bytes() for p in sorted((tmp_path / "b").iterdir())
    ]
    assert first[0].SOPInstanceUID == again[0].SOPInstanceUID
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        assert first[0][keyword].value != other[0][keyword].value
    assert len({instance.SOPInstanceUID for instance in first}) == 4


def test_refuses_what_it_cannot_hold_and_leaves_nothing_behind(tmp_path: Path) -> None:
    image = sitk.Cast(_image(), sitk.sitkFloat32)
    with pytest.raises(ValueError, match="65535"):
        _write(image - 5000.0, tmp_path / "study")
    with pytest.raises(ValueError, match="65535"):
        _write(image / 0.0, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []


def test_never_writes_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    with pytest.raises(FileExistsError):
        _write(_image(), tmp_path / "study")


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    _write(_image(angles=(0.1, 0.2, 0.05)), tmp_path / "study")
    for path in (tmp_path / "study").iterdir():
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
        assert "Error" not in said.stdout + said.stderr
