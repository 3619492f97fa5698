"""`mri-resorb fetch`: results from a reading service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mri_resorb.cli.terminal import check_packages, one_line_errors, working
from mri_resorb.cli.words import TokenFileChoice


def fetch(
    service: Annotated[str, typer.Argument(metavar="URL", help="The service, as https://HOST.")],
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder for a folder of each case.")
    ],
    case: Annotated[
        list[str] | None, typer.Option("--case", metavar="ID", help="This case; may be repeated.")
    ] = None,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Also what is measured and not signed.")
    ] = False,
    token_file: TokenFileChoice = None,
) -> None:
    """Fetch signed results from a reading service; what is there already is not fetched again."""
    with one_line_errors():
        check_packages("httpx2", extra="service")
        from mri_resorb.service.client import connected, fetch_results, read_token

        with (
            working("Fetching"),
            connected(service, token=read_token(token_file)) as client,
        ):
            fetched = fetch_results(client, output, cases=case or (), unsigned=unsigned)
        new = sum(fetched.values())
        typer.echo(f"{new} fetched to {output}, {len(fetched) - new} were there already.")
