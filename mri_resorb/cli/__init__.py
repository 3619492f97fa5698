"""The command line: thin, and light to start, since the imaging libraries load inside the commands.

Exit codes: 0 measured; 1 the input cannot be used; 2 the command's words are off; 3 it ran, and
refused a number.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mri_resorb import __version__
from mri_resorb.cli.account import account
from mri_resorb.cli.agreement import agreement
from mri_resorb.cli.audit import audit
from mri_resorb.cli.batch import batch
from mri_resorb.cli.claim import claim
from mri_resorb.cli.cohort import cohort
from mri_resorb.cli.deidentify import deidentify
from mri_resorb.cli.fetch import fetch
from mri_resorb.cli.remeasure import remeasure
from mri_resorb.cli.run import run
from mri_resorb.cli.send import send
from mri_resorb.cli.serve import serve
from mri_resorb.cli.trajectory import trajectory

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help would double the time to start
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mri-resorb {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and end."
        ),
    ] = False,
) -> None:
    """How much of a herniated lumbar disc fragment was resorbed between two MRI studies.

    Research and decision support, not a medical device.
    """


app.command()(run)
app.command()(batch)
app.command()(trajectory)
app.command()(remeasure)
app.command()(cohort)
app.command()(agreement)
app.command()(claim)
app.command()(serve)
app.add_typer(account, name="account")
app.command()(audit)
app.command()(send)
app.command()(fetch)
app.command()(deidentify)
