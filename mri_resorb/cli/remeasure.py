"""`mri-resorb remeasure`: measure masks that a person corrected."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mri_resorb.cli.terminal import REFUSED, one_line_errors, working
from mri_resorb.cli.words import JsonChoice, LanguageChoice
from mri_resorb.languages import Language

if TYPE_CHECKING:
    from mri_resorb.model import CaseResult


def remeasure(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A result folder, as `run` leaves it.")
    ],
    baseline_mask: Annotated[
        Path | None,
        typer.Option(
            "--baseline-mask",
            metavar="FILE",
            help="Corrected fragment (NIfTI, .seg.nrrd, DICOM SEG) on the measured series' grid.",
        ),
    ] = None,
    follow_up_mask: Annotated[
        Path | None, typer.Option("--follow-up-mask", metavar="FILE", help="Likewise.")
    ] = None,
    reviewed_by: Annotated[
        str | None, typer.Option("--reviewed-by", metavar="NAME", help="Who corrected the masks.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline", metavar="STUDY", help="Where the earlier study is now, if it was moved."
        ),
    ] = None,
    follow_up: Annotated[
        Path | None, typer.Option("--follow-up", metavar="STUDY", help="Likewise, the later one.")
    ] = None,
    language: LanguageChoice = None,
    as_json: JsonChoice = False,
) -> None:
    """Measure fragments that a person corrected, by the same definition; the result is renewed.

    The automatic figures stay beside the corrected ones in result.json.
    """
    if baseline_mask is None and follow_up_mask is None:
        raise typer.BadParameter("Give --baseline-mask, --follow-up-mask or both.")
    with one_line_errors():
        with working("Measuring the corrected masks"):
            from mri_resorb.correction import remeasure as measure_again
            from mri_resorb.io.result_folder import check_output, write_results
            from mri_resorb.outputs import made_before

            check_output(folder)
            case = measure_again(
                folder,
                baseline_mask=baseline_mask,
                follow_up_mask=follow_up_mask,
                baseline=baseline,
                follow_up=follow_up,
                reviewed_by=reviewed_by,
            )
            words_in = language or Language.EN
            write_results(case, folder, outputs=made_before(folder), language=words_in)
        _show(case, as_json=as_json, language=words_in)
    if case.status == "undetermined":
        raise typer.Exit(REFUSED)


def _show(case: CaseResult, *, as_json: bool, language: Language) -> None:
    from mri_resorb.io.results import document

    if as_json:
        sys.stdout.write(document(case).to_json())
        return
    from mri_resorb.report.case_text import case_text

    typer.echo(case_text(case, language=language))
    assert case.automatic is not None
    typer.echo(f"Corrected: {_figures(case)}")
    typer.echo(f"Automatic: {_figures(case.automatic)}")


def _figures(case: CaseResult) -> str:
    volumes = [
        f"{point.fragment.volume_cm3.value:.2f} cm³" if point.fragment else point.status
        for point in (case.baseline, case.follow_up)
    ]
    resorption = case.change.resorption_percent
    percent = "no percentage" if resorption is None else f"{resorption.value:.0f} % resorbed"
    return f"{volumes[0]}, then {volumes[1]}: {percent}"
