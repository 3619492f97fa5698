"""Instances come in once, whole and durably, or not at all."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import enhanced
from service_studies import SMALL, as_file, received, study

from mri_resorb.deidentify.instance import deidentified
from mri_resorb.deidentify.key import Key
from mri_resorb.errors import RefusedInstanceError
from mri_resorb.io.studies import read_study
from mri_resorb.service import audit
from mri_resorb.service.pairing import look_at
from mri_resorb.service.reception import clear_unnoted, receive
from mri_resorb.service.store import Store, open_store
from mri_resorb.service.studies import get_study, study_folder

DAY = date(2020, 5, 17)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "service")


def take(store: Store, content: bytes) -> bool:
    return receive(store, content, sender="MR1", origin="received").new


def files(store: Store) -> list[Path]:
    return [path for part in ("incoming", "studies") for path in held(store.folder / part)]


def held(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_study_is_kept_as_it_came_and_its_facts_are_noted(store: Store) -> None:
    sent = study(DAY, PatientAge="042Y")
    study_id = received(store, sent)
    kept = held(study_folder(store, study_id))
    assert {path.read_bytes() for path in kept} == {as_file(dataset) for dataset in sent}
    assert read_study(study_folder(store, study_id)).date == DAY
    noted = get_study(store, study_id)
    assert (noted.instances, noted.state, noted.origin) == (5, "receiving", "received")
    assert (noted.facts.date, noted.facts.sex, noted.facts.age_years) == (DAY, "F", 42)


def test_nothing_of_the_patient_is_in_file_names_or_when_shown(store: Store) -> None:
    study_id = received(store, study(DAY, patient="SECRET-7"))
    uid = get_study(store, study_id).facts.uid
    names = " ".join(str(path) for path in files(store))
    for told in (names, repr(get_study(store, study_id))):
        assert "SECRET-7" not in told
        assert uid not in told
        assert "doe" not in told.lower()


def test_the_same_instance_again_changes_nothing(store: Store) -> None:
    sent = [as_file(dataset) for dataset in study(DAY)]
    assert [take(store, content) for content in sent + sent] == [True] * 5 + [False] * 5
    assert len(files(store)) == 5


def test_other_meta_information_is_the_same_instance(store: Store) -> None:
    dataset = study(DAY)[0]
    assert take(store, as_file(dataset))
    dataset.file_meta.ImplementationVersionName = "ANOTHER"
    dataset.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    assert not take(store, as_file(dataset))


def test_another_object_under_a_held_uid_is_refused_and_recorded(store: Store) -> None:
    dataset = study(DAY)[0]
    take(store, as_file(dataset))
    before = files(store)[0].read_bytes()
    dataset.EchoTime = 17
    with pytest.raises(RefusedInstanceError, match="same UID"):
        take(store, as_file(dataset))
    assert [path.read_bytes() for path in files(store)] == [before]
    with store.reading() as connection:
        (entry,) = audit.entries(connection, before=2**53, limit=10)
    assert (entry.who, entry.action) == ("MR1", "refused")


def test_one_study_uid_of_two_patients_is_two_studies(store: Store) -> None:
    first = received(store, study(DAY, StudyInstanceUID="1.2.3"))
    second = received(store, study(DAY, StudyInstanceUID="1.2.3", patient="P-18"))
    assert first != second


def test_enhanced_images_are_taken(store: Store) -> None:
    received(store, [enhanced(SMALL)])


def cut(content: bytes) -> bytes:
    return content[:-40]


def without_preamble(content: bytes) -> bytes:
    return content[132:]


def changed(**attributes: object) -> bytes:
    dataset = study(DAY)[0]
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return as_file(dataset)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"DICM",
        b"\0" * 128 + b"DICM",
        b"\0" * 128 + b"DICM" + b"\xff" * 4096,
        cut(as_file(study(DAY)[0])),
        without_preamble(as_file(study(DAY)[0])),
        changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
        changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.4.2"),
        changed(StudyInstanceUID="../../../etc/passwd"),
        changed(StudyInstanceUID="1." * 40 + "1"),
        changed(SeriesInstanceUID=""),
        changed(PatientID="A" * 65),
        changed(PatientID="A\x1bB"),
        changed(SamplesPerPixel=3),
        changed(Rows=60000),
    ],
)
def test_what_is_no_whole_mr_image_is_refused_in_one_line_that_names_nobody(
    store: Store, content: bytes
) -> None:
    with pytest.raises(RefusedInstanceError) as caught:
        take(store, content)
    assert "\n" not in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert files(store) == []


def test_mutated_headers_are_taken_or_refused_and_nothing_else(store: Store) -> None:
    drawn = np.random.default_rng(7)
    whole = as_file(study(DAY)[0])
    for _ in range(400):
        content = bytearray(whole)
        for place in drawn.integers(0, len(whole), size=drawn.integers(1, 12)):
            content[place] = drawn.integers(256)
        with suppress(RefusedInstanceError):
            take(store, bytes(content))
    assert held(store.folder / "incoming") == []


def test_a_full_disk_is_said_and_nothing_is_left(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    content = as_file(study(DAY)[0])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="No space"):
            take(store, content)
    assert files(store) == []
    assert take(store, content)


def test_a_database_that_refuses_keeps_nothing_that_would_be_doubled(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = as_file(study(DAY)[0])

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("mri_resorb.service.reception.add_instance", refuse)
        with pytest.raises(sqlite3.OperationalError):
            take(store, content)
    assert take(store, content)
    clear_unnoted(store)
    (kept,) = files(store)
    assert pydicom.dcmread(kept).PatientID == "P-17"


def test_what_a_sudden_end_left_is_cleared_and_what_was_noted_stays(store: Store) -> None:
    study_id = received(store, study(DAY))
    kept = files(store)
    (store.folder / "incoming" / "cut.dcm").write_bytes(b"half")
    (study_folder(store, study_id) / "unnoted.dcm").write_bytes(b"x")
    (store.folder / "studies" / "gone").mkdir()
    (store.folder / "studies" / "gone" / "x.dcm").write_bytes(b"x")
    clear_unnoted(store)
    assert sorted(files(store)) == sorted(kept)
    assert not (store.folder / "studies" / "gone").exists()


def test_de_identified_before_anything_is_kept(store: Store) -> None:
    def nameless(dataset: pydicom.Dataset) -> pydicom.Dataset:
        dataset.PatientName, dataset.PatientID = "", "N-1"
        return dataset

    sent = [as_file(dataset) for dataset in study(DAY)]
    for content in sent:
        receive(store, content, sender="MR1", origin="received", deidentify=nameless)
    assert all(b"Doe" not in path.read_bytes() for path in files(store))
    again = receive(store, sent[0], sender="MR1", origin="received", deidentify=nameless)
    assert not again.new
    assert get_study(store, again.study).facts.patient_id == "N-1"


def test_what_cannot_be_de_identified_is_not_kept(store: Store) -> None:
    def unable(_: pydicom.Dataset) -> pydicom.Dataset:
        raise ValueError("Doe^Jane")

    with pytest.raises(RefusedInstanceError, match="de-identified"):
        receive(store, as_file(study(DAY)[0]), sender="MR1", origin="received", deidentify=unable)
    assert files(store) == []


def test_pairs_stay_pairs_when_they_are_de_identified_on_arrival(store: Store) -> None:
    leave_out = partial(deidentified, key=Key.made())
    days = (DAY, DAY + timedelta(days=200))
    ids = [
        received(store, study(day, SeriesDescription="T2 TSE SAG"), deidentify=leave_out)
        for day in days
    ]
    first, second = (get_study(store, one).facts for one in ids)
    assert first.patient_id == second.patient_id != "P-17"
    assert first.patient_name == second.patient_name
    assert "doe" not in first.patient_name
    assert first.date is not None
    assert second.date is not None
    assert (second.date - first.date).days == 200
    assert first.date != DAY
    assert all(look_at(study_folder(store, one)).flaw is None for one in ids)
