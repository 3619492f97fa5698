"""People who signed in: a session each time, and a limit of attempts that fail."""

from __future__ import annotations

import hmac
import secrets
import sqlite3
from dataclasses import dataclass

from mri_resorb.service.accounts import Account, digest, person_of
from mri_resorb.service.store import Store, now

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    token_sha256 BLOB PRIMARY KEY,
    account TEXT NOT NULL COLLATE NOCASE,
    csrf TEXT NOT NULL,
    began REAL NOT NULL,
    used REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS failed_logins (
    at REAL NOT NULL,
    account TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS sessions_end_with_the_password
    AFTER UPDATE OF password_hash ON accounts
    BEGIN DELETE FROM sessions WHERE account = old.name; END;
CREATE TRIGGER IF NOT EXISTS sessions_end_with_the_account AFTER DELETE ON accounts
    BEGIN DELETE FROM sessions WHERE account = old.name; END;
"""

IDLE_SECONDS = 60 * 60
LONGEST_SECONDS = 12 * 60 * 60
"""A session ends after either: unused, or a working day."""

FAILURE_SECONDS = 15 * 60
MOST_FAILURES_OF_BOTH = 5
MOST_FAILURES_OF_ADDRESS = 20
MOST_FAILURES_OF_ACCOUNT = 100
"""Within `FAILURE_SECONDS`. Few from one place; an account itself closes late (NIST SP 800-63B: at
100), so that nobody easily locks a reader out by guessing at their name from elsewhere."""

_USE_NOTED_EVERY_SECONDS = 60


@dataclass(frozen=True)
class Session:
    """A person who signed in.

    Attributes:
        csrf: to be repeated in a header of every request that changes something.
    """

    account: Account
    csrf: str


@dataclass(frozen=True)
class Login:
    """A session just begun; `token` is for the browser alone."""

    session: Session
    token: str


class TooManyLoginsError(Exception):
    """Too many attempts failed; after `seconds` at most, more are looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__("Too many attempts to sign in failed.")
        self.seconds = seconds


def log_in(store: Store, *, name: str, password: str, address: str) -> Login | None:
    """Begin a session with a new token, whatever the browser brought; None where refused.

    Args:
        address: of the client, for the limit of attempts.

    Raises:
        TooManyLoginsError: this name or address failed too often; the password was not looked at.
    """
    with store.transaction() as connection:
        _check_attempts(connection, name=name, address=address)
    account = person_of(store, name=name, password=password)  # takes its time, so locks nothing
    with store.transaction() as connection:
        if account is None:
            connection.execute(
                "INSERT INTO failed_logins VALUES (?, ?, ?)", (now(), _key(name), address)
            )
            return None
        return _begin(connection, account=account)


def session_of(store: Store, token: str) -> Session | None:
    """The session of a browser's token; None where there is none, or it has ended."""
    time = now()
    with store.reading() as connection:
        row = connection.execute(
            "SELECT name, role, csrf, used FROM sessions JOIN accounts ON account = name"
            " WHERE token_sha256 = ? AND used >= ? AND began >= ?",
            (digest(token), time - IDLE_SECONDS, time - LONGEST_SECONDS),
        ).fetchone()
    if row is None:
        return None
    name, role, csrf, used = row
    if time - used > _USE_NOTED_EVERY_SECONDS:  # a write at each request would cost too much
        with store.transaction() as connection:
            connection.execute(
                "UPDATE sessions SET used = ? WHERE token_sha256 = ?", (time, digest(token))
            )
    return Session(Account(name, role), csrf)


def log_out(connection: sqlite3.Connection, token: str) -> None:
    """End a session."""
    connection.execute("DELETE FROM sessions WHERE token_sha256 = ?", (digest(token),))


def is_same(given: str, expected: str) -> bool:
    """Compare two secrets in a time that tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _begin(connection: sqlite3.Connection, *, account: Account) -> Login:
    time = now()
    connection.execute(
        "DELETE FROM sessions WHERE used < ? OR began < ?",
        (time - IDLE_SECONDS, time - LONGEST_SECONDS),
    )
    token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
        (digest(token), account.name, csrf, time, time),
    )
    return Login(Session(account, csrf), token)


def _check_attempts(connection: sqlite3.Connection, *, name: str, address: str) -> None:
    connection.execute("DELETE FROM failed_logins WHERE at < ?", (now() - FAILURE_SECONDS,))
    of_both, of_address, of_account = connection.execute(
        "SELECT count(*) FILTER (WHERE account = ?1 AND address = ?2),"
        " count(*) FILTER (WHERE address = ?2), count(*) FILTER (WHERE account = ?1)"
        " FROM failed_logins",
        (_key(name), address),
    ).fetchone()
    if (
        of_both >= MOST_FAILURES_OF_BOTH
        or of_address >= MOST_FAILURES_OF_ADDRESS
        or of_account >= MOST_FAILURES_OF_ACCOUNT
    ):
        raise TooManyLoginsError(FAILURE_SECONDS)


def _key(name: str) -> str:
    return name.casefold()[:64]
