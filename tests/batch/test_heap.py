from __future__ import annotations

from pathlib import Path

import pytest
from dicom_files import Grid, series, write
from pydicom.uid import generate_uid

from mri_resorb.batch.case_table import Unusable
from mri_resorb.batch.cases import Case
from mri_resorb.batch.heap import find_patients
from mri_resorb.batch.pairs import pair
from mri_resorb.model import Level


def study(folder: Path, patient: str, day: str, **attributes: object) -> str:
    """Written into a folder that may hold others; gives the StudyInstanceUID."""
    uid = generate_uid()
    made = series(
        Grid(slices=5), PatientID=patient, StudyDate=day, StudyInstanceUID=uid, **attributes
    )
    write(made, folder, prefix=f"{patient or 'none'}-{day}-")
    return uid


def test_patients_are_told_apart_though_all_files_lie_in_one_folder(tmp_path: Path) -> None:
    for patient, day in (
        ("A", "20200101"),
        ("B", "20190101"),
        ("A", "20190101"),
        ("B", "20180101"),
    ):
        study(tmp_path, patient, day)
    (tmp_path / "letter.txt").write_text("none of ours")
    found = find_patients(tmp_path, level=Level.L4_L5)
    assert len(found.cases) == 2
    for case in found.cases:
        pairing = pair(case)
        files = {path.name for path in pairing.baseline.study.files}
        assert len(files) == 5
        assert len({name.split("-")[0] for name in files}) == 1
        assert pairing.baseline.day < pairing.follow_up.day
    assert [one.what for one in found.left_out] == ["other files, 1"]


def test_a_study_with_a_folder_of_its_own_is_that_folder(tmp_path: Path) -> None:
    study(tmp_path / "x" / "series 1", "A", "20200101")
    study(tmp_path / "y", "A", "20210101")
    (case,) = find_patients(tmp_path, level=Level.L4_L5).cases
    assert {study.path for study in case.studies} == {tmp_path / "x" / "series 1", tmp_path / "y"}
    assert not any(study.files for study in case.studies)


def test_a_case_is_called_the_same_when_a_later_study_comes_and_names_nobody(
    tmp_path: Path,
) -> None:
    study(tmp_path, "Doe-17", "20200101")
    study(tmp_path, "Doe-17", "20210101")
    (before,) = find_patients(tmp_path, level=Level.L4_L5).cases
    study(tmp_path, "Doe-17", "20220101")
    (after,) = find_patients(tmp_path, level=Level.L4_L5).cases
    assert before.name == after.name
    assert len(after.studies) == 3
    assert "doe" not in after.name.lower()


@pytest.mark.parametrize(
    ("patients", "attributes", "word"),
    [
        (("", ""), ({}, {}), "no patient ID"),
        (("ANONYMOUS", "ANONYMOUS"), ({}, {}), "stands for many"),
        (("A", "A"), ({}, {"PatientBirthDate": "19900101"}), "different birth dates"),
        (("A", "A"), ({}, {"PatientName": "Roe^Jane"}), "different names"),
        (("A", "A"), ({"PatientSex": "M"}, {}), "different sexes"),
        (
            ("A", "A"),
            ({}, {"EchoTime": 10, "RepetitionTime": 500, "SeriesDescription": "T1"}),
            "T1",
        ),
        (("A", "B"), ({}, {}), "only study"),
    ],
)
def test_who_is_not_known_or_has_no_two_studies_is_left_out(
    tmp_path: Path,
    patients: tuple[str, str],
    attributes: tuple[dict[str, object], dict[str, object]],
    word: str,
) -> None:
    for patient, day, other in zip(patients, ("20200101", "20210101"), attributes, strict=True):
        study(tmp_path, patient, day, **other)
    found = find_patients(tmp_path, level=Level.L4_L5)
    assert found.entries == ()
    assert any(word in one.reason for one in found.left_out), found.left_out
    assert not any("Doe" in f"{one}" for one in found.left_out)


def test_a_table_gives_levels_to_the_names_that_the_list_shows(tmp_path: Path) -> None:
    for patient in "AB":
        study(tmp_path, patient, "20200101")
        study(tmp_path, patient, "20210101")
    one, other = find_patients(tmp_path, level=Level.L4_L5).cases
    (tmp_path / "cases.csv").write_text(f"case,level\n{one.name},L5-S1\ncase-0,L5-S1\n")
    found = find_patients(tmp_path)
    case, unknown = found.entries
    assert isinstance(case, Case)
    assert (case.name, case.level) == (one.name, Level.L5_S1)
    assert isinstance(unknown, Unusable)
    assert other.name in {left.what for left in found.left_out}
