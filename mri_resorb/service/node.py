"""The DICOM node: answers C-ECHO, and takes MR images by C-STORE.

Success is answered when the file and its row are on disk. What the disk refuses is answered with
0xA700 (out of resources, PS3.4 B.2.3), so that the sender keeps it and tries again; what is no MR
image, is damaged, or is not what it was announced as, with 0xC000 (cannot understand).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from mri_resorb.errors import RefusedInstanceError, SettingsError
from mri_resorb.service.reception import STORAGE_CLASSES, Deidentify, receive
from mri_resorb.service.settings import DicomNode
from mri_resorb.service.store import Store

SUCCESS, OUT_OF_RESOURCES, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xC000
MOST_ASSOCIATIONS = 20
SILENCE_SECONDS = 60
"""An association that says nothing for so long is ended."""
ASKING_SECONDS = 5
"""A connection that asks for no association for so long is ended: each takes the place of one."""

_SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
]
_REJECTED = (0x01, 0x01, 0x03)
"""Permanent, by the service user, calling AE title not recognised (PS3.8 9.3.4)."""

_log = logging.getLogger(__name__)


@contextmanager
def listening(
    store: Store, node: DicomNode, *, deidentify: Deidentify | None = None
) -> Iterator[None]:
    """Take studies while the block lasts, in threads of their own.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its lines name patients
    entity = AE(ae_title=node.ae_title)
    entity.maximum_associations = MOST_ASSOCIATIONS
    entity.network_timeout = entity.dimse_timeout = SILENCE_SECONDS
    entity.acse_timeout = ASKING_SECONDS
    entity.add_supported_context(Verification)
    for storage_class in STORAGE_CLASSES:
        entity.add_supported_context(storage_class, _SYNTAXES)
    handlers = [
        (evt.EVT_REQUESTED, _check_peer, [node]),
        (evt.EVT_C_ECHO, _echo),
        (evt.EVT_C_STORE, _store, [store, deidentify]),
    ]
    try:
        server = entity.start_server((node.host, node.port), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
    except OSError as error:
        raise SettingsError(
            f"The DICOM node cannot listen on {node.host}:{node.port}: {error.strerror}."
        ) from error
    try:
        yield
    finally:
        assert server is not None
        server.shutdown()
        entity.shutdown()


def _check_peer(event: evt.Event, node: DicomNode) -> None:
    title, address = _title(event), event.assoc.requestor.address
    allowed = not node.peers or any(
        peer.ae_title == title and peer.address in (None, address) for peer in node.peers
    )
    if not allowed:
        _log.warning("An association was rejected: its AE title or address is not among the peers.")
        event.assoc.acse.send_reject(*_REJECTED)
        event.assoc.kill()  # once the rejection is out


def _title(event: evt.Event) -> str:
    asked = event.assoc.requestor.primitive
    return "" if asked is None else str(asked.calling_ae_title).strip()


def _echo(_: evt.Event) -> int:
    return SUCCESS


def _store(event: evt.Event, store: Store, deidentify: Deidentify | None) -> int:
    try:
        receive(
            store,
            event.encoded_dataset(),
            sender=_title(event),
            origin="received",
            deidentify=deidentify,
        )
    except RefusedInstanceError as error:
        _log.warning("An instance was refused: %s", error)
        return CANNOT_UNDERSTAND
    except (OSError, sqlite3.Error, MemoryError) as error:
        _log.error("An instance could not be kept: %s.", type(error).__name__)
        return OUT_OF_RESOURCES
    return SUCCESS
