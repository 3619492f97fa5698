"""The words that several commands share: how they are read, and their options."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mri_resorb.errors import InputError
from mri_resorb.languages import Language

if TYPE_CHECKING:
    from mri_resorb.model import Level, Point


class SexOption(StrEnum):
    """Sex of the patient, as DICOM writes it."""

    F = "F"
    M = "M"


class LabelsOption(StrEnum):
    """Whose labels an anatomy has (`mri_resorb.io.label_tables.LabelScheme`)."""

    TOTALSPINESEG = "totalspineseg"
    SPINEPS = "spineps"
    TOTALSEGMENTATOR = "totalsegmentator"
    SPIDER = "spider"


class LayoutOption(StrEnum):
    """How the files lie (`mri_resorb.outputs.Layout`)."""

    PLAIN = "plain"
    BIDS = "bids"


def read_level(text: str) -> Level:
    """A lumbar level in any usual spelling.

    Raises:
        typer.BadParameter: it names none.
    """
    from mri_resorb.model import Level

    try:
        return Level.parse(text)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def read_date(text: str) -> date:
    """An ISO 8601 date.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not a date; write it as 2018-11-05.") from error


def read_dates(text: str) -> tuple[date, ...]:
    """ISO 8601 dates with commas between them.

    Raises:
        typer.BadParameter: one of them is none.
    """
    return tuple(read_date(part.strip()) for part in text.split(","))


def read_point(text: str) -> Point:
    """`X,Y,Z`, patient millimetres (LPS).

    Raises:
        typer.BadParameter: not three numbers, or outside of any scanner.
    """
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is not X,Y,Z in millimetres.") from error
    if not all(abs(coordinate) < 10_000 for coordinate in (x, y, z)):
        raise typer.BadParameter(f"'{text}' lies outside of any scanner.")
    return x, y, z


LevelChoice = Annotated[
    Any, typer.Option("--level", parser=read_level, metavar="LEVEL", help="L1-L2 ... L5-S1.")
]

DiscAtChoice = Annotated[
    Any,
    typer.Option(
        "--disc-at",
        parser=read_point,
        metavar="X,Y,Z",
        help="A point inside the disc in the earliest study, patient mm (LPS): settles which disc "
        "is meant.",
    ),
]

SexChoice = Annotated[
    SexOption | None,
    typer.Option("--sex", case_sensitive=False, help="Instead of the file's."),
]

AgeChoice = Annotated[
    int | None,
    typer.Option(
        "--age", min=0, max=130, help="Years, at the earliest study; instead of the file's."
    ),
]

SameDateChoice = Annotated[
    bool, typer.Option("--allow-same-date", help="Compare studies of one date.")
]

DifferentPatientsChoice = Annotated[
    bool,
    typer.Option(
        "--allow-different-patients", help="Compare studies whose patients seem to differ."
    ),
]

PipelineChoice = Annotated[
    str,
    typer.Option(
        "--pipeline",
        metavar="NAME|FILE",
        help="A way of working: clinic, research, remote, or a TOML file of your own.",
    ),
]

LayoutChoice = Annotated[
    LayoutOption | None,
    typer.Option("--layout", help="Instead of the pipeline's: bids adds a BIDS dataset."),
]

LanguageChoice = Annotated[
    Language | None,
    typer.Option(
        "--language",
        case_sensitive=False,
        help="Of texts, pages and pictures: English, Russian or Kazakh.",
    ),
]
"""None for the language that the pipeline names."""

JsonChoice = Annotated[
    bool, typer.Option("--json", help="Print the document instead of what people read.")
]

TokenFileChoice = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="Holds the program's token, as `account token` shows it; or MRI_RESORB_TOKEN.",
    ),
]
