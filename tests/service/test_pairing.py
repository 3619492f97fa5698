"""Which study is compared with which, whatever the order in which they come."""

from __future__ import annotations

from datetime import date
from itertools import permutations
from pathlib import Path
from typing import Any

import dicom_files
import pytest
from service_studies import RULES, SMALL, completed, received, study

from mri_resorb.model import Level
from mri_resorb.pipeline import Remote
from mri_resorb.service.cases import Case, all_cases
from mri_resorb.service.decisions import delete_case
from mri_resorb.service.pairing import complete, pair_waiting
from mri_resorb.service.store import Store, open_store
from mri_resorb.service.studies import get_study

FIRST, SECOND, THIRD = date(2020, 1, 10), date(2020, 7, 1), date(2021, 2, 3)
ONE_LEVEL = Remote(levels=(Level.L5_S1,))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "service")


def pairs(store: Store) -> dict[tuple[date | None, date | None, str], str]:
    """State of each case by the dates of its studies and its level."""
    return {
        (dated(case, "baseline"), dated(case, "follow_up"), case.level): case.state
        for case in all_cases(store)
    }


def dated(case: Case, which: str) -> date | None:
    found = getattr(case, which)
    return found.facts.date if found else None


def test_a_pair_is_a_case_at_each_level(store: Store) -> None:
    completed(store, study(FIRST))
    completed(store, study(SECOND))
    assert pairs(store) == {
        (FIRST, SECOND, "L4-L5"): "queued",
        (FIRST, SECOND, "L5-S1"): "queued",
    }


def test_a_study_alone_waits_and_says_why(store: Store) -> None:
    completed(store, study(FIRST), rules=ONE_LEVEL)
    assert pairs(store) == {(None, FIRST, "L5-S1"): "waiting"}
    assert "no earlier" in (all_cases(store)[0].message or "")


@pytest.mark.parametrize("order", list(permutations((FIRST, SECOND))))
def test_the_order_of_arrival_does_not_matter(store: Store, order: tuple[date, ...]) -> None:
    for day in order:
        completed(store, study(day), rules=ONE_LEVEL)
    assert pairs(store) == {(FIRST, SECOND, "L5-S1"): "queued"}


@pytest.mark.parametrize(("rule", "expected"), [("earliest", FIRST), ("latest", SECOND)])
def test_of_several_earlier_studies_the_rule_takes_one(
    store: Store, rule: Any, expected: date
) -> None:
    rules = Remote(levels=(Level.L5_S1,), baseline=rule)
    for day in (FIRST, SECOND, THIRD):
        completed(store, study(day), rules=rules)
    assert pairs(store)[expected, THIRD, "L5-S1"] == "queued"


def test_what_lies_too_far_back_is_no_baseline(store: Store) -> None:
    rules = Remote(levels=(Level.L5_S1,), longest_interval_days=365)
    for day in (FIRST, SECOND, THIRD):
        completed(store, study(day), rules=rules)
    assert (SECOND, THIRD, "L5-S1") in pairs(store)


