from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mri_resorb.service.audit import SCHEMA, append, entries, verify
from mri_resorb.service.store import open_store


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(SCHEMA)
    yield made
    made.close()


def three_entries(connection: sqlite3.Connection) -> None:
    append(connection, who="anna", action="viewed", subject="c1")
    append(connection, who="anna", action="corrected", subject="c1", details={"date": "baseline"})
    append(connection, who="token ris", action="signed", subject="c2", details={"revision": 3})


def test_entries_come_newest_first_and_by_pages(connection: sqlite3.Connection) -> None:
    three_entries(connection)
    newest = entries(connection, before=2**62, limit=2)
    assert [(entry.number, entry.action) for entry in newest] == [(3, "signed"), (2, "corrected")]
    assert [entry.number for entry in entries(connection, before=2, limit=2)] == [1]
    assert newest[1].details == '{"date": "baseline"}'


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'b'", "DELETE FROM audit"])
def test_entries_are_neither_changed_nor_deleted(
    connection: sqlite3.Connection, statement: str
) -> None:
    three_entries(connection)
    with pytest.raises(sqlite3.IntegrityError, match="audit entries are not"):
        connection.execute(statement)
    assert verify(connection).broken_at is None


@pytest.mark.parametrize(
    "column", ["number", "at", "who", "action", "subject", "details", "previous", "hash"]
)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_change_behind_the_triggers_back_is_found(
    connection: sqlite3.Connection, column: str, number: int
) -> None:
    three_entries(connection)
    connection.execute("DROP TRIGGER audit_is_not_changed")
    other = "9" if column == "number" else "'other'"
    connection.execute(f"UPDATE audit SET {column} = {other} WHERE number = {number}")
    assert verify(connection).broken_at is not None


@pytest.mark.parametrize("number", [1, 2])
def test_a_deleted_entry_is_found(connection: sqlite3.Connection, number: int) -> None:
    three_entries(connection)
    connection.execute("DROP TRIGGER audit_is_not_deleted")
    connection.execute("DELETE FROM audit WHERE number = ?", (number,))
    assert verify(connection).broken_at == number


def test_a_cut_or_rewritten_end_is_found_by_what_was_noted(connection: sqlite3.Connection) -> None:
    three_entries(connection)
    noted = (3, verify(connection).last_hash)
    connection.execute("DROP TRIGGER audit_is_not_deleted")
    connection.execute("DELETE FROM audit WHERE number = 3")
    assert verify(connection).broken_at is None
    assert verify(connection, known=noted).broken_at == 3
    append(connection, who="anna", action="viewed", subject="c9")
    assert verify(connection, known=noted).broken_at == 3


def test_threads_make_one_chain(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.create_tables(SCHEMA)

    def write(who: str) -> None:
        for _ in range(25):
            with store.transaction() as connection:
                append(connection, who=who, action="viewed")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as connection:
        verified = verify(connection)
    store.close()
    assert (verified.entries, verified.broken_at) == (75, None)
