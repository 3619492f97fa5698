"""What the service stores can be de-identified before anything of it is kept."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import pydicom
import pytest
from service_studies import as_file, received, study

from mri_resorb.deidentify.instance import deidentified
from mri_resorb.deidentify.key import read_key
from mri_resorb.errors import RefusedInstanceError
from mri_resorb.service.reception import receive
from mri_resorb.service.store import open_store
from mri_resorb.service.studies import get_study

SECRETS = (b"KZ7F3Q9X", b"ZHANSAYAQ", b"20200517", b"2020-05-17")


def test_nothing_of_the_person_reaches_the_folder_and_pairs_stay_pairs(tmp_path: Path) -> None:
    store = open_store(tmp_path / "service")
    applied = partial(deidentified, key=read_key(tmp_path / "service" / "key"))
    given = {"patient": "KZ7F3Q9X", "PatientName": "ZHANSAYAQ"}
    later = study(date(2020, 5, 17), **given)
    ids = [
        received(store, sent, deidentify=applied)
        for sent in (study(date(2019, 5, 17), **given), later, later)
    ]
    assert ids[1] == ids[2]  # sent twice is there once
    first, second = (get_study(store, one).facts for one in ids[:2])
    assert first.patient_id == second.patient_id != ""
    assert first.date is not None
    assert second.date is not None
    assert (second.date - first.date).days == 366
    store.close()
    everything = b"".join(
        path.read_bytes() for path in (tmp_path / "service").rglob("*") if path.is_file()
    )
    for secret in SECRETS:
        assert secret not in everything


def test_what_cannot_be_de_identified_is_refused_and_not_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path / "service")
    applied = partial(deidentified, key=read_key(tmp_path / "key"))
    shown = study(date(2020, 5, 17), BurnedInAnnotation="YES")[0]
    with pytest.raises(RefusedInstanceError):
        receive(store, as_file(shown), sender="MR1", origin="received", deidentify=applied)
    assert not list((tmp_path / "service" / "incoming").iterdir())
    assert not list((tmp_path / "service" / "studies").iterdir())


def test_what_is_kept_says_how_it_was_done(tmp_path: Path) -> None:
    store = open_store(tmp_path / "service")
    applied = partial(deidentified, key=read_key(tmp_path / "key"))
    received(store, study(date(2020, 5, 17)), deidentify=applied)
    kept = [pydicom.dcmread(path) for path in (tmp_path / "service" / "studies").rglob("*.dcm")]
    assert kept
    assert all(one.PatientIdentityRemoved == "YES" for one in kept)
