"""What may become of a case: each change checks the state and revision that it comes from."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import get_args

import pytest
from web_service import add_case

from mri_resorb.errors import NotThereError, StateError, StoreError
from mri_resorb.io.results import drawn_mask_name
from mri_resorb.model import Level
from mri_resorb.service.cases import (
    Case,
    CaseState,
    all_cases,
    case_folder,
    changes_since,
    get_case,
    job_folder,
    latest_change,
    new_result_folder,
    result_folder,
)
from mri_resorb.service.decisions import correct, delete_case, reopen, send_again, set_level, sign
from mri_resorb.service.jobs import clear_unnamed, remove_old_results, take_up
from mri_resorb.service.store import SCHEMA_VERSION, Store, open_store

Change = Callable[[Store, Case], object]

CHANGES: dict[str, tuple[Change, set[str]]] = {
    "sign": (
        lambda store, case: sign(store, case.id, account="a", name="A", revision=case.revision),
        {"measured"},
    ),
    "reopen": (
        lambda store, case: reopen(store, case.id, revision=case.revision),
        {"signed", "sent", "send_failed"},
    ),
    "send again": (
        lambda store, case: send_again(store, case.id),
        {"signed", "sent", "send_failed"},
    ),
    "correct": (
        lambda store, case: correct(
            store, case.id, revision=case.revision, result=job_folder(store, case)
        ),
        {"measured"},
    ),
    "set level": (
        lambda store, case: set_level(
            store, case.id, level=Level.L5_S1, disc_at=None, revision=case.revision
        ),
        {"measured", "failed"},
    ),
    "delete": (
        lambda store, case: delete_case(store, case.id),
        set(get_args(CaseState)) - {"running", "sending"},
    ),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "service")


@pytest.mark.parametrize("state", get_args(CaseState))
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_made_from_the_states_that_allow_it_alone(
    store: Store, name: str, state: str
) -> None:
    change, allowed = CHANGES[name]
    case_id = add_case(store, state=state)
    before = get_case(store, case_id)
    if state in allowed:
        change(store, before)
        return
    with pytest.raises(StateError, match=state.replace("_", " ")):
        change(store, before)
    assert get_case(store, case_id) == before


@pytest.mark.parametrize("name", ["sign", "reopen", "correct", "set level"])
def test_who_saw_another_revision_changes_nothing(store: Store, name: str) -> None:
    change, allowed = CHANGES[name]
    case_id = add_case(store, state=min(allowed))
    seen = get_case(store, case_id)
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET revision = revision + 1")
    with pytest.raises(StateError, match="has changed"):
        change(store, seen)


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_there_is_said(store: Store, name: str) -> None:
    change, _ = CHANGES[name]
    case_id = add_case(store)
    gone = get_case(store, case_id)
    delete_case(store, case_id)
    with pytest.raises(NotThereError):
        change(store, gone)


def test_of_many_that_sign_at_once_one_does(store: Store) -> None:
    case_id = add_case(store)

    def attempt(number: int) -> bool:
        try:
            sign(store, case_id, account=f"reader{number}", name="A", revision=0)
        except StateError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 1


def test_a_signature_names_who_and_is_gone_when_reopened(store: Store) -> None:
    case_id = add_case(store)
    signed = sign(store, case_id, account="reader", name="Dr. А. Reader", revision=0)
    assert signed.signature is not None
    assert (signed.signature.account, signed.signature.name) == ("reader", "Dr. А. Reader")
    opened = reopen(store, case_id, revision=signed.revision)
    assert (opened.state, opened.signature, opened.result) == ("measured", None, "job-1")
    assert opened.revision == 2


def test_a_reopened_case_shows_what_was_read_not_what_was_signed(store: Store) -> None:
    case_id = add_case(store)
    signed = sign(store, case_id, account="reader", name="A", revision=0)
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET result = 'result-signed', reports = 'written'")
    assert reopen(store, case_id, revision=signed.revision).result == "job-1"


def test_another_level_drops_the_figures_of_the_first(store: Store) -> None:
    case_id = add_case(store)
    queued = set_level(store, case_id, level=Level.L5_S1, disc_at=(1.0, 2.5, -3.0), revision=0)
    assert (queued.state, queued.level, queued.disc_at) == ("queued", "L5-S1", (1.0, 2.5, -3.0))
    assert (queued.result, queued.summary, queued.job) == (None, None, 2)
    assert result_folder(store, queued) is None


def test_two_cases_of_one_study_are_not_of_one_level(store: Store) -> None:
    case_id = add_case(store)
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO cases (id, follow_up, level, state, changed_at)"
            " SELECT 'other', follow_up, 'L5-S1', 'waiting', 0 FROM cases"
        )
    with pytest.raises(StateError, match="already"):
        set_level(store, case_id, level=Level.L5_S1, disc_at=None, revision=0)


def test_a_correction_is_another_folder_and_the_automatic_result_stays(store: Store) -> None:
    case_id = add_case(store)
    seen = get_case(store, case_id)
    folder = new_result_folder(store, seen)
    automatic = job_folder(store, seen)
    folder.mkdir()
    (folder / "result.json").write_bytes((automatic / "result.json").read_bytes())
    corrected = correct(store, case_id, revision=0, result=folder)
    assert result_folder(store, corrected) == folder
    assert corrected.reports == "none"
    back = correct(store, case_id, revision=1, result=automatic)
    assert (result_folder(store, back), back.reports) == (automatic, "written")
    assert not (automatic / drawn_mask_name("baseline")).exists()


def test_changes_come_in_their_order_and_a_deletion_is_one(store: Store) -> None:
    before = latest_change(store)
    case_id = add_case(store)
    sign(store, case_id, account="a", name="A", revision=0)
    delete_case(store, case_id)
    changes = changes_since(store, before)
    states = [change.state for change in changes]
    assert states[0] == "measured"
    assert states[-1] == "deleted"
    assert "signed" in states
    assert [change.number for change in changes] == sorted(change.number for change in changes)
    assert changes_since(store, latest_change(store)) == []


def test_results_that_nothing_names_are_removed_but_not_while_they_may_be_written(
    store: Store,
) -> None:
    case_id = add_case(store)
    folder = case_folder(store, case_id)
    for name in ("result-sent", "result-unnamed", "job-0"):
        (folder / name).mkdir()
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO sent_objects VALUES (?, 'result-sent', 'report.sr.dcm', 0)", (case_id,)
        )
    remove_old_results(store, case_id)
    assert (folder / "result-unnamed").is_dir()
    (store.folder / "cases" / "of-no-case").mkdir()
    clear_unnamed(store)
    assert {path.name for path in folder.iterdir()} == {"job-1", "result-sent"}
    assert [path.name for path in (store.folder / "cases").iterdir()] == [case_id]


def test_what_ran_when_the_service_ended_is_queued_again(store: Store) -> None:
    add_case(store, state="running")
    take_up(store)
    (case,) = all_cases(store)
    assert (case.state, case.job) == ("queued", 1)


def test_a_folder_of_another_version_is_left_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path / "service")
    with store.transaction() as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    store.close()
    with pytest.raises(StoreError, match=rf"schema {SCHEMA_VERSION + 1}"):
        open_store(tmp_path / "service")


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    case_id = add_case(store)

    def fail() -> None:
        with store.transaction() as connection:
            connection.execute("UPDATE cases SET state = 'failed'")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert get_case(store, case_id).state == "measured"


def test_only_its_owner_reads_the_folder(store: Store) -> None:
    assert store.folder.stat().st_mode & 0o077 == 0
    assert (store.folder / "service.db").stat().st_mode & 0o077 == 0
