"""Who saw, changed, signed and sent what: a table that only grows, each entry sealed to the last.

Entries hold names of accounts and random ids, never anything of a patient. Triggers refuse UPDATE
and DELETE; whoever gets round them (the file is on their disk) breaks the chain of hashes, which
`verify` finds. A chain cannot show that its newest entries were cut off: for that, note number and
hash of the newest elsewhere now and then, and give them to `verify`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
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
CREATE TRIGGER IF NOT EXISTS audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'audit entries are not changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'audit entries are not deleted'); END;
"""

_BEFORE_THE_FIRST = "0" * 64


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
) -> None:
    """Add an entry.

    Args:
        connection: of `Store.transaction`, so that no two entries follow the same one, and that an
            entry stands if what it tells of does.
    """
    now = datetime.now(UTC)
    last = connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")
    number, previous = last.fetchone() or (0, _BEFORE_THE_FIRST)
    unsealed = Entry(
        number=number + 1,
        at=now.isoformat(timespec="seconds"),
        who=who,
        action=action,
        subject=subject,
        details=json.dumps(dict(details or {}), ensure_ascii=False, sort_keys=True),
        previous=previous,
        hash="",
    )
    sealed = (*astuple(unsealed)[:-1], _hash(unsealed))
    connection.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", sealed)


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


def _hash(entry: Entry) -> str:
    sealed = json.dumps(astuple(entry)[:-1], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(sealed.encode()).hexdigest()
