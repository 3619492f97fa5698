"""The PDF report as a DICOM object, in the follow-up's study."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian

import mri_resorb
from mri_resorb.io.dicom import quiet_pydicom
from mri_resorb.model import CaseResult
from mri_resorb.report.dicom_study import (
    MANUFACTURER,
    MODEL_NAME,
    SERIAL_NUMBER,
    object_uid,
    source_headers,
    tracking_identifier,
)

SERIES_NUMBER = 9104

_COPIED = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
"""What the Patient, General Study and Patient Study modules keep."""


@quiet_pydicom()
def encapsulated_pdf(case: CaseResult, pdf: bytes) -> FileDataset:
    """Wrap a PDF as Encapsulated PDF Storage (PS3.3 A.45.1).

    Raises:
        DicomSourceError: see `source_headers`.
    """
    source = source_headers(case.follow_up.scan)[0]
    now = datetime.now()
    contents = hashlib.sha256(pdf).hexdigest()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    meta.MediaStorageSOPInstanceUID = object_uid(case, "pdf", contents)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SpecificCharacterSet = "ISO_IR 192"
    for keyword in _COPIED:
        if keyword in source:
            setattr(made, keyword, source[keyword].value)
    made.SOPClassUID = EncapsulatedPDFStorage
    made.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    made.Modality = "DOC"
    made.ConversionType = "WSD"
    made.SeriesInstanceUID = object_uid(case, "pdf series", contents)
    made.SeriesNumber = SERIES_NUMBER
    made.SeriesDescription = f"{tracking_identifier(case)}, report"
    made.InstanceNumber = 1
    made.Manufacturer = MANUFACTURER
    made.ManufacturerModelName = MODEL_NAME
    made.DeviceSerialNumber = SERIAL_NUMBER
    made.SoftwareVersions = mri_resorb.__version__
    made.ContentDate = made.InstanceCreationDate = now.strftime("%Y%m%d")
    made.ContentTime = made.InstanceCreationTime = now.strftime("%H%M%S")
    made.AcquisitionDateTime = ""
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = made.SeriesDescription
    made.ConceptNameCodeSequence = []
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(pdf)
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return made
