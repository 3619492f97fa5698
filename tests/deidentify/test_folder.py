"""A folder without the people: what is kept, listed, refused, and measured as before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import dicom_files
import pydicom
import pytest
from dicom_case import program
from mutations import mutated
from typer.testing import CliRunner, Result

from mri_resorb import follow_up
from mri_resorb.cli import app
from mri_resorb.io.results import document

SAMPLE = Path(__file__).parents[2] / "sample_data" / "sequester-gone"
GRID = dicom_files.Grid(slices=3)


def deidentify(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["deidentify", *map(str, arguments)])


def study(folder: Path, **attributes: Any) -> None:
    given = {"PatientID": "KZ-1", "PatientName": "Akhmetova^Zhanna", **attributes}
    dicom_files.write(dicom_files.series(GRID, **given), folder)


def instances(folder: Path) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def test_a_pair_is_measured_as_before(tmp_path: Path) -> None:
    assert deidentify(SAMPLE, tmp_path / "out").exit_code == 0
    (patient,) = (tmp_path / "out").iterdir()
    dated = {str(pydicom.dcmread(next(s.iterdir())).StudyDate): s for s in patient.iterdir()}
    first, second = (dated[day] for day in sorted(dated))

    def figures(baseline: Path, later: Path) -> dict[str, Any]:
        made = json.loads(document(follow_up(baseline, later, level="L5-S1")).to_json())
        assert made["status"] == "measured"
        for name in ("patient", "provenance"):
            del made[name]
        for point in (made["baseline"], made["follow_up"]):
            for name in ("date", "series_uid"):
                del point[name]
        return made

    before = figures(SAMPLE / "baseline", SAMPLE / "follow_up")
    assert figures(first, second) == before


def test_what_is_kept_is_an_mr_image_by_the_standard(tmp_path: Path) -> None:
    validator = program("dciodvfy")
    assert deidentify(SAMPLE / "baseline", tmp_path / "out").exit_code == 0
    path = next((tmp_path / "out").rglob("*.dcm"))
    done = subprocess.run([validator, path], capture_output=True, text=True, check=False)
    assert "MRImage" in done.stderr
    assert "Error" not in done.stderr, done.stderr


def test_a_key_keeps_pairing_and_pseudonyms_from_run_to_run(tmp_path: Path) -> None:
    key, out = tmp_path / "key", tmp_path / "out"
    study(tmp_path / "first", StudyDate="20181105")
    study(tmp_path / "later", StudyDate="20190202")
    study(tmp_path / "other", PatientID="KZ-2")
    assert deidentify(tmp_path / "first", out, "--key", key).exit_code == 0
    assert key.stat().st_mode & 0o077 == 0
    kept = key.read_bytes()
    for folder in ("later", "other", "first"):
        assert deidentify(tmp_path / folder, out, "--key", key).exit_code == 0
    assert key.read_bytes() == kept
    patients = sorted(len(list(patient.iterdir())) for patient in out.iterdir())
    assert patients == [1, 2]
    assert len(instances(out)) == 9


def test_without_a_key_nothing_ties_two_runs_together(tmp_path: Path) -> None:
    study(tmp_path / "in")
    for name in ("a", "b"):
        assert deidentify(tmp_path / "in", tmp_path / name).exit_code == 0
    names = [{p.name for p in (tmp_path / name).rglob("*")} for name in ("a", "b")]
    assert not names[0] & names[1]


def test_what_is_left_out_is_listed_and_names_nobody(tmp_path: Path) -> None:
    source = tmp_path / "in"
    study(source / "Akhmetova 1 t2")
    study(source / "Akhmetova 2 screen", BurnedInAnnotation="YES")
    mixed = dicom_files.series(GRID, SeriesNumber=9)
    mixed[1].BurnedInAnnotation = "YES"
    dicom_files.write(mixed, source / "Akhmetova 3 mixed")
    (source / "Akhmetova.txt").write_text("Akhmetova Zhanna, born 1963", encoding="utf-8")
    (source / "Akhmetova.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\2\0\0\0UL\xff\xff")
    done = deidentify(source, tmp_path / "out")
    assert done.exit_code == 0
    assert "3 of 11 files kept" in done.stdout
    assert len(instances(tmp_path / "out")) == 3
    assert "Akhmetova" not in done.output
    assert "4-6, 8" in done.stdout  # with the picture itself
    assert "7, 9" in done.stdout  # of its series
    assert not any("khmetova" in str(path) for path in (tmp_path / "out").rglob("*"))


def test_damaged_files_are_left_out_and_what_is_kept_is_whole(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, content in enumerate(mutated(400, seed=7)):
        (tmp_path / "in" / f"{number:04d}").write_bytes(content)
    done = deidentify(tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 0, done.output
    for kept in instances(tmp_path / "out"):
        assert kept.PatientIdentityRemoved == "YES"
        assert kept.pixel_array.size


PATIENT_ID = b"\x10\x00\x20\x00"


@pytest.mark.parametrize(
    ("sound", "unsound"),
    [
        pytest.param(PATIENT_ID + b"LO", PATIENT_ID + b"ZZ", id="of no known kind"),
        pytest.param(PATIENT_ID + b"LO", PATIENT_ID + b"FD", id="of no possible length"),
    ],
)
def test_an_element_damages_its_file_alone(tmp_path: Path, sound: bytes, unsound: bytes) -> None:
    study(tmp_path / "in")
    first, *_ = sorted(path for path in (tmp_path / "in").rglob("*") if path.is_file())
    content = first.read_bytes()
    assert sound in content
    first.write_bytes(content.replace(sound, unsound))
    done = deidentify(tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "damaged" in done.output


def test_nothing_to_keep_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "letter.txt").write_text("x", encoding="utf-8")
    done = deidentify(tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_output_within_the_input_is_refused(tmp_path: Path) -> None:
    study(tmp_path / "in")
    assert deidentify(tmp_path / "in", tmp_path / "in" / "out").exit_code == 1


def test_a_key_among_what_it_de_identifies_is_refused(tmp_path: Path) -> None:
    study(tmp_path / "in")
    assert deidentify(tmp_path / "in", tmp_path, "--key", tmp_path / "key").exit_code == 2


def test_a_file_that_is_no_key_is_refused_and_stays(tmp_path: Path) -> None:
    study(tmp_path / "in")
    (tmp_path / "key").write_text("thesis", encoding="utf-8")
    done = deidentify(tmp_path / "in", tmp_path / "out", "--key", tmp_path / "key")
    assert done.exit_code == 1
    assert (tmp_path / "key").read_text("utf-8") == "thesis"
    assert not (tmp_path / "out").exists()
