"""Cases in a heap of DICOM files: many patients in one tree, told apart by their headers."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mri_resorb.batch.case_table import TABLE_NAME, Unusable, read_case_table
from mri_resorb.batch.cases import Case, FoundCases, LeftOut, Study, from_row
from mri_resorb.batch.pairs import look_at
from mri_resorb.errors import NoStudyError
from mri_resorb.io.dicom import find_frames, list_files
from mri_resorb.io.frames import Header
from mri_resorb.model import Level

PLACEHOLDER_IDS = frozenset(
    [
        "0",
        "anon",
        "anonym",
        "anonymised",
        "anonymized",
        "anonymous",
        "deidentified",
        "n/a",
        "na",
        "no_id",
        "none",
        "null",
        "removed",
        "unknown",
        "xxx",
    ]
)
"""PatientIDs that de-identification leaves on many people."""


@dataclass(frozen=True)
class _Image:
    """One file's place in the heap; `patient` is never shown."""

    path: Path
    patient: str
    facts: tuple[str, str, str]
    """Name, birth date and sex, or "" where the file does not say."""
    study: str


def find_patients(heap: Path, *, level: Level | None = None) -> FoundCases:
    """Each patient's studies as a case, named by a digest that names nobody.

    A patient is a PatientID. Where files of one ID differ in name, birth date or sex, or the ID is
    one that stands for many, nothing tells whom they show, and they are left out.

    Raises:
        NoStudyError: no such folder.
        CaseTableError: `heap/cases.csv` cannot be read, or there is none and no level is given.
    """
    rows = read_case_table(heap, level=level)
    if not heap.is_dir():
        raise NoStudyError(f"There is no folder {heap}.")
    files = list_files(heap)
    images = [image for path in files if (image := _image(path)) is not None]
    by_patient: dict[str, list[_Image]] = defaultdict(list)
    for image in images:
        by_patient[image.patient].append(image)
    shared = _folders_of_several(images)
    left_out = []
    others = len(files) - len(images)
    if others:
        left_out.append(LeftOut(f"other files, {others}", "no whole MR images"))
    patients: dict[str, tuple[Study, ...]] = {}
    for patient, of_patient in by_patient.items():
        flaw = _identity_flaw(patient, of_patient)
        if flaw is not None:
            left_out.append(LeftOut(f"images, {len(of_patient)}", flaw))
            continue
        looked_at = [look_at(study) for study in _studies(of_patient, shared=shared)]
        fit = [one for one in looked_at if not one.flaw]
        left_out += [
            LeftOut(str(one.study.path.relative_to(heap)), one.flaw or "the patient's only study")
            for one in looked_at
            if one.flaw or len(fit) == 1
        ]
        if len(fit) >= 2:
            earliest = min(fit, key=lambda one: str(one.day))
            patients[_name(earliest.study, images=of_patient)] = tuple(one.study for one in fit)
    entries: list[Case | Unusable] = []
    for name, studies in sorted(patients.items()):
        if name in rows:
            entries.append(from_row(rows[name], studies))
        elif level is not None:
            entries.append(Case(name, level, studies))
        else:
            left_out.append(LeftOut(name, f"not in {TABLE_NAME}"))
    entries += [
        Unusable(name, f"{TABLE_NAME} names it, but no patient with two studies is called so.")
        for name in rows
        if name not in patients
    ]
    return FoundCases(tuple(entries), tuple(left_out))


def _image(path: Path) -> _Image | None:
    """None for what is not a whole MR image."""
    try:
        frames = find_frames([path]).frames
    except OSError:
        return None
    if not frames:
        return None
    header: Header = frames[0].header
    return _Image(
        path=path,
        patient=header.patient_id.strip().casefold(),
        facts=(header.patient_name, str(header.birth_date or ""), header.sex or ""),
        study=header.study or str(header.acquired),
    )


def _identity_flaw(patient: str, images: Sequence[_Image]) -> str | None:
    if not patient:
        return "no patient ID, so it is not known whom they show"
    if patient.replace(" ", "_") in PLACEHOLDER_IDS:
        return "a patient ID that stands for many, so it is not known whom they show"
    for k, word in enumerate(("names", "birth dates", "sexes")):
        if len({image.facts[k] for image in images} - {""}) > 1:
            return f"one patient ID with different {word}: they may show different people"
    return None


def _folders_of_several(images: Sequence[_Image]) -> frozenset[Path]:
    """Folders below which the images of more than one study lie."""
    holds: dict[Path, set[tuple[str, str]]] = defaultdict(set)
    for image in images:
        for folder in image.path.parents:
            holds[folder].add((image.patient, image.study))
    return frozenset(folder for folder, studies in holds.items() if len(studies) > 1)


def _studies(images: Sequence[_Image], *, shared: frozenset[Path]) -> list[Study]:
    """A study is the folder that holds all of it and nothing else, or else its files."""
    by_study: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        by_study[image.study].append(image.path)
    studies = []
    for paths in by_study.values():
        folder = Path(os.path.commonpath([path.parent for path in paths]))
        studies.append(Study(folder, files=tuple(paths) if folder in shared else ()))
    return studies


def _name(study: Study, *, images: Sequence[_Image]) -> str:
    """From the UID of the earliest study, so that later studies leave it as it is."""
    uid = next(
        image.study
        for image in images
        if (image.path in study.files if study.files else image.path.is_relative_to(study.path))
    )
    return "case-" + hashlib.sha256(uid.encode()).hexdigest()[:10]
