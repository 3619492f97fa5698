"""A service with a case in it, asked through its REST interface without a network."""

from __future__ import annotations

import atexit
import shutil
import socket
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from argon2 import PasswordHasher
from case_results import BASELINE_DATE, FOLLOW_UP_DATE, case_result
from fastapi.testclient import TestClient

from mri_resorb.correction import read_result
from mri_resorb.io.result_folder import write_results
from mri_resorb.model import Patient
from mri_resorb.service.accounts import Role, add_account, add_token
from mri_resorb.service.cases import summarise
from mri_resorb.service.settings import Settings
from mri_resorb.service.store import Store, new_id, now, open_store
from mri_resorb.service.web.access import CSRF_HEADER
from mri_resorb.service.web.app import create_app, server

LOOPBACK = "http://127.0.0.1:8765"
PASSWORD = "correct horse battery"
PATIENT_ID, PATIENT_NAME = "PID-7316-QX", "Қасқырбаева^Әйгерім"
"""Found nowhere but where it belongs."""


@dataclass
class Service:
    """A service, and somebody who asks it.

    Attributes:
        client: whose session or token goes with each request.
    """

    store: Store
    client: TestClient

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """From now on as this person."""
        answer = self.client.post("/api/session", json={"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        self.client.headers[CSRF_HEADER] = answer.json()["csrf"]

    def as_local(self) -> None:
        """From now on as whoever sits at the machine."""
        self.client.headers[CSRF_HEADER] = self.client.get("/api/session").json()["csrf"]

    def as_program(self, role: Role = "reader") -> None:
        """From now on as a program with a token."""
        with self.store.transaction() as connection:
            token = add_token(connection, name=f"p{new_id()[1:5]}x", role=role)
        self.client.headers["Authorization"] = f"Bearer {token}"

    def add_account(self, name: str, role: Role = "reader") -> None:
        """Somebody with the password of the tests."""
        with self.store.transaction() as connection:
            add_account(connection, name=name, role=role, password=PASSWORD)


@contextmanager
def running(folder: Path, settings: Settings | None = None) -> Iterator[Service]:
    """A service on a folder."""
    store = open_store(folder)
    with TestClient(create_app(store, settings or Settings()), base_url=LOOPBACK) as client:
        yield Service(store, client)
    store.close()


@contextmanager
def served(folder: Path, settings: Settings | None = None) -> Iterator[tuple[Store, str, int]]:
    """A service that listens on a port of its own: its store, host and port."""
    store = open_store(folder)
    settings = settings or Settings()
    listener = server(create_app(store, settings), settings)
    with socket.socket() as bound:
        bound.bind((settings.host, 0))
        bound.listen()
        host, port = bound.getsockname()
        thread = threading.Thread(target=listener.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield store, host, port
        finally:
            listener.should_exit = True
            thread.join()
    store.close()


def quick_hasher() -> PasswordHasher:
    """In place of the real one, which takes its time."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def add_case(store: Store, *, state: str = "measured") -> str:
    """A case with its result, of a patient that can be searched for; its id."""
    case_id = new_id()
    folder = store.folder / "cases" / case_id / "job-1"
    shutil.copytree(_result(), folder)
    summary = summarise(read_result(folder)).model_dump_json()
    with store.transaction() as connection:
        studies = [_add_study(connection, day) for day in (BASELINE_DATE, FOLLOW_UP_DATE)]
        connection.execute(
            "INSERT INTO cases (id, baseline, follow_up, level, state, result, reports, job,"
            " summary, changed_at) VALUES (?, ?, ?, 'L3-L4', ?, 'job-1', 'written', 1, ?, ?)",
            (case_id, *studies, state, summary, now()),
        )
    return case_id


@cache
def _result() -> Path:
    """A result folder as a measuring leaves it, written once and then copied."""
    folder = Path(tempfile.mkdtemp(prefix="mri-resorb-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    case = case_result(patient=Patient(PATIENT_ID, "F", 50))
    write_results(case, folder)
    (folder / "report.pdf").write_bytes(b"%PDF-1.7")
    (folder / "report.html").write_text("<script>document.title = 1</script>", encoding="utf-8")
    for name, point in (("baseline", case.baseline), ("follow_up", case.follow_up)):
        native = sitk.DICOMOrient(point.scan.image, point.scan.native_orientation)
        sitk.WriteImage(native, str(folder / f"{name}_image.nii.gz"))
    return folder


def _add_study(connection: sqlite3.Connection, day: date) -> str:
    study = new_id()
    connection.execute(
        "INSERT INTO studies (id, uid, patient_id, patient_name, sex, age_years, date, sender,"
        " origin, state, instances, arrived_at)"
        " VALUES (?, ?, ?, ?, 'F', 50, ?, 'PACS', 'received', 'lumbar', 7, ?)",
        (study, f"1.2.{day.toordinal()}.{now()}", PATIENT_ID, PATIENT_NAME, day.isoformat(), now()),
    )
    return study


def corrected_mask(store: Store, case_id: str, *, date_name: str = "baseline") -> bytes:
    """The fragment of a date without its first slice, as the page would send it."""
    folder = store.folder / "cases" / case_id / "job-1"
    found = sitk.ReadImage(str(folder / f"{date_name}_fragment.nii.gz"))
    array = sitk.GetArrayFromImage(found)
    filled = np.argwhere(array >= 0.5)[:, 0]
    array[filled.min()] = 0
    made = sitk.GetImageFromArray((array >= 0.5).astype(np.uint8))
    made.CopyInformation(found)
    path = folder / "sent.nii.gz"
    sitk.WriteImage(made, str(path))
    content = path.read_bytes()
    path.unlink()
    return content
