"""Who gets in, and what they may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from web_service import LOOPBACK, PASSWORD, Service, add_case, quick_hasher, running

from mri_resorb.errors import SettingsError
from mri_resorb.service import accounts, sessions
from mri_resorb.service.accounts import add_account, add_token, remove_account
from mri_resorb.service.audit import entries
from mri_resorb.service.settings import Limits, Settings, Tls
from mri_resorb.service.store import Store, open_store
from mri_resorb.service.web.access import CSRF_HEADER
from mri_resorb.service.web.app import create_app, server

TLS = Tls(certificate=Path("c.pem"), key=Path("k.pem"))
CASE = "A" * 22
EVERYTHING = [
    ("DELETE", "/api/session"),
    ("GET", "/api/session"),
    ("GET", "/api/cases"),
    ("GET", f"/api/cases/{CASE}"),
    ("DELETE", f"/api/cases/{CASE}"),
    ("GET", f"/api/cases/{CASE}/result"),
    ("GET", f"/api/cases/{CASE}/images/baseline"),
    ("GET", f"/api/cases/{CASE}/masks/baseline"),
    ("PUT", f"/api/cases/{CASE}/masks/baseline"),
    ("DELETE", f"/api/cases/{CASE}/masks/baseline"),
    ("PUT", f"/api/cases/{CASE}/level"),
    ("POST", f"/api/cases/{CASE}/signature"),
    ("DELETE", f"/api/cases/{CASE}/signature"),
    ("POST", f"/api/cases/{CASE}/sending"),
    ("GET", f"/api/cases/{CASE}/files/report.pdf"),
    ("GET", f"/api/cases/{CASE}/files"),
    ("POST", "/api/studies"),
    ("GET", "/api/events"),
    ("GET", "/api/audit"),
    ("GET", "/api/audit/verification"),
]
CHANGES = [(method, path) for method, path in EVERYTHING if method != "GET"]
OPEN_TO_ALL = {
    ("POST", "/api/session"),
    ("GET", "/api/health"),
    ("GET", "/api/words/{language}"),
}
BODIES: dict[str, Any] = {"level": {"level": "L4-L5"}, "signature": {"name": "A"}}


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = quick_hasher()
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a reader and an admin; nobody is signed in."""
    with running(tmp_path) as made:
        made.add_account("anna")
        made.add_account("boss", role="admin")
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path)
    yield made
    made.close()


def ask(service: Service, method: str, path: str, **options: Any) -> Any:
    body = BODIES.get(path.rsplit("/", 1)[-1])
    return service.client.request(method, path, json=body, **options)


