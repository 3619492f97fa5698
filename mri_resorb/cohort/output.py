"""A folder with a document, pictures and text: written beside, and renamed when whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from mri_resorb.errors import OutputError

_WORK_NAME = ".mri-resorb-unfinished"


def write_files(
    folder: Path, files: Mapping[str, Callable[[Path], None] | None], *, document: str, schema: str
) -> None:
    """Write all files, or none; an earlier document of the same schema and its files are replaced.

    Args:
        files: by name, what writes each to the path that it is given; None where an earlier one
            is only to be taken away.
        document: the one among them that holds `schema`; it is put in its place last.

    Raises:
        OutputError: the folder cannot take them, or holds a file of such a name that is not ours.
    """
    work = folder / _WORK_NAME
    made_here = not folder.exists()
    _check(folder, names=files, document=document, schema=schema)
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        for name, write in files.items():
            if write is not None:
                write(work / name)
        for name in sorted(files, key=lambda name: name == document):
            if files[name] is None:
                (folder / name).unlink(missing_ok=True)
            else:
                (work / name).replace(folder / name)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made_here and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _check(folder: Path, *, names: Mapping[str, object], document: str, schema: str) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder.")
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"{nearest} cannot be written to; give another folder.")
    there = [name for name in names if (folder / name).exists()]
    if there and not _is_ours(folder / document, schema=schema):
        raise OutputError(
            f"{folder / there[0]} is there and not from mri-resorb; move it or give another folder."
        )


def _is_ours(document: Path, *, schema: str) -> bool:
    try:
        read = json.loads(document.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(read, dict) and read.get("schema") == schema
