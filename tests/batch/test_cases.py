from __future__ import annotations

from pathlib import Path

import pytest

from mri_resorb.batch.case_table import Unusable
from mri_resorb.batch.cases import Case, FoundCases, find_cases
from mri_resorb.errors import CaseTableError, NoStudyError
from mri_resorb.model import Level


def studies(root: Path, *places: str) -> Path:
    for place in places:
        (root / place).mkdir(parents=True)
    return root


def table(root: Path, text: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / "cases.csv").write_text(text, encoding="utf-8")
    return root


def only(found: FoundCases) -> Case:
    (entry,) = found.entries
    assert isinstance(entry, Case), entry
    return entry


def reason(found: FoundCases) -> str:
    (entry,) = found.entries
    assert isinstance(entry, Unusable), entry
    return entry.reason


def test_each_folder_is_a_case_and_each_in_it_a_study(tmp_path: Path) -> None:
    studies(tmp_path, "b/1", "b/2", "a/x", "a/y", "a/z", ".hidden/x", "a/.git")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "a" / "letter.pdf").write_text("")
    found = find_cases(tmp_path, level=Level.L4_L5)
    assert [(case.name, len(case.studies)) for case in found.cases] == [("a", 3), ("b", 2)]
    assert {case.level for case in found.cases} == {Level.L4_L5}
    assert [one.what for one in found.left_out] == ["notes.txt"]


def test_zips_and_volume_files_are_studies_too(tmp_path: Path) -> None:
    folder = studies(tmp_path, "a") / "a"
    for name in ("baseline.nii.gz", "follow_up.zip", "README.md"):
        (folder / name).write_text("")
    case = only(find_cases(tmp_path, level=Level.L4_L5))
    assert [study.name for study in case.studies] == ["baseline", "follow_up"]


@pytest.mark.parametrize(
    ("places", "word"),
    [
        (["a/1"], "one study"),
        (["a"], "no study"),
        (["report.html/1", "report.html/2"], "cannot be the name"),
    ],
)
def test_a_folder_that_is_no_case_is_a_failure(
    tmp_path: Path, places: list[str], word: str
) -> None:
    assert word in reason(find_cases(studies(tmp_path, *places), level=Level.L4_L5))


def test_the_table_names_levels_in_its_own_order(tmp_path: Path) -> None:
    studies(tmp_path, "a/1", "a/2", "b/1", "b/2", "c/1", "c/2")
    table(tmp_path, '\ufeffcase,level,disc_at,sex,age\nc,L5/S1,"1,-2.5, 3e1",f,\na,l4l5,,,0\n')
    found = find_cases(tmp_path)
    c, a = found.cases
    assert (c.name, c.level, c.disc_at) == ("c", Level.L5_S1, (1.0, -2.5, 30.0))
    assert (c.sex, c.age_years) == ("F", None)
    assert (a.name, a.level, a.disc_at, a.age_years) == ("a", Level.L4_L5, None, 0)
    assert [(one.what, one.reason) for one in found.left_out] == [("b", "not in cases.csv")]


def test_a_level_for_all_is_for_those_to_whom_the_table_gives_none(tmp_path: Path) -> None:
    studies(tmp_path, "a/1", "a/2", "b/1", "b/2", "c/1", "c/2")
    table(tmp_path, "case,level\na,\nb,L5-S1\n")
    levels = {case.name: case.level for case in find_cases(tmp_path, level=Level.L1_L2).cases}
    assert levels == {"a": Level.L1_L2, "b": Level.L5_S1, "c": Level.L1_L2}


def test_one_persons_studies_serve_two_levels(tmp_path: Path) -> None:
    studies(tmp_path, "a/early", "a/late")
    table(
        tmp_path,
        "case,level,baseline,follow_up\nupper,L4-L5,a/early,a/late\nlower,L5-S1,a/early,a/late\n",
    )
    found = find_cases(tmp_path, level=Level.L1_L2)
    assert [case.name for case in found.cases] == ["upper", "lower"]
    assert all(case.ordered for case in found.cases)
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("a,L6,,", "L6"),
        ("a,,,", "no level"),
        ("b,L4-L5,,", "no such folder"),
        ("a,L4-L5,1,9", "no '9'"),
        ("a,L4-L5,1,", "names one study"),
        ("../a,L4-L5,,", "cannot be the name"),
        ("results.csv,L4-L5,,", "cannot be the name"),
        ("a,L4-L5", "fewer cells"),
        ("a,L4-L5,,,,", "more"),
    ],
)
def test_a_bad_row_is_that_cases_failure(tmp_path: Path, row: str, word: str) -> None:
    studies(tmp_path, "a/1", "a/2", "c/1", "c/2")
    table(tmp_path, f"case,level,baseline,follow_up\nc,L4-L5,,\n{row}\n")
    good, bad = find_cases(tmp_path).entries
    assert isinstance(good, Case)
    assert isinstance(bad, Unusable)
    assert word in bad.reason


def test_a_case_named_twice_is_refused(tmp_path: Path) -> None:
    studies(tmp_path, "a/1", "a/2")
    table(tmp_path, "case,level\na,L4-L5\na,L5-S1\n")
    assert "before" in reason(find_cases(tmp_path))


@pytest.mark.parametrize("value", ["1,2", "1,2,x", "1,2,nan", "1,2,99999"])
def test_a_point_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    studies(tmp_path, "a/1", "a/2")
    table(tmp_path, f'case,level,disc_at\na,L4-L5,"{value}"\n')
    assert "disc_at" in reason(find_cases(tmp_path))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("case,lvel\n", "did you mean 'level'"),
        ("name,level\n", "name"),
        ("level\n", "no column 'case'"),
        ("case,level\n,L4-L5\n", "line 2"),
    ],
)
def test_a_table_of_other_columns_is_refused(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(CaseTableError, match=word):
        find_cases(table(tmp_path, text))


def test_without_a_table_a_level_is_needed(tmp_path: Path) -> None:
    with pytest.raises(CaseTableError, match="--level"):
        find_cases(studies(tmp_path, "a/1", "a/2"))


@pytest.mark.parametrize("place", ["", "nowhere"])
def test_nothing_there_is_said(tmp_path: Path, place: str) -> None:
    with pytest.raises(NoStudyError):
        find_cases(tmp_path / place, level=Level.L4_L5)
