"""The clinic's four case examples, and claims of other shapes."""

from __future__ import annotations

from datetime import date
from math import pi
from pathlib import Path

import pytest

from mri_resorb.cohort.claim import check, smallest_detectable_percent
from mri_resorb.cohort.claim_text import Claim, read_claim, read_claim_file
from mri_resorb.cohort.claim_words import claim_lines
from mri_resorb.errors import ClaimError
from mri_resorb.model import Level

WOMAN_40 = """Patient: Woman, 40 years old
Diagnosis: big sequestrated herniated disc L4-L5. Size - 1,2х2,3 cm
Result: after the 1st 12-days treatment session. Usually such type of herniated disc responds to our
treatment very well. Mostly it takes 1-2 months for full resorption in such cases"""
MAN_50 = """Patient: Man, 50 years old
Diagnosis: sequestrated herniated disc L3-L4 with the right cranial migration. Size - 2х1 cm
Result: complete sequester resorption and partial hernia resorption. Here it is 2,5 months between
MRI examination before and after (Nobember 5, 2018 - February 2, 2019)"""
WOMAN_35 = """Patient: Woman, 35 years old
Diagnosis: sequestrated herniated disc
Result: No more complaints. The patient came back to full-quality life. Here it is 2,5 months
between MRI examination before and after (March 26, 2018 - June 15, 2018)"""
MAN_37 = """PATIENT: MAN, 37 YEARS OLD
Diagnosis: huge herniated disc + full spinal stenosis. Size - 1,48х1,77 cm
Result: 2 standard courses for a resorption protocol. 1 course - 12-days treatment session.
7 months between MRI examination before and after (February, 22 2020 - September 26, 2020)."""


def test_example_without_dates_has_no_interval_and_no_result() -> None:
    """What usually happens "in such cases" is not what happened in this one."""
    claim = read_claim(WOMAN_40)
    assert (claim.sex, claim.age_years, claim.level) == ("F", 40, Level.L4_L5)
    assert (claim.type, claim.size_cm) == ("sequestration", (1.2, 2.3))
    assert (claim.result, claim.interval_months, claim.baseline_date) == (None, None, None)
    assert len(claim.notes) == 2
    checked = check(claim)
    assert checked.interval is None
    assert "the dates of both examinations" in checked.lacks
    assert "what became of the herniation on MRI" in checked.lacks


def test_example_whose_interval_is_rounded_away_from_its_dates() -> None:
    claim = read_claim(MAN_50)
    assert (claim.baseline_date, claim.follow_up_date) == (date(2018, 11, 5), date(2019, 2, 2))
    assert any("Nobember" in note for note in claim.notes)
    assert (claim.size_cm, claim.result) == ((2.0, 1.0), "partial")
    checked = check(claim)
    assert checked.interval is not None
    assert checked.interval.days == 89
    assert checked.interval.stated_fits is False
    assert len(checked.contradictions) == 1


def test_example_without_a_size_has_no_volume() -> None:
    checked = check(read_claim(WOMAN_35))
    assert checked.interval is not None
    assert (checked.interval.days, checked.interval.stated_fits) == (81, True)
    assert (checked.volume, checked.error.beyond_error) == (None, "not-known")
    assert "any size before" in checked.lacks
    assert checked.claim.result is None


def test_example_of_an_unnamed_type_gets_the_rate_of_all_types() -> None:
    checked = check(read_claim(MAN_37))
    assert checked.interval is not None
    assert (checked.interval.days, checked.interval.stated_fits) == (217, True)
    assert checked.claim.type is None
    assert {70.39, 63.0} == {entry.percent for entry in checked.base_rates}
    assert "the type of herniation" in checked.lacks


