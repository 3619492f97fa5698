"""What goes to a PACS and comes from it, with Orthanc: once, and in spite of interruptions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicom_case import dicom_case
from orthanc_server import PASSWORD, USER, Orthanc, orthanc
from service_studies import RULES, as_file, completed, received, study

from mri_resorb.correction import read_result
from mri_resorb.errors import PacsError
from mri_resorb.io.result_folder import write_results
from mri_resorb.service import audit, exchange
from mri_resorb.service.cases import Case, all_cases, case_folder, get_case, summarise
from mri_resorb.service.decisions import reopen, send_again, sign
from mri_resorb.service.pacs import Send, find_studies
from mri_resorb.service.pairing import complete
from mri_resorb.service.settings import DicomwebPacs, DimsePacs, Pacs
from mri_resorb.service.store import Store, open_store
from mri_resorb.service.studies import get_study

FIRST, SECOND = date(2020, 1, 10), date(2020, 7, 1)
OBJECTS = {
    "baseline_fragment.seg.dcm",
    "follow_up_fragment.seg.dcm",
    "report.pdf.dcm",
    "report.sr.dcm",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "service")


@pytest.fixture
def pacs(tmp_path: Path) -> Orthanc:
    return orthanc(tmp_path / "orthanc")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder with the objects of a small case."""
    folder = tmp_path_factory.mktemp("case")
    case = dicom_case(folder / "studies")
    write_results(case, folder / "result", outputs=["seg", "sr", "encapsulated-pdf"])
    return folder / "result"


@pytest.fixture
def case(store: Store, result: Path) -> Case:
    """A signed case whose reports are written."""
    for day in (FIRST, SECOND):
        completed(store, study(day))
    chosen = all_cases(store)[0]
    place = case_folder(store, chosen.id) / "job-1"
    place.parent.mkdir()
    place.symlink_to(result)
    with store.transaction() as connection:
        connection.execute(
            "UPDATE cases SET state = 'measured', result = 'job-1', summary = ? WHERE id = ?",
            (summarise(read_result(result)).model_dump_json(), chosen.id),
        )
    sign(store, chosen.id, account="reader", name="A. Reader", revision=chosen.revision)
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET reports = 'written' WHERE id = ?", (chosen.id,))
    return get_case(store, chosen.id)


def ways(pacs: Orthanc) -> dict[str, Pacs]:
    password = pacs.folder / "password"
    password.write_text(f"{PASSWORD}\n")
    web = DicomwebPacs(url=pacs.dicomweb, user=USER, password_file=password)
    dimse = DimsePacs(ae_title="ORTHANC", host="127.0.0.1", port=pacs.dicom)
    return {"dicomweb": Pacs(dicomweb=web), "dimse": Pacs(dimse=dimse)}


def send(store: Store, pacs: Pacs) -> None:
    """Send what is signed, whenever it is due."""
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET send_after = NULL")
    exchange.send_signed(store, pacs, ae_title="MRI_RESORB")


@pytest.mark.parametrize("way", ["dicomweb", "dimse"])
def test_objects_arrive_as_they_are_once_the_pacs_is_up(
    store: Store, pacs: Orthanc, case: Case, result: Path, way: str
) -> None:
    by = ways(pacs)[way]
    send(store, by)
    failed = get_case(store, case.id)
    assert (failed.state, failed.send_attempts) == ("send_failed", 1)
    assert failed.message
    assert failed.send_after is not None
    with pacs.running():
        exchange.send_signed(store, by, ae_title="MRI_RESORB")
        assert get_case(store, case.id).state == "send_failed", "it is not due yet"
        send(store, by)
        sent = get_case(store, case.id)
        assert (sent.state, sent.sent_objects, sent.message) == ("sent", 4, None)
        arrived = {uid(content): content for content in pacs.instances()}
        assert set(arrived) == {uid((result / name).read_bytes()) for name in OBJECTS}
        for name in OBJECTS:
            given = pydicom.dcmread(result / name)
            assert pydicom.dcmread(io.BytesIO(arrived[given.SOPInstanceUID])) == given
    with store.reading() as connection:
        newest = audit.entries(connection, before=2**53, limit=1)[0]
    assert (newest.who, newest.action, newest.subject) == ("service", "sent", case.id)


def uid(content: bytes) -> str:
    return str(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)


