from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from case_results import UNKNOWN, absent, case_result, changed, refused, time_point
from pydantic import ValidationError

from mri_resorb.io.results import FollowUpDocument, document, schema
from mri_resorb.languages import Language
from mri_resorb.model import (
    CaseResult,
    Change,
    Estimate,
    Level,
    Migration,
    Patient,
    Remark,
    SizeMm,
)

REASON = Remark("fragment-at-edge")


def read(case: CaseResult) -> dict[str, object]:
    return json.loads(document(case).to_json())


def test_document_has_every_field_that_the_contract_names() -> None:
    made = read(case_result())
    assert list(made) == [
        "schema",
        "status",
        "reasons",
        "warnings",
        "level",
        "level_source",
        "patient",
        "interval",
        "baseline",
        "follow_up",
        "change",
        "automatic",
        "review",
        "signature",
        "provenance",
    ]
    assert made["schema"] == "mri-resorb/follow-up/1"
    assert set(made["patient"]) == {"id", "sex", "age_years"}
    date_fields = {
        "date",
        "series_uid",
        "status",
        "volume_cm3",
        "size_cm",
        "type",
        "migration",
        "canal_compromise_percent",
        "disc_at",
        "fragment_mask",
        "anatomy_mask",
    }
    assert date_fields <= set(made["baseline"])
    assert set(made["baseline"]) == set(made["follow_up"])
    assert set(made["change"]) == {
        "resorption_percent",
        "absolute_cm3",
        "percent_per_day",
        "verdict",
        "band",
        "smallest_detectable_percent",
    }


def test_document_of_a_measured_case() -> None:
    baseline = time_point(
        volume_cm3=Estimate(1.23456789, 1.0, 1.5, {"boundary": 0.1}),
        detached_cm3=0.2,
        size=SizeMm(ap=12.34567, transverse=14.0, craniocaudal=23.0),
        migration=Migration("caudal", "left"),
        compromise_percent=41.5,
    )
    made = read(case_result(baseline=baseline, level=Level.L5_S1))
    assert made["status"] == "measured"
    assert made["level"] == "L5-S1"
    assert made["interval"] == {"days": 89, "months": 89 / 30.4375}
    before = made["baseline"]
    assert before["date"] == "2018-11-05"
    assert before["volume_cm3"] == {"value": 1.23456789, "low": 1.0, "high": 1.5}
    assert before["volume_parts_cm3"] == {"joined": pytest.approx(1.03456789), "detached": 0.2}
    assert before["volume_standard_deviations_cm3"] == {"boundary": 0.1}
    assert before["size_cm"]["ap"] == pytest.approx(1.234567, abs=1e-12)  # not rounded
    assert before["size_cm"]["transverse"] == pytest.approx(1.4)
    assert before["size_cm"]["craniocaudal"] == pytest.approx(2.3)
    assert before["migration"] == {"craniocaudal": "caudal", "side": "left"}
    assert before["canal_compromise_percent"] == 41.5
    assert before["disc_at"] == [-3.0, 20.0, -15.0]
    assert before["fragment_mask"] == "baseline_fragment.nii.gz"
    assert made["follow_up"]["anatomy_mask"] == "follow_up_anatomy.nii.gz"
    assert made["change"]["resorption_percent"] == {"value": 50.0, "low": 35.0, "high": 62.0}


def test_unknown_is_null_and_never_zero() -> None:
    case = case_result(
        baseline=time_point(day=None),
        follow_up=refused(day=None),
        change=UNKNOWN,
        patient=Patient(),
        reasons=(REASON,),
    )
    made = read(case)
    assert made["status"] == "undetermined"
    translations = {"ru": REASON.text(Language.RU), "kk": REASON.text(Language.KK)}
    assert made["reasons"] == [
        {"code": REASON.code, "message": REASON.text(), "translations": translations}
    ]
    assert made["patient"] == {"id": None, "sex": None, "age_years": None}
    assert made["interval"] is None
    assert made["baseline"]["volume_cm3"]["value"] == 1.2
    after = made["follow_up"]
    assert after["status"] == "undetermined"
    known = {"status", "series_uid", "series_chosen_because", "anatomy_mask", "mask_source"}
    assert {name: value for name, value in after.items() if name not in known} == dict.fromkeys(
        set(after) - known
    )
    change = made["change"]
    assert change.pop("verdict") == "undetermined"
    assert set(change.values()) == {None}


