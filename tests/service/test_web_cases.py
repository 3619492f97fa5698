"""The work list and what is decided of a case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_service import PATIENT_ID, Service, add_case, running

from mri_resorb.io.results import FollowUpDocument
from mri_resorb.service import cases, decisions
from mri_resorb.service.audit import entries


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path) as made:
        made.as_local()
        yield made


def audited(service: Service) -> list[tuple[str, str, str | None]]:
    with service.store.reading() as connection:
        found = entries(connection, before=2**53, limit=100)
    return [(entry.who, entry.action, entry.subject) for entry in reversed(found)]


def test_the_list_shows_figures_and_state(service: Service) -> None:
    case_id = add_case(service.store)
    [line] = service.client.get("/api/cases").json()
    assert line["id"] == case_id
    assert line["patient"] == {"id": PATIENT_ID, "sex": "F", "age_years": 50}
    assert (line["state"], line["revision"], line["level"]) == ("measured", 0, "L3-L4")
    assert line["baseline"]["date"] == "2018-11-05"
    assert line["follow_up"]["volume_cm3"] == {"value": 0.6, "low": 0.5, "high": 0.75}
    assert line["resorption_percent"]["value"] == 50.0
    assert line["signed"] is None
    assert line["sent"] is None
    assert service.client.get(f"/api/cases/{case_id}").json() == line


def test_the_list_is_not_sent_again_while_nothing_changes(service: Service) -> None:
    case_id = add_case(service.store)
    tag = service.client.get("/api/cases").headers["etag"]
    headers = {"If-None-Match": tag}
    assert service.client.get("/api/cases", headers=headers).status_code == 304
    decisions.sign(service.store, case_id, account="a", name="A", revision=0)
    changed = service.client.get("/api/cases", headers=headers)
    assert changed.status_code == 200
    assert changed.json()[0]["state"] == "signed"


def test_the_list_follows_every_change(service: Service) -> None:
    ids = [add_case(service.store) for _ in range(3)]
    assert [line["id"] for line in service.client.get("/api/cases").json()] == ids[::-1]
    decisions.sign(service.store, ids[0], account="a", name="A", revision=0)
    decisions.delete_case(service.store, ids[1])
    ids.append(add_case(service.store))
    listed = service.client.get("/api/cases").json()
    assert [(line["id"], line["state"]) for line in listed] == [
        (ids[3], "measured"),
        (ids[0], "signed"),
        (ids[2], "measured"),
    ]
    with service.store.transaction() as connection:  # as after very many changes
        connection.execute("UPDATE cases SET message = 'x'")
        connection.execute("DELETE FROM changes WHERE number < (SELECT max(number) FROM changes)")
    assert {line["message"] for line in service.client.get("/api/cases").json()} == {"x"}


def test_the_list_is_made_without_opening_a_result(
    service: Service,
) -> None:
    case_id = add_case(service.store)
    for path in (service.store.folder / "cases" / case_id).rglob("*.json"):
        path.unlink()
    assert service.client.get("/api/cases").json()[0]["verdict"] == "decreased"
    assert service.client.get(f"/api/cases/{case_id}").json()["verdict"] == "decreased"


def test_a_signature_freezes_the_result_until_it_is_taken_back(service: Service) -> None:
    case_id = add_case(service.store)
    place = f"/api/cases/{case_id}"
    signed = service.client.post(
        f"{place}/signature", json={"name": "  A.  Reader "}, headers={"If-Match": '"0"'}
    )
    assert signed.status_code == 200
    assert signed.json()["signed"]["by"] == "A. Reader"
    assert signed.json()["state"] == "signed"
    assert signed.headers["etag"] == '"1"'

    for method, part, body in (
        ("PUT", "level", {"level": "L4-L5"}),
        ("POST", "signature", {"name": "B"}),
        ("DELETE", "masks/baseline", None),
    ):
        refused = service.client.request(
            method, f"{place}/{part}", json=body, headers={"If-Match": '"1"'}
        )
        assert refused.status_code == 409, part
        assert refused.json()["type"] == "wrong-state"

    opened = service.client.delete(f"{place}/signature", headers={"If-Match": '"1"'})
    assert (opened.json()["state"], opened.json()["signed"]) == ("measured", None)
    assert [action for _, action, _ in audited(service)] == ["signed", "reopened"]


@pytest.mark.parametrize(
    ("method", "part", "body"),
    [
        ("PUT", "level", {"level": "L4-L5"}),
        ("POST", "signature", {"name": "A. Reader"}),
        ("DELETE", "signature", None),
        ("DELETE", "masks/baseline", None),
        ("PUT", "masks/baseline", {"any": "body"}),
    ],
)
def test_a_change_names_the_revision_it_was_made_on(
    service: Service, method: str, part: str, body: dict[str, str] | None
) -> None:
    case_id = add_case(service.store)
    ask = {"method": method, "url": f"/api/cases/{case_id}/{part}", "json": body}
    missing = service.client.request(**ask)
    assert (missing.status_code, missing.json()["type"]) == (428, "revision-missing")
    stale = service.client.request(**ask, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "stale-revision")
    assert stale.json()["revision"] == 0
    assert stale.headers["etag"] == '"0"'
    assert cases.get_case(service.store, case_id).revision == 0
    assert audited(service) == []


def test_another_level_is_queued_once(service: Service) -> None:
    case_id = add_case(service.store)
    ask = {"json": {"level": "L4-L5", "disc_at": [1.5, 2, -3]}, "headers": {"If-Match": '"0"'}}
    changed = service.client.put(f"/api/cases/{case_id}/level", **ask)
    assert changed.status_code == 202
    assert (changed.json()["state"], changed.json()["level"]) == ("queued", "L4-L5")
    assert service.client.put(f"/api/cases/{case_id}/level", **ask).status_code == 412
    assert cases.get_case(service.store, case_id).disc_at == (1.5, 2.0, -3.0)


@pytest.mark.parametrize(
    "body",
    [
        {"level": "L9-L9"},
        {"level": "L4-L5", "disc_at": [1, 2]},
        {"level": "L4-L5", "disc_at": [1, 2, "x"]},
        {"level": "L4-L5", "more": 1},
        [],
        None,
    ],
)
def test_a_level_that_is_none_is_refused(service: Service, body: object) -> None:
    case_id = add_case(service.store)
    refused = service.client.put(
        f"/api/cases/{case_id}/level", json=body, headers={"If-Match": '"0"'}
    )
    assert (refused.status_code, refused.json()["type"]) == (422, "malformed")


@pytest.mark.parametrize("name", ["", "   ", "a\u0000b", "x" * 65, "a\u202eb", "\ud800"])
def test_a_signature_is_a_name(service: Service, name: str) -> None:
    case_id = add_case(service.store)
    refused = service.client.post(
        f"/api/cases/{case_id}/signature",
        content=json.dumps({"name": name}),
        headers={"If-Match": '"0"', "Content-Type": "application/json"},
    )
    assert refused.status_code == 422


def test_sending_needs_a_signature(service: Service) -> None:
    case_id = add_case(service.store)
    assert service.client.post(f"/api/cases/{case_id}/sending").status_code == 409
    decisions.sign(service.store, case_id, account="a", name="A", revision=0)
    assert service.client.post(f"/api/cases/{case_id}/sending").status_code == 202


def test_a_deleted_case_is_gone_and_deleting_is_told(service: Service) -> None:
    case_id = add_case(service.store)
    place = f"/api/cases/{case_id}"
    assert service.client.delete(place).status_code == 204
    assert service.client.get(place).status_code == 404
    assert service.client.delete(place).status_code == 404
    assert service.client.get("/api/cases").json() == []
    assert not (service.store.folder / "cases" / case_id).exists()
    assert ("local", "deleted", case_id) in audited(service)


def test_result_images_masks_and_reports_are_served(service: Service) -> None:
    case_id = add_case(service.store)
    place = f"/api/cases/{case_id}"
    result = service.client.get(f"{place}/result")
    assert FollowUpDocument.model_validate_json(result.text).patient.id == PATIENT_ID
    for part in ("images/baseline", "masks/follow_up", "masks/baseline?kind=automatic"):
        answer = service.client.get(f"{place}/{part}")
        assert answer.status_code == 200
        assert answer.content[:2] == b"\x1f\x8b"
        assert answer.headers["content-type"] == "application/gzip"
    pdf = service.client.get(f"{place}/files/report.pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["content-disposition"] == 'inline; filename="report.pdf"'
    page = service.client.get(f"{place}/files/report.html")
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]
    assert "'self'" not in page.headers["content-security-policy"]
    assert [action for _, action, _ in audited(service)].count("downloaded") == 2


def test_reports_of_a_corrected_case_are_waited_for(service: Service) -> None:
    case_id = add_case(service.store)
    with service.store.transaction() as connection:
        connection.execute("UPDATE cases SET reports = 'none'")
    waiting = service.client.get(f"/api/cases/{case_id}/files/report.pdf")
    assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "2")
    assert service.client.get(f"/api/cases/{case_id}/files/result.json").status_code == 200


def test_looking_again_is_told_once(service: Service) -> None:
    case_id = add_case(service.store)
    for _ in range(3):
        service.client.get("/api/cases")
        service.client.get(f"/api/cases/{case_id}/result")
    told = audited(service)
    assert told == [("local", "listed", None), ("local", "viewed", case_id)]


def test_the_audit_log_is_read_by_pages_and_verified(service: Service) -> None:
    case_id = add_case(service.store)
    for part in ("", "/result", "/images/baseline"):
        service.client.get(f"/api/cases/{case_id}{part}")
    newest = service.client.get("/api/audit?limit=2").json()["entries"]
    older = service.client.get(f"/api/audit?before={newest[-1]['number']}").json()["entries"]
    assert [entry["number"] for entry in newest + older] == [4, 3, 2, 1]
    verified = service.client.get("/api/audit/verification").json()
    assert verified == {"entries": 4, "last_hash": newest[0]["hash"], "broken_at": None}
    with service.store.transaction() as connection:
        connection.execute("DROP TRIGGER audit_is_not_changed")
        connection.execute("UPDATE audit SET who = 'nobody' WHERE number = 2")
    assert service.client.get("/api/audit/verification").json()["broken_at"] == 2
