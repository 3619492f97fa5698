"""The commands that let people in, send studies and fetch results."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx2
import pytest
from service_studies import as_file, study
from typer.testing import CliRunner, Result
from web_service import PATIENT_ID, add_case, quick_hasher, served

from mri_resorb.cli import app
from mri_resorb.errors import ServiceError
from mri_resorb.service import accounts, decisions
from mri_resorb.service.accounts import Account, person_of
from mri_resorb.service.client import TOKEN_VARIABLE, asked, connected
from mri_resorb.service.settings import Settings
from mri_resorb.service.store import Store, open_store

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = quick_hasher()
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.delenv("MRI_RESORB_DEBUG", raising=False)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Store, str]]:
    """A service that listens, and its address."""
    with served(tmp_path / "service") as (store, host, port):
        yield store, f"http://{host}:{port}"


def run(*arguments: str | Path, typed: str = "") -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


def write_study(folder: Path) -> Path:
    for number, dataset in enumerate(study(date(2021, 2, 3))):
        place = folder / "DOE^JANE" / f"{number}.dcm"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(as_file(dataset))
    return folder


def reports_are_written(store: Store) -> None:
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET reports = 'written'")


def test_people_are_let_in_and_out(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    assert run("account", "add", folder, "anna", "--role", "admin", typed=PASSWORD).exit_code == 0
    store = open_store(folder)
    assert person_of(store, name="anna", password=PASSWORD) == Account("anna", "admin")
    assert run("account", "list", folder).stdout == "anna\tperson\tadmin\n"
    assert run("account", "password", folder, "anna", typed="another password").exit_code == 0
    assert person_of(store, name="anna", password=PASSWORD) is None
    assert run("account", "remove", folder, "anna").exit_code == 0
    assert run("account", "list", folder).stdout == ""
    again = run("account", "remove", folder, "anna")
    assert (again.exit_code, again.stderr) == (1, "mri-resorb: There is no account anna.\n")
    store.close()


def test_what_is_done_to_accounts_is_in_the_audit_log(tmp_path: Path) -> None:
    run("account", "add", tmp_path, "anna", typed=PASSWORD)
    token = run("account", "token", tmp_path, "ris").stdout.strip()
    shown = run("audit", tmp_path)
    assert (shown.exit_code, shown.stdout[:2]) == (0, "2:")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("service.db*"))
    assert token.encode() not in kept
    assert PASSWORD.encode() not in kept


def test_a_short_password_lets_nobody_in(tmp_path: Path) -> None:
    refused = run("account", "add", tmp_path, "anna", typed="short")
    assert refused.exit_code == 1
    assert "12 to 256" in refused.stderr
    assert run("account", "list", tmp_path).stdout == ""


def test_a_folder_that_is_none_of_a_service_is_left_alone(tmp_path: Path) -> None:
    for arguments in (("account", "list"), ("audit",)):
        refused = run(*arguments, tmp_path / "none")
        assert (refused.exit_code, "no folder of a service" in refused.stderr) == (1, True)
    assert not (tmp_path / "none").exists()


def test_a_changed_audit_log_is_told(tmp_path: Path) -> None:
    for name in ("anna", "boris"):
        run("account", "add", tmp_path, name, typed=PASSWORD)
    noted = run("audit", tmp_path).stdout.strip()
    assert run("audit", tmp_path, "--known", noted).exit_code == 0
    with sqlite3.connect(tmp_path / "service.db") as connection:
        connection.execute("DROP TRIGGER audit_is_not_deleted")
        connection.execute("DELETE FROM audit WHERE number = 2")
    assert run("audit", tmp_path).exit_code == 0
    cut = run("audit", tmp_path, "--known", noted)
    assert (cut.exit_code, cut.stderr) == (
        3,
        "mri-resorb: entry 2 is not as it was written.\n",
    )
    assert run("audit", tmp_path, "--known", "2:xyz").exit_code == 2


def test_studies_are_sent_once(service: tuple[Store, str], tmp_path: Path) -> None:
    store, address = service
    folder = write_study(tmp_path / "study")
    first = run("send", address, folder)
    assert first.exit_code == 0, first.stderr
    assert first.stdout == "5 files sent, 0 were there already; studies: 1.\n"
    again = run("send", address, folder)
    assert again.stdout == "0 files sent, 5 were there already; studies: 1.\n"
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM instances").fetchone()[0] == 5


def test_files_that_are_refused_are_told_with_the_reason(
    service: tuple[Store, str], tmp_path: Path
) -> None:
    _, address = service
    folder = write_study(tmp_path / "study")
    (folder / "Doe^Jane.txt").write_text("hello")
    partly = run("send", address, folder)
    assert partly.exit_code == 3
    assert partly.stderr == "mri-resorb: 1 refused: It is not a DICOM file.\n"
    none = run("send", address, folder / "Doe^Jane.txt")
    assert none.exit_code == 1
    assert run("send", address, tmp_path / "missing").exit_code == 1


def test_signed_results_are_fetched_once_and_again_when_they_change(
    service: tuple[Store, str], tmp_path: Path
) -> None:
    store, address = service
    signed, unsigned = add_case(store), add_case(store)
    decisions.sign(store, signed, account="anna", name="Anna", revision=0)
    reports_are_written(store)
    output = tmp_path / "results"
    first = run("fetch", address, "--output", output)
    assert first.stdout == f"1 fetched to {output}, 0 were there already.\n", first.stderr
    folder = store.folder / "cases" / signed / "job-1"
    for name in ("result.json", "report.pdf", "baseline_fragment.nii.gz"):
        assert (output / signed / name).read_bytes() == (folder / name).read_bytes()
    assert json.loads((output / signed / "case.json").read_text())["patient"]["id"] == PATIENT_ID
    assert not (output / unsigned).exists()
    assert run("fetch", address, "--output", output).stdout.startswith("0 fetched")
    decisions.reopen(store, signed, revision=1)
    reports_are_written(store)
    assert run("fetch", address, "--output", output).stdout.startswith("0 fetched")
    one = run("fetch", address, "--output", output, "--unsigned", "--case", unsigned)
    assert one.stdout == f"1 fetched to {output}, 0 were there already.\n"
    both = run("fetch", address, "--output", output, "--unsigned")
    assert both.stdout == f"1 fetched to {output}, 1 were there already.\n"
    assert run("fetch", address, "--output", output, "--case", "x" * 22).exit_code == 1


def test_programs_come_in_with_their_token_alone(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    token = run("account", "token", folder, "ris").stdout.strip()
    (tmp_path / "token").write_text(token + "\n")
    with served(folder, Settings(behind_proxy=True)) as (_, host, port):
        command = ("fetch", f"http://{host}:{port}", "--output", tmp_path / "results")
        stranger = run(*command)
        assert (stranger.exit_code, "Sign in first" in stranger.stderr) == (1, True)
        assert run(*command, "--token-file", tmp_path / "token").exit_code == 0


@pytest.mark.parametrize(
    "address", ["", "reading.example", "ftp://x", "http://", "http://[", "file:///etc/passwd"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with (
        pytest.raises(ServiceError, match=r"no address|not encrypted"),
        connected(address, token="t"),
    ):
        pass


def test_no_token_travels_unencrypted() -> None:
    with (
        pytest.raises(ServiceError, match="not encrypted"),
        connected("http://reading.example", token="secret"),
    ):
        pass


def test_a_service_that_is_not_there_is_told(tmp_path: Path) -> None:
    refused = run("fetch", "http://127.0.0.1:1", "--output", tmp_path)
    assert (refused.exit_code, "cannot be reached" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    "command",
    [("send", "http://127.0.0.1:1", "x"), ("fetch", "http://127.0.0.1:1", "--output", "x")],
)
def test_a_package_that_is_missing_is_named(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mri_resorb.cli.terminal.find_spec", lambda _: None)
    refused = run(*command)
    assert refused.exit_code == 1
    assert "pip install 'mri-resorb[service]'" in refused.stderr


def test_a_busy_service_is_waited_for() -> None:
    answers = [httpx2.Response(503, headers={"Retry-After": "7"}), httpx2.Response(200)]
    waited: list[float] = []
    transport = httpx2.MockTransport(lambda _: answers.pop(0))
    with httpx2.Client(base_url="http://127.0.0.1", transport=transport) as client:
        assert asked(client, "GET", "/api/cases", wait=waited.append).status_code == 200
    assert waited == [7]
