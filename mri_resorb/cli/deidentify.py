"""`mri-resorb deidentify`: studies without the people."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mri_resorb.cli.terminal import one_line_errors, working

if TYPE_CHECKING:
    from mri_resorb.deidentify.folder import Deidentified


def deidentify(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A folder of DICOM files, a zip of one, or a file.")
    ],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="Folder for them: OUT/<pseudonym>/<study>/<image>.dcm."),
    ],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Secret by which a patient gets the same pseudonym again; made where there is "
            "none. Without it, one is used that nobody keeps.",
        ),
    ] = None,
) -> None:
    """Leave out all that tells who it is, and keep what measuring needs (DICOM PS3.15 Annex E).

    Dates are moved by the same days for all studies of a patient, so that intervals stay.
    """
    if key is not None and key.resolve().is_relative_to(output.resolve()):
        raise typer.BadParameter("The key must not lie among what it de-identifies.")
    with one_line_errors():
        with working("De-identifying"):
            from mri_resorb.deidentify.folder import deidentify as leave_out
            from mri_resorb.deidentify.key import Key, read_key

            made = leave_out(source, output, key=Key.made() if key is None else read_key(key))
        _show(made, output)


def _show(made: Deidentified, output: Path) -> None:
    typer.echo(
        f"{made.kept} of {made.files} files kept; patients: {len(made.patients)}, "
        f"studies: {made.studies}. In {output}."
    )
    for reason, count in made.reasons.most_common():
        numbers = [one.number for one in made.left_out if one.reason == reason]
        typer.echo(f"Left out {count} ({reason}), in the order of names: {_spans(numbers)}.")


def _spans(numbers: list[int]) -> str:
    """`1-3, 7`."""
    spans = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        first, last = members[0], members[-1]
        spans.append(str(first) if first == last else f"{first}-{last}")
    return ", ".join(spans)
