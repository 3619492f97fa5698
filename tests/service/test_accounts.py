from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from mri_resorb.errors import AccountError
from mri_resorb.service import accounts, sessions
from mri_resorb.service.accounts import (
    Account,
    Role,
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
from mri_resorb.service.store import DATABASE_NAME, Store, open_store

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path)
    made.create_tables(accounts.SCHEMA + sessions.SCHEMA)
    add(made, name="Anna")
    yield made
    made.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    time = [1_000_000.0]
    monkeypatch.setattr(sessions, "now", lambda: time[0])
    return time


def add(store: Store, *, name: str, role: Role = "reader", password: str = PASSWORD) -> None:
    with store.transaction() as connection:
        add_account(connection, name=name, role=role, password=password)


def add_program(store: Store, *, name: str = "ris", role: Role = "reader") -> str:
    with store.transaction() as connection:
        return add_token(connection, name=name, role=role)


def signed_in(store: Store, *, address: str = "10.0.0.1") -> sessions.Login:
    login = log_in(store, name="anna", password=PASSWORD, address=address)
    assert login is not None
    return login


def failed(store: Store, *, name: str = "anna", address: str = "a") -> None:
    assert log_in(store, name=name, password="wrong" * 3, address=address) is None


def test_the_right_password_alone_lets_in_however_it_was_typed(store: Store) -> None:
    composed, decomposed = "\u0419од и ещё слова", "\u0418\u0306од и ещё слова"
    add(store, name="ber", role="admin", password=composed)
    assert person_of(store, name="ber", password=decomposed) == Account("ber", "admin")
    assert person_of(store, name="ANNA", password=PASSWORD) == Account("Anna", "reader")
    assert person_of(store, name="anna", password=PASSWORD + " ") is None
    assert person_of(store, name="nobody", password=PASSWORD) is None
    assert person_of(store, name="anna", password="x" * 10_000_000) is None


@pytest.mark.parametrize("name", ["", "../etc", "Иван", "a b", "-x", "a" * 65, "a\n"])
def test_unfit_names_are_refused(store: Store, name: str) -> None:
    with pytest.raises(AccountError, match="Latin letters"):
        add(store, name=name)


def test_short_passwords_and_names_that_are_taken_are_refused(store: Store) -> None:
    with pytest.raises(AccountError, match="12 to 256"):
        add(store, name="ber", password="elevenchars")
    with pytest.raises(AccountError, match="already"):
        add(store, name="ANNA", role="admin")


def test_no_secret_is_kept(store: Store) -> None:
    login, token = signed_in(store), add_program(store)
    kept = b"".join(path.read_bytes() for path in store.folder.glob(f"{DATABASE_NAME}*"))
    assert b"$argon2id$" in kept
    assert not [secret for secret in (PASSWORD, login.token, token) if secret.encode() in kept]


def test_each_login_is_another_session(store: Store) -> None:
    first, second = signed_in(store), signed_in(store)
    assert first.token != second.token
    assert first.session.csrf != second.session.csrf
    with store.transaction() as connection:
        log_out(connection, first.token)
    assert session_of(store, first.token) is None
    assert session_of(store, second.token) == second.session


def test_a_session_ends_unused(store: Store, clock: list[float]) -> None:
    login = signed_in(store)
    for _ in range(2):
        clock[0] += sessions.IDLE_SECONDS - 1
        assert session_of(store, login.token) is not None
    clock[0] += sessions.IDLE_SECONDS + 1
    assert session_of(store, login.token) is None


def test_a_session_ends_after_a_day_of_use(store: Store, clock: list[float]) -> None:
    login, end = signed_in(store), clock[0] + sessions.LONGEST_SECONDS
    while clock[0] + 1800 < end:
        clock[0] += 1800
        assert session_of(store, login.token) is not None
    clock[0] = end + 1
    assert session_of(store, login.token) is None


@pytest.mark.parametrize("change", ["password", "removed", "removed and added"])
def test_sessions_end_with_their_password_or_account(store: Store, change: str) -> None:
    login = signed_in(store)
    with store.transaction() as connection:
        if change == "password":
            set_password(connection, name="ANNA", password="another good password")
        else:
            remove_account(connection, name="anna")
    if change == "password":
        assert person_of(store, name="anna", password=PASSWORD) is None
    if change == "removed and added":
        add(store, name="anna")
    assert session_of(store, login.token) is None


def test_guessing_from_one_place_is_stopped_and_may_begin_again(
    store: Store, clock: list[float]
) -> None:
    for _ in range(sessions.MOST_FAILURES_OF_BOTH):
        failed(store, name="ANNA")
    with pytest.raises(TooManyLoginsError):
        log_in(store, name="anna", password=PASSWORD, address="a")
    signed_in(store, address="b")  # nobody locks a reader out
    clock[0] += sessions.FAILURE_SECONDS + 1
    signed_in(store, address="a")


@pytest.mark.parametrize(
    ("most", "names", "addresses"),
    [
        (sessions.MOST_FAILURES_OF_ADDRESS, "n{}", "a"),
        (sessions.MOST_FAILURES_OF_ACCOUNT, "anna", "a{}"),
    ],
)
def test_guessing_at_many_names_or_from_many_places_is_stopped(
    store: Store, most: int, names: str, addresses: str
) -> None:
    for number in range(most):
        failed(store, name=names.format(number), address=addresses.format(number))
    with pytest.raises(TooManyLoginsError):
        failed(store, name=names.format("x"), address=addresses.format("x"))


def test_programs_come_in_by_their_token_until_it_is_removed(store: Store) -> None:
    token = add_program(store)
    with pytest.raises(AccountError, match="already"):
        add_program(store, name="RIS", role="admin")
    with store.transaction() as connection:
        assert program_of(connection, token) == Account("ris", "reader")
        assert program_of(connection, token + "x") is None
        assert program_of(connection, "\ud800") is None
        remove_token(connection, name="ris")
        assert program_of(connection, token) is None
        assert programs(connection) == []


def test_whether_anybody_may_come_in(store: Store) -> None:
    with store.transaction() as connection:
        assert anybody(connection)
        remove_account(connection, name="anna")
        assert not anybody(connection)
        add_token(connection, name="ris", role="reader")
        assert anybody(connection)


@pytest.mark.parametrize("change", [remove_account, remove_token, set_password])
def test_who_is_not_there_cannot_be_changed(store: Store, change: object) -> None:
    options = {"password": PASSWORD} if change is set_password else {}
    with store.transaction() as connection, pytest.raises(AccountError, match="There is no"):
        change(connection, name="nobody", **options)  # type: ignore[operator]
