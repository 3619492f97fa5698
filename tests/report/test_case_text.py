from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from case_results import (
    FOLLOW_UP_DATE,
    UNKNOWN,
    absent,
    case_result,
    changed,
    refused,
    time_point,
)

from mri_resorb import __version__
from mri_resorb.model import (
    CaseResult,
    Change,
    Estimate,
    HerniationType,
    Level,
    Migration,
    Patient,
    Remark,
    SizeMm,
    TimePoint,
    Verdict,
)
from mri_resorb.report.case_text import case_text


def lines(case: CaseResult) -> dict[str, str]:
    """The text's lines by their first word."""
    text = case_text(case)
    assert text.endswith("\n")
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def measured(
    volume_cm3: float,
    *,
    detached_cm3: float = 0.0,
    type_: HerniationType = "sequestration",
    day: date | None = FOLLOW_UP_DATE,
) -> TimePoint:
    estimate = Estimate(volume_cm3, 0.9 * volume_cm3, 1.1 * volume_cm3)
    return time_point(day=day, volume_cm3=estimate, detached_cm3=detached_cm3, type_=type_)


def test_whole_text_of_a_case_that_shrank() -> None:
    assert case_text(case_result()) == (
        "Patient: Man, 50 years old\n"
        "Diagnosis: extruded herniated disc L3-L4. Size - 1,2х2,3 cm\n"
        "Result: partial hernia resorption. Here it is 3 months between MRI examination before "
        "and after (November 5, 2018 - February 2, 2019)\n"
        "Volume: 1,20 cm³ (95 % interval 1,00 to 1,45) on November 5, 2018; "
        "0,60 cm³ (95 % interval 0,50 to 0,75) on February 2, 2019\n"
        "Resorption: 50 % (95 % interval 35 to 62 %)\n"
        "Verdict: decreased beyond measurement error (50-100 % resorbed)\n"
        f"Definitions 1, mri-resorb {__version__}. "
        "Research and decision support, not a medical device.\n"
    )


CLINIC_EXAMPLES = [
    # The clinic's four examples, with what they do not state left out or neutral; the stenosis
    # that goes with "big" is this project's rule.
    (
        Patient(sex="F", age_years=40),
        Level.L4_L5,
        SizeMm(ap=12, transverse=15, craniocaudal=23),
        Migration("none", "central"),
        45.0,
        "Woman, 40 years old",
        "big sequestrated herniated disc L4-L5 + partial spinal stenosis. Size - 1,2х2,3 cm",
    ),
    (
        Patient(sex="M", age_years=50),
        Level.L3_L4,
        SizeMm(ap=20, transverse=15, craniocaudal=10),
        Migration("cranial", "right"),
        30.0,
        "Man, 50 years old",
        "sequestrated herniated disc L3-L4 with the right cranial migration. Size - 2х1 cm",
    ),
    (
        Patient(sex="F", age_years=35),
        Level.L5_S1,
        None,
        None,
        None,
        "Woman, 35 years old",
        "sequestrated herniated disc L5-S1",
    ),
    (
        Patient(sex="M", age_years=37),
        Level.L5_S1,
        SizeMm(ap=14.8, transverse=15, craniocaudal=17.7),
        Migration("none", "left"),
        80.0,
        "Man, 37 years old",
        "huge sequestrated herniated disc L5-S1 + full spinal stenosis. Size - 1,48х1,77 cm",
    ),
]


@pytest.mark.parametrize(
    ("patient", "level", "size", "migration", "compromise", "patient_line", "diagnosis"),
    CLINIC_EXAMPLES,
)
def test_the_clinics_own_examples(
    patient: Patient,
    level: Level,
    size: SizeMm | None,
    migration: Migration | None,
    compromise: float | None,
    patient_line: str,
    diagnosis: str,
) -> None:
    point = measured(1.2, detached_cm3=0.5)
    assert point.fragment is not None
    fragment = replace(
        point.fragment, size=size, migration=migration, canal_compromise_percent=compromise
    )
    case = case_result(baseline=replace(point, fragment=fragment), level=level, patient=patient)
    assert lines(case)["Patient"] == patient_line
    assert lines(case)["Diagnosis"] == diagnosis


@pytest.mark.parametrize(
    ("patient", "expected"),
    [
        (Patient(sex="F"), "Woman"),
        (Patient(age_years=61), "61 years old"),
        (Patient(), "sex and age not given"),
        (Patient(id="Doe^Jane", sex="F", age_years=0), "Woman, 0 years old"),
    ],
)
def test_what_is_not_known_of_the_patient_is_left_out(patient: Patient, expected: str) -> None:
    text = case_text(case_result(patient=patient))
    assert text.splitlines()[0] == f"Patient: {expected}"
    assert "Doe" not in text
    assert "None" not in text


