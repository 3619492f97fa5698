"""What a command says while it works and when it fails: one line, no traceback, no patient."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import typer

from mri_resorb.errors import InputError, MissingPackageError

UNUSABLE_INPUT = 1
REFUSED = 3
"""It ran, and refused a number."""


@contextmanager
def working(words: str) -> Iterator[None]:
    """Show that work goes on, where a person watches; keep the libraries' chatter away.

    Their warnings may quote what a header holds, so they could name the patient.
    """
    import logging
    import warnings

    from rich.console import Console

    if not _debugging():
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore")
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"{words} ..."):
        yield


def check_packages(*names: str, extra: str) -> None:
    """See, before the work, that packages which only some commands need are installed.

    Raises:
        MissingPackageError: one is not.
    """
    for name in names:
        if find_spec(name) is None:
            raise MissingPackageError(
                f"This needs the package {name}: pip install 'mri-resorb[{extra}]'."
            )


@contextmanager
def uncollected() -> Iterator[None]:
    """Leave cyclic garbage alone: one case is short, and looking for it costs imports a quarter."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End with one line and exit code 1 where the input cannot be used, or where we have a bug."""
    try:
        yield
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except InputError as error:
        _end(" ".join(str(error).split()), cause=error)
    except Exception as error:
        # Only the kind and the place: the message may quote what a header holds.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = ""
        if place is not None:
            file = Path(place.tb_frame.f_code.co_filename).name
            where = f" at {file}:{place.tb_lineno}"
        _end(
            f"This is a bug, not a fault of the input: {type(error).__name__}{where}. "
            "MRI_RESORB_DEBUG=1 shows the details, which may name the patient.",
            cause=error,
        )


def _end(message: str, *, cause: Exception) -> NoReturn:
    if _debugging():
        raise cause
    typer.echo(f"mri-resorb: {message}", err=True)
    raise typer.Exit(UNUSABLE_INPUT) from cause


def _debugging() -> bool:
    return bool(os.environ.get("MRI_RESORB_DEBUG"))
