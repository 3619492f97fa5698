from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dicom_files import series, write

from mri_resorb.batch.cases import Case, find_cases
from mri_resorb.batch.listing import listing
from mri_resorb.batch.pairs import Pair, pair
from mri_resorb.errors import DateError
from mri_resorb.model import Level


def study(place: Path, day: str | None, **attributes: object) -> None:
    write(series(StudyDate=day, **attributes), place)


def case(root: Path) -> Case:
    (found,) = find_cases(root, level=Level.L4_L5).cases
    return found


def names(found: Pair) -> tuple[str, str]:
    return found.baseline.study.name, found.follow_up.study.name


def test_files_dates_order_whatever_the_folders_are_called(tmp_path: Path) -> None:
    study(tmp_path / "a" / "baseline", "20200101")
    study(tmp_path / "a" / "follow_up", "20190101")
    found = pair(case(tmp_path))
    assert names(found) == ("follow_up", "baseline")
    assert "files' dates" in found.because
    assert found.baseline.from_name is None


def test_names_order_files_without_dates(tmp_path: Path) -> None:
    study(tmp_path / "a" / "follow_up", None)
    study(tmp_path / "a" / "baseline", None)
    assert names(pair(case(tmp_path))) == ("baseline", "follow_up")


def test_iso_dates_as_names_order_files_without_dates_and_date_them(tmp_path: Path) -> None:
    study(tmp_path / "a" / "2020-05-01", None)
    study(tmp_path / "a" / "2019-11-30", None)
    found = pair(case(tmp_path))
    assert names(found) == ("2019-11-30", "2020-05-01")
    assert str(found.follow_up.from_name) == "2020-05-01"


@pytest.mark.parametrize("called", [("one", "two"), ("baseline", "2020-01-01")])
def test_an_order_that_is_not_known_is_not_guessed(tmp_path: Path, called: tuple[str, str]) -> None:
    for name in called:
        study(tmp_path / "a" / name, None)
    with pytest.raises(DateError, match=r"cases\.csv"):
        pair(case(tmp_path))


def test_of_many_the_earliest_and_latest_that_can_be_measured(tmp_path: Path) -> None:
    for name, day in (("v", "20200303"), ("w", "20190101"), ("x", "20200101")):
        study(tmp_path / "a" / name, day)
    study(
        tmp_path / "a" / "y",
        "20180101",
        SeriesDescription="T1 SAG",
        EchoTime=10,
        RepetitionTime=500,
    )
    found = pair(case(tmp_path))
    assert names(found) == ("w", "v")
    assert {one.what for one in found.left_out} == {"x", "y"}


def test_two_studies_of_the_first_date_are_not_chosen_between(tmp_path: Path) -> None:
    for name, day in (("x", "20190101"), ("y", "20190101"), ("z", "20200101")):
        study(tmp_path / "a" / name, day)
    with pytest.raises(DateError, match="first date"):
        pair(case(tmp_path))


def test_the_tables_order_stands(tmp_path: Path) -> None:
    study(tmp_path / "a" / "x", None)
    study(tmp_path / "a" / "y", None)
    (tmp_path / "cases.csv").write_text("case,level,baseline,follow_up\na,L4-L5,y,x\n")
    assert names(pair(case(tmp_path))) == ("y", "x")


def test_a_zip_has_dates_too(tmp_path: Path) -> None:
    study(tmp_path / "a" / "x", "20200101")
    study(tmp_path / "late", "20210101")
    shutil.make_archive(str(tmp_path / "a" / "b"), "zip", tmp_path / "late")
    shutil.rmtree(tmp_path / "late")
    assert names(pair(case(tmp_path))) == ("x", "b")


def test_the_list_says_what_why_and_what_not(tmp_path: Path) -> None:
    for name, day in (("early", "20190101"), ("middle", "20190601"), ("late", "20200101")):
        study(tmp_path / "a" / name, day)
    study(tmp_path / "b" / "only", "20190101")
    (tmp_path / "notes.txt").write_text("")
    lines = list(listing(find_cases(tmp_path, level=Level.L4_L5)))
    assert lines[0].startswith("1. a, L4-L5: early (2019-01-01) with late (2020-01-01)")
    assert lines[1].startswith("2. b: fails.")
    assert lines[2] == "Left out:"
    assert any("middle" in line for line in lines[3:])
    assert any("notes.txt" in line for line in lines[3:])
    assert "Doe" not in "".join(lines)
