"""Studies and their instances: rows of the store, and how they change."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from pathlib import Path
from typing import Literal, cast

from mri_resorb.errors import NotThereError
from mri_resorb.model import Sex
from mri_resorb.service.store import Store, new_id, now

Origin = Literal["received", "uploaded", "fetched"]
"""How a study came: sent to the DICOM node, through the REST interface, or asked of the PACS."""

StudyState = Literal["receiving", "lumbar", "other"]
"""`receiving` until a quiet time; then whether its series can be measured."""


@dataclass(frozen=True)
class StudyFacts:
    """What an instance's header says of its study and its person; "" or None for nothing."""

    uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    patient_name: str = field(repr=False)
    birth_date: Date | None = field(repr=False)
    sex: Sex | None
    age_years: int | None
    date: Date | None


@dataclass(frozen=True)
class Study:
    """A study that the service holds.

    Attributes:
        sender: the AE title or account that brought it, or `service` for what was fetched.
        flaw: why nothing of it is measured, for state `other`.
        instances: how many arrived.
        arrived_at: of the latest instance, seconds since 1970.
        ask_priors_at: when the PACS is to be asked for earlier studies of the person again; None
            where it was not asked yet.
    """

    id: str
    facts: StudyFacts
    sender: str
    origin: Origin
    state: StudyState
    flaw: str | None
    instances: int
    arrived_at: float
    ask_priors_at: float | None


@dataclass(frozen=True)
class Instance:
    """A DICOM file that the service holds.

    Attributes:
        file: its name in the study's folder.
        sha256: of the data set, without the file's meta information.
    """

    sop_uid: str = field(repr=False)
    study: str
    file: str
    sha256: str


def study_folder(store: Store, study: str) -> Path:
    """Where a study's files lie."""
    return store.folder / "studies" / study


def get_study(store: Store, study: str) -> Study:
    """A study by its id.

    Raises:
        NotThereError: the service does not hold it.
    """
    with store.reading() as connection:
        return study_in(connection, study)


def study_in(connection: sqlite3.Connection, study: str) -> Study:
    """As `get_study`, within a transaction."""
    row = connection.execute("SELECT * FROM studies WHERE id = ?", (study,)).fetchone()
    if row is None:
        raise NotThereError("The service holds no such study.")
    return read_study_row(row)


def studies_in_state(store: Store, state: StudyState, *, before: float) -> list[Study]:
    """Studies whose latest instance arrived before a time, the earliest first."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT * FROM studies WHERE state = ? AND arrived_at < ? ORDER BY arrived_at",
            (state, before),
        )
        return [read_study_row(row) for row in rows]


def find_instance(connection: sqlite3.Connection, sop_uid: str) -> Instance | None:
    """The instance of that SOP Instance UID, if it is held."""
    row = connection.execute("SELECT * FROM instances WHERE sop_uid = ?", (sop_uid,)).fetchone()
    return None if row is None else Instance(**dict(row))


def study_for(
    connection: sqlite3.Connection, facts: StudyFacts, *, sender: str, origin: Origin
) -> str:
    """The id of the study that an instance belongs to; made where it is the first."""
    held = connection.execute(
        "SELECT id FROM studies WHERE uid = ? AND patient_id = ?", (facts.uid, facts.patient_id)
    ).fetchone()
    if held is not None:
        return str(held["id"])
    made = new_id()
    row = {
        "id": made,
        "uid": facts.uid,
        "patient_id": facts.patient_id,
        "patient_name": facts.patient_name,
        "birth_date": facts.birth_date.isoformat() if facts.birth_date else None,
        "sex": facts.sex,
        "age_years": facts.age_years,
        "date": facts.date.isoformat() if facts.date else None,
        "sender": sender,
        "origin": origin,
        "state": "receiving",
        "instances": 0,
        "arrived_at": now(),
    }
    connection.execute(
        f"INSERT INTO studies ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        tuple(row.values()),
    )
    return made


def add_instance(connection: sqlite3.Connection, instance: Instance) -> None:
    """Note an instance whose file is on disk; its study is receiving from now on."""
    connection.execute(
        "INSERT INTO instances (sop_uid, study, file, sha256) VALUES (?, ?, ?, ?)",
        (instance.sop_uid, instance.study, instance.file, instance.sha256),
    )
    connection.execute(
        "UPDATE studies SET state = 'receiving', instances = instances + 1, arrived_at = ?"
        " WHERE id = ?",
        (now(), instance.study),
    )


def read_study_row(row: sqlite3.Row) -> Study:
    """A row of the table `studies`."""
    return Study(
        id=row["id"],
        facts=StudyFacts(
            uid=row["uid"],
            patient_id=row["patient_id"],
            patient_name=row["patient_name"],
            birth_date=Date.fromisoformat(row["birth_date"]) if row["birth_date"] else None,
            sex=cast("Sex | None", row["sex"]),
            age_years=row["age_years"],
            date=Date.fromisoformat(row["date"]) if row["date"] else None,
        ),
        sender=row["sender"],
        origin=cast(Origin, row["origin"]),
        state=cast(StudyState, row["state"]),
        flaw=row["flaw"],
        instances=row["instances"],
        arrived_at=row["arrived_at"],
        ask_priors_at=row["ask_priors_at"],
    )
