"""What the new DICOM objects of a case have in common: their study, their UIDs, their codes."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from copy import deepcopy

import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID

import mri_resorb
from mri_resorb import terminology
from mri_resorb.errors import DicomSourceError
from mri_resorb.io.attributes import Values, plain_values
from mri_resorb.io.dicom import quiet_pydicom
from mri_resorb.io.results import Which
from mri_resorb.model import CaseResult, Scan, TimePoint

MANUFACTURER = "mri_resorb maintainers"
MODEL_NAME = "mri_resorb"
SERIAL_NUMBER = "none"
"""Software has none, and General Equipment of derived objects requires one."""

HERNIATED_STRUCTURE = Code(*terminology.HERNIATED_STRUCTURE)
DISC = {level: Code(*code) for level, code in terminology.DISC.items()}

TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "mri_resorb/dicom")
_IDENTIFYING = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_MAY_BE_EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""Attributes of type 2 of the Patient and General Study modules."""


def point_of(case: CaseResult, which: Which) -> TimePoint:
    """One of the two dates."""
    return case.baseline if which == "baseline" else case.follow_up


@quiet_pydicom()
def source_headers(scan: Scan) -> list[Dataset]:
    """The headers of the scan's files, in the order of its slices, fit to be copied from.

    What the standard lets be empty is there, and empty where the files leave it out or hold
    something that is not of its kind.

    Raises:
        DicomSourceError: the scan does not come from DICOM files, or they lack what ties a new
            object to its study and its images.
    """
    if not scan.frames:
        raise DicomSourceError(
            "DICOM objects (SEG, SR, PDF) belong to the study that they describe, and a volume "
            "file names none: give the DICOM study, or a pipeline without these outputs."
        )
    headers = {id(frame.header): frame.header for frame in scan.frames}
    return [_completed(header) for header in headers.values()]


def tracking_uid(case: CaseResult) -> UID:
    """The fragment's identity over time.

    It follows from the baseline's files and the level alone, so that every follow-up of one
    baseline tracks the same fragment.
    """
    return _uid("tracking", *case.baseline.scan.sha256, case.level)


def tracking_identifier(case: CaseResult) -> str:
    """The fragment's identity for people."""
    return f"Herniated disc fragment {case.level}"


def object_uid(case: CaseResult, *what: str) -> UID:
    """UID of a new object: the same inputs, options and version lead to the same one."""
    return _uid(
        mri_resorb.__version__,
        *what,
        *(_fingerprint(point) for point in (case.baseline, case.follow_up)),
        json.dumps(case.provenance.get("weights_sha256"), default=str),
        json.dumps(case.provenance.get("parameters"), default=str, sort_keys=True),
    )


def signature_parts(case: CaseResult) -> tuple[str, ...]:
    """What a signature adds to the UID of an object that carries it."""
    if case.signature is None:
        return ()
    return ("signed", case.signature.name, case.signature.at.isoformat())


def person_of(case: CaseResult) -> str | None:
    """Who is named as having reviewed the masks, as a DICOM person name."""
    name = case.review.by if case.review else None
    return None if name is None else person_name(name)


def person_name(name: str) -> str:
    """A name as a DICOM person name of one part, with nothing that would split it."""
    return name.replace("^", " ").replace("=", " ").replace("\\", " ")


def _completed(header: Dataset) -> Dataset:
    missing = [k for k in (*_IDENTIFYING, "FrameOfReferenceUID") if not header.get(k)]
    if missing:
        raise DicomSourceError(
            f"The study's files have no {missing[0]}, so that no DICOM object (SEG, SR, PDF) can "
            "refer to them; choose a pipeline without these outputs."
        )
    completed = deepcopy(header)
    for keyword in _MAY_BE_EMPTY:
        value = header.get(keyword)
        setattr(completed, keyword, "" if value is None else value)
    values = Values(plain_values(completed))
    for keyword in ("StudyDate", "PatientBirthDate"):
        day = values.date(keyword)
        setattr(completed, keyword, "" if day is None else day.strftime("%Y%m%d"))
    if not TIME.fullmatch(values.text("StudyTime")):
        completed.StudyTime = ""
    if completed.PatientSex not in ("F", "M", "O"):
        completed.PatientSex = ""
    return completed


def _fingerprint(point: TimePoint) -> str:
    drawn = b"" if point.drawn is None else sitk.GetArrayViewFromImage(point.drawn).tobytes()
    mask = hashlib.sha256(drawn).hexdigest()
    return "|".join([*point.scan.sha256, str(point.scan.date), mask])


def _uid(*parts: str) -> UID:
    """A UID under the root for UUIDs, 2.25 (PS3.5 B.2)."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(parts)).int}")
