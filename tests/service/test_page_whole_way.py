"""From an upload to the signed report, through the page, with nothing standing in for anything."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from browser import chromium, reader
from playwright.sync_api import expect
from pypdf import PdfReader
from service_studies import free_port
from web_service import PASSWORD

from mri_resorb.languages import Language, say
from mri_resorb.service import accounts
from mri_resorb.service.store import open_store

SAMPLE = Path(__file__).parents[2] / "sample_data" / "extrusion-halved"
BASELINE_VOXEL_MM3 = 0.8 * 0.8 * 4.4
WHOLE_MEASURING_MS = 600_000
"""Far above what it takes on a busy machine."""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """`mri-resorb serve` with a reader and a program: its address and the program's token."""
    port = free_port()
    (folder / "own.toml").write_text(
        'description = "Tests."\noutputs = ["pdf", "seg", "sr"]\n'
        '[remote]\nquiet_seconds = 1\nlevels = ["L4-L5"]\n'
    )
    (folder / "service.toml").write_text(
        f'port = {port}\npipeline = "own.toml"\n[dicom]\nport = {free_port()}\n'
    )
    store = open_store(folder)
    store.create_tables(accounts.SCHEMA)
    with store.transaction() as connection:
        accounts.add_account(connection, name="reader", role="reader", password=PASSWORD)
        token = accounts.add_token(connection, name="sender", role="reader")
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
            yield f"http://127.0.0.1:{port}/", token
        finally:
            service.terminate()


def uploaded(address: str, token: str) -> str:
    """Send the sample; the patient's id."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(SAMPLE.rglob("*.dcm")):
            archive.write(path, path.relative_to(SAMPLE))
    answer = httpx2.post(
        f"{address}api/studies",
        content=packed.getvalue(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/zip"},
        timeout=60,
    )
    assert answer.status_code in (200, 201), answer.text
    assert answer.json()["refused"] == []
    return "PHANTOM-2"


def volume(text: str) -> float:
    return float(text.replace(",", "."))


def test_an_upload_becomes_a_signed_report(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as (address, token),
        chromium() as browser,
        reader(browser, address) as somebody,
    ):
        view = somebody.page
        somebody.sign_in("reader", PASSWORD)
        expect(view.locator(".empty")).to_be_visible()
        patient = uploaded(address, token)
        to_be_read = say("page.state-measured", language=Language.EN)
        row = view.locator("tbody tr").filter(has_text=patient)
        expect(row).to_contain_text(to_be_read, timeout=WHOLE_MEASURING_MS)

        case_id = row.get_attribute("data-id")
        assert case_id is not None
        somebody.open_case(case_id)
        automatic = somebody.figures(1)
        for times in (1, 2):  # what a first correction waits for is there for the second
            somebody.choose("brush")
            somebody.drag("baseline", (70, 20 + 20 * times), (90, 30 + 20 * times))
            view.locator("#measure").click()
            expect(view.locator(".said")).to_have_text(re.compile("again in"))
            print(view.locator(".said").inner_text())
        corrected = somebody.figures(2)
        assert somebody.figures(1) == automatic
        assert volume(corrected[0]) > volume(automatic[0])
        assert corrected[1] == automatic[1]
        assert corrected[2] != automatic[2]

        view.locator("#sign").click()
        view.locator("#sign-name").fill("A. Reader")
        view.locator("#sign-accept").check()
        view.locator("dialog button[type=submit]").click()
        expect(view.locator("#reopen")).to_be_visible()
        with view.expect_download(timeout=WHOLE_MEASURING_MS) as download:
            view.locator("[id='file-report.pdf']").click()
        report = PdfReader(download.value.path())
        words = " ".join(page.extract_text() for page in report.pages)
        assert "A. Reader" in words
        assert corrected[2].removesuffix(" %") in words

        result = json.loads(view.request.get(f"{address}api/cases/{case_id}/result").text())
        found = [result[of]["baseline"] if of else result["baseline"] for of in ("automatic", "")]
        assert [f"{one['volume_cm3']['value']:.2f}".replace(".", ",") for one in found] == [
            automatic[0],
            corrected[0],
        ]
        painted_mm3 = 1000 * (found[1]["volume_cm3"]["value"] - found[0]["volume_cm3"]["value"])
        assert painted_mm3 / BASELINE_VOXEL_MM3 > 20
        assert patient not in " ".join([*somebody.heard, view.url, view.title()])
