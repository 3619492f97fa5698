"""`mri-resorb serve`: the reading service."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated

import typer

from mri_resorb.cli.terminal import one_line_errors
from mri_resorb.errors import MissingPackageError

_PACKAGES = ("argon2", "dicomweb_client", "distributed", "fastapi", "pynetdicom", "uvicorn")


def serve(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="What the service keeps; made where it is missing. service.toml in it says how "
            "the service runs.",
        ),
    ],
) -> None:
    """Take studies from a PACS, measure them, show them to a reader, and send back what is signed.

    Listens on this machine alone unless service.toml says otherwise; see docs/service.md.
    """
    with one_line_errors():
        _check_packages()
        _log_to_screen()
        from mri_resorb.service.serving import serve as run

        run(folder, tell=lambda line: typer.echo(line))


def _check_packages() -> None:
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                f"`serve` needs the package {name}: pip install 'mri-resorb[service]'."
            ) from error


def _log_to_screen() -> None:
    """Our own lines alone, which name nobody; those of libraries may."""
    import logging
    import threading
    import warnings

    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    ours = logging.getLogger("mri_resorb")
    ours.addHandler(lines)
    ours.setLevel(logging.INFO)
    ours.propagate = False
    threading.excepthook = lambda told: ours.error(
        "A thread ended by %s; what others do goes on.", told.exc_type.__name__
    )
