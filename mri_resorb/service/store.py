"""What the service keeps: files in its folder, and an SQLite database that says what they are.

    service.db           studies, instances, cases, jobs; accounts and the audit log besides
    incoming/            files that are being written
    studies/<study>/     DICOM files as they came
    cases/<case>/        job-<n>/ the automatic result of a job, with the images that it is of;
                         result-<id>/ a result with corrections or a signature

Every change of state is one transaction that checks the state it comes from. Commits are on disk
when they return (write-ahead log, `synchronous = FULL`). Ids are random and say nothing of anybody;
PatientID, UIDs and dates stand in the database alone.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mri_resorb.errors import StoreError
from mri_resorb.service import audit

DATABASE_NAME = "service.db"
SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
KEPT_CHANGES = 10_000

_SCHEMA = f"""
CREATE TABLE studies (
    id TEXT PRIMARY KEY,
    uid TEXT NOT NULL,
    patient_id TEXT NOT NULL,
    patient_name TEXT NOT NULL,
    birth_date TEXT,
    sex TEXT,
    age_years INTEGER,
    date TEXT,
    sender TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('received', 'uploaded', 'fetched')),
    state TEXT NOT NULL CHECK (state IN ('receiving', 'lumbar', 'other')),
    flaw TEXT,
    instances INTEGER NOT NULL,
    arrived_at REAL NOT NULL,
    ask_priors_at REAL,
    UNIQUE (uid, patient_id)
) STRICT;
CREATE INDEX studies_by_patient ON studies (patient_id);
CREATE INDEX studies_by_state ON studies (state, arrived_at);

CREATE TABLE instances (
    sop_uid TEXT PRIMARY KEY,
    study TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
    file TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX instances_by_study ON instances (study);

CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    follow_up TEXT NOT NULL REFERENCES studies,
    baseline TEXT REFERENCES studies,
    level TEXT NOT NULL,
    disc_at TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'running', 'measured', 'failed',
        'signed', 'sending', 'sent', 'send_failed')),
    step TEXT,
    message TEXT,
    revision INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    reports TEXT NOT NULL DEFAULT 'none' CHECK (reports IN ('none', 'written', 'failed')),
    job INTEGER NOT NULL DEFAULT 0,
    summary TEXT,
    signed_account TEXT,
    signed_name TEXT,
    signed_at REAL,
    unsigned_result TEXT,
    sent_at REAL,
    send_attempts INTEGER NOT NULL DEFAULT 0,
    send_after REAL,
    changed_at REAL NOT NULL,
    UNIQUE (follow_up, level)
) STRICT;
CREATE INDEX cases_by_state ON cases (state);

CREATE TABLE deleted_cases (
    follow_up TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
    level TEXT NOT NULL,
    PRIMARY KEY (follow_up, level)
) STRICT;

CREATE TABLE jobs (
    case_id TEXT NOT NULL REFERENCES cases ON DELETE CASCADE,
    number INTEGER NOT NULL,
    queued_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT CHECK (outcome IN ('measured', 'failed', 'superseded')),
    PRIMARY KEY (case_id, number)
) STRICT;

CREATE TABLE sent_objects (
    case_id TEXT NOT NULL REFERENCES cases ON DELETE CASCADE,
    result TEXT NOT NULL,
    file TEXT NOT NULL,
    sent_at REAL NOT NULL,
    PRIMARY KEY (case_id, result, file)
) STRICT;

CREATE TABLE changes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    case_id TEXT NOT NULL,
    state TEXT NOT NULL,
    step TEXT,
    revision INTEGER NOT NULL
) STRICT;
CREATE TRIGGER case_made AFTER INSERT ON cases BEGIN
    INSERT INTO changes (case_id, state, step, revision)
    VALUES (new.id, new.state, new.step, new.revision);
    DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - {KEPT_CHANGES};
END;
CREATE TRIGGER case_changed AFTER UPDATE ON cases BEGIN
    INSERT INTO changes (case_id, state, step, revision)
    VALUES (new.id, new.state, new.step, new.revision);
    DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - {KEPT_CHANGES};
END;
CREATE TRIGGER case_deleted AFTER DELETE ON cases BEGIN
    INSERT INTO changes (case_id, state, step, revision)
    VALUES (old.id, 'deleted', NULL, old.revision);
END;
"""


_THREAD = threading.local()
"""`open`: folder and connection of the transaction that this thread is in."""


@dataclass(frozen=True)
class Store:
    """A service's folder; may be used by several threads and processes.

    Attributes:
        kept_open: a connection that does nothing: while it lives, no other is the last one, whose
            closing would write the log back to the database.
    """

    folder: Path
    kept_open: sqlite3.Connection = field(repr=False, compare=False)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are on disk when the block is left, or undone if it raises.

        Rows are `sqlite3.Row`. One transaction writes at a time; one that is begun within another
        of the same thread is a part of it, so that a change and its audit entry stand or fall
        together.
        """
        outer = self._within()
        if outer is not None:
            yield outer
            return
        with closing(_connect(self.folder)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            _THREAD.open = (self.folder, connection)
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            else:
                connection.execute("COMMIT")
            finally:
                _THREAD.open = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of all tables, and waits for nobody.

        Within a transaction of the same thread it sees what that has changed.
        """
        outer = self._within()
        if outer is not None:
            yield outer
            return
        with closing(_connect(self.folder)) as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    def _within(self) -> sqlite3.Connection | None:
        folder, connection = getattr(_THREAD, "open", None) or (None, None)
        return connection if folder == self.folder else None

    def create_tables(self, script: str) -> None:
        """Run another module's `CREATE TABLE IF NOT EXISTS` and the like, once at its start."""
        with closing(_connect(self.folder)) as connection:
            connection.executescript(f"BEGIN IMMEDIATE; {script}; COMMIT;")

    def close(self) -> None:
        """Let go of the database."""
        self.kept_open.close()


def open_store(folder: Path) -> Store:
    """Open a service's folder; made, readable by its owner alone, where it is missing.

    Raises:
        StoreError: it cannot be written to, or is of another version of the schema.
    """
    try:
        for part in (folder, folder / "incoming", folder / "studies", folder / "cases"):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = _connect(folder)
        connection.execute("PRAGMA journal_mode = WAL")
        _define(connection, folder=folder)
        connection.executescript(f"BEGIN IMMEDIATE; {audit.SCHEMA} COMMIT;")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"The service's folder {folder} cannot be used: {error}.") from error
    return Store(folder.absolute(), connection)


def new_id() -> str:
    """A random id of 16 bytes, safe in URLs and file names."""
    return secrets.token_urlsafe(16)


def now() -> float:
    """Seconds since 1970, as times are kept."""
    return time.time()


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        folder / DATABASE_NAME,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _define(connection: sqlite3.Connection, *, folder: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.execute("COMMIT")
        connection.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
        (folder / DATABASE_NAME).chmod(0o600)
        return
    connection.execute("COMMIT")
    if version != SCHEMA_VERSION:
        connection.close()
        raise StoreError(
            f"The service's folder {folder} is of schema {version}, this version of mri-resorb "
            f"reads {SCHEMA_VERSION}; start the version that made it, or see docs/service.md."
        )
