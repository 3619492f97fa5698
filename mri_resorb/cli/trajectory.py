"""`mri-resorb trajectory`: three and more studies of one person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mri_resorb.cli.terminal import REFUSED, one_line_errors, working
from mri_resorb.cli.words import (
    AgeChoice,
    DifferentPatientsChoice,
    DiscAtChoice,
    JsonChoice,
    LanguageChoice,
    LevelChoice,
    PipelineChoice,
    SameDateChoice,
    SexChoice,
    read_dates,
)
from mri_resorb.errors import OutputError


def trajectory(
    studies: Annotated[
        list[Path],
        typer.Argument(
            metavar="STUDY...",
            help="Two studies or more, in any order: folders, zips, or NIfTI, NRRD or MHA files.",
        ),
    ],
    level: LevelChoice,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Folder for trajectory.json, trajectory.txt and a folder for each comparison.",
        ),
    ],
    disc_at: DiscAtChoice = None,
    dates: Annotated[
        Any,
        typer.Option(
            "--dates",
            parser=read_dates,
            metavar="DATE,DATE...",
            help="ISO dates of all studies as they are named, instead of the files'.",
        ),
    ] = None,
    sex: SexChoice = None,
    age: AgeChoice = None,
    allow_same_date: SameDateChoice = False,
    allow_different_patients: DifferentPatientsChoice = False,
    pipeline: PipelineChoice = "clinic",
    language: LanguageChoice = None,
    as_json: JsonChoice = False,
) -> None:
    """Measure three and more studies of one person together, ordered by their dates.

    Each is compared with the first and with the one before it, as `run` does.
    """
    if len(studies) < 2:
        raise typer.BadParameter("Name two studies or more.")
    if dates is not None and len(dates) != len(studies):
        raise typer.BadParameter(f"--dates gives {len(dates)} dates for {len(studies)} studies.")
    with one_line_errors():
        for study in studies:
            if study.is_dir() and output.resolve().is_relative_to(study.resolve()):
                raise OutputError(f"{output} lies in the study {study}; give a folder outside it.")
        with working(f"Measuring {level} in {len(studies)} studies"):
            from mri_resorb import trajectory as measure
            from mri_resorb.io.trajectories import (
                check_trajectory_output,
                trajectory_document,
                write_trajectory,
            )
            from mri_resorb.model import StudyInput
            from mri_resorb.pipeline import read_pipeline
            from mri_resorb.report.trajectory_text import trajectory_text

            way = read_pipeline(pipeline, language=language)
            check_trajectory_output(output)
            made = measure(
                [
                    StudyInput(study, date=day)
                    for study, day in zip(studies, dates or [None] * len(studies), strict=True)
                ],
                level=level,
                disc_at=disc_at,
                sex=None if sex is None else sex.value,
                age_years=age,
                allow_same_date=allow_same_date,
                allow_different_patients=allow_different_patients,
            )
            write_trajectory(made, output, outputs=way.made(), language=way.language)
        sys.stdout.write(
            trajectory_document(made).to_json()
            if as_json
            else trajectory_text(made, language=way.language)
        )
    if made.status == "undetermined":
        raise typer.Exit(REFUSED)
