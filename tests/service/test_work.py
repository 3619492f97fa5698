"""What workers do, and what becomes of a case whose worker dies, hangs, or finds it unusable."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
from service_studies import PLAIN, completed, stand_in, study, wait_for

from mri_resorb.model import Level
from mri_resorb.pipeline import Remote
from mri_resorb.service.cases import Case, all_cases, job_folder, result_folder
from mri_resorb.service.settings import Settings
from mri_resorb.service.store import Store, open_store
from mri_resorb.service.work import working

DAYS = (date(2020, 1, 10), date(2020, 7, 1))
ONE_LEVEL = Remote(levels=(Level.L4_L5,))
WAY = PLAIN.model_copy(update={"remote": ONE_LEVEL})
ENDED = {"measured", "failed"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "service")


def add_pair(store: Store, patient: str, *, behaviour: str = "0") -> None:
    for day in DAYS:
        completed(store, study(day, patient=patient, StudyID=behaviour), rules=ONE_LEVEL)


def by_patient(store: Store) -> dict[str, Case]:
    return {case.follow_up.facts.patient_id: case for case in all_cases(store)}


def test_one_bad_case_is_its_own_failure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    add_pair(store, "killed", behaviour="killed")
    add_pair(store, "hanging", behaviour="hang")
    add_pair(store, "damaged")
    add_pair(store, "good")
    for path in (store.folder / "studies" / by_patient(store)["damaged"].follow_up.id).iterdir():
        os.truncate(path, 900)
    settings = Settings(time_limit_seconds=20)
    with working(store, settings, WAY, compare=stand_in):
        wait_for(lambda: {case.state for case in all_cases(store)} <= ENDED)
    cases = by_patient(store)
    assert {name: case.state for name, case in cases.items()} == {
        "killed": "failed",
        "hanging": "failed",
        "damaged": "failed",
        "good": "measured",
    }
    assert "ended from outside" in (cases["killed"].message or "")
    assert "20 seconds" in (cases["hanging"].message or "")
    assert all("P-" not in (case.message or "") for case in cases.values())
    good = cases["good"]
    assert good.summary is not None
    assert (good.summary.baseline.date, good.summary.follow_up.date) == DAYS
    assert good.summary.patient_id == "good"
    shown = result_folder(store, good)
    assert shown == job_folder(store, good)
    assert {"result.json", "baseline_image.nii.gz", "follow_up_image.nii.gz"} <= {
        path.name for path in shown.iterdir()
    }
    with store.reading() as connection:
        jobs = connection.execute("SELECT outcome, count(*) FROM jobs GROUP BY outcome")
        assert dict(map(tuple, jobs)) == {"measured": 1, "failed": 3}


def test_work_that_was_cut_off_is_taken_up_and_quiet_studies_become_cases(store: Store) -> None:
    add_pair(store, "before")
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET state = 'running'")
        connection.execute("UPDATE studies SET state = 'receiving', arrived_at = 0")
    with working(store, Settings(), WAY, compare=stand_in):
        wait_for(lambda: by_patient(store)["before"].state == "measured")
    with store.reading() as connection:
        states = {row["state"] for row in connection.execute("SELECT state FROM studies")}
    assert states == {"lumbar"}
