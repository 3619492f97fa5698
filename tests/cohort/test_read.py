from __future__ import annotations

import json
from pathlib import Path

import pytest
from cohort_cases import write_result, write_undetermined

from mri_resorb.cohort.read import read_results
from mri_resorb.cohort.summary import summarize
from mri_resorb.errors import ResultsError


def test_results_that_a_run_wrote_are_read_at_any_depth(tmp_path: Path) -> None:
    write_result(tmp_path / "a" / "first", percent=60.0, days=120)
    write_result(tmp_path / "b", percent=98.0, gone=True)
    write_undetermined(tmp_path / "c")
    first, gone, refused = read_results(tmp_path).cases
    assert (first.name, first.resorption_percent, first.interval_days) == ("a/first", 60.0, 120)
    assert (gone.is_complete, first.is_complete) == (True, False)
    assert (refused.is_determined, refused.resorption_percent) == (False, None)
    assert refused.baseline_cm3 is not None


def test_a_run_that_is_not_finished_is_not_read(tmp_path: Path) -> None:
    write_result(tmp_path / "a")
    write_result(tmp_path / "b" / ".mri-resorb-unfinished" / "new")
    assert [case.name for case in read_results(tmp_path).cases] == ["a"]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"schema": "other/1"}', "\x00\xff", "null"],
)
def test_a_bad_result_is_one_line_that_names_it_and_the_rest_is_read(
    tmp_path: Path, content: str
) -> None:
    write_result(tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "result.json").write_text(content, encoding="utf-8")
    read = read_results(tmp_path)
    assert [case.name for case in read.cases] == ["good"]
    (line,) = read.unreadable
    assert str(tmp_path / "bad" / "result.json") in line
    assert "\n" not in line


def test_the_line_about_a_bad_result_does_not_quote_it(tmp_path: Path) -> None:
    write_result(tmp_path / "good")
    write_result(tmp_path / "bad")
    file = tmp_path / "bad" / "result.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["patient"]["age_years"] = "Maria Example"
    file.write_text(json.dumps(document), encoding="utf-8")
    (line,) = read_results(tmp_path).unreadable
    assert "age_years" in line
    assert "Maria" not in line


def test_a_contradictory_result_is_left_out(tmp_path: Path) -> None:
    """An undetermined case that gives a change all the same is nobody's figure."""
    write_result(tmp_path / "good")
    write_undetermined(tmp_path / "bad")
    file = tmp_path / "bad" / "result.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["change"]["verdict"] = "decreased"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert len(read_results(tmp_path).unreadable) == 1


def test_a_readers_table_needs_only_names_and_volumes(tmp_path: Path) -> None:
    table = tmp_path / "reader.csv"
    table.write_text(
        "case,baseline_volume_cm3,follow_up_volume_cm3,remark\na,1.0,0.25,clear\nb,0.8,,\n"
        "c,wide,1,\nd,0,0.1,\n",
        encoding="utf-8-sig",
    )
    read = read_results(table)
    assert [(case.name, case.resorption_percent) for case in read.cases] == [
        ("a", 75.0),
        ("b", None),
        ("d", None),
    ]
    assert not any(case.is_determined for case in read.cases)
    (line,) = read.unreadable
    assert "line 4" in line


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.csv", None, "not there"),
        ("empty.csv", "", "no column 'case'"),
        ("names.csv", "case\n", "no result"),
        ("binary.csv", "\ud800", "UTF-8"),
        ("results.txt", "case\na\n", "neither a folder"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ResultsError, match=words):
        read_results(tmp_path / name)


def test_an_empty_folder_is_no_cohort(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no result"):
        read_results(tmp_path)


def test_undetermined_cases_are_listed_apart(tmp_path: Path) -> None:
    write_result(tmp_path / "a")
    write_undetermined(tmp_path / "b")
    cohort = summarize(read_results(tmp_path))
    assert (cohort.cases, cohort.with_herniation, cohort.undetermined) == (2, 1, ("b",))


def test_several_cases_of_one_person_are_pointed_out(tmp_path: Path) -> None:
    write_result(tmp_path / "a", patient="P1")
    write_result(tmp_path / "b", patient="P1")
    cohort = summarize(read_results(tmp_path))
    assert cohort.patients == 1
    assert any("too narrow" in note for note in cohort.notes)
    assert "P1" not in str(cohort)


def test_a_case_that_is_there_twice_is_not_counted_twice(tmp_path: Path) -> None:
    table = tmp_path / "results.csv"
    table.write_text("case,verdict\na,decreased\na,decreased\n", encoding="utf-8")
    with pytest.raises(ResultsError, match="2 times"):
        summarize(read_results(table))
