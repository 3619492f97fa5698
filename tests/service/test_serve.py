"""The service as a clinic has it: studies come, a reader corrects and signs, the PACS has it."""

from __future__ import annotations

import io
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
import SimpleITK as sitk
from orthanc_server import PASSWORD, USER, orthanc
from service_studies import dcmtk, free_port, wait_for, write_settings
from signed_objects import check_signed_objects

from mri_resorb.correction import place_again, read_result
from mri_resorb.io.result_folder import write_results
from mri_resorb.service.cases import (
    Case,
    all_cases,
    get_case,
    job_folder,
    new_result_folder,
    result_folder,
)
from mri_resorb.service.decisions import correct, sign
from mri_resorb.service.measured import remeasured
from mri_resorb.service.store import Store, open_store

SAMPLE = Path(__file__).parents[2] / "sample_data" / "extrusion-halved"
NAME = "Dr. Жанар Reader"


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`mri-resorb serve` in a process of its own; it has to end in order when told to."""
    with subprocess.Popen(
        [sys.executable, "-m", "mri_resorb.cli", "serve", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        try:
            assert service.stdout is not None
            assert "The page is at http://127.0.0.1:" in service.stdout.readline()
            yield service
            service.send_signal(signal.SIGTERM)
            assert service.wait(timeout=60) == 0
        finally:
            service.kill()


def the_case(store: Store, *states: str) -> Case:
    def look() -> Case | None:
        found = [case for case in all_cases(store) if case.state in (*states, "failed")]
        return found[0] if found else None

    case = wait_for(look)
    assert case.state != "failed", case.message
    return case


def corrected(store: Store, case: Case, scratch: Path) -> Case:
    """The case after a reader emptied what is less than half filled, at the follow-up."""
    automatic = job_folder(store, case)
    occupancy = sitk.ReadImage(str(automatic / "follow_up_fragment.nii.gz"))
    mask = scratch / "mask.nii.gz"
    sitk.WriteImage(sitk.Cast(occupancy >= 0.5, sitk.sitkUInt8), str(mask))
    folder = new_result_folder(store, case)
    write_results(remeasured(place_again(automatic), follow_up_mask=mask), folder)
    return correct(store, case.id, revision=case.revision, result=folder)


def test_from_the_modality_to_the_signed_report_in_the_pacs(tmp_path: Path) -> None:
    pacs = orthanc(tmp_path / "orthanc")
    (tmp_path / "orthanc" / "password").write_text(PASSWORD)
    node, folder = free_port(), tmp_path / "service"
    write_settings(
        folder,
        page=free_port(),
        node=node,
        more=f'[pacs.dicomweb]\nurl = "{pacs.dicomweb}"\nuser = "{USER}"\n'
        f'password_file = "{tmp_path}/orthanc/password"\n',
    )
    (folder / "own.toml").write_text(
        'description = "Tests."\noutputs = ["seg", "sr", "encapsulated-pdf"]\n'
        '[remote]\nquiet_seconds = 1\nlevels = ["L4-L5"]\n'
    )
    with pacs.running(), serving(folder):
        for path in SAMPLE.glob("baseline/**/*.dcm"):
            pacs.give(path.read_bytes())
        sent = ("-aec", "MRI_RESORB", "127.0.0.1", str(node), "+sd", "+r")
        subprocess.run([dcmtk("storescu"), *sent, str(SAMPLE / "follow_up")], check=True)
        store = open_store(folder)
        measured = the_case(store, "measured")
        assert measured.baseline is not None
        assert measured.baseline.origin == "fetched"
        read = corrected(store, measured, tmp_path)
        signed = sign(store, read.id, account="reader", name=NAME, revision=read.revision)
        done = the_case(store, "sent")
        arrived = [pydicom.dcmread(io.BytesIO(content)) for content in pacs.instances()]
        check_figures(store, read, done)
    assert signed.signature is not None
    check_signed_objects(arrived, scratch=tmp_path, name=NAME)
    follow_up = pydicom.dcmread(next(SAMPLE.glob("follow_up/**/*.dcm"))).StudyInstanceUID
    beside = [one.Modality for one in arrived if one.StudyInstanceUID == follow_up]
    assert {"SR", "DOC", "SEG"} <= set(beside)


def check_figures(store: Store, read: Case, sent: Case) -> None:
    """What was sent is what was read, signed."""
    assert (sent.sent_objects, sent.summary) == (4, read.summary)
    folder = result_folder(store, get_case(store, sent.id))
    assert folder is not None
    document = read_result(folder)
    assert document.signature is not None
    assert document.signature.name == NAME
    assert document.follow_up.mask_source == "person"


def test_one_folder_has_one_service_and_a_wrong_one_is_one_line(tmp_path: Path) -> None:
    folder, page = tmp_path / "service", free_port()
    write_settings(folder, page=page, node=free_port())
    with serving(folder):
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/api/health", timeout=30) as answer:
            assert answer.status == 200
        assert "Another service runs" in refused(folder)
        beside = tmp_path / "beside"
        write_settings(beside, page=page, node=free_port())
        assert f"127.0.0.1:{page}" in refused(beside)
    (folder / "service.toml").write_text("prot = 1")
    assert "prot" in refused(folder)


def refused(folder: Path) -> str:
    """The one line with which a service ends that cannot start."""
    ended = subprocess.run(
        [sys.executable, "-m", "mri_resorb.cli", "serve", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    return line


def test_a_service_that_cannot_start_leaves_its_store_whole(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    open_store(folder).close()
    (folder / "service.toml").write_text('host = "0.0.0.0"')
    assert "[tls]" in refused(folder)
    with sqlite3.connect(folder / "service.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize("name", ["host", "dicom"])
def test_strangers_are_kept_out_before_anything_listens(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    text = {
        "host": 'host = "0.0.0.0"\nbehind_proxy = true\n',
        "dicom": '[dicom]\nhost = "0.0.0.0"\n',
    }[name]
    (folder / "service.toml").write_text(text)
    assert {"host": "account", "dicom": "peers"}[name] in refused(folder)
