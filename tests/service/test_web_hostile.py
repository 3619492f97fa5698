"""Requests that mean harm, and what must never be said."""

from __future__ import annotations

import http.client
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from service_studies import as_file, completed, study
from web_service import (
    PATIENT_ID,
    PATIENT_NAME,
    Service,
    add_case,
    corrected_mask,
    running,
    served,
)

from mri_resorb.service.settings import Limits, Settings
from mri_resorb.service.web.access import CSRF_HEADER
from mri_resorb.service.web.routes import files
from mri_resorb.service.web.security import PAGE_CSP

UNLIMITED = Settings(limits=Limits(requests_per_minute=10**6))
CASE = "A" * 22
NAMED = {"PatientName": PATIENT_NAME, "SpecificCharacterSet": "ISO_IR 192"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, UNLIMITED) as made:
        made.as_local()
        yield made


def test_the_page_may_load_its_own_files_alone(service: Service) -> None:
    page = service.client.get("/")
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == PAGE_CSP
    assert "unsafe" not in PAGE_CSP
    assert "http" not in PAGE_CSP
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }.items():
        assert page.headers[name] == value
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=|https?://", page.text)
    assert "server" not in page.headers


def test_no_answer_about_cases_is_kept_by_a_browser(service: Service) -> None:
    case_id = add_case(service.store)
    for path in ("/api/cases", f"/api/cases/{case_id}/images/baseline", "/api/none"):
        assert service.client.get(path).headers["cache-control"] == "no-store"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Of a service that listens, since clients for tests tidy their paths up."""
    with served(tmp_path_factory.mktemp("service"), UNLIMITED) as (_, host, port):
        yield host, port


def ask_raw(address: tuple[str, int], path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection._validate_path = lambda _: None  # type: ignore[method-assign]
    connection.putrequest("GET", path)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../../../etc/passwd",
        "/..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/app.py",
        "/..\\..\\app.py",
        "/vendor/../../app.py",
        "//etc/passwd",
        "/\x7f",
        "/%00",
        "/index.html%00.js",
        "/api/cases/../../etc/passwd",
        "/api/cases/..%2f..%2fservice.db",
        "/api/cases/%2e%2e",
        f"/api/cases/{CASE}/files/..%2f..%2f..%2fservice.db",
        f"/api/cases/{CASE}/files/%2e%2e%2fservice.db",
        f"/api/cases/{CASE}/files/inputs.json",
        f"/api/cases/{CASE}/files/bids",
        f"/api/cases/{CASE}/images/..%2fbaseline",
        f"/api/cases/{CASE[:-1]}%0a",
        f"/api/cases/{CASE}%00/result",
    ],
)
def test_no_path_leads_out_of_what_is_served(address: tuple[str, int], path: str) -> None:
    status, content = ask_raw(address, path)
    assert status in (400, 404), content[:200]
    assert b"root:" not in content
    assert b"SQLite" not in content


def test_what_lies_where_is_no_file_of_a_result(service: Service) -> None:
    case_id = add_case(service.store)
    folder = service.store.folder / "cases" / case_id / "job-1"
    (folder / "inputs.json").write_text("{}")
    (folder / "of-the-user.txt").write_text("x")
    for name in ("inputs.json", "of-the-user.txt", "baseline_image.nii.gz", "result.json/"):
        assert service.client.get(f"/api/cases/{case_id}/files/{name}").status_code == 404
    assert "inputs.json" not in files.FILE_NAMES


def _flow(service: Service, case_id: str) -> list[Any]:
    """All that a reader may do, right and wrong."""
    place = f"/api/cases/{case_id}"
    mask = corrected_mask(service.store, case_id)
    one = as_file(study(date(2021, 1, 2), patient=PATIENT_ID, **NAMED)[0])
    ask = service.client.request
    match = {"If-Match": '"0"'}
    return [
        ask("GET", f"{place}/files/report.dcm"),
        ask("GET", f"{place}/files/{PATIENT_ID}"),
        ask("GET", f"/api/cases/{PATIENT_ID}"),
        ask("POST", "/api/session", json={"name": PATIENT_ID, "password": PATIENT_NAME}),
        ask("POST", "/api/session", json={"name": [PATIENT_ID], "password": {PATIENT_NAME: 1}}),
        ask("POST", "/api/session", content=PATIENT_NAME.encode()),
        ask("PUT", f"{place}/level", json={"level": PATIENT_ID}, headers=match),
        ask("PUT", f"{place}/level", json={PATIENT_ID: PATIENT_NAME}, headers=match),
        ask("PUT", f"{place}/masks/{PATIENT_ID}", content=mask, headers=match),
        ask("PUT", f"{place}/masks/baseline", content=mask, headers=match),
        ask("PUT", f"{place}/masks/baseline", content=one, headers=match),
        ask("POST", f"{place}/signature", json={"name": ""}, headers=match),
        ask("POST", f"{place}/sending"),
        ask(
            "POST", "/api/studies", content=one[:-10], headers={"Content-Type": "application/dicom"}
        ),
        ask("POST", "/api/studies", content=one, headers={"Content-Type": PATIENT_ID}),
        ask("DELETE", f"{place}/signature", headers=match),
        ask("GET", f"/{PATIENT_ID}"),
        ask("GET", "/api/cases", headers={"If-None-Match": PATIENT_NAME.encode()}),
    ]


def test_nobody_is_named_in_logs_errors_headers_or_the_audit_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    case_id = add_case(service.store)
    completed(service.store, study(date(2021, 1, 2), patient=PATIENT_ID, **NAMED))
    answers = _flow(service, case_id)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("mri_")]
    said += [str(answer.headers) for answer in answers]
    said += [answer.text for answer in answers if answer.status_code >= 400]
    said.append(service.client.get("/api/audit?limit=1000").text)
    assert said[0]
    assert len([answer for answer in answers if answer.status_code >= 400]) >= 15
    family, given = PATIENT_NAME.split("^")
    for text in said:
        for secret in (PATIENT_ID, PATIENT_ID[4:8], family, given, str(service.store.folder)):
            assert secret not in text


def test_a_fault_is_told_by_its_place_alone(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise KeyError(PATIENT_NAME)

    monkeypatch.setattr("mri_resorb.service.web.routes.cases.get_case", fail)
    with caplog.at_level(logging.DEBUG):
        answer = service.client.get(f"/api/cases/{CASE}")
    assert (answer.status_code, answer.json()["type"]) == (500, "fault")
    assert answer.headers["content-security-policy"] == PAGE_CSP
    assert PATIENT_NAME not in answer.text + caplog.text
    assert "KeyError at test_web_hostile.py" in caplog.text


def test_a_full_disk_is_no_fault(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/secret/place")

    monkeypatch.setattr("mri_resorb.service.web.uploads.receive", full)
    answer = service.client.post(
        "/api/studies", content=b"x", headers={"Content-Type": "application/dicom"}
    )
    assert (answer.status_code, answer.json()["type"]) == (507, "no-room")
    assert "secret" not in answer.text


def test_nothing_that_is_described_answers_with_a_fault(tmp_path: Path) -> None:
    """Requests that schemathesis makes from the OpenAPI description, fitting it and not."""
    with served(tmp_path, UNLIMITED) as (store, host, port):
        place = f"http://{host}:{port}"
        token = httpx2.get(f"{place}/api/session").json()["csrf"]
        case_id = add_case(store)
        schema = schemathesis.openapi.from_url(f"{place}/api/openapi.json")
        operations = [
            found.ok() for found in schema.exclude(path="/api/events").get_all_operations()
        ]
        assert len(operations) >= 19
        asked = 0
        for operation, mode in product(operations, GenerationMode):

            @settings(max_examples=15, phases=[Phase.generate], suppress_health_check=HealthCheck)
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: schemathesis.Case) -> None:
                if "case_id" in (case.path_parameters or {}):
                    case.path_parameters["case_id"] = case_id
                nonlocal asked
                asked += 1
                headers = {CSRF_HEADER: token, "If-Match": '"0"', **(case.headers or {})}
                assert case.call(headers=headers).status_code < 500, case.as_curl_command()

            with suppress(Unsatisfiable):  # an operation that takes nothing has no wrong input
                ask()
        assert asked > 20 * len(operations)
