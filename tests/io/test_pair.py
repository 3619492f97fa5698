"""Two studies: same kind of series, in the right order, of one person."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dicom_files
import pytest
from dicom_files import Grid
from pydicom.uid import generate_uid

from mri_resorb.errors import DateError, GeometryError, IdentityError, NoStudyError
from mri_resorb.io.studies import read_pair, read_studies
from mri_resorb.model import StudyInput

STIR = {"InversionTime": 160.0, "EchoTime": 48.0, "SeriesDescription": "STIR SAG"}
SECRETS = ("P-17", "P-99", "Doe", "Roe", "1978", "1950")


def _study(folder: Path, *series: dict) -> Path:
    study = generate_uid()
    for number, attributes in enumerate(series, start=1):
        attributes = {"StudyInstanceUID": study, "SeriesNumber": number, **attributes}
        dicom_files.write(dicom_files.series(**attributes), folder, prefix=f"{number}-")
    return folder


def _pair(folder: Path, first: dict | None = None, second: dict | None = None, **options: object):
    baseline = _study(folder / "a", {"StudyDate": "20181105", **(first or {})})
    follow_up = _study(folder / "b", {"StudyDate": "20190202", **(second or {})})
    return read_pair(StudyInput(baseline), StudyInput(follow_up), **options)


def test_a_pair_that_is_in_order(tmp_path: Path) -> None:
    baseline, follow_up = _pair(tmp_path)
    assert (baseline.date, follow_up.date) == (date(2018, 11, 5), date(2019, 2, 2))
    assert baseline.warnings == follow_up.warnings == ()


def test_given_facts_overrule_the_files(tmp_path: Path) -> None:
    _pair(tmp_path)
    baseline, follow_up = read_pair(
        StudyInput(tmp_path / "a", date=date(2017, 1, 1)),
        StudyInput(tmp_path / "b", date=date(2017, 2, 1)),
        sex="M",
        age_years=51,
    )
    assert (baseline.date, follow_up.date) == (date(2017, 1, 1), date(2017, 2, 1))
    assert {(scan.patient.sex, scan.patient.age_years) for scan in (baseline, follow_up)} == {
        ("M", 51)
    }


def test_follow_up_before_baseline(tmp_path: Path) -> None:
    with pytest.raises(DateError, match="swap") as caught:
        _pair(tmp_path, second={"StudyDate": "20180101"})
    assert "--baseline-date" in str(caught.value)
    assert "--follow-up-date" in str(caught.value)


def test_one_date_for_both(tmp_path: Path) -> None:
    same = {"StudyDate": "20181105"}
    with pytest.raises(DateError, match="--allow-same-date"):
        _pair(tmp_path, second=same)
    baseline, follow_up = _pair(tmp_path, second=same, allow_same_date=True)
    assert baseline.date == follow_up.date


def test_missing_dates_are_warned_of(tmp_path: Path) -> None:
    baseline, follow_up = _pair(tmp_path, second={"StudyDate": None})
    assert baseline.warnings == ()
    (remark,) = follow_up.warnings
    assert remark.code == "no-date"
    assert "--follow-up-date" in remark.text()


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        ({}, {"PatientID": "P-99", "PatientName": "Roe^Richard"}, "patient ID"),
        ({}, {"PatientID": "P-99"}, None),  # renumbered: name and birth date agree
        ({}, {"PatientID": "P-99", "PatientBirthDate": None}, "patient ID"),
        ({}, {"PatientBirthDate": "19500101"}, "birth date"),
        ({}, {"PatientSex": "M"}, "sex"),
        ({}, {"PatientID": "p-17 ", "PatientName": "DOE^JANE"}, None),
        ({}, {"PatientName": "Doe^Jane^Maria"}, None),
        ({"PatientID": None}, {"PatientBirthDate": "19500101"}, "birth date"),
        ({"PatientID": None, "PatientSex": "O"}, {}, None),
    ],
)
def test_identity(tmp_path: Path, first: dict, second: dict, word: str | None) -> None:
    if word is None:
        assert _pair(tmp_path, first, second)[1].warnings == ()
        return
    with pytest.raises(IdentityError, match=word) as caught:
        _pair(tmp_path, first, second)
    assert "--allow-different-patients" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    _pair(tmp_path, first, second, allow_different_patients=True)


def test_no_identity_at_all_is_warned_of(tmp_path: Path) -> None:
    nobody = {"PatientID": None, "PatientName": None, "PatientBirthDate": None}
    _, follow_up = _pair(tmp_path, nobody, nobody)
    assert [remark.code for remark in follow_up.warnings] == ["identity-unverified"]


def test_the_kind_that_both_dates_have_is_taken(tmp_path: Path) -> None:
    baseline = _study(tmp_path / "a", {}, STIR)
    follow_up = _study(tmp_path / "b", {"StudyDate": "20190202", **STIR})
    scans = read_pair(StudyInput(baseline), StudyInput(follow_up))
    assert [scan.fat_suppressed for scan in scans] == [True, True]
    assert "other date's fat suppression" in str(scans[0].chosen_because)


def test_the_resolution_that_both_dates_have_is_taken(tmp_path: Path) -> None:
    coarse = Grid(spacing_mm=(2.0, 2.0))
    baseline = _study(tmp_path / "a", {"grid": Grid(spacing_mm=(0.5, 0.5))}, {"grid": coarse})
    follow_up = _study(tmp_path / "b", {"grid": coarse, "StudyDate": "20190202"})
    scans = read_pair(StudyInput(baseline), StudyInput(follow_up))
    assert [scan.image.GetSpacing()[0] for scan in scans] == [2.0, 2.0]
    assert "other date's resolution" in str(scans[0].chosen_because)


def test_a_resolution_of_both_is_found_though_each_has_a_finer_one(tmp_path: Path) -> None:
    grids = [Grid(spacing_mm=(mm, mm)) for mm in (0.5, 1.0, 2.0)]
    baseline = _study(tmp_path / "a", {"grid": grids[0]}, {"grid": grids[2]})
    follow_up = _study(
        tmp_path / "b", *({"grid": grid, "StudyDate": "20190202"} for grid in grids[1:])
    )
    scans = read_pair(StudyInput(baseline), StudyInput(follow_up))
    assert [scan.image.GetSpacing()[0] for scan in scans] == [2.0, 2.0]


def test_kinds_that_cannot_be_matched_are_warned_of(tmp_path: Path) -> None:
    _, follow_up = _pair(tmp_path, second=STIR)
    assert [remark.code for remark in follow_up.warnings] == ["different-contrast"]


def test_an_error_says_which_study_it_is_about(tmp_path: Path) -> None:
    baseline, follow_up = _study(tmp_path / "a", {}), _study(tmp_path / "b", {})
    (follow_up / "1-0004").unlink()
    with pytest.raises(GeometryError, match=r"^Follow-up: A slice is missing"):
        read_pair(StudyInput(baseline), StudyInput(follow_up))


def _several(folder: Path, *days: str, **last: object) -> list[StudyInput]:
    """Studies of one person; `last` are further attributes of the last one."""
    return [
        StudyInput(
            _study(folder / str(k), {"StudyDate": day, **(last if k == len(days) - 1 else {})})
        )
        for k, day in enumerate(days)
    ]


def test_several_studies_are_read_in_the_order_given(tmp_path: Path) -> None:
    studies = _several(tmp_path, "20190202", "20181105", "20200101")
    scans = read_studies(studies)
    assert [scan.date for scan in scans] == [
        date(2019, 2, 2),
        date(2018, 11, 5),
        date(2020, 1, 1),
    ]
    assert all(scan.warnings == () for scan in scans)


def test_of_several_studies_a_third_persons_is_refused(tmp_path: Path) -> None:
    studies = _several(tmp_path, "20181105", "20190202", "20200101", PatientBirthDate="19500101")
    with pytest.raises(IdentityError) as caught:
        read_studies(studies)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert len(read_studies(studies, allow_different_patients=True)) == 3


def test_of_several_studies_none_may_be_of_one_date_or_of_none(tmp_path: Path) -> None:
    twice = _several(tmp_path / "twice", "20181105", "20190202", "20181105")
    with pytest.raises(DateError, match="2018-11-05"):
        read_studies(twice)
    assert len(read_studies(twice, allow_same_date=True)) == 3
    dateless = _several(tmp_path / "none", "20181105", "20190202", "")
    with pytest.raises(DateError, match="--dates"):
        read_studies(dateless)


def test_a_fault_in_a_later_study_names_it(tmp_path: Path) -> None:
    studies = [*_several(tmp_path, "20181105", "20190202"), StudyInput(tmp_path / "nowhere")]
    with pytest.raises(NoStudyError, match="Study 3"):
        read_studies(studies)
