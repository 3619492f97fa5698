"""Cases of a cohort made by hand, and results of them on disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from case_results import UNKNOWN, absent, case_result, changed, refused, time_point

from mri_resorb.cohort.read import Case
from mri_resorb.io.results import document
from mri_resorb.model import Estimate, Level, Patient, Remark, Verdict

BASELINE_DATE = date(2020, 1, 1)


def case(name: str = "1", **changes: Any) -> Case:
    """A herniation of 1 cm3 that lost half in 100 days, beyond error."""
    usual = Case(
        name=name,
        patient_id=f"P{name}",
        sex="F",
        age_years=40,
        level=Level.L5_S1,
        baseline_date=BASELINE_DATE,
        interval_days=100,
        baseline_status="measured",
        follow_up_status="measured",
        type="extrusion",
        baseline_cm3=1.0,
        follow_up_cm3=0.5,
        resorption_percent=50.0,
        verdict="decreased",
    )
    return replace(usual, **changes)


def undetermined(name: str = "u") -> Case:
    return case(
        name,
        follow_up_status="incomplete",
        follow_up_cm3=None,
        resorption_percent=None,
        verdict="undetermined",
    )


def write_result(
    folder: Path,
    *,
    percent: float = 50.0,
    verdict: Verdict = "decreased",
    days: int = 100,
    patient: str = "P1",
    gone: bool = False,
) -> None:
    """The `result.json` of a case of 1 cm3, as a run writes it."""
    left = 1 - percent / 100
    follow_up_date = BASELINE_DATE + timedelta(days)
    follow_up = (
        absent(day=follow_up_date, volume_cm3=left)
        if gone
        else time_point(day=follow_up_date, volume_cm3=Estimate(left, left, left))
    )
    made = case_result(
        baseline=time_point(day=BASELINE_DATE, volume_cm3=Estimate(1.0, 0.8, 1.2)),
        follow_up=follow_up,
        change=changed((percent, percent - 20, percent + 10), verdict=verdict, band=None),
    )
    _write(replace(made, patient=Patient(patient, "F", 40), interval_days=days), folder)


def write_undetermined(folder: Path) -> None:
    """The `result.json` of a case whose follow-up was refused."""
    made = case_result(
        follow_up=refused(),
        change=UNKNOWN,
        reasons=(Remark("fragment-at-edge"),),
    )
    _write(made, folder)


def _write(made: Any, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(document(made).to_json(), encoding="utf-8")
