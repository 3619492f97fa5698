"""The DICOM node, spoken to by other people's programs: what it answers is true."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dicom_files
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, Verification
from service_studies import as_file, dcmtk, free_port, study, wait_for

from mri_resorb.errors import SettingsError
from mri_resorb.service.node import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SUCCESS, listening
from mri_resorb.service.settings import DicomNode, Peer
from mri_resorb.service.store import Store, open_store

DAY = date(2020, 5, 17)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "service")


@pytest.fixture
def port(store: Store) -> Iterator[int]:
    port = free_port()
    with listening(store, DicomNode(port=port)):
        yield port


def stored(store: Store) -> list[tuple[str, int]]:
    """Each instance with the size of its file."""
    with store.reading() as connection:
        rows = connection.execute("SELECT study, file, sop_uid FROM instances").fetchall()
    return [
        (row["sop_uid"], (store.folder / "studies" / row["study"] / row["file"]).stat().st_size)
        for row in rows
    ]


def test_dcmtk_is_echoed_and_its_study_is_kept(store: Store, port: int, tmp_path: Path) -> None:
    sent = study(DAY)
    paths = dicom_files.write(sent, tmp_path / "sent")
    called = ("-aec", "MRI_RESORB", "127.0.0.1", str(port))
    subprocess.run([dcmtk("echoscu"), *called], check=True)
    subprocess.run([dcmtk("storescu"), *called, *map(str, paths)], check=True)
    assert {uid for uid, _ in stored(store)} == {str(one.SOPInstanceUID) for one in sent}


def send(port: int, dataset: dicom_files.Dataset, *, context: str = MRImageStorage) -> int | None:
    """The status that an instance is answered with; None where none comes."""
    as_file(dataset)
    entity = AE(ae_title="MR1")
    entity.add_requested_context(context, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    answer = association.send_c_store(dataset)
    association.release()
    return answer.get("Status")


def test_the_same_twice_is_success_and_another_under_its_uid_is_not(
    store: Store, port: int
) -> None:
    dataset = study(DAY)[0]
    assert [send(port, dataset), send(port, dataset)] == [SUCCESS, SUCCESS]
    dataset.EchoTime = 17
    assert send(port, dataset) == CANNOT_UNDERSTAND
    assert len(stored(store)) == 1


def test_a_full_disk_is_answered_as_out_of_resources_and_later_as_success(
    store: Store, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    dataset = study(DAY)[0]
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        assert send(port, dataset) == OUT_OF_RESOURCES
    assert stored(store) == []
    assert send(port, dataset) == SUCCESS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a file system")
def test_a_disk_that_is_really_full_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        full = open_store(small / "service")
        node = DicomNode(port=free_port())
        grid = dicom_files.Grid(slices=40, rows=128, columns=128)
        with listening(full, node):
            answers = {
                str(one.SOPInstanceUID): send(node.port, one) for one in dicom_files.series(grid)
            }
        kept = {uid for uid, status in answers.items() if status == SUCCESS}
        assert set(answers.values()) == {SUCCESS, OUT_OF_RESOURCES}
        assert {uid for uid, size in stored(full) if size > 2 * 128 * 128} == kept
        full.close()
    finally:
        subprocess.run(["umount", small], check=True)


def test_what_is_no_mr_image_is_not_negotiated_or_not_understood(store: Store, port: int) -> None:
    entity = AE()
    entity.add_requested_context(CTImageStorage)
    assert not entity.associate("127.0.0.1", port).is_established
    dataset = study(DAY)[0]
    del dataset.PixelData
    assert send(port, dataset) == CANNOT_UNDERSTAND
    assert stored(store) == []


def test_half_an_association_keeps_what_was_acknowledged_and_the_node_goes_on(
    store: Store, port: int
) -> None:
    first, second = study(DAY)[:2]
    for one in (first, second):
        as_file(one)
    entity = AE()
    entity.add_requested_context(MRImageStorage, first.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port)
    assert association.send_c_store(first).Status == SUCCESS
    association.dul.socket.socket.sendall(b"\x04\x00\x00\x01\x00\x00half of a PDU")
    association.dul.socket.socket.shutdown(socket.SHUT_RDWR)
    association.abort()
    assert send(port, second) == SUCCESS
    assert len(stored(store)) == 2


def test_garbage_on_the_socket_does_not_stop_the_node(store: Store, port: int) -> None:
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\xff\xff\xff\xff", b"\0" * 5000):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(garbage)
    assert send(port, study(DAY)[0]) == SUCCESS


@pytest.mark.parametrize(
    ("peer", "may"),
    [
        (Peer(ae_title="MR1"), True),
        (Peer(ae_title="MR1", address="127.0.0.1"), True),
        (Peer(ae_title="MR1", address="192.0.2.7"), False),
        (Peer(ae_title="MR2", address="127.0.0.1"), False),
    ],
)
def test_only_peers_may_connect(store: Store, peer: Peer, may: bool) -> None:
    node = DicomNode(port=free_port(), peers=(peer,))
    with listening(store, node):
        entity = AE(ae_title="MR1")
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", node.port)
        assert association.is_established == may
        assert association.is_rejected != may
        association.release()


def test_a_port_that_is_taken_is_said(store: Store, port: int) -> None:
    with pytest.raises(SettingsError, match=str(port)), listening(store, DicomNode(port=port)):
        pass


def test_when_the_block_is_left_nothing_listens(store: Store) -> None:
    node = DicomNode(port=free_port())
    with listening(store, node):
        assert send(node.port, study(DAY)[0]) == SUCCESS

    def is_closed() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", node.port)) != 0

    assert wait_for(is_closed)
