"""Studies that come to the service, and the service as a process of its own, to be killed."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import dicom_files
import pytest
from case_results import case_result
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from mri_resorb.io.studies import read_pair
from mri_resorb.model import CaseResult, Level, StudyInput
from mri_resorb.pipeline import Pipeline, Remote
from mri_resorb.service.pairing import complete
from mri_resorb.service.reception import Received, receive
from mri_resorb.service.serving import serve
from mri_resorb.service.store import Store
from mri_resorb.service.studies import get_study

SMALL = dicom_files.Grid(slices=5, rows=8, columns=8)
RULES = Remote()
PLAIN = Pipeline(description="Nothing but the result.", outputs=frozenset())
PATIENCE_S = 900.0
"""Far above what anything takes on a busy machine."""

Found = TypeVar("Found")


def study(day: date, *, patient: str = "P-17", **attributes: Any) -> list[Dataset]:
    """A small sagittal T2 study."""
    given = {"StudyDate": f"{day:%Y%m%d}", "PatientID": patient, **attributes}
    return dicom_files.series(SMALL, **given)


def as_file(dataset: Dataset) -> bytes:
    """The bytes of a DICOM file."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    with disable_value_validation():
        dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def received(store: Store, datasets: Sequence[Dataset], **options: Any) -> str:
    """Take a study; its id."""
    usual: dict[str, Any] = {"sender": "MR1", "origin": "received"}
    taken: list[Received] = [
        receive(store, as_file(dataset), **{**usual, **options}) for dataset in datasets
    ]
    (found,) = {one.study for one in taken}
    return found


def completed(
    store: Store, datasets: Sequence[Dataset], *, rules: Remote = RULES, **options: Any
) -> str:
    """Take a study as if nothing more came of it; its id."""
    study_id = received(store, datasets, **options)
    complete(store, get_study(store, study_id), rules=rules, ask_pacs=False)
    return study_id


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(look: Callable[[], Found], *, seconds: float = PATIENCE_S) -> Found:
    """What `look` gives once that is something; fails when it takes too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("what was waited for did not come")


def stand_in(baseline: StudyInput, follow_up: StudyInput, *, level: Level, **_: Any) -> CaseResult:
    """The usual result of the tests, of the studies' own people and dates, without measuring.

    How long it takes, in milliseconds, or how it ends, stands in the follow-up's StudyID.
    """
    scans = read_pair(baseline, follow_up)
    behaviour = str(scans[1].frames[0].header.get("StudyID", "1"))
    if behaviour == "killed":
        os.kill(os.getpid(), 9)
    if behaviour == "hang":
        while True:
            time.sleep(60)
    time.sleep(int(behaviour) / 1000)
    made = _usual()
    return replace(
        made,
        level=level,
        patient=scans[0].patient,
        baseline=replace(made.baseline, scan=replace(made.baseline.scan, date=scans[0].date)),
        follow_up=replace(made.follow_up, scan=replace(made.follow_up.scan, date=scans[1].date)),
        inputs=(baseline, follow_up),
    )


@cache
def _usual() -> CaseResult:
    return case_result()


def write_settings(folder: Path, *, page: int, node: int, more: str = "") -> None:
    """`service.toml` of a service on loopback, and its pipeline."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.toml").write_text(
        'description = "Tests."\noutputs = []\n[remote]\nquiet_seconds = 1\nlevels = ["L4-L5"]\n'
    )
    (folder / "service.toml").write_text(
        f'port = {page}\npipeline = "own.toml"\n{more}\n[dicom]\nport = {node}\n'
    )


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def dcmtk(name: str) -> str:
    """A program of dcmtk, not the one of the same name that pynetdicom brings."""
    places = [Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep)]
    found = next((one for one in places if one.is_file() and not _is_script(one)), None)
    if found is None:
        reason = f"no {name} of dcmtk: .ci/run installs it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return str(found)


@dataclass
class Killable:
    """A service that measures by the stand-in, started and killed as often as one likes.

    Attributes:
        nursery: a process with all libraries loaded, which forks into the service: a start takes a
            tenth of a second then.
    """

    nursery: subprocess.Popen[str]
    pid: int = 0

    def start(self) -> None:
        """Start the service; returns when it listens."""
        self._say("start")
        self.pid = int(self._hear())
        assert "page is at" in self._hear()

    def kill(self) -> None:
        """End it at once; returns when it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert self._hear() == "gone"

    def _say(self, word: str) -> None:
        assert self.nursery.stdin is not None
        self.nursery.stdin.write(f"{word}\n")
        self.nursery.stdin.flush()

    def _hear(self) -> str:
        assert self.nursery.stdout is not None
        return self.nursery.stdout.readline().strip()


@contextmanager
def killable(folder: Path) -> Iterator[Killable]:
    """A service on a folder, not yet started; killed at the end if it runs."""
    here = Path(__file__).parent
    with subprocess.Popen(
        [sys.executable, "-c", "import service_studies; service_studies.nurse()", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"},
    ) as nursery:
        made = Killable(nursery)
        try:
            yield made
        finally:
            if made.pid:
                with suppress(ProcessLookupError):
                    os.kill(made.pid, signal.SIGKILL)
            nursery.kill()


def nurse() -> None:
    """`main` of the nursery: a line on standard input starts the service once more."""
    import distributed  # noqa: F401 - what is loaded here need not be loaded at each start

    from mri_resorb.service.web.app import create_app  # noqa: F401

    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            serve(Path(sys.argv[1]), tell=lambda line: print(line, flush=True), compare=stand_in)
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("gone", flush=True)
