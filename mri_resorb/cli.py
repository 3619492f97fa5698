"""The command line: thin, and light to start, since the imaging libraries load inside the command.

Exit codes: 0 measured; 1 the input cannot be used; 2 the command's words are off; 3 it ran, and
refused a number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mri_resorb import __version__
from mri_resorb.errors import InputError, OutputError

if TYPE_CHECKING:
    from mri_resorb.model import CaseResult, Level, Point

UNUSABLE_INPUT = 1
REFUSED = 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's help would double the time to start
    pretty_exceptions_enable=False,
)


class SexOption(StrEnum):
    """Sex of the patient, as DICOM writes it."""

    F = "F"
    M = "M"


def main() -> None:
    """Run the command line."""
    app()


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mri-resorb {__version__}")
        raise typer.Exit


def _level(text: str) -> Level:
    from mri_resorb.model import Level

    try:
        return Level.parse(text)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a date; write it as 2018-11-05.") from error


def _point(text: str) -> Point:
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not X,Y,Z in millimetres.") from error
    if not all(abs(coordinate) < 10_000 for coordinate in (x, y, z)):
        raise typer.BadParameter(f"'{text}' lies outside of any scanner.")
    return x, y, z


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


@app.command()
def run(
    baseline: Annotated[
        Path, typer.Argument(help="Earlier study: a folder, a zip, or a NIfTI, NRRD or MHA file.")
    ],
    follow_up: Annotated[Path, typer.Argument(help="Later study, likewise.")],
    level: Annotated[
        Any, typer.Option("--level", parser=_level, metavar="LEVEL", help="L1-L2 ... L5-S1.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Folder for the results; an earlier result there is replaced when this one is "
            "whole, other files stay.",
        ),
    ],
    disc_at: Annotated[
        Any,
        typer.Option(
            "--disc-at",
            parser=_point,
            metavar="X,Y,Z",
            help="A point inside the disc in the baseline, patient mm (LPS): settles which disc "
            "is meant.",
        ),
    ] = None,
    baseline_date: Annotated[
        Any,
        typer.Option(
            "--baseline-date", parser=_day, metavar="DATE", help="ISO date, instead of the file's."
        ),
    ] = None,
    follow_up_date: Annotated[
        Any,
        typer.Option(
            "--follow-up-date", parser=_day, metavar="DATE", help="ISO date, instead of the file's."
        ),
    ] = None,
    sex: Annotated[
        SexOption | None,
        typer.Option("--sex", case_sensitive=False, help="Instead of the file's."),
    ] = None,
    age: Annotated[
        int | None,
        typer.Option("--age", min=0, max=130, help="Years, at baseline; instead of the file's."),
    ] = None,
    baseline_series: Annotated[
        str | None,
        typer.Option(
            "--baseline-series", metavar="UID", help="SeriesInstanceUID to measure at baseline."
        ),
    ] = None,
    follow_up_series: Annotated[
        str | None,
        typer.Option(
            "--follow-up-series", metavar="UID", help="SeriesInstanceUID to measure at follow-up."
        ),
    ] = None,
    baseline_mask: Annotated[
        Path | None,
        typer.Option(
            "--baseline-mask",
            metavar="FILE",
            help="Fragment drawn by a person (NIfTI, .seg.nrrd, DICOM SEG), measured instead.",
        ),
    ] = None,
    follow_up_mask: Annotated[
        Path | None, typer.Option("--follow-up-mask", metavar="FILE", help="Likewise.")
    ] = None,
    allow_same_date: Annotated[
        bool, typer.Option("--allow-same-date", help="Compare studies of one date.")
    ] = False,
    allow_different_patients: Annotated[
        bool,
        typer.Option(
            "--allow-different-patients", help="Compare studies whose patients seem to differ."
        ),
    ] = False,
    pipeline: Annotated[
        str,
        typer.Option(
            "--pipeline",
            metavar="NAME|FILE",
            help="A way of working: clinic, research, or a TOML file of your own.",
        ),
    ] = "clinic",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result document instead of the case's text.")
    ] = False,
) -> None:
    """Compare the herniated fragment at one level between two studies of one person."""
    with _one_line_errors():
        _check_places(output, inputs=(baseline, follow_up), masks=(baseline_mask, follow_up_mask))
        with _working(f"Measuring {level} in both studies"):
            from mri_resorb import follow_up as compare
            from mri_resorb.io.result_folder import write_results
            from mri_resorb.pipeline import read_pipeline

            way = read_pipeline(pipeline)
            case = compare(
                baseline,
                follow_up,
                level=level,
                disc_at=disc_at,
                baseline_series=baseline_series,
                follow_up_series=follow_up_series,
                baseline_date=baseline_date,
                follow_up_date=follow_up_date,
                sex=None if sex is None else sex.value,
                age_years=age,
                baseline_mask=baseline_mask,
                follow_up_mask=follow_up_mask,
                allow_same_date=allow_same_date,
                allow_different_patients=allow_different_patients,
            )
            write_results(case, output, picture=way.picture)
        _show(case, output=output, picture=way.picture, as_json=as_json)
    if case.status == "undetermined":
        raise typer.Exit(REFUSED)


def _check_places(
    output: Path, *, inputs: tuple[Path, ...], masks: tuple[Path | None, ...]
) -> None:
    """See that results fit where they are to go, before the work and without touching an input.

    Raises:
        OutputError: the folder cannot take results, lies in a study, or holds a mask that is read.
    """
    from mri_resorb.io.result_folder import OWN_NAMES, check_output

    place = output.resolve()
    for study in inputs:
        if study.is_dir() and place.is_relative_to(study.resolve()):
            raise OutputError(
                f"{output} lies in the study {study}; give a folder outside of it for the results."
            )
    for mask in masks:
        if mask is not None and mask.resolve().parent == place and mask.name in OWN_NAMES:
            raise OutputError(
                f"{mask} would be overwritten by the results; copy it elsewhere, or give another "
                "folder for the results."
            )
    check_output(output)


def _show(case: CaseResult, *, output: Path, picture: bool, as_json: bool) -> None:
    if as_json:
        from mri_resorb.io.results import document

        sys.stdout.write(document(case).to_json())
    else:
        from mri_resorb.io.result_folder import CASE_TEXT_NAME, OVERLAY_NAME, RESULT_NAME
        from mri_resorb.report.case_text import case_text

        typer.echo(case_text(case))
        typer.echo(f"Report: {output / CASE_TEXT_NAME}")
        if picture:
            typer.echo(f"Picture: {output / OVERLAY_NAME}")
        typer.echo(f"For programs: {output / RESULT_NAME}, with the masks beside it")


@contextmanager
def _working(words: str) -> Iterator[None]:
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


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
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


if __name__ == "__main__":
    main()
