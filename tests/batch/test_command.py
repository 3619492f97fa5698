"""The command, with the batch itself left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batch_cases import make_cases
from typer.testing import CliRunner, Result

import mri_resorb.batch.run
from mri_resorb.batch.cases import find_cases
from mri_resorb.batch.cluster import LocalWorkers, RunningScheduler, SlurmJobs
from mri_resorb.batch.journal import Outcome
from mri_resorb.batch.progress import told
from mri_resorb.batch.run import Counted
from mri_resorb.cli import app
from mri_resorb.model import Level


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["batch", *map(str, arguments)])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    return answer_with(Counted(done=2, failed=0), monkeypatch)


def answer_with(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def run_batch(found: Any, **options: Any) -> Counted:
        calls.append({"found": found, **options})
        return counted

    monkeypatch.setattr(mri_resorb.batch.run, "run_batch", run_batch)
    return calls


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    return make_cases(tmp_path / "studies", {"a": "fine", "b": "fine"})


@pytest.mark.parametrize(("done", "failed", "code"), [(2, 0, 0), (0, 2, 1), (1, 1, 3)])
def test_exit_codes(
    studies: Path, monkeypatch: pytest.MonkeyPatch, done: int, failed: int, code: int
) -> None:
    answer_with(Counted(done, failed), monkeypatch)
    assert run(studies, "--level", "L4-L5", "--output", studies.parent / "out").exit_code == code


def test_words_reach_the_batch(studies: Path, calls: list[dict[str, Any]]) -> None:
    place = ["--level", "l4l5", "--output", studies.parent / "out"]
    assert run(studies, *place, "--workers", 3, "--time-limit", 60, "--retry-failed").exit_code == 0
    assert run(studies, *place, "--scheduler", "tcp://host:1").exit_code == 0
    assert run(studies, *place, "--cluster", "slurm", "--workers", 7).exit_code == 0
    local, remote, slurm = calls
    assert local["workers"] == LocalWorkers(3)
    assert (local["time_limit_s"], local["retry_failed"]) == (60.0, True)
    assert {case.level for case in local["found"].cases} == {Level.L4_L5}
    assert remote["workers"] == RunningScheduler("tcp://host:1")
    assert isinstance(slurm["workers"], SlurmJobs)
    assert slurm["workers"].count == 7


@pytest.mark.parametrize(
    "words",
    [
        ["--workers", "0"],
        ["--time-limit", "0"],
        ["--cluster", "lsf"],
        ["--scheduler", "tcp://x:1", "--workers", "2"],
        ["--scheduler", "tcp://x:1", "--cluster", "slurm"],
        ["--level", "L9"],
        ["--group-by", "name"],
    ],
)
def test_words_that_are_off_end_with_2(
    studies: Path, calls: list[dict[str, Any]], words: list[str]
) -> None:
    result = run(studies, "--level", "L4-L5", "--output", studies.parent / "out", *words)
    assert result.exit_code == 2
    assert calls == []


def test_without_a_place_for_results_there_is_no_batch(studies: Path) -> None:
    result = run(studies, "--level", "L4-L5")
    assert result.exit_code == 2
    assert "--output" in result.stderr


def test_results_never_go_among_the_studies(studies: Path, calls: list[dict[str, Any]]) -> None:
    result = run(studies, "--level", "L4-L5", "--output", studies / "a" / "out")
    assert result.exit_code == 1
    assert "outside" in result.stderr
    assert calls == []


def test_the_list_starts_nothing_and_writes_nothing(
    studies: Path, calls: list[dict[str, Any]]
) -> None:
    out = studies.parent / "out"
    result = run(studies, "--level", "L4-L5", "--list", "--output", out)
    assert result.exit_code == 0
    assert result.stdout.count("baseline (no date) with follow_up (no date)") == 2
    assert calls == []
    assert not out.exists()


def test_ctrl_c_ends_with_130_and_says_how_to_go_on(
    studies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Counted:
        raise KeyboardInterrupt

    monkeypatch.setattr(mri_resorb.batch.run, "run_batch", stopped)
    result = run(studies, "--level", "L4-L5", "--output", studies.parent / "out")
    assert result.exit_code == 130
    assert "same command" in result.stderr


def test_a_log_line_a_case_names_nobody(studies: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with told(find_cases(studies, level=Level.L4_L5), log=log) as tell:
        tell(Outcome("a", "", "done", seconds=3.5), True)
        tell(
            Outcome("b", "", "failed", "reading", "There is nothing at Doe.", "NoStudyError"), False
        )
    (line,) = log.read_text().splitlines()
    facts = json.loads(line)
    assert (facts["number"], facts["state"], facts["left"]) == (2, "failed", 0)
    assert (facts["step"], facts["error"]) == ("reading", "NoStudyError")
    assert "Doe" not in line


@pytest.mark.parametrize("package", ["distributed", "pyarrow", "dask_jobqueue"])
def test_a_missing_package_is_one_line_that_names_the_command(studies: Path, package: str) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from mri_resorb.cli import app\n"
        f"app(['batch', {str(studies)!r}, '--level', 'L4-L5', '--cluster', 'slurm', "
        f"'--output', {str(studies.parent / 'out')!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'mri-resorb[batch]'" in done.stderr
