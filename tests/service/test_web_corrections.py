"""Corrected masks and their figures; masks that are none."""

from __future__ import annotations

import gzip
import shutil
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from case_results import case_result, changed
from typer.testing import CliRunner
from web_service import PATIENT_ID, Service, add_case, corrected_mask, running

from mri_resorb.cli import app
from mri_resorb.correction import reviewed
from mri_resorb.errors import StateError
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.results import FollowUpDocument
from mri_resorb.model import CaseResult, Patient
from mri_resorb.service import cases, decisions
from mri_resorb.service.audit import entries
from mri_resorb.service.web import corrections

SAMPLE = Path(__file__).parents[2] / "sample_data" / "sequester-gone"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Its cases are drawn, not measured, so a correction changes the figures by decree."""
    monkeypatch.setattr(corrections.KeptCases, "placed", lambda *_: case_result())
    monkeypatch.setattr(corrections, "remeasured", stand_in)
    with running(tmp_path) as made:
        made.as_local()
        yield made


def stand_in(
    placed: CaseResult,
    *,
    baseline_mask: Path | None,
    follow_up_mask: Path | None,
    reviewed_by: str | None,
) -> CaseResult:
    automatic = replace(placed, patient=Patient(PATIENT_ID, "F", 50))
    dates = {}
    for name, path in (("baseline", baseline_mask), ("follow_up", follow_up_mask)):
        point = getattr(automatic, name)
        drawn = read_fragment_mask(path, scan=point.scan) if path else None
        dates[name] = replace(point, drawn=drawn)
    corrected = replace(automatic, **dates, change=changed((40.0, 30.0, 50.0)), automatic=automatic)
    return reviewed(corrected, by=reviewed_by)


def put(service: Service, case_id: str, content: bytes, *, revision: int = 0, **more: Any) -> Any:
    date = more.pop("date", "baseline")
    return service.client.put(
        f"/api/cases/{case_id}/masks/{date}",
        content=content,
        headers={"If-Match": f'"{revision}"', "Content-Type": "application/octet-stream", **more},
    )


def header_with(content: bytes, *, offset: int, value: bytes) -> bytes:
    plain = gzip.decompress(content)
    return plain[:offset] + value + plain[offset + len(value) :]


def placed_by(content: bytes, *, rows: list[float]) -> bytes:
    """The mask with its place in the patient said by these rows of a matrix alone."""
    no_quaternion = header_with(content, offset=252, value=struct.pack("<2h", 0, 1))
    return no_quaternion[:280] + struct.pack("<12f", *rows) + no_quaternion[328:]


def test_the_figures_of_a_correction_come_back_and_stand(service: Service) -> None:
    case_id = add_case(service.store)
    mask = corrected_mask(service.store, case_id)
    answer = put(service, case_id, mask)
    assert answer.status_code == 200, answer.text
    case, result = answer.json()["case"], answer.json()["result"]
    assert (case["revision"], case["corrected"], answer.headers["etag"]) == (1, True, '"1"')
    assert case["resorption_percent"]["value"] == 40.0
    assert result["change"]["resorption_percent"]["value"] == 40.0
    assert result["automatic"]["change"]["resorption_percent"]["value"] == 50.0
    assert result["baseline"]["mask_source"] == "person"
    assert service.client.get(f"/api/cases/{case_id}/result").json() == result
    automatic = service.client.get(f"/api/cases/{case_id}/masks/baseline?kind=automatic").content
    folder = service.store.folder / "cases" / case_id
    assert automatic == (folder / "job-1" / "baseline_fragment.nii.gz").read_bytes()
    with service.store.reading() as connection:
        [told] = [e for e in entries(connection, before=9, limit=9) if e.action == "corrected"]
    assert (told.who, told.subject) == ("local", case_id)
    assert '"date": "baseline"' in told.details


def test_each_date_keeps_its_correction_until_it_is_taken_back(service: Service) -> None:
    case_id = add_case(service.store)
    for revision, date in enumerate(("baseline", "follow_up")):
        mask = corrected_mask(service.store, case_id, date_name=date)
        assert put(service, case_id, mask, revision=revision, date=date).status_code == 200
    sources = []
    for revision, date in enumerate(("baseline", "follow_up"), start=2):
        answer = service.client.delete(
            f"/api/cases/{case_id}/masks/{date}", headers={"If-Match": f'"{revision}"'}
        )
        result = answer.json()["result"]
        sources.append((result["baseline"]["mask_source"], result["follow_up"]["mask_source"]))
    assert sources == [("automatic", "person"), ("automatic", "automatic")]
    assert answer.json()["case"]["resorption_percent"]["value"] == 50.0
    assert not answer.json()["case"]["corrected"]


def test_taking_back_what_is_not_there_changes_nothing(service: Service) -> None:
    case_id = add_case(service.store)
    answer = service.client.delete(
        f"/api/cases/{case_id}/masks/baseline", headers={"If-Match": '"0"'}
    )
    assert (answer.status_code, answer.json()["case"]["revision"]) == (200, 0)


def test_a_plain_nifti_is_taken_too(service: Service) -> None:
    case_id = add_case(service.store)
    plain = gzip.decompress(corrected_mask(service.store, case_id))
    assert put(service, case_id, plain).status_code == 200


def test_a_correction_on_what_was_not_seen_is_refused(service: Service) -> None:
    case_id = add_case(service.store)
    mask = corrected_mask(service.store, case_id)
    assert put(service, case_id, mask).status_code == 200
    again = put(service, case_id, mask)
    assert (again.status_code, again.json()["type"]) == (412, "stale-revision")


def test_a_change_meanwhile_leaves_no_trace_of_the_correction(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = add_case(service.store)

    def meanwhile(*_: Any, **options: Any) -> CaseResult:
        decisions.sign(service.store, case_id, account="b", name="B", revision=0)
        return stand_in(case_result(), **options)

    monkeypatch.setattr(corrections, "remeasured", meanwhile)
    answer = put(service, case_id, corrected_mask(service.store, case_id))
    assert (answer.status_code, answer.json()["type"]) == (412, "stale-revision")
    folder = service.store.folder / "cases" / case_id
    assert [path.name for path in folder.iterdir()] == ["job-1"]
    with service.store.reading() as connection:
        assert entries(connection, before=9, limit=9) == []


def test_the_change_and_its_entry_stand_or_fall_together(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StateError("No entry today.")

    case_id = add_case(service.store)
    monkeypatch.setattr(corrections, "append", fail)
    assert put(service, case_id, corrected_mask(service.store, case_id)).status_code == 409
    assert cases.get_case(service.store, case_id).revision == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda _: b"no mask",
        lambda mask: mask[:200],
        lambda mask: gzip.decompress(mask)[:2000],
        lambda mask: header_with(mask, offset=40, value=struct.pack("<4h", 3, 32767, 32767, 99)),
        lambda mask: header_with(mask, offset=40, value=struct.pack("<4h", 3, -5, 100, 7)),
        lambda mask: header_with(mask, offset=40, value=struct.pack("<h", 99)),
        lambda mask: header_with(mask, offset=70, value=struct.pack("<h", 9999)),
        lambda mask: header_with(mask, offset=108, value=struct.pack("<f", float("nan"))),
        lambda mask: header_with(mask, offset=108, value=struct.pack("<f", -1e30)),
        lambda mask: header_with(mask, offset=344, value=b"ni1\0"),
        lambda mask: placed_by(mask, rows=[float("nan")] * 12),
        lambda mask: placed_by(mask, rows=[0.0] * 12),
        lambda mask: placed_by(mask, rows=[1e30] * 12),
        lambda mask: header_with(mask, offset=292, value=struct.pack("<f", 900)),
    ],
)
def test_what_is_no_mask_is_refused_in_a_sentence(service: Service, spoil: Any) -> None:
    case_id = add_case(service.store)
    refused = put(service, case_id, spoil(corrected_mask(service.store, case_id)))
    assert (refused.status_code, refused.json()["type"]) == (422, "unusable"), refused.text
    assert str(service.store.folder) not in refused.text
    assert list((service.store.folder / "incoming").iterdir()) == []


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_mask_of_nothing_or_of_no_numbers_is_refused(service: Service, value: float) -> None:
    case_id = add_case(service.store)
    folder = service.store.folder / "cases" / case_id / "job-1"
    image = nib.load(folder / "baseline_image.nii.gz")
    made = nib.Nifti1Image(np.full(image.shape, value, np.float32), image.affine)
    assert put(service, case_id, made.to_bytes()).status_code == 422


def test_a_mask_that_unpacks_without_end_is_refused_before_it_does(service: Service) -> None:
    case_id = add_case(service.store)
    bomb = gzip.compress(bytes(200 * 2**20))
    refused = put(service, case_id, bomb)
    assert (refused.status_code, refused.json()["type"]) == (413, "too-large")


def test_a_mask_larger_than_any_is_refused_by_what_it_announces(service: Service) -> None:
    case_id = add_case(service.store)
    refused = put(service, case_id, b"x", **{"Content-Length": str(2**40)})
    assert (refused.status_code, refused.json()["type"]) == (413, "too-large")


def test_a_real_case_is_measured_again_within_two_seconds(tmp_path: Path) -> None:
    measured = tmp_path / "measured"
    arguments = ["run", str(SAMPLE / "baseline"), str(SAMPLE / "follow_up")]
    done = CliRunner().invoke(app, [*arguments, "--level", "L5-S1", "--output", str(measured)])
    assert done.exit_code == 0, done.output
    with running(tmp_path / "service") as service:
        service.as_local()
        case_id = add_case(service.store)
        job = service.store.folder / "cases" / case_id / "job-1"
        image = read_image(measured)
        shutil.rmtree(job)
        shutil.copytree(measured, job)
        sitk.WriteImage(image, str(job / "baseline_image.nii.gz"))
        mask = corrected_mask(service.store, case_id)
        service.client.app.state.corrections.prepare(cases.get_case(service.store, case_id))  # type: ignore[attr-defined]
        began = time.process_time()
        answer = put(service, case_id, mask)
        seconds = time.process_time() - began  # of work: other programs may be busy too
    assert answer.status_code == 200, answer.text
    result = FollowUpDocument.model_validate(answer.json()["result"])
    assert result.baseline.mask_source == "person"
    assert result.automatic is not None
    assert result.baseline.volume_cm3 is not None
    assert result.automatic.baseline.volume_cm3 is not None
    assert result.baseline.volume_cm3.value < result.automatic.baseline.volume_cm3.value
    assert seconds < 2, seconds


def read_image(measured: Path) -> sitk.Image:
    """Any image on the grid of the baseline's mask."""
    return sitk.ReadImage(str(measured / "baseline_fragment.nii.gz"))
