"""`mri-resorb batch`: a folder of cases, overnight or on a cluster."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mri_resorb.cli.terminal import UNUSABLE_INPUT, one_line_errors
from mri_resorb.cli.words import (
    LanguageChoice,
    LayoutChoice,
    PipelineChoice,
    read_level,
)
from mri_resorb.errors import OutputError

if TYPE_CHECKING:
    from mri_resorb.batch.cases import FoundCases
    from mri_resorb.batch.cluster import Workers
    from mri_resorb.batch.run import Counted
    from mri_resorb.pipeline import Pipeline

SOME_FAILED = 3
INTERRUPTED = 130
"""As shells have it for Ctrl-C."""


class GroupOption(StrEnum):
    """What makes a case of files that lie in no order."""

    PATIENT = "patient"


class ClusterOption(StrEnum):
    """Where the workers run."""

    LOCAL = "local"
    SLURM = "slurm"


def batch(
    studies: Annotated[
        Path, typer.Argument(help="Folder with <case>/<study>, two studies or more a case.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="Folder for the results; a batch that stopped there is taken up again.",
        ),
    ] = None,
    level: Annotated[
        Any,
        typer.Option(
            "--level",
            parser=read_level,
            metavar="LEVEL",
            help="L1-L2 ... L5-S1, for cases to which STUDIES/cases.csv gives none.",
        ),
    ] = None,
    group_by: Annotated[
        GroupOption | None,
        typer.Option("--group-by", help="STUDIES is a heap of DICOM: a case is a patient's."),
    ] = None,
    show_list: Annotated[
        bool,
        typer.Option("--list", help="Only show what would be compared, and what is left out."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do again what failed before.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, metavar="N", help="Processes or jobs; as many as cores."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", metavar="tcp://HOST:PORT", help="A Dask scheduler that runs already."
        ),
    ] = None,
    cluster: Annotated[
        ClusterOption,
        typer.Option("--cluster", help="slurm: workers are jobs, with the pipeline's options."),
    ] = ClusterOption.LOCAL,
    time_limit: Annotated[
        float,
        typer.Option("--time-limit", min=1, metavar="SECONDS", help="For each case."),
    ] = 600.0,
    pipeline: PipelineChoice = "clinic",
    layout: LayoutChoice = None,
    language: LanguageChoice = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Add a line of JSON a case; it names nobody."),
    ] = None,
) -> None:
    """Compare all cases of a folder; a case that fails never stops the others."""
    if scheduler is not None and (workers is not None or cluster is not ClusterOption.LOCAL):
        raise typer.BadParameter("--scheduler has its workers; leave --workers and --cluster out.")
    if output is None and not show_list:
        raise typer.BadParameter("Say where the results are to go, with --output DIR.")
    try:
        with one_line_errors():
            from mri_resorb.pipeline import read_pipeline

            way = read_pipeline(
                pipeline, layout=layout.value if layout else None, language=language
            )
            if output is not None:
                _check_place(output, studies=studies)
            found = _found(studies, level=level, group_by=group_by)
            if show_list or output is None:
                _show_list(found)
                return
            counted = _run(
                found,
                output=output,
                way=way,
                workers=_workers(workers, scheduler=scheduler, cluster=cluster, way=way),
                time_limit_s=time_limit,
                retry_failed=retry_failed,
                log=log,
            )
    except KeyboardInterrupt:
        typer.echo("mri-resorb: stopped; the same command takes up from here.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    typer.echo(f"{counted.done} done, {counted.failed} failed. In {output}:")
    typer.echo("  report.html, results.csv, results.parquet, failed.csv")
    if counted.failed or not counted.done:
        raise typer.Exit(SOME_FAILED if counted.done else UNUSABLE_INPUT)


def _check_place(output: Path, *, studies: Path) -> None:
    if output.resolve().is_relative_to(studies.resolve()):
        raise OutputError(f"{output} lies in {studies}; give a folder outside of it.")


def _found(studies: Path, *, level: Any, group_by: GroupOption | None) -> FoundCases:
    from mri_resorb.cli.terminal import working

    if group_by is GroupOption.PATIENT:
        from mri_resorb.batch.heap import find_patients

        with working("Reading headers"):
            return find_patients(studies, level=level)
    from mri_resorb.batch.cases import find_cases

    return find_cases(studies, level=level)


def _workers(
    count: int | None, *, scheduler: str | None, cluster: ClusterOption, way: Pipeline
) -> Workers:
    from mri_resorb.batch.cluster import (
        LocalWorkers,
        RunningScheduler,
        SlurmJobs,
        available_cores,
    )

    if scheduler is not None:
        return RunningScheduler(scheduler)
    count = count or available_cores()
    return SlurmJobs(count, way.slurm) if cluster is ClusterOption.SLURM else LocalWorkers(count)


def _show_list(found: FoundCases) -> None:
    from mri_resorb.batch.listing import listing

    for line in listing(found):
        typer.echo(line)


def _run(
    found: FoundCases,
    *,
    output: Path,
    way: Pipeline,
    workers: Workers,
    time_limit_s: float,
    retry_failed: bool,
    log: Path | None,
) -> Counted:
    from mri_resorb.batch.progress import told
    from mri_resorb.batch.run import run_batch

    with told(found, log=log) as tell:
        return run_batch(
            found,
            output=output,
            way=way,
            workers=workers,
            time_limit_s=time_limit_s,
            retry_failed=retry_failed,
            tell=tell,
        )
