"""Batches on real workers, with stand-ins for measuring that fail in every way."""

from __future__ import annotations

import csv
import faulthandler
import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from batch_cases import PLAIN, TIME_LIMIT_S, make_cases, run_stand_ins, stand_in
from distributed import Client, LocalCluster

from mri_resorb.batch import cluster, run
from mri_resorb.batch.cases import find_cases
from mri_resorb.batch.cluster import RunningScheduler
from mri_resorb.batch.journal import Outcome, open_journal
from mri_resorb.batch.run import Counted
from mri_resorb.batch.worker import Task, run_case
from mri_resorb.errors import ClusterError, OutputError
from mri_resorb.model import Level

HAND_OUT = run.outcomes
TABLES = ("results.csv", "results.parquet", "failed.csv", "report.html")
FINE = [f"case-{number:02d}" for number in range(12)]
BAD = {
    "late-1": "corrupt",
    "late-2": "killed",
    "late-3": "crash",
    "late-4": "bug",
    "late-5": "hang",
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_cases(tmp_path_factory.mktemp("studies"), {**dict.fromkeys(FINE, "fine"), **BAD})


@pytest.fixture(scope="module")
def undisturbed(studies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    assert run_stand_ins(studies, output) == Counted(done=len(FINE), failed=len(BAD))
    return output


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cases one after the other in this process, where workers are not what is tested."""
    monkeypatch.setenv("MRI_RESORB_THREADS", "1")
    monkeypatch.setattr(run, "connected", lambda workers, logs: nullcontext())
    monkeypatch.setattr(run, "outcomes", lambda client, tasks: map(run_case, tasks))
    yield
    faulthandler.enable(sys.__stderr__)  # which a worker turns off after its case


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(output: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and not path.relative_to(output).parts[0].startswith(".")
    }


def test_a_case_that_fails_crashes_or_hangs_is_its_own_row_alone(undisturbed: Path) -> None:
    assert [row["case"] for row in rows(undisturbed / "results.csv")] == FINE
    failed = {row["case"]: row for row in rows(undisturbed / "failed.csv")}
    assert list(failed) == list(BAD)
    assert {row["step"] for row in failed.values()} == {"comparing"}
    reasons = [failed[name]["reason"] for name in BAD]
    words = ["cut off", "ended from outside", "Segmentation fault", "bug", f"{TIME_LIMIT_S:g} s"]
    for reason, word in zip(reasons, words, strict=True):
        assert word in reason
    assert "Doe" not in "".join(reasons)
    assert not any((undisturbed / name).exists() for name in BAD)


def stopped_after(lines: int, *, by: signal.Signals, studies: Path, output: Path) -> int:
    """Start a batch in a process group of its own, and signal to it after some cases."""
    tests = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", "import batch_cases; batch_cases.main()", studies, output],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tests), str(tests.parent)))},
    )
    assert process.stderr is not None
    done = 0
    for line in process.stderr:
        done += line.startswith("{")
        if done == lines:
            break
    if by is signal.SIGINT:  # a terminal's Ctrl-C reaches the whole group
        os.killpg(process.pid, by)
    else:
        process.send_signal(by)
    process.stderr.read()
    process.wait()
    return done


def test_killed_and_interrupted_the_result_is_that_of_an_undisturbed_run(
    studies: Path, undisturbed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    assert stopped_after(3, by=signal.SIGKILL, studies=studies, output=output) == 3
    assert not any((output / name).exists() for name in TABLES)
    assert stopped_after(3, by=signal.SIGINT, studies=studies, output=output) == 3
    told: list[tuple[str, bool]] = []
    run_stand_ins(studies, output, tell=lambda outcome, kept: told.append((outcome.case, kept)))
    kept = [name for name, was_kept in told if was_kept]
    assert len(kept) >= 6
    assert written(output) == written(undisturbed)


def test_a_scheduler_that_runs_already_is_used(tmp_path: Path) -> None:
    studies = make_cases(tmp_path / "studies", {"a": "fine", "b": "corrupt"})
    options = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with LocalCluster(n_workers=1, threads_per_worker=1, **options) as one:
        running = RunningScheduler(one.scheduler_address)
        assert run_stand_ins(studies, tmp_path / "out", workers=running) == Counted(1, 1)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", **options
        ) as two,
        pytest.raises(ClusterError, match="--nthreads 1"),
    ):
        run_stand_ins(studies, tmp_path / "2", workers=RunningScheduler(two.scheduler_address))


def open_clients() -> set[int]:
    """Those whose end is still to come; at an unlucky moment it waits for ever."""
    clients = [one for one in gc.get_objects() if type(one) is Client]
    return {id(one) for one in clients if one.status not in ("closed", "newly-created")}


def test_a_scheduler_that_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
    studies = make_cases(tmp_path / "studies", {"a": "fine"})
    nowhere = RunningScheduler("tcp://127.0.0.1:9")
    before = open_clients()
    with pytest.raises(ClusterError, match="answers"):
        run_stand_ins(studies, tmp_path / "out", workers=nowhere)
    with pytest.raises(ClusterError, match="answers"):
        run_stand_ins(studies, tmp_path / "out", workers=RunningScheduler("no address"))
    assert open_clients() <= before


def test_a_case_that_no_worker_begins_is_not_handed_out_for_ever(
    in_process: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studies = make_cases(tmp_path / "studies", {"a": "fine"})
    (case,) = find_cases(studies, level=Level.L3_L4).cases
    monkeypatch.setattr(run, "outcome_of", lambda future, task, client: None)
    with Client(processes=False, dashboard_address="127.0.0.1:0") as client:
        (outcome,) = HAND_OUT(client, [Task(case, tmp_path / "out", PLAIN, 60.0, stand_in)])
    assert outcome.state == "failed"
    assert "before it began" in (outcome.reason or "")


def test_a_second_run_does_only_what_is_missing_or_changed(
    in_process: None, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    four = make_cases(tmp_path / "studies", dict.fromkeys("abc", "fine") | {"d": "corrupt"})
    done_again: list[str] = []

    def tell(outcome: Outcome, kept: bool) -> None:
        if not kept:
            done_again.append(outcome.case)

    def again(**options: Any) -> list[str]:
        done_again.clear()
        counted = run_stand_ins(four, output, tell=tell, **options)
        assert counted.done + counted.failed == 4
        return sorted(done_again)

    assert again() == ["a", "b", "c", "d"]
    assert again() == []
    (four / "a" / "baseline" / "behaviour").write_text("as fine")
    shutil.rmtree(output / "b")
    (four / "d" / "follow_up" / "behaviour").touch()
    os.utime(four / "d" / "follow_up" / "behaviour", ns=(1, 1))
    assert again() == ["a", "b", "d"]
    assert again(retry_failed=True) == ["d"]
    assert again(way=PLAIN.model_copy(update={"outputs": frozenset({"nrrd"})})) == list("abcd")


def test_a_case_that_now_fails_leaves_the_table(in_process: None, tmp_path: Path) -> None:
    studies = make_cases(tmp_path / "studies", {"a": "fine", "b": "fine"})
    output = tmp_path / "out"
    run_stand_ins(studies, output)
    (studies / "a" / "follow_up" / "behaviour").write_text("corrupt")
    (output / "b" / "result.json").write_text("{}")
    assert run_stand_ins(studies, output) == Counted(done=0, failed=2)
    assert {row["case"]: row["step"] for row in rows(output / "failed.csv")} == {
        "a": "comparing",
        "b": "collecting",
    }
    assert rows(output / "results.csv") == []


def test_two_batches_never_write_to_one_folder(tmp_path: Path) -> None:
    studies = make_cases(tmp_path / "studies", {"a": "fine"})
    with open_journal(tmp_path / "out"), pytest.raises(OutputError, match="Another batch"):
        run_stand_ins(studies, tmp_path / "out")


def test_a_journal_cut_off_in_a_line_is_read_and_goes_on(tmp_path: Path) -> None:
    kept = Outcome("a", "1", "done")
    with open_journal(tmp_path) as journal:
        journal.add(kept)
    (file,) = (tmp_path / ".mri-resorb-batch").glob("journal*")
    file.write_text(file.read_text() + '{"case": "b", "finge')
    with open_journal(tmp_path) as journal:
        assert journal.outcomes == {"a": kept}
        journal.add(Outcome("c", "1", "failed", "reading", "why", "Error", 1.5))
    with open_journal(tmp_path) as journal:
        assert list(journal.outcomes) == ["a", "c"]
    assert len(file.read_text().splitlines()) == 3


def test_tables_of_others_are_not_replaced(tmp_path: Path) -> None:
    studies = make_cases(tmp_path / "studies", {"a": "fine"})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.csv").write_text("mine")
    with pytest.raises(OutputError, match="not from a batch"):
        run_stand_ins(studies, tmp_path / "out")
    assert (tmp_path / "out" / "results.csv").read_text() == "mine"
