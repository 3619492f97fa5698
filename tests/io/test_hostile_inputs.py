"""Whatever comes in: one clear line of a known kind, or a scan with its warning; never a crash."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import dicom_files
import hostile_inputs
import numpy as np
import pytest
import SimpleITK as sitk
from hostile_inputs import HostileInput
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from mri_resorb import errors
from mri_resorb.errors import InputError
from mri_resorb.io.studies import read_study

TABLE = Path(__file__).parents[2].joinpath("docs/hostile-inputs.md").read_text().splitlines()
SECRETS = ("P-17", "P-99", "Doe", "Roe", "1978", "1950")


@pytest.mark.parametrize("case", list(hostile_inputs.all_inputs()), ids=lambda case: case.what)
def test_hostile_inputs(
    tmp_path: Path, case: HostileInput, capfd: pytest.CaptureFixture[str]
) -> None:
    got = hostile_inputs.outcome(case, tmp_path)
    if case.error is None:
        assert got.count("Warning") == bool(case.word)
        assert got.startswith("Read.")
    else:
        assert issubclass(getattr(errors, got.split("`")[1]), case.error)
        assert got.endswith(".")
    assert case.word in got
    assert "\n" not in got
    assert not any(secret in got for secret in SECRETS)
    assert capfd.readouterr() == ("", "")
    assert hostile_inputs.table_row(case, got) in TABLE, (
        "docs/hostile-inputs.md is old; benchmarks/hostile_inputs.py prints it anew"
    )


@pytest.fixture(scope="module")
def whole_files() -> dict[str, bytes]:
    """Small files of each kind, by name."""
    files = {}
    grid = dicom_files.Grid(slices=3, rows=6, columns=5)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for syntax in (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless):
            for path in dicom_files.write([dicom_files.enhanced(grid)], folder, syntax=syntax):
                files[f"{syntax.name}.dcm"] = path.read_bytes()
        image = sitk.GetImageFromArray(np.arange(125, dtype=np.int16).reshape(5, 5, 5))
        for name in ("a.nii", "a.nii.gz", "a.nrrd", "a.mha"):
            sitk.WriteImage(image, str(folder / name))
            files[name] = (folder / name).read_bytes()
        with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.nii", files["a.nii"])
        files["a.zip"] = (folder / "a.zip").read_bytes()
    return files


@settings(max_examples=200, deadline=None)
@given(
    number=st.integers(0, 7),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.none() | st.floats(0, 1),
)
def test_damaged_bytes_never_crash(
    whole_files: dict[str, bytes],
    number: int,
    damage: list[tuple[float, int]],
    end: float | None,
) -> None:
    name = sorted(whole_files)[number]
    content = bytearray(whole_files[name])
    for place, value in damage:
        content[int(place * (len(content) - 1))] = value
    if end is not None:
        del content[int(end * len(content)) :]
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            scan = read_study(path)
        except InputError:
            return
        assert np.all(np.isfinite(sitk.GetArrayViewFromImage(scan.image)))
