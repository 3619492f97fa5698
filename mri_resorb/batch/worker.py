"""One case on a worker: compared and written, with notes that outlive the worker.

The notes are a file that says which step the case is in. Where a signal or the time limit ends the
process, the interpreter adds what it last saw, so the run learns why a worker is gone.
"""

from __future__ import annotations

import faulthandler
import fcntl
import hashlib
import logging
import os
import re
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, cast, get_args

from mri_resorb.batch.cases import Case, Study
from mri_resorb.batch.journal import WORK_NAME, Outcome, Step, fingerprint
from mri_resorb.batch.pairs import pair
from mri_resorb.case import follow_up
from mri_resorb.errors import InputError
from mri_resorb.io.result_folder import check_output, write_results
from mri_resorb.model import CaseResult, StudyInput
from mri_resorb.pipeline import Pipeline
from mri_resorb.side_by_side import THREADS_VARIABLE

Compare = Callable[..., CaseResult]
"""`follow_up`, or what stands in for it."""


KILLED = "Killed"
"""Kind of an outcome whose worker ended without a word, which need not be the case's fault."""


@dataclass(frozen=True)
class Task:
    """What a worker is told.

    Attributes:
        output: the batch's folder, which the worker must reach under the same name.
        time_limit_s: after it the worker ends itself.
    """

    case: Case
    output: Path
    way: Pipeline
    time_limit_s: float
    compare: Compare = follow_up

    @property
    def notes(self) -> Path:
        """The notes' file; it is there only while the case is worked on, or if that was cut off."""
        name = hashlib.sha256(self.case.name.encode()).hexdigest()[:16]
        return self.output / WORK_NAME / "notes" / name


def run_case(task: Task) -> Outcome:
    """Compare a case's studies and write the result; what goes wrong is the outcome."""
    os.environ[THREADS_VARIABLE] = "1"
    _silence()
    began = time.perf_counter()
    with _notes(task.notes, time_limit_s=task.time_limit_s) as notes:
        outcome = Outcome(task.case.name, fingerprint(task.case, way=task.way), "done")
        try:
            _compare_and_write(task, notes)
        except InputError as error:
            outcome = _failed(outcome, notes, error, reason=" ".join(str(error).split()))
        except MemoryError as error:
            outcome = _failed(outcome, notes, error, reason="The worker's memory was not enough.")
        except Exception as error:
            # Only the kind and the place: the message may quote what a header holds.
            kind, place = type(error).__name__, _places(error)[-1]
            reason = f"This is a bug, not a fault of the input: {kind} at {place}."
            outcome = _failed(outcome, notes, error, reason=reason)
    return replace(outcome, seconds=round(time.perf_counter() - began, 3))


@cache
def _silence() -> None:
    """Keep the libraries' chatter off the screen: it may quote what a header holds."""
    if not os.environ.get("MRI_RESORB_DEBUG"):
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore")


def _compare_and_write(task: Task, notes: _Notes) -> None:
    case, folder = task.case, task.output / task.case.name
    check_output(folder)
    notes.enter("pairing")
    studies = pair(case)
    baseline, follow_up = (
        StudyInput(_place(one.study, task=task), date=one.from_name)
        for one in (studies.baseline, studies.follow_up)
    )
    notes.enter("comparing")
    result = task.compare(
        baseline,
        follow_up,
        level=case.level,
        disc_at=case.disc_at,
        sex=case.sex,
        age_years=case.age_years,
    )
    notes.enter("writing")
    write_results(result, folder, outputs=task.way.made(), language=task.way.language)


def _place(study: Study, *, task: Task) -> Path:
    """The study's folder; where it holds other studies too, one with links to this one's files.

    The links stay, so that the case can be measured again from them.
    """
    if not study.files:
        return study.path
    names = [str(path.relative_to(study.path)) for path in study.files]
    key = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    folder = task.output.absolute() / WORK_NAME / "studies" / task.case.name / key
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(study.files):
        link = folder / f"{number:06d}"
        link.unlink(missing_ok=True)
        link.symlink_to(path.absolute())
    return folder


class _Notes:
    """The file that says which step a case is in."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.step: Step = "finding"

    def enter(self, step: Step) -> None:
        self.step = step
        self._file.write(f"{step}\n")
        self._file.flush()


@contextmanager
def _notes(path: Path, *, time_limit_s: float) -> Iterator[_Notes]:
    """Notes that are gone when the block is left, and stay when the process ends within it.

    The lock is for a worker that outlived its run: the case is written by one at a time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        faulthandler.enable(file)
        faulthandler.dump_traceback_later(time_limit_s, exit=True, file=file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(0)
            yield _Notes(file)
        finally:
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()
            path.unlink(missing_ok=True)


def why_it_died(task: Task) -> Outcome | None:
    """What the notes say of a case whose worker is gone.

    None where the case had not begun, or where a worker holds its lock: it lives.
    """
    try:
        with task.notes.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            text = file.read()
            task.notes.unlink(missing_ok=True)
    except OSError:
        return None
    steps = [line for line in text.splitlines() if line in get_args(Step)]
    step: Step = cast(Step, steps[-1]) if steps else "finding"
    if step == "comparing":
        step = _step_within(text)
    fatal = re.search(r"Fatal Python error: ([^\n]+)", text)
    if re.search(r"^Timeout \(", text, re.MULTILINE):
        kind, reason = "TimeLimit", f"It did not end within {task.time_limit_s:g} seconds."
    elif fatal:
        kind, reason = "Crash", f"The worker process crashed: {fatal[1]}."
    else:
        kind = KILLED
        reason = "The worker process was ended from outside; perhaps its memory was not enough."
    return _gone(task, step=step, reason=reason, kind=kind)


def never_begun(task: Task) -> Outcome:
    """The outcome of a case whose workers ended again and again before they could begin it."""
    reason = "Its worker ended before it began, again and again: workers cannot start as they are."
    return _gone(task, step="finding", reason=reason, kind=KILLED)


def _gone(task: Task, *, step: Step, reason: str, kind: str) -> Outcome:
    return Outcome(
        task.case.name, fingerprint(task.case, way=task.way), "failed", step, reason, kind
    )


def _failed(outcome: Outcome, notes: _Notes, error: Exception, *, reason: str) -> Outcome:
    step = notes.step
    if step == "comparing":
        files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        step = _step_within("\n".join(files))
    return replace(outcome, state="failed", step=step, reason=reason, kind=type(error).__name__)


def _step_within(trace: str) -> Step:
    """Which part of comparing a trace of file names shows."""
    steps: dict[str, Step] = {"io": "reading", "segment": "segmenting", "measure": "measuring"}
    found = re.search(r"mri_resorb/(io|segment|measure)/", trace)
    return steps[found[1]] if found else "comparing"


def _places(error: Exception) -> list[str]:
    return [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
