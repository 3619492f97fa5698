"""Cases: a pair of studies and a level, from waiting for the earlier study to sent.

`revision` grows by one with each change of what a reader sees; what readers decide stands in
`mri_resorb.service.decisions`. A result's folder never changes: another one is named in its place.
After a signature the folder is that of what was signed until the signed reports are written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict

from mri_resorb.errors import NotThereError
from mri_resorb.io.results import EstimateDocument, FollowUpDocument
from mri_resorb.model import Level, Point, Sex, Status, Verdict
from mri_resorb.service.store import Store, new_id, now
from mri_resorb.service.studies import Study, study_in

CaseState = Literal[
    "waiting",
    "queued",
    "running",
    "measured",
    "failed",
    "signed",
    "sending",
    "sent",
    "send_failed",
]
Reports = Literal["none", "written", "failed"]
"""Whether the result's folder holds the pipeline's outputs (page, PDF, SEG, SR) of its figures."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DateSummary(_Document):
    """One date of a list of cases."""

    date: Date | None
    status: Status
    volume_cm3: EstimateDocument | None


class Summary(_Document):
    """What a list of cases shows of a result."""

    patient_id: str | None
    sex: Sex | None
    age_years: int | None
    status: Literal["measured", "undetermined"]
    baseline: DateSummary
    follow_up: DateSummary
    resorption_percent: EstimateDocument | None
    verdict: Verdict
    reasons: tuple[str, ...]
    corrected: bool


@dataclass(frozen=True)
class Signature:
    """Who accepted a result: the account, the name that stands on the report, and when."""

    account: str
    name: str
    at: float


@dataclass(frozen=True)
class Case:
    """A case as it stands.

    Attributes:
        step: of the running job: reading, segmenting, measuring, writing; None where unknown.
        message: why it failed, waits, or was not sent; one sentence that names nobody.
        result: name of the folder of the result that stands; see `result_folder`.
        job: number of the latest measuring; see `job_folder`.
        sent_at: seconds since 1970; None until every object is in the PACS.
    """

    id: str
    follow_up: Study
    baseline: Study | None
    level: Level
    disc_at: Point | None
    state: CaseState
    step: str | None
    message: str | None
    revision: int
    result: str | None
    reports: Reports
    job: int
    summary: Summary | None = field(repr=False)
    signature: Signature | None
    sent_at: float | None
    sent_objects: int
    send_attempts: int
    send_after: float | None
    changed_at: float


@dataclass(frozen=True)
class Changed:
    """A change of a case; state `deleted` where it is gone."""

    number: int
    case_id: str
    state: CaseState | Literal["deleted"]
    step: str | None
    revision: int


def summarise(document: FollowUpDocument) -> Summary:
    """What a list shows of a result."""
    dates = (document.baseline, document.follow_up)
    baseline, follow_up = (
        DateSummary(date=one.date, status=one.status, volume_cm3=one.volume_cm3) for one in dates
    )
    return Summary(
        patient_id=document.patient.id,
        sex=document.patient.sex,
        age_years=document.patient.age_years,
        status=document.status,
        baseline=baseline,
        follow_up=follow_up,
        resorption_percent=document.change.resorption_percent,
        verdict=document.change.verdict,
        reasons=tuple(reason.message for reason in document.reasons),
        corrected=any(one.mask_source == "person" for one in dates),
    )


def case_folder(store: Store, case_id: str) -> Path:
    """Where all of a case lies."""
    return store.folder / "cases" / case_id


def job_folder(store: Store, case: Case) -> Path:
    """Where the latest measuring left its automatic result.

    It is a result folder (`mri_resorb.io.result_folder`), with `baseline_image.nii.gz` and
    `follow_up_image.nii.gz` beside: the series that were measured, on their own grid.
    """
    return case_folder(store, case.id) / f"job-{case.job}"


def result_folder(store: Store, case: Case) -> Path | None:
    """Where the result that stands lies; None before one is measured."""
    return None if case.result is None else case_folder(store, case.id) / case.result


