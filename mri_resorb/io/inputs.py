"""Where the studies of a result lay: a file of its own beside it, so that they are found again.

It is apart from the result document, and readable by its owner alone, since folders are often named
after patients: who passes a result on leaves it out.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mri_resorb.errors import ResultsError
from mri_resorb.model import StudyInput

INPUTS_NAME = "inputs.json"


class _Study(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    study: Path
    series: str | None
    anatomy: tuple[Path, ...] = ()


class _Inputs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    baseline: _Study
    follow_up: _Study


def write_inputs(inputs: tuple[StudyInput, StudyInput], path: Path) -> None:
    """Write the places of both studies and their label maps, absolute, and the series asked for."""
    baseline, follow_up = (
        _Study(
            study=given.path.absolute(),
            series=given.series,
            anatomy=tuple(path.absolute() for path in given.anatomy),
        )
        for given in inputs
    )
    path.touch(mode=0o600)
    written = _Inputs(baseline=baseline, follow_up=follow_up)
    path.write_text(written.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_inputs(path: Path) -> tuple[StudyInput, StudyInput]:
    """The places that `write_inputs` wrote.

    Raises:
        ResultsError: the file is not there or holds something else.
    """
    try:
        read = _Inputs.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise ResultsError(
            f"{path} does not say where the studies are; name them with --baseline and --follow-up."
        ) from error
    first, second = (
        StudyInput(study.study, study.series, anatomy=study.anatomy)
        for study in (read.baseline, read.follow_up)
    )
    return first, second
