"""The folder that a run leaves: written beside what is there, and put in its place when whole.

The folder may hold other files of the user's, and it may be a mount point, so it is never renamed
as a whole. New files are finished in a subfolder of it first. Then the earlier result's files go
into that subfolder, `result.json` before all others, and the new ones come out of it, `result.json`
last: whatever the moment, a `result.json` stands beside its own files only. A failure puts the
earlier files back; where the process was killed, `recover` does so when the folder is next used.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from mri_resorb.errors import OutputError
from mri_resorb.io.results import SCHEMA
from mri_resorb.languages import Language
from mri_resorb.model import CaseResult
from mri_resorb.outputs import ALWAYS, CHOSEN, OWN_NAMES, RESULT_NAME, Output, OutputName

_WORK_NAME = ".mri-resorb-unfinished"
_NEW = "new"
_OLD = "old"
_REPLACED = "replaced"
"""What `_OLD` is called once it holds the whole earlier result."""


def check_output(output: Path) -> None:
    """See, before the work, that results can be written to a folder and nothing foreign is lost.

    Raises:
        OutputError: a file, not writable, or it holds a file named as one of ours without a result
            of ours beside it.
    """
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file; give a folder for the results.")
    nearest = next(folder for folder in (output, *output.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{nearest} cannot be written to; give another folder for the results.")
    recover(output)
    foreign = [name for name in OWN_NAMES if (output / name).exists()]
    if foreign and not _holds_result(output):
        raise OutputError(
            f"{output / foreign[0]} is there and not from a run of mri-resorb; move it, or give "
            "another folder for the results."
        )


def write_results(
    case: CaseResult,
    output: Path,
    *,
    outputs: Collection[OutputName | Output] = (),
    language: Language = Language.EN,
) -> None:
    """Write what every case leaves (`mri_resorb.outputs.ALWAYS`) and the outputs asked for.

    An earlier result there is replaced when the new one is whole; the user's other files stay.

    Raises:
        OutputError: see `check_output`; or the disk refused. What was there before stays.
    """
    check_output(output)
    made_here = not output.exists()
    work = output / _WORK_NAME
    try:
        work.mkdir(parents=True)
        (work / _NEW).mkdir()
        (work / _OLD).mkdir()
        _write_files(case, work / _NEW, outputs=outputs, language=language)
        _exchange(output=output, work=work)
    except OSError as error:
        raise OutputError(f"{output} cannot be written to: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made_here and output.is_dir() and not any(output.iterdir()):
            output.rmdir()


def recover(output: Path) -> None:
    """Put back the result that a killed run was about to replace, and clear what it left."""
    work = output / _WORK_NAME
    if not work.is_dir():
        return
    if not (output / RESULT_NAME).exists():
        _put_back(output=output, work=work)
    shutil.rmtree(work)


def _holds_result(output: Path) -> bool:
    try:
        read = json.loads((output / RESULT_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(read, dict) and read.get("schema") == SCHEMA


def _write_files(
    case: CaseResult,
    folder: Path,
    *,
    outputs: Collection[OutputName | Output],
    language: Language,
) -> None:
    chosen = [output for name, output in CHOSEN.items() if name in outputs]
    others = [output for output in outputs if isinstance(output, Output)]
    for wanted in (*ALWAYS, *chosen, *others):
        wanted.write(case, folder, language)


def _exchange(*, output: Path, work: Path) -> None:
    try:
        for name in OWN_NAMES:  # result.json first
            _move(output / name, work / _OLD / name)
        (work / _OLD).rename(work / _REPLACED)
        for name in reversed(OWN_NAMES):  # result.json last
            _move(work / _NEW / name, output / name)
    except BaseException:
        _put_back(output=output, work=work)
        raise


def _put_back(*, output: Path, work: Path) -> None:
    """Undo a half-made exchange, from wherever it stopped; may itself be stopped and repeated."""
    if (work / _REPLACED).is_dir():  # so what lies in the folder is of the new result
        for name in OWN_NAMES:
            _remove(output / name)
        (work / _REPLACED).rename(work / _OLD)
    for name in reversed(OWN_NAMES):
        _move(work / _OLD / name, output / name)


def _move(source: Path, target: Path) -> None:
    if source.exists():
        source.replace(target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