def new_result_folder(store: Store, case: Case) -> Path:
    """Where another result of a case may be written; not there yet, and no other's."""
    return case_folder(store, case.id) / f"result-{new_id()}"


def get_case(store: Store, case_id: str) -> Case:
    """A case by its id.

    Raises:
        NotThereError: the service does not hold it.
    """
    with store.reading() as connection:
        return case_in(connection, case_id)


def case_in(connection: sqlite3.Connection, case_id: str) -> Case:
    """As `get_case`, within a transaction."""
    found = _read(connection, "WHERE cases.id = ?", (case_id,))
    if not found:
        raise NotThereError("The service holds no such case.")
    return found[0]


def all_cases(store: Store) -> list[Case]:
    """Every case, the one that changed last first."""
    with store.reading() as connection:
        return _read(connection, "ORDER BY changed_at DESC", ())


def select_cases(store: Store, condition: str, *values: object, most: int = 20) -> list[Case]:
    """Some cases for which an SQL condition on the columns holds, the oldest change first."""
    with store.reading() as connection:
        return _read(connection, f"WHERE {condition} ORDER BY changed_at LIMIT {most}", values)


def latest_change(store: Store) -> int:
    """The number of the latest change, 0 for none."""
    with store.reading() as connection:
        return int(connection.execute("SELECT max(number) FROM changes").fetchone()[0] or 0)


def changes_since(store: Store, number: int) -> list[Changed]:
    """Changes after a number, in their order; those long past are forgotten."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT * FROM changes WHERE number > ? ORDER BY number", (number,)
        )
        return [Changed(**dict(row)) for row in rows]


def queue(connection: sqlite3.Connection, case_id: str) -> None:
    """Have a case measured anew, within a transaction; an earlier job's end counts no more."""
    connection.execute(
        "UPDATE jobs SET ended_at = ?, outcome = 'superseded'"
        " WHERE case_id = ? AND ended_at IS NULL",
        (now(), case_id),
    )
    connection.execute(
        "UPDATE cases SET state = 'queued', step = NULL, message = NULL, result = NULL,"
        " summary = NULL, reports = 'none', job = job + 1, revision = revision + 1,"
        " changed_at = ? WHERE id = ?",
        (now(), case_id),
    )
    connection.execute(
        "INSERT INTO jobs (case_id, number, queued_at) SELECT id, job, ? FROM cases WHERE id = ?",
        (now(), case_id),
    )


def _read(connection: sqlite3.Connection, selection: str, values: Sequence[object]) -> list[Case]:
    rows = connection.execute(
        "SELECT cases.*, (SELECT count(*) FROM sent_objects WHERE case_id = cases.id AND"
        f" sent_objects.result = cases.result) AS sent_objects FROM cases {selection}",
        tuple(values),
    ).fetchall()
    wanted = {row[key] for row in rows for key in ("follow_up", "baseline") if row[key]}
    studies = {study: study_in(connection, study) for study in wanted}
    return [_case(row, studies) for row in rows]


def _case(row: sqlite3.Row, studies: dict[str, Study]) -> Case:
    disc_at = json.loads(row["disc_at"]) if row["disc_at"] else None
    return Case(
        id=row["id"],
        follow_up=studies[row["follow_up"]],
        baseline=studies[row["baseline"]] if row["baseline"] else None,
        level=Level(row["level"]),
        disc_at=None if disc_at is None else (disc_at[0], disc_at[1], disc_at[2]),
        state=cast(CaseState, row["state"]),
        step=row["step"],
        message=row["message"],
        revision=row["revision"],
        result=row["result"],
        reports=cast(Reports, row["reports"]),
        job=row["job"],
        summary=Summary.model_validate_json(row["summary"]) if row["summary"] else None,
        signature=(
            Signature(row["signed_account"], row["signed_name"], row["signed_at"])
            if row["signed_at"]
            else None
        ),
        sent_at=row["sent_at"],
        sent_objects=row["sent_objects"],
        send_attempts=row["send_attempts"],
        send_after=row["send_after"],
        changed_at=row["changed_at"],
    )
