"""The PACS: signed results go there by C-STORE or STOW-RS, earlier studies come by QIDO/WADO-RS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom
from pydicom.dataset import Dataset

from mri_resorb.errors import PacsError
from mri_resorb.io.attributes import Values, plain_values, text_of
from mri_resorb.io.dicom import quiet_pydicom
from mri_resorb.service.settings import DicomwebPacs, DimsePacs, Pacs

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient

TIMEOUT_SECONDS = 30
STORED = frozenset({0x0000, 0xB000, 0xB006, 0xB007})
"""Success, and warnings that say what of it was changed or left out (PS3.4 B.2.3)."""

Send = Callable[[Path], None]
"""Sends one DICOM file; raises PacsError where the PACS did not take it."""


@dataclass(frozen=True)
class HeldStudy:
    """A study that the PACS holds."""

    uid: str
    date: Date
    description: str


@contextmanager
def sending(pacs: Pacs, files: Sequence[Path], *, ae_title: str) -> Iterator[Send]:
    """A connection by which these files can be sent.

    Args:
        ae_title: our own.

    Raises:
        PacsError: the PACS cannot be reached, or does not take such objects.
    """
    if pacs.dimse is not None:
        with _associated(pacs.dimse, files, ae_title=ae_title) as send:
            yield send
    elif pacs.dicomweb is not None:
        client = _client(pacs.dicomweb)
        yield lambda file: _store(client, file)
    else:
        raise PacsError("No PACS is set: name one in service.toml.")


def find_studies(pacs: DicomwebPacs, *, patient_id: str) -> list[HeldStudy]:
    """MR studies of a person, those with a date alone.

    Raises:
        PacsError: the PACS cannot be reached, or answers something else.
    """
    if any(mark in patient_id for mark in "*?\\"):  # they would match other people's
        return []
    with _told_of("asked for earlier studies"):
        answers = _client(pacs).search_for_studies(
            search_filters={"PatientID": patient_id, "ModalitiesInStudy": "MR"},
            fields=["StudyDescription"],
        )
        found = [Dataset.from_json(answer) for answer in answers]
    return [
        HeldStudy(text_of(one, "StudyInstanceUID"), date, text_of(one, "StudyDescription"))
        for one in found
        if text_of(one, "PatientID") == patient_id
        and (date := Values(plain_values(one)).date("StudyDate")) is not None
    ]


def fetch_study(pacs: DicomwebPacs, study_uid: str) -> Iterator[bytes]:
    """The MR instances of a study, each as a DICOM file.

    Raises:
        PacsError: the PACS cannot be reached, or sends something else.
    """
    with _told_of("asked for a study"), quiet_pydicom():
        client = _client(pacs)
        series = client.search_for_series(study_uid, search_filters={"Modality": "MR"})
        for one in series:
            uid = text_of(Dataset.from_json(one), "SeriesInstanceUID")
            for instance in client.iter_series(
                study_uid, uid, media_types=(("application/dicom", "*"),)
            ):
                file = BytesIO()
                instance.save_as(file, enforce_file_format=True)
                yield file.getvalue()


@contextmanager
def _associated(pacs: DimsePacs, files: Sequence[Path], *, ae_title: str) -> Iterator[Send]:
    from pynetdicom import AE

    entity = AE(ae_title=ae_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_SECONDS
    entity.connection_timeout = TIMEOUT_SECONDS
    for file in files:
        meta = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[]).file_meta
        entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    association = entity.associate(pacs.host, pacs.port, ae_title=pacs.ae_title)
    if not association.is_established:
        raise PacsError(
            f"The PACS does not answer at {pacs.host}:{pacs.port}, or rejects {ae_title}."
        )

    def send(file: Path) -> None:
        try:
            answer = association.send_c_store(str(file))
        except (ValueError, RuntimeError) as error:
            raise PacsError(f"The PACS does not take {file.name}: no such objects.") from error
        status = answer.get("Status")
        if status is None:
            raise PacsError("The PACS ended the connection.")
        if status not in STORED:
            raise PacsError(f"The PACS refused {file.name} with status 0x{status:04X}.")

    try:
        yield send
    finally:
        association.release()


def _client(pacs: DicomwebPacs) -> DICOMwebClient:
    from dicomweb_client.api import DICOMwebClient
    from requests import Session

    for name in ("dicomweb_client", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # their lines hold UIDs and patient IDs
    session = Session()
    session.trust_env = False
    if pacs.user is not None:
        password = "" if pacs.password_file is None else _password(pacs.password_file)
        session.auth = (pacs.user, password)
    client = DICOMwebClient(pacs.url, session=session, timeout=TIMEOUT_SECONDS)
    client.set_http_retry_params(retry=False)  # who calls tries again
    return client


def _password(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PacsError(f"{file}, which holds the PACS's password, cannot be read.") from error


def _store(client: DICOMwebClient, file: Path) -> None:
    with _told_of(f"given {file.name}"), quiet_pydicom():
        answer: Any = client.store_instances([pydicom.dcmread(file)])
        if answer.get("FailedSOPSequence"):
            reason = answer.FailedSOPSequence[0].get("FailureReason", 0)
            raise PacsError(f"The PACS refused {file.name} with reason 0x{reason:04X}.")


@contextmanager
def _told_of(what: str) -> Iterator[None]:
    """Turn what the libraries raise into one sentence; theirs hold addresses with UIDs."""
    from requests import HTTPError, RequestException

    try:
        yield
    except PacsError:
        raise
    except HTTPError as error:
        code = "an error" if error.response is None else f"HTTP {error.response.status_code}"
        raise PacsError(f"The PACS, {what}, answered {code}.") from error
    except RequestException as error:
        raise PacsError(f"The PACS, {what}, cannot be reached.") from error
    except Exception as error:  # what is no DICOM JSON or multipart leads to any exception
        raise PacsError(f"The PACS, {what}, answered what cannot be read.") from error
