"""What readers decide of a case; each decision is one transaction.

    waiting -> queued -> running -> measured | failed
    measured -> signed -> sending -> sent | send_failed -> sending
    measured | failed -> queued    another level, or late instances
    signed | sent | send_failed -> measured    reopened

Who decides names the revision that was seen; of another one nothing is decided.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from mri_resorb.correction import read_result
from mri_resorb.errors import StateError
from mri_resorb.model import Level, Point
from mri_resorb.service.cases import (
    Case,
    CaseState,
    case_folder,
    case_in,
    job_folder,
    queue,
    summarise,
)
from mri_resorb.service.store import Store, now
from mri_resorb.service.studies import study_folder


def set_level(
    store: Store, case_id: str, *, level: Level, disc_at: Point | None, revision: int
) -> Case:
    """Measure another level, or the disc at a point (baseline, LPS mm); corrections are dropped.

    Raises:
        NotThereError: no such case.
        StateError: another revision, a state other than measured or failed, or there is a case of
            that level.
    """
    with store.transaction() as connection:
        case = _expect(connection, case_id, revision, states=("measured", "failed"))
        taken = connection.execute(
            "SELECT id FROM cases WHERE follow_up = ? AND level = ? AND id <> ?",
            (case.follow_up.id, level, case_id),
        ).fetchone()
        if taken is not None:
            raise StateError(f"These studies have a case at {level} already; read that one.")
        _update(
            connection,
            case_id,
            level=str(level),
            disc_at=None if disc_at is None else json.dumps(disc_at),
        )
        queue(connection, case_id)
        return case_in(connection, case_id)


def correct(store: Store, case_id: str, *, revision: int, result: Path) -> Case:
    """Name another result as the one that stands: corrected, or the automatic one again.

    Args:
        revision: the one that was corrected.
        result: a `new_result_folder` with a result in it, or the `job_folder`.

    Raises:
        NotThereError: no such case.
        StateError: another revision, or a state other than measured.
        ResultsError: there is no result in the folder.
    """
    with store.transaction() as connection:
        case = _expect(connection, case_id, revision, states=("measured",))
        summary = summarise(read_result(result))
        _update(
            connection,
            case_id,
            revision=revision + 1,
            result=result.name,
            reports="written" if result == job_folder(store, case) else "none",
            summary=summary.model_dump_json(),
        )
        return case_in(connection, case_id)


def sign(store: Store, case_id: str, *, account: str, name: str, revision: int) -> Case:
    """Accept a result; the signed reports are written, and sent, from then on.

    Raises:
        NotThereError: no such case.
        StateError: another revision, or a state other than measured.
    """
    with store.transaction() as connection:
        case = _expect(connection, case_id, revision, states=("measured",))
        _update(
            connection,
            case_id,
            state="signed",
            unsigned_result=case.result,
            revision=revision + 1,
            reports="none",
            message=None,
            signed_account=account,
            signed_name=name,
            signed_at=now(),
            sent_at=None,
            send_attempts=0,
            send_after=None,
        )
        return case_in(connection, case_id)


def reopen(store: Store, case_id: str, *, revision: int) -> Case:
    """Take a signature back; what was sent stays where it went.

    Raises:
        NotThereError: no such case.
        StateError: another revision, or a state that has no signature or is sending.
    """
    with store.transaction() as connection:
        _expect(connection, case_id, revision, states=("signed", "sent", "send_failed"))
        _update(
            connection,
            case_id,
            state="measured",
            revision=revision + 1,
            reports="none",
            message=None,
            signed_account=None,
            signed_name=None,
            signed_at=None,
            sent_at=None,
            send_after=None,
        )
        connection.execute(
            "UPDATE cases SET result = unsigned_result, unsigned_result = NULL WHERE id = ?",
            (case_id,),
        )
        return case_in(connection, case_id)


def send_again(store: Store, case_id: str) -> Case:
    """Send a signed case now: what is left of it, or all of it where it was sent whole.

    Raises:
        NotThereError: no such case.
        StateError: it is not signed, or being sent.
    """
    with store.transaction() as connection:
        case = _expect(connection, case_id, None, states=("signed", "sent", "send_failed"))
        if case.state == "sent":
            connection.execute(
                "DELETE FROM sent_objects WHERE case_id = ? AND result = ?",
                (case_id, case.result),
            )
        _update(
            connection,
            case_id,
            state="signed",
            reports="none" if case.reports == "failed" else case.reports,
            message=None,
            send_attempts=0,
            send_after=None,
        )
        return case_in(connection, case_id)


def delete_case(store: Store, case_id: str) -> None:
    """Remove a case, its results, and those of its studies that no other case has.

    Where a study stays, no case of it is made again at that level. What was sent stays where it
    went, and who did what stays in the audit log.

    Raises:
        NotThereError: no such case.
        StateError: it is measured or sent right now.
    """
    with store.transaction() as connection:
        case = case_in(connection, case_id)
        if case.state in ("running", "sending"):
            raise StateError(f"The case is {case.state}; delete it when that has ended.")
        connection.execute("DELETE FROM cases WHERE id = ?", (case_id,))
        connection.execute(
            "INSERT OR IGNORE INTO deleted_cases (follow_up, level) VALUES (?, ?)",
            (case.follow_up.id, case.level),
        )
        removed = [
            study.id
            for study in (case.follow_up, case.baseline)
            if study is not None and _is_nobodys(connection, study.id)
        ]
        for study_id in removed:
            connection.execute("DELETE FROM studies WHERE id = ?", (study_id,))
    for folder in (case_folder(store, case_id), *(study_folder(store, one) for one in removed)):
        shutil.rmtree(folder, ignore_errors=True)


def _is_nobodys(connection: sqlite3.Connection, study_id: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM cases WHERE follow_up = ? OR baseline = ?", (study_id, study_id)
    )
    return found.fetchone() is None


def _expect(
    connection: sqlite3.Connection,
    case_id: str,
    revision: int | None,
    *,
    states: Sequence[CaseState],
) -> Case:
    case = case_in(connection, case_id)
    if revision is not None and case.revision != revision:
        raise StateError(
            f"The case has changed (revision {case.revision}, not {revision}); look at it again."
        )
    if case.state not in states:
        raise StateError(
            f"The case is {case.state.replace('_', ' ')}; this needs one that is "
            f"{' or '.join(state.replace('_', ' ') for state in states)}."
        )
    return case


def _update(connection: sqlite3.Connection, case_id: str, **values: object) -> None:
    given = {**values, "changed_at": now()}
    names = ", ".join(f"{name} = ?" for name in given)
    connection.execute(f"UPDATE cases SET {names} WHERE id = ?", (*given.values(), case_id))