def test_the_list_of_routes_here_is_whole(service: Service) -> None:
    """So that none is forgotten in the tests below."""
    described = service.client.get("/api/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, item in described.items() for method in item}
    here = {
        (
            method,
            path.replace(CASE, "{case_id}")
            .replace("baseline", "{date}")
            .replace("report.pdf", "{name}"),
        )
        for method, path in EVERYTHING
    }
    assert routes == here | OPEN_TO_ALL


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_strangers_get_nothing(service: Service, method: str, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer guessed"},
        {"Authorization": "Basic YW5uYTp4"},
        {"Cookie": "mri-resorb=guessed"},
    ):
        refused = ask(service, method, path, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (401, "not-signed-in")


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_a_change_without_the_csrf_token_is_refused(
    service: Service, method: str, path: str
) -> None:
    service.sign_in("boss")
    for token in ("", "guessed", "\u00ff"):
        refused = ask(service, method, path, headers={CSRF_HEADER: token.encode("latin-1")})
        assert (refused.status_code, refused.json()["type"]) == (403, "csrf")


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_the_local_user_shows_the_csrf_token_too(tmp_path: Path, method: str, path: str) -> None:
    with running(tmp_path) as service:
        assert ask(service, method, path).json()["type"] == "csrf"


def test_a_session_is_one_browsers_until_it_ends(service: Service) -> None:
    service.sign_in("anna")
    assert service.client.get("/api/session").json()["name"] == "anna"
    cookie = service.client.cookies["mri-resorb"]
    assert service.client.delete("/api/session").status_code == 204
    assert service.client.get("/api/session").status_code == 401
    headers = {"Cookie": f"mri-resorb={cookie}"}
    assert service.client.get("/api/session", headers=headers).status_code == 401


def test_the_cookie_is_kept_from_scripts_and_other_sites(store: Store) -> None:
    for module in (accounts, sessions):
        store.create_tables(module.SCHEMA)
    with store.transaction() as connection:
        add_account(connection, name="anna", role="reader", password=PASSWORD)
    for settings, words in (
        (Settings(), {"mri-resorb", "HttpOnly", "SameSite=strict", "Path=/"}),
        (
            Settings(behind_proxy=True),
            {"__Host-mri-resorb", "HttpOnly", "SameSite=strict", "Path=/", "Secure"},
        ),
    ):
        client = TestClient(create_app(store, settings), base_url=LOOPBACK)
        answer = client.post("/api/session", json={"name": "anna", "password": PASSWORD})
        name, *attributes = answer.headers["set-cookie"].split("; ")
        assert {name.split("=")[0], *attributes} == words
        assert ("strict-transport-security" in answer.headers) is settings.behind_proxy


def test_signing_in_never_takes_a_session_that_was_brought(service: Service) -> None:
    service.client.cookies.set("mri-resorb", "brought-by-an-attacker")
    service.sign_in("anna")
    fresh = service.client.cookies.get("mri-resorb", domain="127.0.0.1")
    assert fresh != "brought-by-an-attacker"
    stranger = {"Cookie": "mri-resorb=brought-by-an-attacker"}
    assert service.client.get("/api/session", headers=stranger).status_code == 401


def test_signing_in_again_ends_the_session_before(service: Service) -> None:
    service.sign_in("anna")
    before = service.client.cookies["mri-resorb"]
    service.sign_in("boss")
    headers = {"Cookie": f"mri-resorb={before}"}
    assert service.client.get("/api/session", headers=headers).status_code == 401


def test_guessing_a_password_is_slowed_down(service: Service) -> None:
    for _ in range(sessions.MOST_FAILURES_OF_BOTH):
        wrong = service.client.post("/api/session", json={"name": "anna", "password": "no"})
        assert (wrong.status_code, wrong.json()["type"]) == (401, "wrong-password")
    for password in ("no", PASSWORD):
        late = service.client.post("/api/session", json={"name": "anna", "password": password})
        assert (late.status_code, late.json()["type"]) == (429, "too-many-logins")
        assert int(late.headers["retry-after"]) == sessions.FAILURE_SECONDS


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(service: Service) -> None:
    answers = [
        service.client.post("/api/session", json={"name": name, "password": "no"}).content
        for name in ("anna", "nobody")
    ]
    assert answers[0] == answers[1]


def test_attempts_are_told_to_the_audit_log_without_what_was_typed(service: Service) -> None:
    service.client.post("/api/session", json={"name": "typed-a-secret", "password": "no"})
    service.sign_in("anna")
    with service.store.reading() as connection:
        told = entries(connection, before=2**53, limit=10)
    assert [(entry.who, entry.action) for entry in told] == [
        ("anna", "signed in"),
        ("service", "sign-in refused"),
    ]
    assert "typed-a-secret" not in str(told)


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", f"/api/cases/{CASE}"), ("GET", "/api/audit"), ("GET", "/api/audit/verification")],
)
def test_readers_do_not_what_takes_an_admin(service: Service, method: str, path: str) -> None:
    service.sign_in("anna")
    refused = ask(service, method, path)
    assert (refused.status_code, refused.json()["type"]) == (403, "not-allowed")
    service.sign_in("boss")
    assert ask(service, method, path).status_code in (200, 404)


def test_a_program_reads_by_its_token_without_csrf_but_does_not_sign(service: Service) -> None:
    case_id = add_case(service.store)
    service.as_program()
    assert service.client.get("/api/cases").json()[0]["id"] == case_id
    assert service.client.get("/api/session").json()["csrf"] is None
    assert service.client.post(f"/api/cases/{case_id}/sending").status_code == 409
    for method in ("POST", "DELETE"):
        refused = service.client.request(
            method,
            f"/api/cases/{case_id}/signature",
            json={"name": "R2D2"},
            headers={"If-Match": '"0"'},
        )
        assert (refused.status_code, refused.json()["type"]) == (403, "not-allowed")
    assert service.client.get("/api/audit").status_code == 403


def test_the_local_user_is_gone_once_somebody_has_an_account(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        local = service.client.get("/api/session").json()
        assert (local["name"], local["role"]) == ("local", "admin")
        service.add_account("anna")
        assert service.client.get("/api/session").status_code == 401
        assert service.client.get("/api/cases").status_code == 401


@pytest.mark.parametrize(
    "settings",
    [
        Settings(host="0.0.0.0", behind_proxy=True),
        Settings(host="192.0.2.1", tls=TLS),
        Settings(host="::", tls=TLS),
        Settings(behind_proxy=True),
    ],
)
def test_others_cannot_connect_before_somebody_has_an_account(
    store: Store, settings: Settings
) -> None:
    with pytest.raises(SettingsError, match="no account"):
        create_app(store, settings)
    with store.transaction() as connection:
        add_token(connection, name="ris", role="reader")
    client = TestClient(create_app(store, settings), base_url=LOOPBACK)
    assert client.get("/api/cases").status_code == 401


def test_removing_the_last_account_lets_nobody_in(store: Store) -> None:
    store.create_tables(accounts.SCHEMA)
    with store.transaction() as connection:
        add_account(connection, name="anna", role="reader", password=PASSWORD)
    app = create_app(store, Settings(behind_proxy=True))
    with store.transaction() as connection:
        remove_account(connection, name="anna")
    assert TestClient(app, base_url=LOOPBACK).get("/api/cases").status_code == 401


def test_others_cannot_connect_unencrypted(store: Store) -> None:
    store.create_tables(accounts.SCHEMA)
    with store.transaction() as connection:
        add_account(connection, name="anna", role="reader", password=PASSWORD)
    open_settings = Settings().model_copy(update={"host": "0.0.0.0"})
    with pytest.raises(SettingsError, match="TLS"):
        create_app(store, open_settings)
    with pytest.raises(ValueError, match="tls"):
        Settings(host="0.0.0.0")


def test_without_settings_this_machine_alone_can_connect(store: Store) -> None:
    config = server(create_app(store, Settings()), Settings()).config
    assert config.host == "127.0.0.1"
    assert not config.proxy_headers  # nobody's word is taken for where they are
    assert not config.access_log


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""]
)
def test_no_site_poses_as_this_machine(service: Service, host: str) -> None:
    refused = service.client.get("/api/health", headers={"Host": host})
    assert (refused.status_code, refused.json()["type"]) == (421, "other-site")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765"])
