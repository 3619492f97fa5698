"""`mri-resorb cohort`: incidence of resorption over many results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mri_resorb.cli.terminal import one_line_errors
from mri_resorb.cli.words import JsonChoice

PARTLY = 3
"""Some results could not be read, or no case had a herniation to resorb."""


def cohort(
    results: Annotated[
        Path,
        typer.Argument(help="Folder with results (result.json at any depth), or a results.csv."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help="Write the document, tables and pictures there as well."
        ),
    ] = None,
    as_json: JsonChoice = False,
) -> None:
    """Incidence of resorption over many results, beside what papers report."""
    with one_line_errors():
        from rich.console import Console

        from mri_resorb.cohort.read import read_results
        from mri_resorb.cohort.report import cohort_json, write_cohort
        from mri_resorb.cohort.summary import summarize
        from mri_resorb.cohort.tables import cohort_tables

        made = summarize(read_results(results))
        for line in made.unreadable:
            typer.echo(f"mri-resorb: left out {line}", err=True)
        if output is not None:
            write_cohort(made, output)
        if as_json:
            sys.stdout.write(cohort_json(made))
        else:
            Console().print(cohort_tables(made))
    if made.unreadable or not made.with_herniation:
        raise typer.Exit(PARTLY)
