"""Where the cases are worked on: this machine, a Dask cluster that runs, or jobs of SLURM.

Every worker has one thread and works on one case at a time, so a worker's end is one case's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mri_resorb.errors import ClusterError, MissingPackageError
from mri_resorb.pipeline import Slurm

if TYPE_CHECKING:
    from distributed import Client

_CONFIGURATION = {
    "distributed.scheduler.allowed-failures": 0,  # who ends a worker once, does so again
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.memory.target": False,  # there is nothing to spill: results are files
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.scheduler.no-workers-timeout": "5 minutes",
    "distributed.scheduler.worker-ttl": None,  # a worker that does not answer has its time limit
    "distributed.nanny.pre-spawn-environ.ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": 1,
}
_EXPORTS = (
    "export OMP_NUM_THREADS=1 ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1",
    "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False",
)
"""For jobs, which do not have this process's configuration."""
CONNECT_SECONDS = 30


@dataclass(frozen=True)
class LocalWorkers:
    """Processes on this machine."""

    count: int


@dataclass(frozen=True)
class RunningScheduler:
    """A Dask scheduler's address, as `tcp://host:8786`."""

    address: str


@dataclass(frozen=True)
class SlurmJobs:
    """Jobs that dask-jobqueue hands to SLURM, a worker each."""

    count: int
    options: Slurm


Workers = LocalWorkers | RunningScheduler | SlurmJobs


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def connected(workers: Workers, *, logs: Path) -> Iterator[Client]:
    """A client of the workers; those that were started here end with the block.

    Args:
        logs: folder for what SLURM's jobs print.

    Raises:
        MissingPackageError: Dask is not installed, or dask-jobqueue for SLURM.
        ClusterError: the scheduler cannot be reached, a worker has several threads, or SLURM takes
            no jobs.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
        from distributed.comm.addressing import get_address_host_port
    except ModuleNotFoundError as error:
        raise _missing("distributed") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(_CONFIGURATION):
        if isinstance(workers, RunningScheduler):
            try:
                # A client of what is no address stays half-open, and hangs the next one's start.
                get_address_host_port(workers.address)
                client = Client(workers.address, timeout=CONNECT_SECONDS)
            except (OSError, ValueError) as error:
                raise ClusterError(
                    f"No Dask scheduler answers at {workers.address}; start it, or leave "
                    "--scheduler out."
                ) from error
            with client:
                _check_threads(client)
                yield client
        elif isinstance(workers, LocalWorkers):
            with (
                LocalCluster(
                    n_workers=workers.count,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
        else:
            with (
                dask.config.set({"distributed.scheduler.no-workers-timeout": None}),  # jobs queue
                _slurm_cluster(workers, logs=logs) as cluster,
                Client(cluster) as client,
            ):
                cluster.scale(jobs=workers.count)
                yield client


def _check_threads(client: Client) -> None:
    if any(threads != 1 for threads in client.nthreads().values()):
        raise ClusterError(
            "Workers of that scheduler have several threads; start them with --nthreads 1, since a "
            "worker works on one case at a time."
        )


def _slurm_cluster(workers: SlurmJobs, *, logs: Path):  # type: ignore[no-untyped-def]
    try:
        from dask_jobqueue.slurm import SLURMCluster
    except ModuleNotFoundError as error:
        raise _missing("dask-jobqueue") from error
    options = workers.options.model_dump(exclude_none=True)
    prologue = [*_EXPORTS, *options.pop("job_script_prologue")]
    try:
        return SLURMCluster(
            cores=1,
            processes=1,
            job_name="mri-resorb",
            log_directory=str(logs),
            job_script_prologue=prologue,
            job_extra_directives=list(options.pop("job_extra_directives")),
            scheduler_options={"dashboard_address": "127.0.0.1:0"},
            silence_logs="critical",
            **options,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ClusterError(f"No jobs can be given to SLURM: {error}.") from error


def _missing(package: str) -> MissingPackageError:
    return MissingPackageError(
        f"`batch` needs the package {package}: pip install 'mri-resorb[batch]'."
    )
