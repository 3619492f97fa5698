"""Who saw, changed, signed and sent what: a table that only grows, each entry sealed to the last.

Entries hold names of accounts and random ids, never anything of a patient. Triggers refuse UPDATE
and DELETE; whoever gets round them (the file is on their disk) breaks the chain of hashes, which
`verify` finds. A chain cannot show that its newest entries were cut off: so the number and hash of
each entry also go to the log, and `verify` takes what was once known.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Action = Literal[
    "signed in",
    "sign-in refused",
    "signed out",
    "account changed",
    "listed",
    "viewed",
    "downloaded",
    "received",
    "refused",
    "corrected",
    "correction removed",
    "level changed",
    "signed",
    "reopened",
    "sending asked",
    "sent",
    "deleted",
    "audit read",
]
Detail = str | int | None

SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT,
    details TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audit_repeats ON audit (who, action, subject, at);
CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'audit entries are not changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'audit entries are not deleted'); END;
"""

_BEFORE_THE_FIRST = "0" * 64
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One thing that somebody did.

    Attributes:
        number: from 1, without gaps.
        at: UTC, ISO 8601.
        who: an account, `token NAME`, an AE title, or `service`.
        subject: id of the case or study, or the name of an account.
        details: JSON of a few words or numbers more.
        previous: hash of the entry before.
        hash: SHA-256 of all the above.
    """

    number: int
    at: str
    who: str
    action: str
    subject: str | None
    details: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Verified:
    """What a look through the whole chain found.

    Attributes:
        last_hash: of the newest entry; to be noted elsewhere and given to `verify` later.
        broken_at: number of the first entry that is not as it was written; None where all are.
    """

    entries: int
    last_hash: str
    broken_at: int | None


def append(
    connection: sqlite3.Connection,
    *,
    who: str,
    action: Action,
    subject: str | None = None,
    details: Mapping[str, Detail] | None = None,
    unless_within: timedelta | None = None,
) -> None:
    """Add an entry, within the caller's transaction where one is open.

    Args:
        connection: in autocommit mode (`isolation_level=None`); an open transaction must be able
            to write (`BEGIN IMMEDIATE`), so that no two entries follow the same one.
        unless_within: leave out what only repeats an entry of this time: the same person looking
            at the same thing again.
    """
    now = datetime.now(UTC)
    if connection.in_transaction:
        _append(connection, now, who, action, subject, dict(details or {}), unless_within)
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _append(connection, now, who, action, subject, dict(details or {}), unless_within)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def entries(connection: sqlite3.Connection, *, before: int, limit: int) -> list[Entry]:
    """The newest `limit` entries with a number below `before`, the newest first."""
    rows = connection.execute(
        f"{_ALL} WHERE number < ? ORDER BY number DESC LIMIT ?", (before, limit)
    )
    return [Entry(*row) for row in rows]


def verify(connection: sqlite3.Connection, *, known: tuple[int, str] | None = None) -> Verified:
    """Look through the whole chain.

    Args:
        known: number and hash of an entry as they were once noted elsewhere; shows that entries
            since were not cut off and made anew.
    """
    count, previous, broken_at = 0, _BEFORE_THE_FIRST, None
    for entry in _oldest_first(connection):
        count += 1
        is_whole = (
            entry.number == count
            and entry.previous == previous
            and entry.hash == _hash(entry)
            and (known is None or known[0] != count or known[1] == entry.hash)
        )
        if not is_whole and broken_at is None:
            broken_at = count
        previous = entry.hash
    if known is not None and known[0] > count and broken_at is None:
        broken_at = count + 1
    return Verified(count, previous, broken_at)


_ALL = "SELECT number, at, who, action, subject, details, previous, hash FROM audit"


def _oldest_first(connection: sqlite3.Connection) -> Iterator[Entry]:
    for row in connection.execute(f"{_ALL} ORDER BY number"):
        yield Entry(*row)


def _append(
    connection: sqlite3.Connection,
    now: datetime,
    who: str,
    action: Action,
    subject: str | None,
    details: dict[str, Detail],
    unless_within: timedelta | None,
) -> None:
    if unless_within is not None:
        since = (now - unless_within).isoformat(timespec="seconds")
        repeated = connection.execute(
            "SELECT 1 FROM audit WHERE who = ? AND action = ? AND subject IS ? AND at > ?"
            " AND details = ?",
            (who, action, subject, since, _json(details)),
        )
        if repeated.fetchone():
            return
    last = connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    number, previous = last.fetchone() or (0, _BEFORE_THE_FIRST)
    unsealed = Entry(
        number=number + 1,
        at=now.isoformat(timespec="seconds"),
        who=who,
        action=action,
        subject=subject,
        details=_json(details),
        previous=previous,
        hash="",
    )
    sealed = (*astuple(unsealed)[:-1], _hash(unsealed))
    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", sealed)
    _LOG.info("audit entry %d %s", unsealed.number, sealed[-1])


def _json(details: Mapping[str, Detail]) -> str:
    return json.dumps(dict(details), ensure_ascii=False, sort_keys=True)


def _hash(entry: Entry) -> str:
    sealed = json.dumps(astuple(entry)[:-1], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(sealed.encode()).hexdigest()