@pytest.mark.parametrize(
    ("type_", "compromise", "migration", "expected"),
    [
        ("bulge", 10, Migration("none", "central"), "bulging disc L3-L4. Size"),
        ("protrusion", 33, Migration("none", "left"), "protruded herniated disc L3-L4. Size"),
        ("protrusion", 34, None, "big protruded herniated disc L3-L4 + partial spinal stenosis."),
        ("extrusion", 66, None, "big extruded herniated disc L3-L4 + partial spinal stenosis."),
        ("extrusion", 67, None, "huge extruded herniated disc L3-L4 + full spinal stenosis."),
        (
            "extrusion",
            10,
            Migration("caudal", "central"),
            "extruded herniated disc L3-L4 with the caudal migration. Size",
        ),
        (
            "sequestration",
            100,
            Migration("caudal", "left"),
            "huge sequestrated herniated disc L3-L4 with the left caudal migration"
            " + full spinal stenosis. Size",
        ),
    ],
)
def test_diagnosis_words(
    type_: HerniationType, compromise: float, migration: Migration | None, expected: str
) -> None:
    baseline = time_point(type_=type_, compromise_percent=compromise, migration=migration)
    assert lines(case_result(baseline=baseline))["Diagnosis"].startswith(expected)


# Volumes of (joined, detached) at both dates; the whole's loss is right to 0.1 cm3.
SEQUESTER_FINDINGS = [
    ((0.5, 1.0), (0.3, 0.0), "complete sequester resorption and partial hernia resorption"),
    ((0.5, 1.0), (0.5, 0.0), "complete sequester resorption"),
    ((0.5, 1.0), (0.2, 0.4), "partial sequester resorption and partial hernia resorption"),
    ((0.5, 1.0), (0.0, 0.4), "partial sequester resorption and complete hernia resorption"),
    ((0.5, 1.0), (0.45, 0.4), "partial sequester resorption"),  # joined: within the error
    ((0.5, 1.0), (0.3, 0.95), "partial hernia resorption"),  # detached: within the error
    ((0.5, 1.0), (0.9, 0.0), "partial hernia resorption"),  # the sequester joined the disc
    ((1.5, 0.2), (0.3, 0.9), "partial hernia resorption"),  # a piece came off
    ((0.0, 1.0), (0.0, 0.4), "partial sequester resorption"),
    ((0.5, 0.3), (0.45, 0.25), "partial hernia resorption"),  # only the whole is sure
]


@pytest.mark.parametrize(("before", "after", "expected"), SEQUESTER_FINDINGS)
def test_detached_and_joined_parts_are_judged_each_by_its_own_volume(
    before: tuple[float, float], after: tuple[float, float], expected: str
) -> None:
    loss = sum(before) - sum(after)
    case = case_result(
        baseline=measured(sum(before), detached_cm3=before[1], day=date(2018, 11, 5)),
        follow_up=measured(sum(after), detached_cm3=after[1]),
        change=changed(absolute_cm3=(loss, loss - 0.1, loss + 0.1)),
    )
    assert lines(case)["Result"].startswith(f"{expected}. Here it is")


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        (measured(1.5, detached_cm3=1.0), "complete sequester and hernia resorption"),
        (measured(1.0, detached_cm3=1.0), "complete sequester resorption"),
        (measured(1.0, type_="extrusion"), "complete hernia resorption"),
        (measured(1.0, type_="bulge"), "complete bulge resorption"),
    ],
)
def test_absent_at_follow_up_is_complete(baseline: TimePoint, expected: str) -> None:
    case = case_result(
        baseline=baseline,
        follow_up=absent(),
        change=changed((96.0, 90.0, 100.0), band="complete"),
    )
    assert lines(case)["Result"].startswith(expected)
    assert "no herniation (disc material behind the boundary 0,04 cm³)" in lines(case)["Volume"]
    assert lines(case)["Resorption"].startswith("96 %")
    assert lines(case)["Verdict"].endswith("(complete resorption)")


@pytest.mark.parametrize(
    ("verdict", "percent", "finding", "verdict_line"),
    [
        (
            "no_change_beyond_error",
            (12.0, -10.0, 30.0),
            "no change beyond measurement error",
            "no change beyond measurement error",
        ),
        (
            "increased",
            (-30.0, -52.0, -12.0),
            "growth of the hernia beyond measurement error",
            "increased beyond measurement error",
        ),
    ],
)
def test_resorption_is_said_only_where_the_verdict_says_it(
    verdict: Verdict, percent: tuple[float, float, float], finding: str, verdict_line: str
) -> None:
    case = case_result(change=changed(percent, verdict=verdict, band=None))
    assert lines(case)["Result"].startswith(f"{finding}. Here it is")
    assert lines(case)["Verdict"] == verdict_line
    low, high = int(percent[1]), int(percent[2])
    assert lines(case)["Resorption"] == f"{percent[0]:.0f} % (95 % interval {low} to {high} %)"


