"""Studies that are uploaded: taken, there already, or refused with a reason."""

from __future__ import annotations

import io
import socket
import stat
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service_studies import as_file, study
from web_service import Service, running, served

from mri_resorb.service.audit import entries
from mri_resorb.service.settings import Limits, Settings
from mri_resorb.service.web import bodies
from mri_resorb.service.web.routes import studies

SMALL = Settings(limits=Limits(upload_bytes=4 * 2**20, expansion=20))


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """A study of five slices."""
    return [as_file(dataset) for dataset in study(date(2020, 5, 6))]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running(tmp_path, SMALL) as made:
        made.as_local()
        yield made
        assert list((made.store.folder / "incoming").iterdir()) == []


def zipped(files: list[tuple[str, bytes]], **options: Any) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, file in files:
            archive.writestr(name, file)
    return content.getvalue()


def named(files: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"DOE^JANE/{number}.dcm", file) for number, file in enumerate(files)]


def post(service: Service, content: bytes, media_type: str = "application/zip") -> Any:
    return service.client.post(
        "/api/studies", content=content, headers={"Content-Type": media_type}
    )


def instances(service: Service) -> int:
    with service.store.reading() as connection:
        return int(connection.execute("SELECT count(*) FROM instances").fetchone()[0])


def test_a_zip_a_file_and_parts_are_taken_alike_and_once(
    service: Service, files: list[bytes]
) -> None:
    first = post(service, zipped(named(files)))
    assert first.status_code == 200, first.text
    [held] = first.json()["studies"]
    assert first.json() == {"stored": 5, "already_there": 0, "refused": [], "studies": [held]}
    again = {"stored": 0, "refused": [], "studies": [held]}
    assert post(service, zipped(named(files))).json() == {**again, "already_there": 5}
    single = post(service, files[0], "application/dicom")
    assert single.json() == {**again, "already_there": 1}
    parts = [("file", (name, io.BytesIO(file))) for name, file in named(files)]
    several = service.client.post("/api/studies", files=parts)
    assert several.json() == {**again, "already_there": 5}
    zips = [("file", ("a.zip", io.BytesIO(zipped(named(files)))))] * 2
    assert service.client.post("/api/studies", files=zips).json()["already_there"] == 10
    assert instances(service) == 5


def test_what_is_no_mr_image_is_counted_by_its_reason(service: Service, files: list[bytes]) -> None:
    other = pydicom.dcmread(io.BytesIO(files[0]))
    other.SOPClassUID = other.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ct = io.BytesIO()
    other.save_as(ct)
    extra = [("README.txt", b"hello"), ("b.txt", b"hello"), ("ct.dcm", ct.getvalue())]
    answer = post(service, zipped([*named(files[:2]), *extra]))
    assert answer.json()["stored"] == 2
    assert answer.json()["refused"] == [
        {"reason": "It is not a DICOM file.", "count": 2},
        {"reason": "It is not an MR image.", "count": 1},
    ]
    nothing = post(service, zipped(extra))
    assert (nothing.status_code, nothing.json()["type"]) == (422, "unusable")
    assert {one["count"] for one in nothing.json()["refused"]} == {1, 2}
    with service.store.reading() as connection:
        told = [entry.details for entry in entries(connection, before=99, limit=9)]
    assert told[0] == '{"count": 3}'


def test_another_object_under_a_uid_that_is_there_is_refused(
    service: Service, files: list[bytes]
) -> None:
    post(service, files[0], "application/dicom")
    changed = pydicom.dcmread(io.BytesIO(files[0]))
    changed.SeriesDescription = "other"
    content = io.BytesIO()
    changed.save_as(content)
    refused = post(service, content.getvalue(), "application/dicom")
    assert refused.status_code == 422
    assert "same UID" in refused.json()["refused"][0]["reason"]


