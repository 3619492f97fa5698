"""The process that measures corrections: calls, errors, ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mri_resorb.errors import ResultsError, StateError
from mri_resorb.service.web.remeasuring_process import RemeasuringProcess, remeasuring_process

PATIENCE_S = 120.0


def children() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid is not None]


def test_its_errors_come_back_as_they_are(tmp_path: Path) -> None:
    with remeasuring_process() as process:
        assert children() == []  # nothing runs before it is needed
        for _ in range(2):
            with pytest.raises(ResultsError, match="holds no result"):
                process.prepare(tmp_path)
        assert len(children()) == 1
    assert children() == []


def test_one_that_dies_is_told_of_and_started_anew(tmp_path: Path) -> None:
    with remeasuring_process() as process:
        with pytest.raises(ResultsError):
            process.prepare(tmp_path)
        os.kill(children()[0], signal.SIGKILL)
        with pytest.raises(StateError, match="try it again"):
            process.prepare(tmp_path)
        with pytest.raises(ResultsError):
            process.prepare(tmp_path)


def test_it_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import multiprocessing, os, sys\n"
        "from pathlib import Path\n"
        "from mri_resorb.service.web.remeasuring_process import RemeasuringProcess\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        RemeasuringProcess().prepare(Path(sys.argv[1]))\n"
        "    except Exception:\n"
        "        pass\n"
        "    print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    file = tmp_path / "service.py"
    file.write_text(program)
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    child = int(done.stdout)
    until = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_ending_what_never_began_is_nothing() -> None:
    RemeasuringProcess().end()