def test_incomplete_date_keeps_its_anatomy_and_has_no_figures() -> None:
    case = case_result(follow_up=refused(found=True), change=UNKNOWN, reasons=(REASON,))
    after = read(case)["follow_up"]
    assert after["anatomy_mask"] == "follow_up_anatomy.nii.gz"
    assert after["disc_at"] is not None
    assert after["volume_cm3"] is None
    assert after["fragment_mask"] is None


def test_absent_is_a_finding_with_what_was_measured() -> None:
    change = changed((97.0, 90.0, 100.0), band="complete")
    made = read(case_result(follow_up=absent(volume_cm3=0.04), change=change))
    assert made["status"] == "measured"
    assert made["follow_up"]["status"] == "absent"
    assert made["follow_up"]["type"] == "none"
    assert made["follow_up"]["volume_cm3"]["value"] == 0.04
    assert made["follow_up"]["size_cm"] is None
    assert made["change"]["band"] == "complete"


def test_absent_baseline_is_measured_without_a_percentage() -> None:
    change = Change(None, Estimate(-0.8, -1.0, -0.6), None, "increased", None)
    made = read(case_result(baseline=absent(day=date(2018, 11, 5)), change=change))
    assert made["status"] == "measured"
    assert made["change"]["resorption_percent"] is None


@pytest.mark.parametrize(
    "change",
    [
        changed(),
        replace(UNKNOWN, verdict="decreased"),
        replace(UNKNOWN, band="complete"),
        replace(UNKNOWN, percent_per_day=0.0),
        replace(UNKNOWN, absolute_cm3=Estimate(0.0, 0.0, 0.0)),
    ],
)
def test_a_change_from_an_undetermined_case_is_never_written(change: Change) -> None:
    with pytest.raises(ValidationError, match="undetermined case gives a change"):
        document(case_result(follow_up=refused(), change=change, reasons=(REASON,)))


def test_a_refusal_without_a_reason_is_never_written() -> None:
    with pytest.raises(ValidationError, match="no reason"):
        document(case_result(follow_up=refused(), change=UNKNOWN))


@pytest.mark.parametrize("status", ["incomplete", "undetermined"])
def test_figures_of_a_refused_date_are_never_written(status: str) -> None:
    follow_up = replace(time_point(), status=status)
    with pytest.raises(ValidationError, match="contradicts"):
        document(case_result(follow_up=follow_up, change=UNKNOWN, reasons=(REASON,)))


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(float("nan"), 0.0, 1.0),
        Estimate(1.0, 0.5, float("inf")),
        Estimate(1.0, 1.1, 1.5),
        Estimate(1.0, 0.5, 0.9),
    ],
)
def test_figures_that_cannot_be_are_never_written(estimate: Estimate) -> None:
    with pytest.raises(ValidationError):
        document(case_result(baseline=time_point(volume_cm3=estimate)))


def test_document_reads_back_as_the_same() -> None:
    made = document(case_result())
    assert FollowUpDocument.model_validate_json(made.to_json()) == made


def test_unknown_fields_are_refused() -> None:
    spoilt = read(case_result()) | {"resorbed": 100}
    with pytest.raises(ValidationError, match="resorbed"):
        FollowUpDocument.model_validate_json(json.dumps(spoilt))


def test_published_schema_is_the_current_one() -> None:
    published = Path(__file__).parents[2] / "docs" / "follow-up-schema.json"
    assert published.read_text(encoding="utf-8") == schema(), (
        "run: python -m mri_resorb.io.results > docs/follow-up-schema.json"
    )
