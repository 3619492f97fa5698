"""What became of each case, kept beside the results, so that a later run does only what is left.

A case is done again when its fingerprint changes: the version, the definitions, the weights, the
parameters, the outputs asked for, and the name, size and time of change of every file of its
studies. Contents are not read for it: with thousands of studies that would take as long as
measuring. So a file whose content changes while size and time stay is not noticed, and files that
are copied anew are measured again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Literal

from pydantic import TypeAdapter, ValidationError

import mri_resorb
from mri_resorb.batch.cases import Case
from mri_resorb.errors import OutputError
from mri_resorb.io.dicom import list_files
from mri_resorb.model import DEFINITIONS_VERSION
from mri_resorb.pipeline import Pipeline
from mri_resorb.segment.close_up import weights_sha256

WORK_NAME = ".mri-resorb-batch"
_JOURNAL_NAME = "journal.jsonl"

Step = Literal[
    "finding", "pairing", "comparing", "reading", "segmenting", "measuring", "writing", "collecting"
]
"""`comparing` is reading, segmenting or measuring, where it is not known which."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        step, reason: where and why it failed; None where it did not.
        kind: the reason without words that could name a file or person: an error's class.
        seconds: on the worker.
    """

    case: str
    fingerprint: str
    state: Literal["done", "failed"]
    step: Step | None = None
    reason: str | None = None
    kind: str | None = None
    seconds: float | None = None


_OUTCOME = TypeAdapter(Outcome)


class Journal:
    """Outcomes on disk, one line each, the latest of a case counting."""

    def __init__(self, file: IO[str], outcomes: dict[str, Outcome]) -> None:
        self._file = file
        self.outcomes = outcomes

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.outcomes[outcome.case] = outcome
        self._file.write(json.dumps(asdict(outcome)) + "\n")
        self._file.flush()


@contextmanager
def open_journal(output: Path) -> Iterator[Journal]:
    """The journal of a folder with results, for one run at a time.

    Raises:
        OutputError: another run writes there, or the folder cannot be written to.
    """
    try:
        work = output / WORK_NAME
        work.mkdir(parents=True, exist_ok=True)
        file = (work / _JOURNAL_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output} cannot be written to: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"Another batch writes to {output}; wait for it, or give another folder."
            ) from error
        file.seek(0)
        lines = file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # cut off when the run was killed
            file.write("\n")
        yield Journal(file, _outcomes(lines))


def _outcomes(lines: list[str]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for line in lines:
        try:
            outcome = _OUTCOME.validate_json(line)
        except ValidationError:  # a line cut off
            continue
        outcomes[outcome.case] = outcome
    return outcomes


def fingerprint(case: Case, *, way: Pipeline) -> str:
    """SHA-256 of what a case's result depends on; see the module."""
    parameters = [
        mri_resorb.__version__,
        DEFINITIONS_VERSION,
        _weights_sha256(),
        sorted(way.outputs),
        way.layout,
        way.language,
        case.level,
        case.disc_at,
        case.sex,
        case.age_years,
        case.ordered,
    ]
    files: list[list[str | int | None]] = []
    for study in case.studies:
        whole = list_files(study.path) if study.path.is_dir() else [study.path]
        for path in study.files or whole:
            name = [study.name, str(path.relative_to(study.path))]
            try:
                facts = path.stat()
            except OSError:
                files.append([*name, None, None])
            else:
                files.append([*name, facts.st_size, facts.st_mtime_ns])
    return hashlib.sha256(json.dumps([parameters, files]).encode()).hexdigest()


@cache
def _weights_sha256() -> str:
    return weights_sha256()
