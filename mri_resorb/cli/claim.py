"""`mri-resorb claim`: what a published claim of resorption amounts to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mri_resorb.cli.terminal import REFUSED, one_line_errors
from mri_resorb.cli.words import JsonChoice


def claim(
    words: Annotated[
        str,
        typer.Argument(
            metavar="TEXT|FILE.yaml",
            help="The claim in its own words (quoted), or a YAML file of what it states.",
        ),
    ],
    as_json: JsonChoice = False,
) -> None:
    """What a published claim of resorption says, and what it lacks."""
    with one_line_errors():
        from mri_resorb.cohort.claim import check
        from mri_resorb.cohort.claim_text import read_claim, read_claim_file
        from mri_resorb.cohort.claim_words import claim_lines
        from mri_resorb.cohort.report import claim_json

        is_file = words.lower().endswith((".yaml", ".yml"))
        checked = check(read_claim_file(Path(words)) if is_file else read_claim(words))
        if as_json:
            sys.stdout.write(claim_json(checked))
        else:
            for line in claim_lines(checked):
                typer.echo(line)
    if checked.claim.is_empty:
        raise typer.Exit(REFUSED)
