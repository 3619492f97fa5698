"""What workers do for cases, and how its beginning and end are noted: each job ends once.

Two kinds of jobs: a queued case is measured, and a result that was corrected, signed or reopened
has its reports written. A job that was overtaken (by another level, a correction, late instances)
ends without being noted, and what it left is removed.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from mri_resorb.batch.cases import Case as BatchCase
from mri_resorb.batch.cases import Study as BatchStudy
from mri_resorb.batch.journal import Outcome
from mri_resorb.batch.worker import Compare, Task
from mri_resorb.correction import read_result
from mri_resorb.model import Signature
from mri_resorb.pipeline import Pipeline
from mri_resorb.service.cases import (
    Case,
    case_folder,
    case_in,
    job_folder,
    new_result_folder,
    result_folder,
    select_cases,
    summarise,
)
from mri_resorb.service.store import Store, now
from mri_resorb.service.studies import study_folder
from mri_resorb.service.tasks import Measure, Report

SETTLED_SECONDS = 5.0
"""Without a further correction, until a corrected result's reports are written."""
UNNAMED_SECONDS = 600.0
"""For how long a result may be written and not yet named by its case."""


@dataclass(frozen=True)
class Job:
    """A task for a worker, and the case as it was when it was handed out."""

    kind: Literal["measure", "report"]
    case: Case
    task: Task

    @property
    def folder(self) -> Path:
        """Where the result goes."""
        return self.task.output / self.task.case.name


def next_job(
    store: Store,
    *,
    way: Pipeline,
    time_limit_s: float,
    compare: Compare,
    running: frozenset[str],
) -> Job | None:
    """The next job to hand out, noted as begun; None where there is none.

    Signed reports come first, then cases to be measured, then reports of what is not signed.

    Args:
        running: ids of cases for which a job is running.
    """
    for case in select_cases(store, "state = 'signed' AND reports = 'none'"):
        if case.id not in running:
            return _report(store, case, way=way, time_limit_s=time_limit_s)
    for case in select_cases(store, "state = 'queued'"):
        if case.id not in running and _begin(store, case):
            return _measure(store, case, way=way, time_limit_s=time_limit_s, compare=compare)
    settled = "state = 'measured' AND reports = 'none' AND changed_at < ?"
    for case in select_cases(store, settled, now() - SETTLED_SECONDS):
        if case.id not in running:
            return _report(store, case, way=way, time_limit_s=time_limit_s)
    return None


def show_step(store: Store, job: Job) -> None:
    """Note which step a running job is in, as the worker's notes have it."""
    try:
        lines = job.task.notes.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    step = lines[-1] if lines else None
    if job.kind != "measure" or step is None or not step.isalpha():
        return
    with store.transaction() as connection:
        connection.execute(
            "UPDATE cases SET step = ? WHERE id = ? AND job = ? AND state = 'running'"
            " AND step IS NOT ?",
            (step, job.case.id, job.case.job, step),
        )


def end(store: Store, job: Job, outcome: Outcome) -> None:
    """Note what became of a job, if it still counts."""
    if job.kind == "measure":
        counts = _end_measuring(store, job, outcome)
    else:
        counts = _end_reporting(store, job, outcome)
    if counts and outcome.state == "done":
        remove_old_results(store, job.case.id)
    elif not counts:
        shutil.rmtree(job.folder, ignore_errors=True)


def hand_back(store: Store, job: Job) -> None:
    """Have a measuring whose worker is gone begun again."""
    with store.transaction() as connection:
        connection.execute(
            "UPDATE cases SET state = 'queued', step = NULL, changed_at = ?"
            " WHERE id = ? AND job = ? AND state = 'running'",
            (now(), job.case.id, job.case.job),
        )


def take_up(store: Store) -> None:
    """Have what a sudden end cut off begun again."""
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET state = 'queued', step = NULL WHERE state = 'running'")


def clear_unnamed(store: Store) -> None:
    """Remove results that a sudden end left and no case names; before anything is measured."""
    with store.reading() as connection:
        cases = {row["id"] for row in connection.execute("SELECT id FROM cases")}
    for folder in (store.folder / "cases").iterdir():
        if folder.name not in cases:
            shutil.rmtree(folder)
    for case_id in cases:
        remove_old_results(store, case_id, older_than_s=0)