def test_this_machines_names_are_answered_to(service: Service, host: str) -> None:
    assert service.client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_of_other_sites_are_refused(service: Service, site: str) -> None:
    headers = {"Sec-Fetch-Site": site}
    service.sign_in("anna")
    for method, path in (("GET", "/api/cases"), ("POST", "/api/session"), ("POST", "/")):
        refused = service.client.request(method, path, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "other-site")
    assert service.client.get("/", headers=headers).status_code == 200  # a link to the page


def test_a_form_cannot_sign_in(service: Service) -> None:
    """A form of another site sends no JSON without asking first."""
    for media_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        refused = service.client.post(
            "/api/session",
            content=json.dumps({"name": "anna", "password": PASSWORD}),
            headers={"Content-Type": media_type},
        )
        assert refused.status_code == 422
        assert "set-cookie" not in refused.headers


def test_too_many_requests_are_told_to_wait(tmp_path: Path) -> None:
    few = Settings(limits=Limits(requests_per_minute=10))
    with running(tmp_path, few) as service:
        answers = [service.client.get("/api/health") for _ in range(12)]
    assert [answer.status_code for answer in answers[:10]] == [200] * 10
    assert answers[-1].status_code == 429
    assert answers[-1].json()["type"] == "too-many-requests"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 7