def _evil_zip(kind: str, file: bytes) -> bytes:
    if kind == "slip":
        return zipped([("../../../evil.dcm", file)])
    if kind == "backslash":
        return zipped([("..\\..\\evil.dcm", file)])
    if kind == "absolute":
        return zipped([("/tmp/evil.dcm", file)])
    if kind == "bomb":
        return zipped([("zeros.dcm", bytes(100 * 2**20))])
    if kind == "link":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            link = zipfile.ZipInfo("link.dcm")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
        return content.getvalue()
    whole = zipped([("a.dcm", file)])
    if kind == "cut":
        return whole[: len(whole) // 2]
    encrypted = bytearray(whole)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(signature) + offset] |= 1
    return bytes(encrypted)


@pytest.mark.parametrize(
    "kind", ["slip", "backslash", "absolute", "bomb", "link", "cut", "encrypted"]
)
def test_zips_that_want_more_than_to_be_unpacked_are_refused(
    service: Service, files: list[bytes], kind: str
) -> None:
    refused = post(service, _evil_zip(kind, files[0]))
    assert (refused.status_code, refused.json()["type"]) == (422, "unusable")
    assert "evil" not in refused.text
    assert instances(service) == 0


def test_more_than_the_limit_is_refused_whether_announced_or_not(service: Service) -> None:
    large = bytes(5 * 2**20)
    announced = post(service, large, "application/dicom")
    assert (announced.status_code, announced.json()["type"]) == (413, "too-large")
    in_pieces = service.client.post(
        "/api/studies",
        content=(bytes(2**20) for _ in range(5)),
        headers={"Content-Type": "application/dicom"},
    )
    assert (in_pieces.status_code, in_pieces.json()["type"]) == (413, "too-large")


def test_a_sender_that_falls_silent_gives_its_place_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "SILENCE_SECONDS", 0.05)
    with (
        served(tmp_path, SMALL) as (store, host, port),
        socket.create_connection((host, port), timeout=60) as connection,
    ):
        token = httpx2.get(f"http://{host}:{port}/api/session").json()["csrf"]
        connection.sendall(
            f"POST /api/studies HTTP/1.1\r\nHost: {host}\r\nX-CSRF-Token: {token}\r\n"
            "Content-Type: application/dicom\r\nContent-Length: 1000\r\n\r\nhalf".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
        assert list((store.folder / "incoming").iterdir()) == []


def test_a_body_that_is_no_file_has_its_own_limit(service: Service) -> None:
    for content in (b" " * 2**17, (b" " * 2**15 for _ in range(4))):
        answer = service.client.post(
            "/api/session", content=content, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["type"]) == (413, "too-large")


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "text/plain",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
        "multipart/mixed; boundary=x",
    ],
)
def test_other_media_types_are_refused(service: Service, media_type: str) -> None:
    refused = post(service, b"x", media_type)
    assert (refused.status_code, refused.json()["type"]) == (415, "media-type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing of parts",
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nunended",
        b"--x\r\n" + b"h: v\r\n" * 1000 + b"\r\n\r\n--x--\r\n",
        b"--x\r\nh: " + b"v" * 2**17 + b"\r\n\r\n\r\n--x--\r\n",
    ],
)
def test_parts_that_cannot_be_told_apart_are_refused(service: Service, body: bytes) -> None:
    refused = post(service, body, "multipart/form-data; boundary=x")
    assert (refused.status_code, refused.json()["type"]) == (400, "malformed")


def test_no_more_than_a_few_uploads_at_once(
    service: Service, files: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        service.client.app.state.uploads,
        "locked",
        lambda: True,  # type: ignore[attr-defined]
    )
    busy = post(service, files[0], "application/dicom")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
    assert studies.MOST_UPLOADS == 4


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_instances_never_shake_the_service(
    service: Service, files: list[bytes], data: st.DataObject
) -> None:
    content = bytearray(files[0])
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(len(content) - 1, 1500)))
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    assert post(service, bytes(content), "application/dicom").status_code in (200, 422)
