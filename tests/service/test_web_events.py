"""Changes told to pages that listen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from web_service import add_case, served

from mri_resorb.service import cases, decisions
from mri_resorb.service.accounts import add_token, remove_token
from mri_resorb.service.store import Store
from mri_resorb.service.web import events
from mri_resorb.service.web.access import CSRF_HEADER

PATIENCE_S = 60.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Store, httpx2.Client]]:
    with (
        served(tmp_path) as (store, host, port),
        httpx2.Client(base_url=f"http://{host}:{port}", timeout=PATIENCE_S) as client,
    ):
        yield store, client


def told(lines: Iterator[str]) -> dict[str, Any]:
    """The next change."""
    number = None
    for line in lines:
        if line == "event: listening":
            assert next(lines) == "data: {}"
            continue
        if line.startswith("id: "):
            number = int(line.removeprefix("id: "))
        if line.startswith("data: "):
            return {"number": number, **json.loads(line.removeprefix("data: "))}
    raise AssertionError("no more events")


def test_each_change_is_told_to_everybody_in_its_order(
    service: tuple[Store, httpx2.Client],
) -> None:
    store, client = service
    case_id = add_case(store)
    with client.stream("GET", "/api/events") as one, client.stream("GET", "/api/events") as other:
        assert one.headers["content-type"].startswith("text/event-stream")
        listeners = [one.iter_lines(), other.iter_lines()]
        assert [next(lines) for lines in listeners] == [": listening"] * 2
        decisions.sign(store, case_id, account="a", name="A", revision=0)
        decisions.reopen(store, case_id, revision=1)
        decisions.delete_case(store, case_id)
        for lines in listeners:
            heard = [told(lines)]
            while heard[-1]["state"] != "deleted":
                heard.append(told(lines))
            assert {one["id"] for one in heard} == {case_id}
            assert [one["revision"] for one in heard] == sorted(one["revision"] for one in heard)
            assert list(dict.fromkeys(one["state"] for one in heard)) == [
                "signed",
                "measured",
                "deleted",
            ]


def test_a_page_that_comes_back_hears_what_it_missed(
    service: tuple[Store, httpx2.Client],
) -> None:
    store, client = service
    case_id = add_case(store)
    known = cases.latest_change(store)
    decisions.sign(store, case_id, account="a", name="A", revision=0)
    with client.stream("GET", "/api/events", headers={"Last-Event-ID": str(known)}) as stream:
        missed = told(stream.iter_lines())
    assert (missed["number"], missed["state"]) == (known + 1, "signed")


@pytest.mark.parametrize("known", ["x", "-1", "", "9" * 30, "²"])
def test_a_number_that_is_none_is_as_if_there_were_none(
    service: tuple[Store, httpx2.Client], known: str
) -> None:
    store, client = service
    headers = {"Last-Event-ID": known.encode()}
    with client.stream("GET", "/api/events", headers=headers) as stream:
        assert next(lines := stream.iter_lines()) == ": listening"
        case_id = add_case(store)
        assert told(lines)["id"] == case_id


def test_whoever_lost_their_access_hears_no_more(
    service: tuple[Store, httpx2.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.05)
    store, client = service
    with store.transaction() as connection:
        token = add_token(connection, name="ris", role="reader")
    headers = {"Authorization": f"Bearer {token}"}
    with client.stream("GET", "/api/events", headers=headers) as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert [next(lines) for _ in range(4)] == [
            ": listening",
            "event: listening",
            "data: {}",
            ": beat",
        ]
        with store.transaction() as connection:
            remove_token(connection, name="ris")
        assert set(lines) <= {": beat"}  # and then the end


def test_a_service_ends_while_pages_listen(tmp_path: Path) -> None:
    with served(tmp_path) as (_, host, port):
        client = httpx2.Client(timeout=PATIENCE_S)
        stream = client.stream("GET", f"http://{host}:{port}/api/events")
        assert next(stream.__enter__().iter_lines()) == ": listening"
    client.close()


def test_listeners_beyond_the_most_are_refused(
    service: tuple[Store, httpx2.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_LISTENERS", 0)
    refused = service[1].get("/api/events", headers={CSRF_HEADER: "x"})
    assert (refused.status_code, refused.json()["type"]) == (429, "too-many-requests")
