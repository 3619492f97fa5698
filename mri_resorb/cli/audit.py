"""`mri-resorb audit`: whether a reading service's audit log is as it was written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from mri_resorb.cli.terminal import one_line_errors
from mri_resorb.errors import StoreError

BROKEN = 3
"""An entry is not as it was written."""


def read_known(text: str) -> tuple[int, str]:
    """Number and hash of an entry.

    Raises:
        typer.BadParameter: it is neither.
    """
    found = re.fullmatch(r"(\d{1,15}):([0-9a-f]{64})", text.strip())
    if found is None:
        raise typer.BadParameter("give NUMBER:HASH, as this command showed it before")
    return int(found[1]), found[2]


def audit(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The service's folder.")],
    known: Annotated[
        Any,
        typer.Option(
            "--known",
            parser=read_known,
            metavar="NUMBER:HASH",
            help="What this command showed before: shows that no entries were cut off since.",
        ),
    ] = None,
) -> None:
    """Verify a reading service's audit log, and show its newest entry's number and hash."""
    with one_line_errors():
        from mri_resorb.service.audit import verify
        from mri_resorb.service.store import DATABASE_NAME, open_store

        if not (folder / DATABASE_NAME).is_file():
            raise StoreError(f"{folder} is no folder of a service.")
        store = open_store(folder)
        with store.reading() as connection:
            verified = verify(connection, known=known)
        store.close()
        typer.echo(f"{verified.entries}:{verified.last_hash}")
        if verified.broken_at is not None:
            typer.echo(
                f"mri-resorb: entry {verified.broken_at} is not as it was written.", err=True
            )
    if verified.broken_at is not None:
        raise typer.Exit(BROKEN)