@pytest.mark.parametrize("text", [WOMAN_40, MAN_50, WOMAN_35, MAN_37])
def test_the_page_on_claims_shows_what_the_program_says(text: str) -> None:
    """Where this fails, put what `mri-resorb claim` prints for the example into docs/claims.md."""
    page = (Path(__file__).parents[2] / "docs" / "claims.md").read_text(encoding="utf-8")
    assert text in page
    assert "\n".join(claim_lines(check(read_claim(text)))) in page


@pytest.mark.parametrize("text", [WOMAN_40, MAN_50, WOMAN_35, MAN_37])
def test_every_example_lacks_volume_percentage_error_and_size_after(text: str) -> None:
    lacks = check(read_claim(text)).lacks
    assert {"a percentage", "the measurement's error", "any size after"} <= set(lacks)
    assert "the volumes before and after" in lacks


def test_sequestrations_have_their_own_base_rates() -> None:
    checked = check(read_claim(MAN_50))
    assert [entry.percent for entry in checked.base_rates] == [87.77, 96.0]
    assert [entry.percent for entry in checked.complete_rates] == [43.0]


def test_two_sizes_allow_an_ellipsoid_to_a_box() -> None:
    made = check(Claim(size_cm=(2.0, 1.0), plane="sagittal")).volume
    assert made is not None
    assert made.low == pytest.approx(pi / 6 * 2 * 1 * 0.4)
    assert made.high == pytest.approx(2 * 1 * 2.7)


def test_three_sizes_need_no_assumption_of_a_third() -> None:
    made = check(Claim(size_cm=(1.0, 1.0, 1.0))).volume
    assert made is not None
    assert (made.low, made.high) == (pytest.approx(pi / 6), 1.0)


def test_a_plane_not_stated_allows_what_either_would() -> None:
    wide, *narrow = (
        check(Claim(size_cm=(2.0, 1.0), plane=plane)).volume
        for plane in (None, "sagittal", "axial")
    )
    assert wide is not None
    assert all(one is not None and one.high <= wide.high for one in narrow)


def test_smaller_fragments_must_shrink_more_to_be_told_from_error() -> None:
    limits = [smallest_detectable_percent(volume) for volume in (0.2, 0.3, 1.0, 3.0)]
    assert all(limit is not None for limit in limits)
    assert limits == sorted(limits, key=lambda limit: -(limit or 0))


def test_of_what_may_be_missed_whole_no_loss_is_told_from_error() -> None:
    assert smallest_detectable_percent(0.005) is None
    assert smallest_detectable_percent(0.1) is None


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(5.0, "within"), (60.0, "possible"), (-20.0, "within")],
)
def test_a_claimed_percentage_is_held_against_error(percent: float, expected: str) -> None:
    checked = check(Claim(volume_cm3=1.0, resorption_percent=percent))
    assert checked.error.beyond_error == expected


def test_whether_it_can_be_more_than_error_may_hang_on_the_volume() -> None:
    checked = check(Claim(size_cm=(1.0, 0.8), resorption_percent=20.0))
    assert checked.error.beyond_error == "depends-on-the-true-volume"


def test_volumes_that_contradict_the_percentage_are_pointed_out() -> None:
    claim = read_claim("Sequester of 1.3 cm3 to 0.65 cm3, reduced by 80 %")
    assert any("make 50 %" in text for text in check(claim).contradictions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 x 8 mm", (1.2, 0.8)),
        ("1.2 cm × 0.8 cm", (1.2, 0.8)),
        ("12х8х10 mm", (1.2, 0.8, 1.0)),
        ("2x1", None),
        ("2x1 cm, and 3x1 cm elsewhere", None),
    ],
)
def test_sizes_are_read_with_their_unit_only(text: str, expected: tuple[float, ...]) -> None:
    size = read_claim(text).size_cm
    assert size == (None if expected is None else pytest.approx(expected))


def test_a_size_after_is_one_that_the_words_call_so() -> None:
    claim = read_claim("from 2x1 cm to 1,0x0,5 cm")
    assert (claim.size_cm, claim.follow_up_size_cm) == ((2.0, 1.0), (1.0, 0.5))


