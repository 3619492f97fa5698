"""Folders of cases, and what stands in for measuring them: a study's file says what happens.

`main` is a batch of such cases in a process of its own, to be killed.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

from case_results import case_result

from mri_resorb.batch.cases import find_cases
from mri_resorb.batch.cluster import LocalWorkers, Workers
from mri_resorb.batch.progress import told
from mri_resorb.batch.run import Counted, run_batch
from mri_resorb.errors import PixelDataError
from mri_resorb.model import CaseResult, Level, StudyInput
from mri_resorb.pipeline import Pipeline

PLAIN = Pipeline(description="Nothing but the result.", outputs=frozenset())
TWO = LocalWorkers(2)
TIME_LIMIT_S = 15.0
"""Above what a stand-in takes on a busy machine with libraries still to load."""


def make_cases(folder: Path, behaviours: dict[str, str]) -> Path:
    """`folder/<case>/<study>`, without dates, so that the names order the studies."""
    for name, behaviour in behaviours.items():
        for study in ("baseline", "follow_up"):
            place = folder / name / study
            place.mkdir(parents=True)
            (place / "behaviour").write_text(behaviour)
    return folder


def stand_in(
    baseline: StudyInput, follow_up: StudyInput, *, level: Level, **options: Any
) -> CaseResult:
    """What the follow-up's file says: a result, a bad input, a bug, a crash, a hang or a kill."""
    behaviour = (follow_up.path / "behaviour").read_text()
    if behaviour == "corrupt":
        raise PixelDataError("Follow-up: File 3 of 20: its pixels are cut off.")
    if behaviour == "bug":
        raise KeyError("Doe^Jane")
    if behaviour == "crash":
        ctypes.string_at(0)
    if behaviour == "killed":
        os.kill(os.getpid(), 9)
    if behaviour == "hang":
        while True:
            time.sleep(60)
    return case_result(level=level)


def run_stand_ins(
    studies: Path, output: Path, *, workers: Workers = TWO, **options: Any
) -> Counted:
    """A batch with no measuring in it."""
    usual = {"way": PLAIN, "time_limit_s": TIME_LIMIT_S, "compare": stand_in}
    return run_batch(
        find_cases(studies, level=Level.L3_L4),
        output=output,
        workers=workers,
        **{**usual, **options},
    )


def main() -> None:
    """`main` of a process: the folders of studies and results are its arguments."""
    studies, output = map(Path, sys.argv[1:])
    with told(find_cases(studies, level=Level.L3_L4), log=None) as tell:
        run_stand_ins(studies, output, tell=tell)
