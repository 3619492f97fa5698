"""Who may use the service: people with passwords, programs with tokens.

Nothing here opens a door by being read: passwords are kept as Argon2id hashes (RFC 9106), tokens as
SHA-256 of 32 random bytes. Rules on passwords follow NIST SP 800-63B: a least length, no rules of
composition, any script.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
import threading
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from mri_resorb.errors import AccountError
from mri_resorb.service.store import Store

if TYPE_CHECKING:
    from argon2 import PasswordHasher

Role = Literal["reader", "admin"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    role TEXT NOT NULL CHECK (role IN ('reader', 'admin')),
    password_hash TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    role TEXT NOT NULL CHECK (role IN ('reader', 'admin')),
    token_sha256 BLOB NOT NULL UNIQUE
) STRICT;
"""

LEAST_PASSWORD_LENGTH = 12
MOST_PASSWORD_LENGTH = 256
"""Longer ones would only cost time to hash."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASHING = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB: a flood of logins must not take the machine's memory."""


@dataclass(frozen=True)
class Account:
    """A person, or a program."""

    name: str
    role: Role


def add_account(connection: sqlite3.Connection, *, name: str, role: Role, password: str) -> None:
    """Let a person in.

    Raises:
        AccountError: the name is taken or unfit, or the password too short or long.
    """
    _check_name(name)
    _check_password(password)
    try:
        connection.execute("INSERT INTO accounts VALUES (?, ?, ?)", (name, role, _hash(password)))
    except sqlite3.IntegrityError as error:
        raise AccountError(f"There is an account {name} already.") from error


def set_password(connection: sqlite3.Connection, *, name: str, password: str) -> None:
    """Give a person another password; sessions begun with the old one end.

    Raises:
        AccountError: no such account, or the password too short or long.
    """
    _check_password(password)
    changed = connection.execute(
        "UPDATE accounts SET password_hash = ? WHERE name = ?", (_hash(password), name)
    )
    if not changed.rowcount:
        raise AccountError(f"There is no account {name}.")


def remove_account(connection: sqlite3.Connection, *, name: str) -> None:
    """Let a person in no more; their sessions end.

    Raises:
        AccountError: no such account.
    """
    if not connection.execute("DELETE FROM accounts WHERE name = ?", (name,)).rowcount:
        raise AccountError(f"There is no account {name}.")


def accounts(connection: sqlite3.Connection) -> list[Account]:
    """All people, by name."""
    return [
        Account(*row) for row in connection.execute("SELECT name, role FROM accounts ORDER BY name")
    ]


def add_token(connection: sqlite3.Connection, *, name: str, role: Role) -> str:
    """Let a program in; the token answered is kept nowhere else.

    Raises:
        AccountError: the name is taken or unfit.
    """
    _check_name(name)
    token = secrets.token_urlsafe(32)
    try:
        connection.execute("INSERT INTO tokens VALUES (?, ?, ?)", (name, role, digest(token)))
    except sqlite3.IntegrityError as error:
        raise AccountError(f"There is a token {name} already.") from error
    return token


def remove_token(connection: sqlite3.Connection, *, name: str) -> None:
    """Let a program in no more.

    Raises:
        AccountError: no such token.
    """
    if not connection.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount:
        raise AccountError(f"There is no token {name}.")


def programs(connection: sqlite3.Connection) -> list[Account]:
    """All programs that have a token, by name."""
    return [
        Account(*row) for row in connection.execute("SELECT name, role FROM tokens ORDER BY name")
    ]


def program_of(connection: sqlite3.Connection, token: str) -> Account | None:
    """The program that a token was given to."""
    row = connection.execute(
        "SELECT name, role FROM tokens WHERE token_sha256 = ?", (digest(token),)
    ).fetchone()
    return Account(*row) if row else None


def person_of(store: Store, *, name: str, password: str) -> Account | None:
    """The person whose password it is; a wrong name takes as long to refuse as a wrong password."""
    with store.reading() as connection:
        row = connection.execute(
            "SELECT name, role, password_hash FROM accounts WHERE name = ?", (name,)
        ).fetchone()
    is_right = _is_right(password, password_hash=row[2] if row else _hash_of_nothing())
    return Account(*row[:2]) if row and is_right else None


def anybody(connection: sqlite3.Connection) -> bool:
    """Whether there is an account or a token."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM accounts) OR EXISTS (SELECT 1 FROM tokens)"
    )
    return bool(found.fetchone()[0])


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise AccountError(
            "A name has up to 64 Latin letters, digits and . _ @ -, and begins with a letter or "
            "digit."
        )


def _check_password(password: str) -> None:
    if not LEAST_PASSWORD_LENGTH <= len(password) <= MOST_PASSWORD_LENGTH:
        raise AccountError(
            f"A password has {LEAST_PASSWORD_LENGTH} to {MOST_PASSWORD_LENGTH} characters; a few "
            "words make a good one."
        )


def _hash(password: str) -> str:
    with _HASHING:
        return _hasher().hash(_normal(password))


def _is_right(password: str, *, password_hash: str) -> bool:
    from argon2.exceptions import VerifyMismatchError

    with _HASHING:
        try:
            return _hasher().verify(password_hash, _normal(password[: MOST_PASSWORD_LENGTH + 1]))
        except VerifyMismatchError:
            return False


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()  # the library's parameters are those that RFC 9106 recommends


@cache
def _hash_of_nothing() -> str:
    return _hash(secrets.token_urlsafe(32))


def _normal(password: str) -> bytes:
    """The same bytes whichever keyboard composed the letters (NIST SP 800-63B: NFKC)."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
