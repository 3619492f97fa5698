"""What a signature leaves in the PACS, and whether it is what it should be."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import highdicom as hd
import pydicom
from dicom_case import program
from pypdf import PdfReader

MODALITIES = {"SEG": 2, "SR": 1, "DOC": 1}


def check_signed_objects(arrived: list[pydicom.Dataset], *, scratch: Path, name: str) -> None:
    """Two segmentations, a verified report on them and a PDF: valid, with the reader's name.

    Args:
        arrived: everything that the PACS holds.
        name: of the reader.
    """
    made = [one for one in arrived if one.Modality in MODALITIES]
    modalities: dict[str, list[Any]] = {}
    for one in made:
        modalities.setdefault(one.Modality, []).append(one)
    assert {kind: len(found) for kind, found in modalities.items()} == MODALITIES
    for number, one in enumerate(made):
        path = scratch / f"{number}.dcm"
        one.save_as(path)
        said = subprocess.run(
            [program("dciodvfy"), path], capture_output=True, text=True, check=False
        )
        assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []
    report = modalities["SR"][0]
    (observer,) = report.VerifyingObserverSequence
    assert (report.VerificationFlag, str(observer.VerifyingObserverName)) == ("VERIFIED", name)
    groups = hd.sr.srread(io.BytesIO(as_bytes(report))).content
    refers_to = {
        group.referenced_segment.referenced_sop_instance_uid
        for group in groups.get_volumetric_roi_measurement_groups()
    }
    assert refers_to == {one.SOPInstanceUID for one in modalities["SEG"]}
    kinds = {one.SegmentSequence[0].SegmentAlgorithmType for one in modalities["SEG"]}
    assert kinds == {"AUTOMATIC", "SEMIAUTOMATIC"}
    pages = PdfReader(io.BytesIO(modalities["DOC"][0].EncapsulatedDocument)).pages
    assert name in pages[0].extract_text().replace("\n", " ")


def as_bytes(dataset: pydicom.Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()