def remove_old_results(
    store: Store, case_id: str, *, older_than_s: float = UNNAMED_SECONDS
) -> None:
    """Remove results that nothing names any more; what was sent stays."""
    with store.reading() as connection:
        row = connection.execute(
            "SELECT job, result, unsigned_result FROM cases WHERE id = ?", (case_id,)
        ).fetchone()
        sent = connection.execute(
            "SELECT DISTINCT result FROM sent_objects WHERE case_id = ?", (case_id,)
        ).fetchall()
    folder = case_folder(store, case_id)
    if row is None or not folder.is_dir():
        return
    kept = {f"job-{row['job']}", row["result"], row["unsigned_result"]}
    kept |= {one["result"] for one in sent}
    for one in folder.iterdir():
        age_s = now() - one.stat().st_mtime
        is_result = one.name.startswith(("job-", "result-"))
        if is_result and one.name not in kept and age_s >= older_than_s:
            shutil.rmtree(one, ignore_errors=True)


def _begin(store: Store, case: Case) -> bool:
    with store.transaction() as connection:
        begun = connection.execute(
            "UPDATE cases SET state = 'running', step = NULL, changed_at = ?"
            " WHERE id = ? AND job = ? AND state = 'queued'",
            (now(), case.id, case.job),
        )
        return begun.rowcount == 1


def _measure(
    store: Store, case: Case, *, way: Pipeline, time_limit_s: float, compare: Compare
) -> Job:
    folder = job_folder(store, case)
    measure = Measure(folder, compare)
    return Job("measure", case, _task(store, case, folder, way, time_limit_s, measure))


def _report(store: Store, case: Case, *, way: Pipeline, time_limit_s: float) -> Job:
    before = result_folder(store, case)
    assert before is not None
    signature = None
    if case.signature is not None:
        moment = datetime.fromtimestamp(int(case.signature.at), UTC)
        signature = Signature(case.signature.name, moment)
    folder = new_result_folder(store, case)
    task = _task(store, case, folder, way, time_limit_s, Report(before, signature))
    return Job("report", case, task)


def _task(
    store: Store, case: Case, folder: Path, way: Pipeline, time_limit_s: float, compare: Compare
) -> Task:
    assert case.baseline is not None
    studies = [
        BatchStudy(study_folder(store, study.id)) for study in (case.baseline, case.follow_up)
    ]
    asked = BatchCase(folder.name, case.level, tuple(studies), ordered=True, disc_at=case.disc_at)
    return Task(asked, folder.parent, way, time_limit_s, compare)


def _end_measuring(store: Store, job: Job, outcome: Outcome) -> bool:
    done = outcome.state == "done"
    summary = summarise(read_result(job.folder)).model_dump_json() if done else None
    with store.transaction() as connection:
        ended = connection.execute(
            "UPDATE cases SET state = ?, step = ?, message = ?, result = ?, reports = ?,"
            " summary = ?, revision = revision + 1, changed_at = ?"
            " WHERE id = ? AND job = ? AND state = 'running'",
            (
                "measured" if done else "failed",
                outcome.step,
                outcome.reason,
                job.folder.name if done else None,
                "written" if done else "none",
                summary,
                now(),
                job.case.id,
                job.case.job,
            ),
        )
        if ended.rowcount == 0:
            return False
        connection.execute(
            "UPDATE jobs SET ended_at = ?, outcome = ? WHERE case_id = ? AND number = ?"
            " AND ended_at IS NULL",
            (now(), "measured" if done else "failed", job.case.id, job.case.job),
        )
        return True


def _end_reporting(store: Store, job: Job, outcome: Outcome) -> bool:
    with store.transaction() as connection:
        if not _stands(connection, job.case):
            return False
        if outcome.state == "done":
            connection.execute(
                "UPDATE cases SET result = ?, reports = 'written', changed_at = ? WHERE id = ?",
                (job.folder.name, now(), job.case.id),
            )
        else:
            connection.execute(
                "UPDATE cases SET reports = 'failed', message = ?, changed_at = ? WHERE id = ?",
                (f"Its reports could not be written. {outcome.reason}", now(), job.case.id),
            )
        return True


def _stands(connection: sqlite3.Connection, case: Case) -> bool:
    """Whether a case is as it was, so that reports of it are of what stands."""
    found = connection.execute(
        "SELECT 1 FROM cases WHERE id = ? AND revision = ? AND reports = 'none'",
        (case.id, case.revision),
    ).fetchone()
    return found is not None and case_in(connection, case.id).state == case.state
