"""`mri-resorb send`: studies to a reading service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mri_resorb.cli.terminal import UNUSABLE_INPUT, check_packages, one_line_errors, working
from mri_resorb.cli.words import TokenFileChoice

PARTLY = 3
"""Some files were refused."""


def send(
    service: Annotated[str, typer.Argument(metavar="URL", help="The service, as https://HOST.")],
    studies: Annotated[
        list[Path], typer.Argument(metavar="STUDY...", help="DICOM files, folders, or zips.")
    ],
    token_file: TokenFileChoice = None,
) -> None:
    """Send studies to a reading service; what it has already changes nothing."""
    with one_line_errors():
        check_packages("httpx2", extra="service")
        from mri_resorb.service.client import connected, read_token, send_studies

        with (
            working("Sending"),
            connected(service, token=read_token(token_file)) as client,
        ):
            sent = send_studies(client, studies)
        typer.echo(
            f"{sent.stored} files sent, {sent.already_there} were there already; "
            f"studies: {len(sent.studies)}."
        )
        for reason, count in sorted(sent.refused.items()):
            typer.echo(f"mri-resorb: {count} refused: {reason}", err=True)
    if sent.refused:
        raise typer.Exit(PARTLY if sent.studies else UNUSABLE_INPUT)
