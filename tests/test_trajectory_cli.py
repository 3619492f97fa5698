"""`mri-resorb trajectory`: its words, its order, what it leaves and how it ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from case_results import case_result, refused, time_point
from typer.testing import CliRunner, Result

import mri_resorb.case
from mri_resorb.cli import app
from mri_resorb.measure.change import UNKNOWN_CHANGE
from mri_resorb.model import Level, Patient, Remark, StudyInput, Trajectory

DAYS = (date(2018, 11, 5), date(2019, 2, 2), date(2019, 8, 1))


def trajectory(*, measured: bool = True) -> Trajectory:
    points = [time_point(day=day) for day in DAYS]
    change, reasons = None, ()
    if not measured:
        reasons = (Remark("fragment-at-edge"),)
        points[2], change = replace(refused(day=DAYS[2]), reason=reasons[0]), UNKNOWN_CHANGE
    return Trajectory(
        Level.L3_L4,
        Patient(),
        tuple(points),
        {
            (one, other): case_result(
                baseline=points[one],
                follow_up=points[other],
                change=change if other == 2 else None,
                reasons=reasons if other == 2 else (),
            )
            for one, other in ((0, 1), (0, 2), (1, 2))
        },
    )


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def measure(studies: Sequence[StudyInput], **options: Any) -> Trajectory:
        made.append({"studies": list(studies)} | options)
        return trajectory(measured=options["level"] is Level.L3_L4)

    monkeypatch.setattr(mri_resorb.case, "trajectory", measure)
    return made


def run(output: Path, *options: str, level: str = "L3-L4") -> Result:
    words = ["trajectory", "a", "b", "c", "--level", level, "--output", str(output), *options]
    return CliRunner().invoke(app, [*words, "--pipeline", "research"])


def test_text_is_printed_and_everything_written(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    result = run(tmp_path / "out", "--dates", "2018-11-05,2019-02-02,2019-08-01", "--sex", "F")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == (tmp_path / "out" / "trajectory.txt").read_text(encoding="utf-8")
    assert calls[0]["studies"] == [
        StudyInput(Path(name), date=day) for name, day in zip("abc", DAYS, strict=True)
    ]
    assert calls[0]["sex"] == "F"
    assert (tmp_path / "out" / "02-vs-03" / "bids").is_dir()


def test_json_prints_the_document(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    result = run(tmp_path / "out", "--json")
    assert json.loads(result.stdout)["schema"] == "mri-resorb/trajectory/1"
    assert result.stdout == (tmp_path / "out" / "trajectory.json").read_text(encoding="utf-8")


def test_a_refused_number_ends_with_3_and_is_written(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    result = run(tmp_path / "out", level="L4-L5")
    assert result.exit_code == 3
    assert "3. August 1, 2019: not determined" in result.stdout
    written = json.loads((tmp_path / "out" / "trajectory.json").read_text(encoding="utf-8"))
    assert written["status"] == "undetermined"


@pytest.mark.parametrize(
    "options", [("--dates", "2018-11-05"), ("--dates", "2018-11-05,x,y"), ("--disc-at", "1,2")]
)
def test_words_that_are_off_end_with_2(
    tmp_path: Path, calls: list[dict[str, Any]], options: tuple[str, ...]
) -> None:
    assert run(tmp_path / "out", *options).exit_code == 2
    assert calls == []


def test_one_study_is_no_trajectory(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    words = ["trajectory", "a", "--level", "L3-L4", "--output", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words).exit_code == 2
    assert calls == []


def test_results_never_go_into_a_study(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    study = tmp_path / "c"
    study.mkdir()
    words = ["trajectory", "a", str(study), "--level", "L3-L4", "--output", str(study / "out")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "lies in the study" in result.stderr
    assert list(study.iterdir()) == []
