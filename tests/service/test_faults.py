"""What was acknowledged is there at the end, and each job ends once, whenever it is killed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage
from service_studies import (
    Killable,
    as_file,
    free_port,
    killable,
    study,
    wait_for,
    write_settings,
)

from mri_resorb.service import audit
from mri_resorb.service.cases import all_cases, result_folder
from mri_resorb.service.store import open_store

PATIENTS, ASSOCIATIONS, SEED = 25, 4, 20260301
KILLS, KILLS_WHILE_RECEIVING = 20, 14
DAYS = (date(2020, 1, 10), date(2020, 7, 1))


@dataclass
class Modality:
    """Sends studies over one association at a time, again and again until each is acknowledged."""

    port: int
    left: list[Dataset]
    acknowledged: list[str] = field(default_factory=list)

    def send_all(self) -> None:
        entity = AE(ae_title="MR1")
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 10
        entity.add_requested_context(MRImageStorage, self.left[0].file_meta.TransferSyntaxUID)
        while self.left:
            association = entity.associate("127.0.0.1", self.port)
            while self.left and association.is_established:
                answer = association.send_c_store(self.left[0])
                if answer.get("Status") != 0x0000:
                    break
                self.acknowledged.append(str(self.left.pop(0).SOPInstanceUID))
            association.release() if association.is_established else association.abort()


def made_studies() -> list[list[Dataset]]:
    made = [
        study(day, patient=f"P-{number}", StudyID=str(20 * (number % 4)))
        for number in range(PATIENTS)
        for day in DAYS
    ]
    for datasets in made:
        for dataset in datasets:
            as_file(dataset)
    return made


def counted(folder: Path, query: str) -> int:
    database = folder / "service.db"
    if not database.exists():
        return 0
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        return int(connection.execute(query).fetchone()[0])


def kill_when(service: Killable, *, reached: int, folder: Path, query: str) -> None:
    """Kill the service as soon as so many are counted, and start it again."""
    wait_for(lambda: counted(folder, query) >= reached)
    service.kill()
    service.start()


def test_killed_twenty_times_while_fifty_studies_come_nothing_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    folder, port = tmp_path / "service", free_port()
    write_settings(folder, page=free_port(), node=port)
    studies = made_studies()
    sent = {str(one.SOPInstanceUID): as_file(one) for datasets in studies for one in datasets}
    modalities = [
        Modality(port, [one for datasets in studies[k::ASSOCIATIONS] for one in datasets])
        for k in range(ASSOCIATIONS)
    ]
    drawn = np.random.default_rng(SEED)
    while_receiving = sorted(drawn.integers(1, len(sent), size=KILLS_WHILE_RECEIVING))
    while_measuring = sorted(drawn.integers(0, PATIENTS, size=KILLS - KILLS_WHILE_RECEIVING))
    with killable(folder) as service, ThreadPoolExecutor(ASSOCIATIONS) as pool:
        service.start()
        sending = [pool.submit(modality.send_all) for modality in modalities]
        for count in while_receiving:
            kill_when(
                service, reached=int(count), folder=folder, query="SELECT count(*) FROM instances"
            )
        for one in sending:
            one.result()
        for count in while_measuring:
            ended = "SELECT count(*) FROM jobs WHERE ended_at IS NOT NULL"
            kill_when(service, reached=int(count), folder=folder, query=ended)
        left = (
            "SELECT (SELECT count(*) FROM studies WHERE state = 'receiving')"
            " + (SELECT count(*) FROM cases WHERE state IN ('queued', 'running'))"
        )
        wait_for(lambda: counted(folder, left) == 0)
        service.kill()
    acknowledged = [uid for modality in modalities for uid in modality.acknowledged]
    assert sorted(acknowledged) == sorted(sent)
    check_instances(folder, sent)
    check_jobs(folder)


def check_instances(folder: Path, sent: dict[str, bytes]) -> None:
    """Each is there once, as it was sent, and noted once."""
    files = list((folder / "studies").rglob("*.dcm"))
    held = Counter(str(pydicom.dcmread(file).SOPInstanceUID) for file in files)
    assert held == Counter(list(sent))
    for file in files:
        read = pydicom.dcmread(file)
        original = pydicom.dcmread(BytesIO(sent[str(read.SOPInstanceUID)]))
        assert read == original
    assert counted(folder, "SELECT count(*) FROM instances") == len(sent)
    assert counted(folder, "SELECT count(*) FROM studies") == 2 * PATIENTS


def check_jobs(folder: Path) -> None:
    """Each person's pair is measured, each job has ended once, and the record is whole."""
    store = open_store(folder)
    cases = all_cases(store)
    assert len({case.follow_up.facts.patient_id for case in cases}) == PATIENTS == len(cases)
    for case in cases:
        assert case.state == "measured", case.message
        assert case.baseline is not None
        assert case.baseline.facts.patient_id == case.follow_up.facts.patient_id
        assert (case.baseline.facts.date, case.follow_up.facts.date) == DAYS
        shown = result_folder(store, case)
        assert shown is not None
        assert (shown / "result.json").is_file()
    with store.reading() as connection:
        rows = connection.execute("SELECT * FROM jobs").fetchall()
        became = connection.execute(
            "SELECT case_id, count(*) AS times FROM changes WHERE state = 'measured'"
            " GROUP BY case_id"
        )
        times = {row["case_id"]: row["times"] for row in became}
        assert audit.verify(connection).broken_at is None
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert all(row["ended_at"] is not None for row in rows)
    ends = Counter(row["case_id"] for row in rows if row["outcome"] == "measured")
    assert times == ends
    store.close()
