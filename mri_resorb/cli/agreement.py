"""`mri-resorb agreement`: two sets of results of the same cases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mri_resorb.cli.terminal import one_line_errors
from mri_resorb.cli.words import JsonChoice
from mri_resorb.errors import ResultsError

PARTLY = 3
"""Some results could not be read, or too few cases have a figure in both sets."""


def agreement(
    a: Annotated[
        Path,
        typer.Argument(help="One set: a folder with results, or a table (.csv) of a reader's."),
    ],
    b: Annotated[Path, typer.Argument(help="The other set, of the same case names.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help="Write the document, tables and pictures there as well."
        ),
    ] = None,
    as_json: JsonChoice = False,
) -> None:
    """How well two sets of results of the same cases agree."""
    with one_line_errors():
        from rich.console import Console

        from mri_resorb.cohort.agreement import compare
        from mri_resorb.cohort.read import read_results
        from mri_resorb.cohort.report import agreement_json, write_agreement
        from mri_resorb.cohort.tables import agreement_tables

        first, second = read_results(a), read_results(b)
        unreadable = (*first.unreadable, *second.unreadable)
        for line in unreadable:
            typer.echo(f"mri-resorb: left out {line}", err=True)
        made = compare(first.cases, second.cases)
        if not made.cases:
            raise ResultsError(f"{a} and {b} have no case name in common.")
        if output is not None:
            write_agreement(made, output)
        if as_json:
            sys.stdout.write(agreement_json(made))
        else:
            Console().print(agreement_tables(made))
    if unreadable or not made.agreements:
        raise typer.Exit(PARTLY)