@pytest.mark.parametrize(
    "text",
    [
        "05.11.2018 - 02.02.2019",
        "11/5/2018 - 2/2/2019",
        "February 30, 2020 - March 1, 2020",
        "March 1, 2020",
        "March 1, 2020, May 1, 2020, July 1, 2020",
    ],
)
def test_dates_that_leave_doubt_are_not_read(text: str) -> None:
    claim = read_claim(text)
    assert (claim.baseline_date, claim.follow_up_date) == (None, None)
    assert claim.notes


@pytest.mark.parametrize("text", ["2020-03-01 to 2020-06-01", "1 March 2020 - Jun. 1st, 2020"])
def test_dates_without_doubt_are_read_in_other_forms(text: str) -> None:
    claim = read_claim(text)
    assert (claim.baseline_date, claim.follow_up_date) == (date(2020, 3, 1), date(2020, 6, 1))


def test_examinations_in_the_wrong_order_have_no_interval() -> None:
    checked = check(read_claim("June 1, 2020 - March 1, 2020"))
    assert checked.interval is None
    assert checked.contradictions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("complete resorption", "complete"),
        ("completely resorbed", "complete"),
        ("partial hernia resorption", "partial"),
        ("no complete resorption", None),
        ("not completely resorbed", None),
        ("incomplete resorption", None),
        ("full spinal stenosis", None),
        ("a resorption protocol", None),
    ],
)
def test_results_are_read_only_where_said(text: str, expected: str | None) -> None:
    assert read_claim(text).result == expected


@pytest.mark.parametrize(
    ("text", "months", "step"),
    [
        ("3 months between examinations", 3.0, 1.0),
        ("2,5 months between MRI", 2.5, 0.5),
        ("12-days treatment session", None, 1.0),
        ("after the 1st 12-days treatment session", None, 1.0),
        ("Woman, 40 years old", None, 1.0),
    ],
)
def test_only_time_between_examinations_is_an_interval(
    text: str, months: float | None, step: float
) -> None:
    claim = read_claim(text)
    assert (claim.interval_months, claim.interval_step_months) == (months, step)


def test_95_percent_resorbed_is_not_an_error() -> None:
    claim = read_claim("reduced by 95 %")
    assert (claim.resorption_percent, claim.error_stated) == (95.0, False)
    assert read_claim("reduced by 40 % (95 % CI 20 to 55)").error_stated


def test_words_with_nothing_to_check_are_said_to_be_so() -> None:
    claim = read_claim("Our patients are happy.")
    assert claim.is_empty
    assert next(claim_lines(check(claim))) == "Stated: nothing that can be checked"


def test_no_words_are_no_claim() -> None:
    with pytest.raises(ClaimError, match="empty"):
        read_claim("  \n")


def test_a_yaml_file_states_the_same_as_words(tmp_path: Path) -> None:
    file = tmp_path / "claim.yaml"
    file.write_text(
        "sex: M\nage_years: 50\ntype: sequestration\nlevel: L3-L4\nsize_cm: [2, 1]\n"
        "result: partial\nbaseline_date: 2018-11-05\nfollow_up_date: 2019-02-02\n"
        "interval_months: 2.5\ninterval_step_months: 0.5\n",
        encoding="utf-8",
    )
    assert read_claim_file(file) == read_claim(MAN_50).model_copy(update={"notes": ()})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("size: [2, 1]", "size: Extra inputs"),
        ("size_cm: [2]", "size_cm"),
        ("size_cm: [2, -1]", "size_cm.1"),
        ("volume_cm3: .nan", "volume_cm3"),
        ("- a", "no keys"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_a_wrong_claim_file_is_one_sentence(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "claim.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ClaimError, match=words):
        read_claim_file(file)


def test_a_claim_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ClaimError, match="not there"):
        read_claim_file(tmp_path / "none.yaml")
