"""From the modality to the PACS, through the page, with nothing standing in for anything."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from browser import chromium, reader
from orthanc_server import PASSWORD as ORTHANC_PASSWORD
from orthanc_server import USER, Orthanc, orthanc
from playwright.sync_api import expect
from pypdf import PdfReader
from service_studies import dcmtk, free_port
from signed_objects import check_signed_objects
from web_service import PASSWORD

from mri_resorb.languages import Language, say
from mri_resorb.service import accounts
from mri_resorb.service.store import open_store

SAMPLE = Path(__file__).parents[2] / "sample_data" / "extrusion-halved"
BASELINE_VOXEL_MM3 = 0.8 * 0.8 * 4.4
PATIENT, NAME = "PHANTOM-2", "A. Reader"
WHOLE_MEASURING_MS = 600_000
"""Far above what it takes on a busy machine."""


@contextmanager
def serving(folder: Path, *, node: int, pacs: Orthanc) -> Iterator[str]:
    """`mri-resorb serve` with a reader's account, sending to a PACS: its address."""
    port = free_port()
    folder.mkdir()
    (folder / "password").write_text(ORTHANC_PASSWORD)
    (folder / "own.toml").write_text(
        'description = "Tests."\noutputs = ["pdf", "seg", "sr", "encapsulated-pdf"]\n'
        '[remote]\nquiet_seconds = 1\nlevels = ["L4-L5"]\n'
    )
    (folder / "service.toml").write_text(
        f'port = {port}\npipeline = "own.toml"\n[dicom]\nport = {node}\n'
        f'[pacs.dicomweb]\nurl = "{pacs.dicomweb}"\nuser = "{USER}"\npassword_file = "password"\n'
    )
    store = open_store(folder)
    store.create_tables(accounts.SCHEMA)
    with store.transaction() as connection:
        accounts.add_account(connection, name="reader", role="reader", password=PASSWORD)
    store.close()
    with subprocess.Popen(
        [sys.executable, "-m", "mri_resorb.cli", "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as service:
        try:
            assert service.stdout is not None
            assert "The page is at" in service.stdout.readline()
            yield f"http://127.0.0.1:{port}/"
        finally:
            service.terminate()


def volume(text: str) -> float:
    return float(text.replace(",", "."))


def test_two_studies_from_the_modality_are_read_at_the_page_and_are_in_the_pacs_signed(
    tmp_path: Path,
) -> None:
    pacs, node = orthanc(tmp_path / "orthanc"), free_port()
    with (
        pacs.running(),
        serving(tmp_path / "service", node=node, pacs=pacs) as address,
        chromium() as browser,
        reader(browser, address) as somebody,
    ):
        view = somebody.page
        somebody.sign_in("reader", PASSWORD)
        expect(view.locator(".empty")).to_be_visible()
        to = ("-aec", "MRI_RESORB", "127.0.0.1", str(node), "+sd", "+r")
        for study in ("baseline", "follow_up"):
            subprocess.run([dcmtk("storescu"), *to, str(SAMPLE / study)], check=True)
        measured = view.locator('tbody tr[data-state="measured"]').filter(has_text=PATIENT)
        expect(measured).to_be_visible(timeout=WHOLE_MEASURING_MS)
        case_id = measured.get_attribute("data-id")
        assert case_id is not None
        somebody.open_case(case_id)
        automatic = somebody.figures(1)
        for times in (1, 2):  # what a first correction waits for is there for the second
            somebody.choose("brush")
            somebody.drag("baseline", (70, 20 + 20 * times), (90, 30 + 20 * times))
            view.locator("#measure").click()
            expect(view.locator(".said")).to_have_text(re.compile("again in"))
        corrected = somebody.figures(2)
        assert somebody.figures(1) == automatic
        assert volume(corrected[0]) > volume(automatic[0])
        # The dates' footprints are united, and a drawn mask's is not the automatic one's to the
        # voxel: 0.565 becomes 0.563 cm3.
        assert volume(corrected[1]) == pytest.approx(volume(automatic[1]), abs=0.015)
        assert corrected[2] != automatic[2]

        view.locator("#sign").click()
        view.locator("#sign-name").fill(NAME)
        view.locator("#sign-accept").check()
        view.locator("dialog button[type=submit]").click()
        expect(view.locator("#reopen")).to_be_visible()
        with view.expect_download(timeout=WHOLE_MEASURING_MS) as download:
            view.locator("[id='file-report.pdf']").click()
        words = " ".join(page.extract_text() for page in PdfReader(download.value.path()).pages)
        assert NAME in words
        assert corrected[2].removesuffix(" %") in words
        result = json.loads(view.request.get(f"{address}api/cases/{case_id}/result").text())
        somebody.page.locator("#bar .home").click()
        sent = say("page.state-sent", language=Language.EN)
        expect(somebody.row(case_id)).to_contain_text(sent, timeout=WHOLE_MEASURING_MS)
        arrived = [pydicom.dcmread(io.BytesIO(content)) for content in pacs.instances()]
        assert PATIENT not in " ".join([*somebody.heard, view.url, view.title()])

    check_signed_objects(arrived, scratch=tmp_path, name=NAME)
    follow_up = pydicom.dcmread(next(SAMPLE.glob("follow_up/**/*.dcm"))).StudyInstanceUID
    beside = {one.Modality for one in arrived if one.StudyInstanceUID == follow_up}
    assert {"SR", "DOC", "SEG"} <= beside
    found = [result[of]["baseline"] if of else result["baseline"] for of in ("automatic", "")]
    assert [f"{one['volume_cm3']['value']:.2f}".replace(".", ",") for one in found] == [
        automatic[0],
        corrected[0],
    ]
    painted_mm3 = 1000 * (found[1]["volume_cm3"]["value"] - found[0]["volume_cm3"]["value"])
    assert painted_mm3 / BASELINE_VOXEL_MM3 > 20
