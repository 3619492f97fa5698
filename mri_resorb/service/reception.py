"""One DICOM instance comes in: looked at, on disk, and noted, in this order, or refused.

What comes by the DICOM node, by upload and from the PACS goes this one way. When `receive` returns,
the file, its name and its row are on disk; a file without a row, left by a sudden end, is one that
nobody was told of, and is removed at the next start.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.filereader import read_dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from mri_resorb.errors import RefusedInstanceError
from mri_resorb.io.attributes import text_of
from mri_resorb.io.dicom import find_frames, quiet_pydicom
from mri_resorb.io.frames import Header
from mri_resorb.service import audit
from mri_resorb.service.store import Store, new_id, sync_folder
from mri_resorb.service.studies import (
    Instance,
    Origin,
    StudyFacts,
    add_instance,
    find_instance,
    study_folder,
    study_for,
)

STORAGE_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
)
"""MR Image, Enhanced MR Image and Legacy Converted Enhanced MR Image Storage."""

LONGEST_TEXT = 64
"""Of a UID and of a PatientID (PS3.5 6.2, UI and LO)."""

_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*", re.ASCII)

Deidentify = Callable[[pydicom.Dataset], pydicom.Dataset]


@dataclass(frozen=True)
class Received:
    """What became of an instance that was taken.

    Attributes:
        study: id of the study it belongs to.
        new: False where the very same was there already.
    """

    study: str
    new: bool


def receive(
    store: Store,
    content: bytes,
    *,
    sender: str,
    origin: Origin,
    deidentify: Deidentify | None = None,
) -> Received:
    """Take an instance, durably.

    Args:
        content: a DICOM file (PS3.10).
        sender: AE title, account or `service`, for the audit log.
        deidentify: applied before anything is kept.

    Raises:
        RefusedInstanceError: not an MR image of DICOM, damaged, or another object is held under
            its UID; the message names nobody.
        OSError, sqlite3.Error: the disk refused; nothing is kept.
    """
    _check_file(content)
    if deidentify is not None:
        content = _deidentified(content, deidentify)
    incoming = store.folder / "incoming" / f"{new_id()}.dcm"
    try:
        with incoming.open("xb") as file:
            file.write(content)
            file.flush()
            header, sop_uid = _read(incoming)
            os.fsync(file.fileno())
        return _keep(
            store, incoming, header, sop_uid, _digest(content), sender=sender, origin=origin
        )
    finally:
        incoming.unlink(missing_ok=True)


def clear_unnoted(store: Store) -> None:
    """Remove files that a sudden end left without a row; before anything is received."""
    for file in (store.folder / "incoming").iterdir():
        file.unlink()
    with store.reading() as connection:
        studies = {row["id"] for row in connection.execute("SELECT id FROM studies")}
        noted = {
            (row["study"], row["file"])
            for row in connection.execute("SELECT study, file FROM instances")
        }
    for folder in (store.folder / "studies").iterdir():
        if folder.name not in studies:
            shutil.rmtree(folder)
            continue
        for file in folder.iterdir():
            if (folder.name, file.name) not in noted:
                file.unlink()


def _check_file(content: bytes) -> None:
    if content[128:132] != b"DICM":
        raise RefusedInstanceError("It is not a DICOM file.")
    file = io.BytesIO(content)
    file.seek(132)
    try:
        meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != 2)
        is_deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    except Exception as error:  # pydicom raises whatever a broken file leads it to
        raise RefusedInstanceError("It is damaged: its header cannot be read.") from error
    if is_deflated:  # to read its header, all of it would be inflated, to whatever size that has
        raise RefusedInstanceError("It is deflated as a whole; send it in another transfer syntax.")


def _digest(content: bytes) -> str:
    """SHA-256 of the data set; the meta information before it differs from sender to sender."""
    length_of_meta = 144
    if content[132:140] == b"\x02\x00\x00\x00UL\x04\x00":
        length_of_meta += int.from_bytes(content[140:144], "little")
    else:
        length_of_meta = 132
    return hashlib.sha256(content[length_of_meta:]).hexdigest()


def _read(path: Path) -> tuple[Header, str]:
    """The header of a whole MR image, and its SOP Instance UID."""
    with quiet_pydicom():
        try:
            named = pydicom.dcmread(
                path, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True
            )
            sop_class, sop_uid = text_of(named, "SOPClassUID"), text_of(named, "SOPInstanceUID")
            stated = text_of(named.file_meta, "MediaStorageSOPInstanceUID")
        except Exception as error:  # pydicom raises whatever a broken file leads it to
            raise RefusedInstanceError("It is damaged: its header cannot be read.") from error
    if sop_class not in STORAGE_CLASSES:
        raise RefusedInstanceError("It is not an MR image.")
    found = find_frames([path])
    if found.damaged:
        raise RefusedInstanceError("It is cut off or damaged.")
    if not found.frames:
        raise RefusedInstanceError("It is not an MR image: it is in colour.")
    header = found.frames[0].header
    for uid in (sop_uid, header.study, header.series):
        if len(uid) > LONGEST_TEXT or not _UID.fullmatch(uid):
            raise RefusedInstanceError("It has no valid instance, series or study UID.")
    if stated != sop_uid:
        raise RefusedInstanceError("Its data set is not the object that it was announced as.")
    if len(header.patient_id) > LONGEST_TEXT or not header.patient_id.isprintable():
        raise RefusedInstanceError("Its PatientID is longer than DICOM allows, or not text.")
    return header, sop_uid


def _keep(
    store: Store,
    incoming: Path,
    header: Header,
    sop_uid: str,
    sha256: str,
    *,
    sender: str,
    origin: Origin,
) -> Received:
    facts = StudyFacts(
        uid=header.study,
        patient_id=header.patient_id,
        patient_name=header.patient_name,
        birth_date=header.birth_date,
        sex=header.sex,
        age_years=header.age_years,
        date=header.acquired,
    )
    with store.transaction() as connection:
        held = find_instance(connection, sop_uid)
        if held is None:
            study = study_for(connection, facts, sender=sender, origin=origin)
            folder = study_folder(store, study)
            folder.mkdir(mode=0o700, exist_ok=True)
            # A name that follows from the UID: the same object is never there twice.
            name = f"{hashlib.sha256(sop_uid.encode()).hexdigest()[:32]}.dcm"
            incoming.replace(folder / name)
            sync_folder(folder)
            sync_folder(folder.parent)
            add_instance(connection, Instance(sop_uid, study, name, sha256))
            return Received(study, new=True)
        if held.sha256 == sha256:
            return Received(held.study, new=False)
        audit.append(
            connection,
            who=sender,
            action="refused",
            subject=held.study,
            details={"reason": "another object is held under the same UID"},
        )
    raise RefusedInstanceError("Another object is held under the same UID.")


def _deidentified(content: bytes, deidentify: Deidentify) -> bytes:
    try:
        with quiet_pydicom():
            made: Any = deidentify(pydicom.dcmread(io.BytesIO(content)))
            file = io.BytesIO()
            made.save_as(file, enforce_file_format=True)
    except Exception as error:  # as above
        raise RefusedInstanceError("It cannot be de-identified.") from error
    return file.getvalue()