def test_an_object_that_was_taken_is_not_sent_again(
    store: Store, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    refused = iter([False, False, True, False, False])

    @contextmanager
    def flaky(*_: Any, **__: Any) -> Iterator[Send]:
        def one(file: Path) -> None:
            if next(refused):
                raise PacsError("The PACS ended the connection.")
            taken.append(file.name)

        yield one

    monkeypatch.setattr(exchange, "sending", flaky)
    send(store, Pacs())
    assert get_case(store, case.id).state == "send_failed"
    send(store, Pacs())
    assert get_case(store, case.id).state == "sent"
    assert sorted(taken) == sorted(OBJECTS)
    assert taken.index("report.sr.dcm") > taken.index("follow_up_fragment.seg.dcm")
    send(store, Pacs())
    assert len(taken) == 4
    send_again(store, case.id)
    refused = iter([False] * 4)
    send(store, Pacs())
    assert len(taken) == 8


def test_what_was_being_sent_when_the_service_ended_is_sent_on(store: Store, case: Case) -> None:
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET state = 'sending'")
    exchange.take_up(store)
    assert get_case(store, case.id).state == "signed"


def test_pauses_grow(store: Store, case: Case) -> None:
    by = Pacs(dimse=DimsePacs(ae_title="NOBODY", host="127.0.0.1", port=9))
    pauses = []
    for _ in range(4):
        send(store, by)
        failed = get_case(store, case.id)
        assert failed.send_after is not None
        pauses.append(failed.send_after - failed.changed_at)
    assert pauses == pytest.approx([2, 4, 8, 16], abs=0.5)


def test_a_reopened_case_is_not_sent(store: Store, case: Case) -> None:
    reopen(store, case.id, revision=case.revision)
    send(store, Pacs(dimse=DimsePacs(ae_title="NOBODY", host="127.0.0.1", port=9)))
    assert get_case(store, case.id).state == "measured"


def asked(store: Store, pacs: Orthanc) -> list[Case]:
    """The cases after the PACS was asked for earlier studies."""
    web = ways(pacs)["dicomweb"].dicomweb
    assert web is not None
    exchange.ask_for_priors(store, web, RULES, deidentify=None)
    return all_cases(store)


def arrived(store: Store, **attributes: Any) -> None:
    """A later study came and is complete."""
    study_id = received(store, study(SECOND, **attributes))
    complete(store, get_study(store, study_id), rules=RULES, ask_pacs=True)


def test_the_earlier_study_is_fetched_and_others_are_not(store: Store, pacs: Orthanc) -> None:
    with pacs.running():
        for earlier in (
            study(FIRST),
            study(FIRST, patient="P-170"),
            study(date(2021, 1, 1)),
            study(date(2019, 12, 1), StudyDescription="MR CERVICAL SPINE"),
        ):
            for dataset in earlier:
                pacs.give(as_file(dataset))
        arrived(store)
        assert {case.state for case in all_cases(store)} == {"waiting"}
        cases = asked(store, pacs)
    assert {case.state for case in cases} == {"queued"}
    for case in cases:
        assert case.baseline is not None
        assert (case.baseline.facts.date, case.baseline.origin) == (FIRST, "fetched")
        assert case.baseline.instances == 5
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM studies").fetchone()[0] == 2


def test_a_pacs_that_is_down_is_asked_again(store: Store, pacs: Orthanc) -> None:
    arrived(store)
    assert {case.state for case in asked(store, pacs)} == {"waiting"}
    with store.transaction() as connection:
        connection.execute("UPDATE studies SET ask_priors_at = 0")
    with pacs.running():
        for dataset in study(FIRST):
            pacs.give(as_file(dataset))
        assert {case.state for case in asked(store, pacs)} == {"queued"}


def test_while_the_pacs_is_down_the_store_has_earlier_studies(store: Store, pacs: Orthanc) -> None:
    completed(store, study(FIRST))
    arrived(store)
    assert "queued" in {case.state for case in asked(store, pacs)}


def test_an_id_with_wildcards_finds_nobody_else(pacs: Orthanc) -> None:
    web = ways(pacs)["dicomweb"].dicomweb
    assert web is not None
    with pacs.running():
        for dataset in study(FIRST):
            pacs.give(as_file(dataset))
        assert find_studies(web, patient_id="*") == []
        assert find_studies(web, patient_id="P-1?") == []
        assert [one.date for one in find_studies(web, patient_id="P-17")] == [FIRST]


def test_a_wrong_password_is_one_clear_sentence(pacs: Orthanc) -> None:
    web = DicomwebPacs(url=pacs.dicomweb, user=USER)
    with pacs.running(), pytest.raises(PacsError, match=r"HTTP 401"):
        find_studies(web, patient_id="P-17")
