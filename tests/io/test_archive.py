"""Zips are read as folders are; what could do harm is refused; nothing stays behind."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import dicom_files
import pytest
from dicom_files import truth_error

from mri_resorb.errors import ArchiveError, NoStudyError
from mri_resorb.io.studies import read_study


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A temporary folder of the test's own, which must be empty when the test ends."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def _zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _series(folder: Path) -> dict[str, bytes]:
    paths = dicom_files.write(dicom_files.series(), folder / "loose")
    return {f"Doe Jane/{path.name}": path.read_bytes() for path in paths}


def test_a_zipped_study(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"readme.txt": b"hello", **_series(tmp_path)})
    assert truth_error(read_study(path).image) < 0.51
    renamed = path.rename(tmp_path / "study")
    assert truth_error(read_study(renamed).image) < 0.51


@pytest.mark.parametrize("name", ["../out.dcm", "/etc/out", "a/../../out", "C:\\out", "..\\out"])
def test_paths_that_lead_out(tmp_path: Path, name: str) -> None:
    entries = _series(tmp_path)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    path = _zip(tmp_path / "a.zip", {**entries, name: b"x"})
    with pytest.raises(ArchiveError, match="leads out"):
        read_study(path)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before | {path}


def test_links(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ArchiveError, match="link"):
        read_study(tmp_path / "a.zip")


def test_absurd_expansion(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"zeros": bytes(80 * 2**20)})
    with pytest.raises(ArchiveError, match="80 MB"):
        read_study(path)


def test_a_zip_in_a_zip_is_not_opened(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", _series(tmp_path))
    outer = _zip(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()})
    with pytest.raises(NoStudyError, match="zip"):
        read_study(outer)


def test_patient_names_in_entry_names_stay_out_of_messages(tmp_path: Path) -> None:
    entries = _series(tmp_path)
    last = list(entries)[-1]
    entries[last] = entries[last][:-100]
    with pytest.raises(Exception, match="File 7 of 7") as caught:
        read_study(_zip(tmp_path / "a.zip", entries))
    assert "Doe" not in str(caught.value)
