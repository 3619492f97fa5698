from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from mri_resorb.errors import AccountError
from mri_resorb.service import accounts, sessions
from mri_resorb.service.accounts import (
    Account,
    add_account,
    add_token,
    anybody,
    person_of,
    program_of,
    programs,
    remove_account,
    remove_token,
    set_password,
)
from mri_resorb.service.sessions import TooManyLoginsError, log_in, log_out, session_of

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(accounts.SCHEMA + sessions.SCHEMA)
    add_account(made, name="Anna", role="reader", password=PASSWORD)
    yield made
    made.close()


def signed_in(connection: sqlite3.Connection) -> sessions.Login:
    login = log_in(connection, name="anna", password=PASSWORD, address="10.0.0.1")
    assert login is not None
    return login


def failed(connection: sqlite3.Connection, *, name: str = "anna", address: str = "a") -> None:
    assert log_in(connection, name=name, password="wrong" * 3, address=address) is None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000_000.0]
    monkeypatch.setattr(sessions.time, "time", lambda: now[0])
    return now


def everything_kept(connection: sqlite3.Connection) -> str:
    return "\n".join(connection.iterdump())


def test_the_right_password_alone_lets_in_however_it_was_typed(
    connection: sqlite3.Connection,
) -> None:
    add_account(connection, name="ber", role="admin", password="Йод и ещё слова")
    decomposed = "Йод и ещё слова"
    assert person_of(connection, name="ber", password=decomposed) == Account("ber", "admin")
    assert person_of(connection, name="ANNA", password=PASSWORD) == Account("Anna", "reader")
    assert person_of(connection, name="anna", password=PASSWORD + " ") is None
    assert person_of(connection, name="nobody", password=PASSWORD) is None
    assert person_of(connection, name="anna", password="x" * 10_000_000) is None


@pytest.mark.parametrize("name", ["", "../etc", "Иван", "a b", "-x", "a" * 65, "a\n"])
def test_unfit_names_are_refused(connection: sqlite3.Connection, name: str) -> None:
    with pytest.raises(AccountError, match="Latin letters"):
        add_account(connection, name=name, role="reader", password=PASSWORD)


def test_short_passwords_and_names_that_are_taken_are_refused(
    connection: sqlite3.Connection,
) -> None:
    with pytest.raises(AccountError, match="12 to 256"):
        add_account(connection, name="ber", role="reader", password="elevenchars")
    with pytest.raises(AccountError, match="already"):
        add_account(connection, name="ANNA", role="admin", password=PASSWORD)


def test_no_secret_is_kept(connection: sqlite3.Connection) -> None:
    login = signed_in(connection)
    token = add_token(connection, name="ris", role="reader")
    kept = everything_kept(connection)
    assert "$argon2id$" in kept
    assert not [secret for secret in (PASSWORD, login.token, token) if secret in kept]


def test_each_login_is_another_session(connection: sqlite3.Connection) -> None:
    first, second = signed_in(connection), signed_in(connection)
    assert first.token != second.token
    assert first.session.csrf != second.session.csrf
    log_out(connection, first.token)
    assert session_of(connection, first.token) is None
    assert session_of(connection, second.token) == second.session


def test_a_session_ends_unused(connection: sqlite3.Connection, clock: list[float]) -> None:
    login = signed_in(connection)
    clock[0] += sessions.IDLE_SECONDS - 1
    assert session_of(connection, login.token) is not None
    clock[0] += sessions.IDLE_SECONDS - 1
    assert session_of(connection, login.token) is not None
    clock[0] += sessions.IDLE_SECONDS + 1
    assert session_of(connection, login.token) is None


def test_a_session_ends_after_a_day_of_use(
    connection: sqlite3.Connection, clock: list[float]
) -> None:
    login, end = signed_in(connection), clock[0] + sessions.LONGEST_SECONDS
    while clock[0] + 1800 < end:
        clock[0] += 1800
        assert session_of(connection, login.token) is not None
    clock[0] = end + 1
    assert session_of(connection, login.token) is None


@pytest.mark.parametrize("change", ["password", "removed", "removed and added"])
def test_sessions_end_with_their_password_or_account(
    connection: sqlite3.Connection, change: str
) -> None:
    login = signed_in(connection)
    if change == "password":
        set_password(connection, name="ANNA", password="another good password")
        assert person_of(connection, name="anna", password=PASSWORD) is None
    else:
        remove_account(connection, name="anna")
        if change == "removed and added":
            add_account(connection, name="anna", role="reader", password=PASSWORD)
    assert session_of(connection, login.token) is None


def test_guessing_from_one_place_is_stopped_and_may_begin_again(
    connection: sqlite3.Connection, clock: list[float]
) -> None:
    for _ in range(sessions.MOST_FAILURES_OF_BOTH):
        failed(connection, name="ANNA")
    with pytest.raises(TooManyLoginsError):
        log_in(connection, name="anna", password=PASSWORD, address="a")
    signed_in(connection)  # from elsewhere: nobody locks a reader out
    clock[0] += sessions.FAILURE_SECONDS + 1
    assert log_in(connection, name="anna", password=PASSWORD, address="a") is not None


@pytest.mark.parametrize(
    ("most", "names", "addresses"),
    [
        (sessions.MOST_FAILURES_OF_ADDRESS, "n{}", "a"),
        (sessions.MOST_FAILURES_OF_ACCOUNT, "anna", "a{}"),
    ],
)
def test_guessing_at_many_names_or_from_many_places_is_stopped(
    connection: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    names: str,
    addresses: str,
) -> None:
    monkeypatch.setattr(sessions, "person_of", lambda *_, **__: None)  # hashing takes its time
    for number in range(most):
        failed(connection, name=names.format(number), address=addresses.format(number))
    with pytest.raises(TooManyLoginsError):
        failed(connection, name=names.format("x"), address=addresses.format("x"))


def test_programs_come_in_by_their_token_until_it_is_removed(
    connection: sqlite3.Connection,
) -> None:
    token = add_token(connection, name="ris", role="reader")
    assert program_of(connection, token) == Account("ris", "reader")
    assert program_of(connection, token + "x") is None
    assert program_of(connection, "\ud800") is None
    with pytest.raises(AccountError, match="already"):
        add_token(connection, name="RIS", role="admin")
    remove_token(connection, name="ris")
    assert program_of(connection, token) is None
    assert programs(connection) == []


def test_whether_anybody_may_come_in(connection: sqlite3.Connection) -> None:
    assert anybody(connection)
    remove_account(connection, name="anna")
    assert not anybody(connection)
    add_token(connection, name="ris", role="reader")
    assert anybody(connection)


@pytest.mark.parametrize("change", [remove_account, remove_token])
def test_who_is_not_there_cannot_be_removed(connection: sqlite3.Connection, change: object) -> None:
    with pytest.raises(AccountError, match="There is no"):
        change(connection, name="nobody")  # type: ignore[operator]
    with pytest.raises(AccountError, match="There is no"):
        set_password(connection, name="nobody", password=PASSWORD)
