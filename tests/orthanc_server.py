"""Orthanc, a PACS of other people's making, on this machine alone."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dicom_case import program
from service_studies import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "service", "a password"


@dataclass(frozen=True)
class Orthanc:
    """A PACS that may run or not; what it holds stays.

    Attributes:
        http, dicom: ports.
    """

    folder: Path
    http: int
    dicom: int

    @property
    def dicomweb(self) -> str:
        """Address of its DICOMweb service."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it run while the block lasts."""
        server = subprocess.Popen(
            [program("Orthanc"), self.folder / "orthanc.json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 60
            while not self._answers():
                assert time.monotonic() < deadline, "Orthanc does not start"
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait()

    def give(self, content: bytes) -> None:
        """Have it hold an instance."""
        assert json.loads(self._ask("/instances", post=content))["Status"] in (
            "Success",
            "AlreadyStored",
        )

    def instances(self) -> list[bytes]:
        """Every file that it holds."""
        return [self._ask(f"/instances/{one}/file") for one in self.asked("/instances")]

    def asked(self, path: str) -> Any:
        """What its REST interface answers."""
        return json.loads(self._ask(path))

    def _answers(self) -> bool:
        try:
            self._ask("/system")
        except OSError:
            return False
        return True

    def _ask(self, path: str, *, post: bytes | None = None) -> bytes:
        address = f"http://127.0.0.1:{self.http}"
        keys = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        keys.add_password(None, address, USER, PASSWORD)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(keys))
        with opener.open(f"{address}{path}", data=post, timeout=10) as answer:
            return bytes(answer.read())


def orthanc(folder: Path) -> Orthanc:
    """An empty PACS, not running yet; without its plugin tests are skipped, or fail in CI."""
    if not PLUGIN.exists():
        reason = "no orthanc-dicomweb: .ci/run installs it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    made = Orthanc(folder, free_port(), free_port())
    folder.mkdir(parents=True)
    (folder / "orthanc.json").write_text(
        json.dumps(
            {
                "StorageDirectory": str(folder / "store"),
                "IndexDirectory": str(folder / "store"),
                "HttpPort": made.http,
                "HttpBindAddresses": ["127.0.0.1"],
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": True,
                "RegisteredUsers": {USER: PASSWORD},
                "DicomServerEnabled": True,
                "DicomAet": "ORTHANC",
                "DicomPort": made.dicom,
                "Plugins": [str(PLUGIN)],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            }
        )
    )
    return made
