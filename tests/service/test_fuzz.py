"""Damaged and hostile DICOM: refused or kept, never a crash, a flood of memory, or a loss.

`python -m benchmarks.fuzz` runs more of it, with other seeds.
"""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from traceback import format_tb
from zipfile import ZipFile

import pytest
from mutations import DAY, conversation, deflated_bomb, disturbed, mutated
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import MRImageStorage, Verification
from service_studies import as_file, free_port, received, study, wait_for
from web_service import running

from mri_resorb.errors import RefusedInstanceError
from mri_resorb.service.node import SUCCESS, listening
from mri_resorb.service.reception import receive
from mri_resorb.service.settings import DicomNode, Limits, Settings
from mri_resorb.service.store import Store, open_store

MOST_GROWTH_MB = 80
"""Allocators keep some; a file that took memory for good would take far more in thousands."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path / "service")
    yield store
    store.close()


def resident_mb() -> float:
    """Memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def peak_mb() -> float:
    """The most that it ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def kept(store: Store) -> dict[str, str]:
    """SHA-256 of each file that a row names, by SOP Instance UID; no file is without a row."""
    with store.reading() as connection:
        rows = connection.execute("SELECT sop_uid, study, file FROM instances").fetchall()
    places = {row["sop_uid"]: store.folder / "studies" / row["study"] / row["file"] for row in rows}
    there = {path for path in (store.folder / "studies").rglob("*") if path.is_file()}
    assert there == set(places.values())
    assert not list((store.folder / "incoming").iterdir())
    return {uid: hashlib.sha256(place.read_bytes()).hexdigest() for uid, place in places.items()}


def test_ten_thousand_are_refused_or_kept_and_cost_no_memory(store: Store) -> None:
    good = study(DAY)
    received(store, good)
    before = kept(store)
    for content in mutated(500, seed=0):  # what is loaded once is loaded
        take(store, content)
    resident, peak = resident_mb(), peak_mb()
    taken = sum(take(store, content) for content in mutated(9_500, seed=1))
    assert 0 < taken < 9_500
    assert resident_mb() - resident < MOST_GROWTH_MB
    assert peak_mb() - peak < 3 * MOST_GROWTH_MB
    after = kept(store)
    assert before.items() <= after.items()
    received(store, study(DAY, patient="P-18"))


def take(store: Store, content: bytes) -> bool:
    try:
        receive(store, content, sender="MR1", origin="received")
    except RefusedInstanceError:
        return False
    return True


def test_a_small_file_that_inflates_to_a_large_one_is_refused(store: Store) -> None:
    bomb = deflated_bomb(megabytes=600)
    assert len(bomb) < 2**20
    peak = peak_mb()
    assert not take(store, bomb)
    assert peak_mb() - peak < 200


def test_over_the_wire_none_is_taken_for_good_and_the_next_is_heard(store: Store) -> None:
    good = study(DAY)
    received(store, good)
    before = kept(store)
    port = free_port()
    with listening(store, DicomNode(port=port)):
        entity = AE(ae_title="MR1")
        entity.add_requested_context(MRImageStorage)
        association = entity.associate("127.0.0.1", port)
        for content in mutated(200, seed=2):
            data_set = content[144 + int.from_bytes(content[140:144], "little") :]
            if association.is_established and data_set:
                assert announced(association, data_set) != SUCCESS
            if not association.is_established:  # the node may end one, and takes the next
                association = entity.associate("127.0.0.1", port)
                assert association.is_established
        association.release()
        assert echoed(port)
    assert before.items() <= kept(store).items()


def announced(association: Association, data_set: bytes) -> int | None:
    """The answer to bytes that are said to be an instance which they are not; None for an end."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = MRImageStorage
    request.AffectedSOPInstanceUID = "1.2.3"
    request.Priority = 0
    request.DataSet = BytesIO(data_set)
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return None if answer is None else answer.Status


def test_bytes_that_are_no_association_do_not_stop_the_node(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[str] = []  # pynetdicom's own end the thread of their connection alone
    monkeypatch.setattr(
        threading, "excepthook", lambda told: faults.extend(format_tb(told.exc_traceback))
    )
    port = free_port()
    asking, saying = conversation(as_file(study(DAY)[0]))
    with listening(store, DicomNode(port=port)):
        say(port, asking, saying, patience_s=30)
        assert len(kept(store)) == 1  # so it is one that is understood
        for said in disturbed(saying, 40, seed=3):
            say(port, asking, said)
        for asked in disturbed(asking, 40, seed=4):
            say(port, asked, saying)
        assert wait_for(lambda: echoed(port))
    assert not [place for place in faults if "/mri_resorb/" in place]
    assert len(kept(store)) >= 1


def say(port: int, asking: bytes, saying: bytes, *, patience_s: float = 0.3) -> None:
    """Ask for an association, say the rest, and release it, hearing each answer that comes.

    Args:
        patience_s: of half a sentence the node awaits the rest, and answers nothing.
    """
    releasing = bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0))
    with (
        suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", port), timeout=patience_s) as connection,
    ):
        for said in (asking, saying, releasing):
            connection.sendall(said)
            with suppress(TimeoutError):
                connection.recv(65536)


def echoed(port: int) -> bool:
    entity = AE(ae_title="MR1")
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", port)
    if not association.is_established:
        return False
    answer = association.send_c_echo()
    association.release()
    return bool(answer.Status == SUCCESS)


def test_uploads_are_answered_and_never_with_a_fault_of_ours(tmp_path: Path) -> None:
    settings = Settings(limits=Limits(requests_per_minute=100_000))
    with running(tmp_path, settings) as service:
        service.as_local()
        for content in mutated(100, seed=4):
            answer = service.client.post(
                "/api/studies", content=content, headers={"Content-Type": "application/dicom"}
            )
            assert answer.status_code in (200, 413, 422, 400), answer.text
        packed = BytesIO()
        with ZipFile(packed, "w") as archive:
            for number, content in enumerate(mutated(300, seed=5)):
                archive.writestr(str(number), content)
            archive.writestr("good", as_file(study(DAY)[0]))
        whole = packed.getvalue()
        answer = service.client.post(
            "/api/studies", content=whole, headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 200
        assert answer.json()["stored"] > 0
        for content in disturbed(whole, 60, seed=6):
            answer = service.client.post(
                "/api/studies", content=content, headers={"Content-Type": "application/zip"}
            )
            assert answer.status_code < 500, answer.text
        kept(service.store)
