"""`mri-resorb run`: one pair of studies, from files to report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mri_resorb.cli.terminal import REFUSED, one_line_errors, uncollected, working
from mri_resorb.cli.words import (
    AgeChoice,
    DifferentPatientsChoice,
    DiscAtChoice,
    JsonChoice,
    LabelsOption,
    LanguageChoice,
    LayoutChoice,
    LevelChoice,
    PipelineChoice,
    SameDateChoice,
    SexChoice,
    read_date,
)
from mri_resorb.errors import OutputError

if TYPE_CHECKING:
    from mri_resorb.languages import Language
    from mri_resorb.model import CaseResult


def run(
    baseline: Annotated[
        Path, typer.Argument(help="Earlier study: a folder, a zip, or a NIfTI, NRRD or MHA file.")
    ],
    follow_up: Annotated[Path, typer.Argument(help="Later study, likewise.")],
    level: LevelChoice,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Folder for the results; an earlier result there is replaced when this one is "
            "whole, other files stay.",
        ),
    ],
    disc_at: DiscAtChoice = None,
    baseline_date: Annotated[
        Any,
        typer.Option(
            "--baseline-date",
            parser=read_date,
            metavar="DATE",
            help="ISO date, instead of the file's.",
        ),
    ] = None,
    follow_up_date: Annotated[
        Any,
        typer.Option(
            "--follow-up-date",
            parser=read_date,
            metavar="DATE",
            help="ISO date, instead of the file's.",
        ),
    ] = None,
    sex: SexChoice = None,
    age: AgeChoice = None,
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
    baseline_anatomy: Annotated[
        list[Path] | None,
        typer.Option(
            "--baseline-anatomy",
            metavar="FILE",
            help="Label map of TotalSpineSeg, SPINEPS, TotalSegmentator MR or SPIDER, taken "
            "instead of the network's anatomy; twice where one file has the names.",
        ),
    ] = None,
    follow_up_anatomy: Annotated[
        list[Path] | None,
        typer.Option("--follow-up-anatomy", metavar="FILE", help="Likewise."),
    ] = None,
    anatomy_labels: Annotated[
        LabelsOption | None,
        typer.Option(
            "--anatomy-labels", help="Whose labels they are, where they do not tell themselves."
        ),
    ] = None,
    allow_same_date: SameDateChoice = False,
    allow_different_patients: DifferentPatientsChoice = False,
    pipeline: PipelineChoice = "clinic",
    layout: LayoutChoice = None,
    subject: Annotated[
        str | None,
        typer.Option(
            "--subject",
            metavar="LABEL",
            help="Subject in the BIDS dataset; by default a label that names nobody.",
        ),
    ] = None,
    language: LanguageChoice = None,
    as_json: JsonChoice = False,
) -> None:
    """Compare the herniated fragment at one level between two studies of one person."""
    with one_line_errors(), uncollected():
        _check_places(output, inputs=(baseline, follow_up), masks=(baseline_mask, follow_up_mask))
        with working(f"Measuring {level} in both studies"):
            from mri_resorb import follow_up as compare
            from mri_resorb.io.result_folder import write_results
            from mri_resorb.model import StudyInput
            from mri_resorb.pipeline import read_pipeline

            way = read_pipeline(
                pipeline, layout=layout.value if layout else None, language=language
            )
            case = compare(
                StudyInput(
                    baseline,
                    baseline_series,
                    baseline_date,
                    baseline_mask,
                    tuple(baseline_anatomy or ()),
                ),
                StudyInput(
                    follow_up,
                    follow_up_series,
                    follow_up_date,
                    follow_up_mask,
                    tuple(follow_up_anatomy or ()),
                ),
                level=level,
                disc_at=disc_at,
                sex=None if sex is None else sex.value,
                age_years=age,
                anatomy_labels=None if anatomy_labels is None else anatomy_labels.value,
                allow_same_date=allow_same_date,
                allow_different_patients=allow_different_patients,
            )
            write_results(case, output, outputs=way.made(subject=subject), language=way.language)
        _show(case, output=output, as_json=as_json, language=way.language)
    if case.status == "undetermined":
        raise typer.Exit(REFUSED)


def _check_places(
    output: Path, *, inputs: tuple[Path, ...], masks: tuple[Path | None, ...]
) -> None:
    """See that results fit where they are to go, before the work and without touching an input.

    Raises:
        OutputError: the folder cannot take results, lies in a study, or holds a mask that is read.
    """
    from mri_resorb.io.result_folder import check_output
    from mri_resorb.outputs import OWN_NAMES

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


def _show(case: CaseResult, *, output: Path, as_json: bool, language: Language) -> None:
    if as_json:
        from mri_resorb.io.results import document

        sys.stdout.write(document(case).to_json())
    else:
        from mri_resorb.outputs import ALWAYS, CHOSEN, bids
        from mri_resorb.report.case_text import case_text

        typer.echo(case_text(case, language=language))
        typer.echo(f"In {output}:")
        for left in (*ALWAYS, *CHOSEN.values(), bids(None)):
            written = [name for name in left.files if (output / name).exists()]
            if written:
                typer.echo(f"  {', '.join(written)}: {left.description}")
