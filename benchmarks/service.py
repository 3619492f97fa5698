"""The reading service under load: four senders, real measuring, and a reader at the page meanwhile.

    python -m benchmarks.service [--patients 25]

`mri-resorb serve` is started on an empty folder. Four associations at once send two dated studies
of each patient (copies of the sample cases under other identities), while a reader opens the work
list and one case after the other, as the page does. Then, with nothing else to do, masks are
corrected.
What was sent, what came of it, and how long each answer took is printed and written.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

import httpx2
import numpy as np
import pydicom
from pydicom.uid import generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage

from mri_resorb.service.client import connected

SAMPLES = Path(__file__).parents[1] / "sample_data"
DATES = ("baseline", "follow_up")
ASSOCIATIONS = 4
PAUSE_S = 0.1
"""Between one look of the reader and the next; the page asks for several things in each."""
CORRECTED = 5
"""Cases whose masks are corrected, twice each."""
WIPED_VOXELS = 3
"""In each correction: few, since an empty mask is refused."""


@dataclass
class Answers:
    """How long each kind of answer took, seconds."""

    client: httpx2.Client
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def get(self, kind: str, path: str, *, missing: bool = False) -> httpx2.Response:
        """Ask for something; where it may be missing, 404 is an answer too."""
        began = time.perf_counter()
        answer = self.client.get(path)
        self.seconds[kind].append(time.perf_counter() - began)
        if not (missing and answer.status_code == 404):
            answer.raise_for_status()
        return answer


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def write_studies(folder: Path, *, patients: int) -> list[list[Path]]:
    """Two studies a patient, as files; those of each association."""
    samples = sorted(path for path in SAMPLES.iterdir() if path.is_dir())
    shares: list[list[Path]] = [[] for _ in range(ASSOCIATIONS)]
    for number in range(2 * patients):
        patient, date = divmod(number, 2)
        place = folder / f"{number:03d}"
        place.mkdir(parents=True)
        for path in sorted((samples[patient % len(samples)] / DATES[date]).rglob("*.dcm")):
            dataset = pydicom.dcmread(path)
            dataset.PatientID = f"LOAD-{patient}"
            for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                uid = generate_uid(entropy_srcs=[str(patient), str(dataset[word].value)])
                dataset[word].value = uid
            if "FrameOfReferenceUID" in dataset:
                dataset.FrameOfReferenceUID = generate_uid(
                    entropy_srcs=[str(patient), str(dataset.FrameOfReferenceUID)]
                )
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            file = place / f"{len(shares[number % ASSOCIATIONS]):06d}.dcm"
            dataset.save_as(file)
            shares[number % ASSOCIATIONS].append(file)
    return shares


def send(port: int, files: list[Path]) -> list[str]:
    """Send files over one association; the instances that were acknowledged."""
    entity = AE(ae_title="LOAD")
    first = pydicom.dcmread(files[0], stop_before_pixels=True)
    entity.add_requested_context(MRImageStorage, first.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    acknowledged = []
    for file in files:
        dataset = pydicom.dcmread(file)
        if association.send_c_store(dataset).Status == 0:
            acknowledged.append(str(dataset.SOPInstanceUID))
    association.release()
    return acknowledged


@contextmanager
def serving(folder: Path, *, page: int, node: int) -> Iterator[None]:
    """The service, in a process of its own as ever."""
    folder.mkdir()
    (folder / "own.toml").write_text(
        'description = "Load."\noutputs = ["pdf", "seg", "sr"]\n'
        '[remote]\nquiet_seconds = 5\nlevels = ["L4-L5"]\n'
    )
    (folder / "service.toml").write_text(
        f'port = {page}\npipeline = "own.toml"\n[dicom]\nport = {node}\n'
        "[limits]\nrequests_per_minute = 100000\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "mri_resorb.cli", "serve", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as service:
        assert service.stdout is not None
        assert "The page is at" in service.stdout.readline()
        try:
            yield
        finally:
            service.terminate()


def read_along(answers: Answers, *, until: Callable[[list[dict[str, object]]], bool]) -> None:
    """Look at the work list, and at a case that is to be read, again and again."""
    drawn = np.random.default_rng(0)
    answers.get("page", "/")
    while True:
        cases = answers.get("work list", "/api/cases").json()
        if until(cases):
            return
        measured = [case["id"] for case in cases if case["state"] == "measured"]
        if measured:
            look_at(answers, str(drawn.choice(measured)))
        time.sleep(PAUSE_S)


def look_at(answers: Answers, case: str) -> None:
    """All that the page asks for when a case is opened."""
    answers.get("case", f"/api/cases/{case}")
    answers.get("result", f"/api/cases/{case}/result")
    for date in DATES:
        answers.get("image", f"/api/cases/{case}/images/{date}")
        answers.get("mask", f"/api/cases/{case}/masks/{date}", missing=True)


def correct(answers: Answers, case: str) -> list[float]:
    """Two corrections of a case, as a reader makes them after opening it: seconds of each."""
    look_at(answers, case)
    time.sleep(5)  # nobody paints before having looked; the service has the case ready meanwhile
    revision = answers.get("case", f"/api/cases/{case}").json()["revision"]
    packed = answers.get("mask", f"/api/cases/{case}/masks/baseline").content
    header = packed[:2] == b"\x1f\x8b"
    content = bytearray(gzip.decompress(packed) if header else packed)
    values = np.frombuffer(content, np.float32, offset=352)
    seconds = []
    for _ in range(2):
        values[np.flatnonzero(values >= 0.5)[:WIPED_VOXELS]] = 0
        began = time.perf_counter()
        answer = answers.client.put(
            f"/api/cases/{case}/masks/baseline",
            content=bytes(content),
            headers={"If-Match": f'"{revision}"', "Content-Type": "application/octet-stream"},
        )
        seconds.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        revision = answer.json()["case"]["revision"]
    return seconds


def milliseconds(seconds: list[float]) -> dict[str, int]:
    """Number, median, 95th percentile and maximum."""
    found = {"median": np.median(seconds), "p95": np.percentile(seconds, 95), "most": max(seconds)}
    return {"answers": len(seconds), **{name: round(1000 * s) for name, s in found.items()}}


def measure(root: Path, *, patients: int) -> dict[str, object]:
    """The whole of it."""
    shares = write_studies(root / "sent", patients=patients)
    page, node = free_port(), free_port()
    began = time.perf_counter()

    def all_done(cases: list[dict[str, object]]) -> bool:
        assert time.perf_counter() - began < 3600, "the load takes over an hour"
        waiting = [case for case in cases if case["state"] in ("queued", "running")]
        return len(cases) == patients and not waiting

    with (
        serving(root / "service", page=page, node=node),
        ProcessPoolExecutor(ASSOCIATIONS) as senders,
        connected(f"http://127.0.0.1:{page}", token=None) as client,
    ):
        began = time.perf_counter()
        sending = [senders.submit(send, node, files) for files in shares]
        under_load = Answers(client)
        read_along(under_load, until=all_done)
        took_s = time.perf_counter() - began
        acknowledged = [uid for one in sending for uid in one.result()]
        cases = client.get("/api/cases").json()
        idle = Answers(client)
        herniated = [case["id"] for case in cases if case["resorption_percent"]]
        corrections = [correct(idle, case) for case in herniated[:CORRECTED]]
    held = [
        str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)
        for file in (root / "service" / "studies").rglob("*.dcm")
    ]
    everything = [one for kind in under_load.seconds.values() for one in kind]
    return {
        "studies": 2 * patients,
        "instances sent": sum(map(len, shares)),
        "acknowledged": len(acknowledged),
        "lost": len(set(acknowledged) - set(held)),
        "held twice": len(held) - len(set(held)),
        "cases": {
            state: sum(case["state"] == state for case in cases)
            for state in sorted({case["state"] for case in cases})
        },
        "seconds from the first image to the last case": round(took_s, 1),
        "answers under this load, ms": {
            "all": milliseconds(everything),
            **{kind: milliseconds(seconds) for kind, seconds in under_load.seconds.items()},
        },
        "first correction of a case, seconds": [round(first, 2) for first, _ in corrections],
        "the next, seconds": [round(second, 2) for _, second in corrections],
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=25)
    parser.add_argument("--output", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), patients=chosen.patients)
    text = json.dumps(figures, indent=1)
    print(text)
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / "service.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
