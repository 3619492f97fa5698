"""Several studies on disk: one document, one text, and a folder for each comparison."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from case_results import case_result, refused, time_point

from mri_resorb.errors import OutputError
from mri_resorb.io.results import FollowUpDocument
from mri_resorb.io.trajectories import schema, trajectory_document, write_trajectory
from mri_resorb.languages import Language
from mri_resorb.measure.change import UNKNOWN_CHANGE
from mri_resorb.model import CaseResult, Estimate, Level, Patient, Remark, TimePoint, Trajectory
from mri_resorb.report.trajectory_text import trajectory_text

DAYS = (date(2018, 11, 5), date(2019, 2, 2), date(2019, 8, 1), date(2020, 1, 1))
VOLUMES = (1.2, 0.6, 0.3, 0.25)
REASON = Remark("fragment-at-edge")


def points(count: int) -> list[TimePoint]:
    return [
        time_point(day=day, volume_cm3=Estimate(volume, 0.8 * volume, 1.2 * volume))
        for day, volume in list(zip(DAYS, VOLUMES, strict=True))[:count]
    ]


def together(made: list[TimePoint]) -> Trajectory:
    def pair(one: int, other: int) -> CaseResult:
        dates = (made[one], made[other])
        if all(point.fragment for point in dates):
            return case_result(baseline=dates[0], follow_up=dates[1])
        return case_result(
            baseline=dates[0], follow_up=dates[1], change=UNKNOWN_CHANGE, reasons=(REASON,)
        )

    later = range(1, len(made))
    pairs = sorted({(0, k) for k in later} | {(k - 1, k) for k in later})
    return Trajectory(Level.L3_L4, Patient(), tuple(made), {p: pair(*p) for p in pairs})


def test_folder_holds_each_comparison_as_run_leaves_it(tmp_path: Path) -> None:
    made = together(points(3))
    write_trajectory(made, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    pairs = {"01-vs-02", "01-vs-03", "02-vs-03"}
    assert names == pairs | {"trajectory.json", "trajectory.txt"}
    read = json.loads((tmp_path / "trajectory.json").read_text(encoding="utf-8"))
    assert [study["volume_cm3"]["value"] for study in read["studies"]] == list(VOLUMES[:3])
    assert [study["date"] for study in read["studies"]] == [str(day) for day in DAYS[:3]]
    for study in read["studies"]:
        assert (tmp_path / study["fragment_mask"]).is_file()
        assert (tmp_path / study["anatomy_mask"]).is_file()
    for comparison in read["comparisons"]:
        text = (tmp_path / comparison["folder"] / "result.json").read_text(encoding="utf-8")
        pair = FollowUpDocument.model_validate_json(text)
        for which, number in (("baseline", "first"), ("follow_up", "second")):
            volume = getattr(pair, which).volume_cm3.value
            assert volume == VOLUMES[comparison[number] - 1]


def test_a_page_shows_the_volumes_of_all_studies(tmp_path: Path) -> None:
    write_trajectory(together(points(3)), tmp_path, outputs=["html"])
    page = (tmp_path / "trajectory.html").read_text(encoding="utf-8")
    for volume in VOLUMES[:3]:
        assert f"{volume:.2f}".replace(".", ",") in page


def test_a_shorter_trajectory_leaves_nothing_of_the_longer(tmp_path: Path) -> None:
    write_trajectory(together(points(4)), tmp_path, outputs=["html"])
    (tmp_path / "03-vs-99").mkdir()  # the user's own
    write_trajectory(together(points(2)), tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"01-vs-02", "03-vs-99", "trajectory.json", "trajectory.txt"}


def test_a_foreign_document_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "trajectory.json").write_text("{}")
    with pytest.raises(OutputError, match="not from mri-resorb"):
        write_trajectory(together(points(2)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["trajectory.json"]


def test_a_study_without_a_figure_keeps_its_place_and_its_reason() -> None:
    made = points(3)
    made[1] = replace(refused(day=DAYS[1]), reason=REASON)
    trajectory = together(made)
    assert trajectory.status == "undetermined"
    assert [estimate is None for _, estimate in trajectory.volumes_cm3] == [False, True, False]
    document = trajectory_document(trajectory)
    assert document.studies[1].volume_cm3 is None
    states = [(c.first, c.second, c.status) for c in document.comparisons]
    assert states == [
        (1, 2, "undetermined"),
        (1, 3, "measured"),
        (2, 3, "undetermined"),
    ]
    lines = trajectory_text(trajectory).splitlines()
    assert lines[0] == "Herniated disc L3-L4, 3 studies of one person"
    assert lines[1] == "1. November 5, 2018: 1,20 cm³ (95 % interval 0,96 to 1,44)"
    assert lines[2].startswith("2. February 2, 2019: not determined (The fragment reaches")
    assert lines[5].startswith("From 1 to 3 (269 days): 50 % (95 % interval 35 to 62 %); decreased")


@pytest.mark.parametrize("language", Language)
def test_text_in_every_language_names_every_study(language: Language) -> None:
    lines = trajectory_text(together(points(3)), language=language).splitlines()
    for number, volume in ((1, "1,20"), (2, "0,60"), (3, "0,30")):
        assert lines[number].startswith(f"{number}. ")
        assert volume in lines[number]


def test_published_schema_is_the_documents() -> None:
    path = Path(__file__).parents[2] / "docs" / "trajectory-schema.json"
    assert path.read_text(encoding="utf-8") == schema()