def test_gone_but_within_error_says_both() -> None:
    change = changed((8.0, -5.0, 20.0), verdict="no_change_beyond_error", band="complete")
    found = lines(case_result(follow_up=absent(), change=change))
    assert found["Result"].startswith(
        "no change beyond measurement error, though what is left is no longer a herniation."
    )


def test_absent_at_baseline_has_no_percentage() -> None:
    change = Change(None, Estimate(-0.8, -1.0, -0.6), None, "increased", None)
    found = lines(case_result(baseline=absent(day=date(2018, 11, 5)), change=change))
    assert found["Diagnosis"] == "no herniated disc L3-L4 at baseline"
    assert found["Result"].startswith("a new extruded herniated disc. Here it is")
    assert found["Resorption"] == "no percentage, as there was no herniation at baseline"


def test_absent_at_both_dates() -> None:
    change = Change(None, Estimate(0, 0, 0), None, "no_change_beyond_error", None)
    case = case_result(baseline=absent(day=date(2018, 11, 5)), follow_up=absent(), change=change)
    assert lines(case)["Result"].startswith("no herniated disc at either examination. Here it is")
    assert lines(case)["Verdict"] == "no herniation at either date"


@pytest.mark.parametrize("found_disc", [True, False])
def test_undetermined_says_why_and_keeps_the_other_dates_figures(found_disc: bool) -> None:
    reason = Remark("fragment-at-edge")
    case = case_result(follow_up=refused(found=found_disc), change=UNKNOWN, reasons=(reason,))
    found = lines(case)
    assert found["Result"].startswith(
        "undetermined (The fragment reaches the first or last slice or the image's edge, so part "
        "of it may be outside of the scan). Here it is 3 months"
    )
    assert found["Diagnosis"].startswith("extruded herniated disc L3-L4")
    assert found["Volume"].startswith("1,20 cm³")
    assert found["Volume"].endswith(
        "not fully seen on February 2, 2019" if found_disc else "not measured on February 2, 2019"
    )
    assert found["Resorption"] == "not given"
    assert found["Verdict"] == "undetermined"
    assert "100 %" not in case_text(case)


def test_undetermined_baseline_gives_no_diagnosis() -> None:
    case = case_result(
        baseline=refused(day=date(2018, 11, 5)),
        change=UNKNOWN,
        reasons=(Remark("no-disc"),),
    )
    assert lines(case)["Diagnosis"] == "L3-L4, not determined at baseline"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # The clinic's three pairs of dates; it calls the first "2,5 months".
        (date(2018, 11, 5), date(2019, 2, 2), "3 months between"),
        (date(2018, 3, 26), date(2018, 6, 15), "2,5 months between"),
        (date(2020, 2, 22), date(2020, 9, 26), "7 months between"),
        (date(2020, 1, 1), date(2020, 2, 1), "1 month between"),
        (date(2020, 1, 1), date(2020, 1, 13), "12 days between"),
        (date(2020, 1, 1), date(2020, 1, 2), "1 day between"),
        (date(2020, 1, 1), date(2020, 1, 1), "0 days between"),
        (date(2018, 1, 1), date(2020, 1, 1), "24 months between"),
    ],
)
def test_interval(first: date, second: date, expected: str) -> None:
    case = case_result(baseline=time_point(day=first), follow_up=time_point(day=second))
    assert f". Here it is {expected} MRI examination before and after (" in lines(case)["Result"]


@pytest.mark.parametrize("missing", ["baseline", "follow_up", "both"])
def test_without_both_dates_no_interval_is_said(missing: str) -> None:
    first = None if missing != "follow_up" else date(2018, 11, 5)
    second = None if missing != "baseline" else FOLLOW_UP_DATE
    found = lines(case_result(baseline=time_point(day=first), follow_up=time_point(day=second)))
    assert found["Result"] == "partial hernia resorption"
    assert ("at baseline" in found["Volume"]) == (first is None)
    assert ("at follow-up" in found["Volume"]) == (second is None)


@pytest.mark.parametrize(
    ("value", "shown"), [(99.97, "99,9 %"), (99.5, "99,5 %"), (99.4, "99 %"), (100.0, "100 %")]
)
def test_nothing_short_of_it_is_called_100_percent(value: float, shown: str) -> None:
    case = case_result(change=changed((value, 80.0, 100.0)))
    assert lines(case)["Resorption"].startswith(f"{shown} (")


def test_warnings_are_told() -> None:
    warning = Remark("different-contrast")
    assert lines(case_result(warnings=(warning,)))["Note"] == warning.text()