@pytest.mark.parametrize(
    "other",
    [
        {"patient": "P-18"},
        {"PatientBirthDate": "19800101"},
        {"PatientSex": "M"},
        {"SeriesDescription": "T2 SAG CERVICAL"},
        {"BodyPartExamined": "CSPINE"},
        {"SeriesDescription": "T1", "EchoTime": 12.0, "RepetitionTime": 600.0},
        {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
    ],
)
def test_other_people_and_other_kinds_are_not_paired(store: Store, other: Any) -> None:
    completed(store, study(FIRST, **other), rules=ONE_LEVEL)
    completed(store, study(SECOND), rules=ONE_LEVEL)
    assert pairs(store)[None, SECOND, "L5-S1"] == "waiting"


@pytest.mark.parametrize("nobody", ["", "ANONYMOUS", "Unknown"])
def test_an_id_that_is_nobodys_pairs_nobody(store: Store, nobody: str) -> None:
    for day in (FIRST, SECOND):
        completed(store, study(day, patient=nobody), rules=ONE_LEVEL)
    assert set(pairs(store).values()) == {"waiting"}
    assert all("PatientID" in (case.message or "") for case in all_cases(store))


def test_letters_of_an_id_may_differ_in_size(store: Store) -> None:
    completed(store, study(FIRST, patient="p-17"), rules=ONE_LEVEL)
    completed(store, study(SECOND, patient="P-17"), rules=ONE_LEVEL)
    assert pairs(store) == {(FIRST, SECOND, "L5-S1"): "queued"}


def test_a_fetched_study_is_a_baseline_and_no_case(store: Store) -> None:
    completed(store, study(FIRST), rules=ONE_LEVEL, origin="fetched")
    assert pairs(store) == {}
    completed(store, study(SECOND), rules=ONE_LEVEL)
    assert pairs(store) == {(FIRST, SECOND, "L5-S1"): "queued"}


def test_pairing_again_changes_nothing(store: Store) -> None:
    for day in (FIRST, SECOND):
        completed(store, study(day), rules=ONE_LEVEL)
    (before,) = all_cases(store)
    completed(store, study(SECOND, patient="P-99"), rules=ONE_LEVEL)
    again = [case for case in all_cases(store) if case.id == before.id]
    assert [(case.job, case.revision) for case in again] == [(before.job, before.revision)]


def test_a_deleted_case_is_not_made_again_of_studies_that_stay(store: Store) -> None:
    for day in (FIRST, SECOND):
        completed(store, study(day))
    deleted = next(case for case in all_cases(store) if case.level == "L5-S1")
    delete_case(store, deleted.id)
    completed(store, study(THIRD), rules=ONE_LEVEL)
    assert pairs(store) == {
        (FIRST, SECOND, "L4-L5"): "queued",
        (FIRST, THIRD, "L5-S1"): "queued",
    }


def test_with_the_last_case_of_a_study_the_study_is_gone(store: Store) -> None:
    for day in (FIRST, SECOND):
        completed(store, study(day))
    first, second = all_cases(store)
    delete_case(store, first.id)
    assert len(list((store.folder / "studies").iterdir())) == 2
    delete_case(store, second.id)
    assert list((store.folder / "studies").iterdir()) == []
    assert list((store.folder / "cases").iterdir()) == []
    with store.reading() as connection:
        for table in ("studies", "instances", "cases", "jobs", "deleted_cases"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0
    completed(store, study(FIRST), rules=ONE_LEVEL)
    assert set(pairs(store).values()) == {"waiting"}


def test_images_that_come_while_a_study_is_looked_at_keep_it_receiving(store: Store) -> None:
    sent = study(FIRST)
    study_id = received(store, sent[:3])
    seen_before = get_study(store, study_id)
    received(store, sent[3:])
    complete(store, seen_before, rules=RULES, ask_pacs=False)
    assert get_study(store, study_id).state == "receiving"
    assert pairs(store) == {}


def test_late_images_have_what_nobody_worked_on_measured_anew(store: Store) -> None:
    completed(store, study(FIRST), rules=ONE_LEVEL)
    late = dicom_files.series(SMALL, StudyDate=f"{SECOND:%Y%m%d}", StudyInstanceUID="1.2.3")
    completed(store, late[:4], rules=ONE_LEVEL)
    (before,) = all_cases(store)
    completed(store, late[4:], rules=ONE_LEVEL)
    (after,) = all_cases(store)
    assert (before.state, after.state) == ("queued", "queued")
    with store.transaction() as connection:
        connection.execute(
            "UPDATE cases SET state = 'measured', result = 'job-1' WHERE id = ?", (after.id,)
        )
    extra = dicom_files.series(SMALL, StudyDate=f"{SECOND:%Y%m%d}", StudyInstanceUID="1.2.3")
    completed(store, extra, rules=ONE_LEVEL)
    (anew,) = all_cases(store)
    assert (anew.state, anew.job) == ("queued", before.job + 1)
    with store.transaction() as connection:
        connection.execute(
            "UPDATE cases SET state = 'measured', result = 'result-x' WHERE id = ?", (after.id,)
        )
    more = dicom_files.series(SMALL, StudyDate=f"{SECOND:%Y%m%d}", StudyInstanceUID="1.2.3")
    completed(store, more, rules=ONE_LEVEL)
    (corrected,) = all_cases(store)
    assert corrected.state == "measured"
    assert "not in it" in (corrected.message or "")


def test_a_study_waits_until_the_pacs_was_asked_or_is_none_any_more(store: Store) -> None:
    completed(store, study(FIRST), rules=ONE_LEVEL)
    study_id = received(store, study(SECOND))
    complete(store, get_study(store, study_id), rules=ONE_LEVEL, ask_pacs=True)
    assert pairs(store)[None, SECOND, "L5-S1"] == "waiting"
    assert any("PACS" in (case.message or "") for case in all_cases(store))
    pair_waiting(store, rules=ONE_LEVEL, ask_pacs=True)
    assert pairs(store)[None, SECOND, "L5-S1"] == "waiting"
    pair_waiting(store, rules=ONE_LEVEL, ask_pacs=False)
    assert pairs(store) == {(FIRST, SECOND, "L5-S1"): "queued"}
