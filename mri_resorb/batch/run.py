"""All cases of a batch: what is left to do is done on the workers, and all of it told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mri_resorb.batch.case_table import Unusable
from mri_resorb.batch.cases import Case, FoundCases
from mri_resorb.batch.cluster import Workers, connected
from mri_resorb.batch.journal import WORK_NAME, Journal, Outcome, fingerprint, open_journal
from mri_resorb.batch.results import check_tables, write_tables
from mri_resorb.batch.worker import KILLED, Compare, Task, never_begun, run_case, why_it_died
from mri_resorb.case import follow_up
from mri_resorb.errors import ClusterError
from mri_resorb.outputs import RESULT_NAME
from mri_resorb.pipeline import Pipeline

if TYPE_CHECKING:
    from distributed import Client
    from distributed.client import Future

TIME_LIMIT_S = 600.0
"""Far above what a case takes, as far below what a night has."""

AT_ONCE = 1000
"""Cases that the scheduler knows of at a time: above any number of workers, below its limits."""

MOST_GIVEN_UP = 20
"""Times that a case is handed out again because its worker ended before the case began."""


@dataclass(frozen=True)
class Counted:
    """How many cases became what."""

    done: int
    failed: int


def run_batch(
    found: FoundCases,
    *,
    output: Path,
    way: Pipeline,
    workers: Workers,
    time_limit_s: float = TIME_LIMIT_S,
    retry_failed: bool = False,
    compare: Compare = follow_up,
    tell: Callable[[Outcome, bool], None] = lambda *_: None,
) -> Counted:
    """Compare all cases that an earlier run did not, and write the tables and the report of all.

    Args:
        tell: called with each outcome as it comes, and whether it is that of an earlier run.
        compare: instead of `mri_resorb.follow_up`; a function that workers can import.

    Raises:
        OutputError: the folder cannot take the results.
        MissingPackageError, ClusterError: there are no workers.
    """
    check_tables(output)
    with open_journal(output) as journal:
        left, kept = _left(found.cases, journal, output=output, way=way, retry_failed=retry_failed)
        for outcome in kept:
            tell(outcome, True)
        unusable = [
            Outcome(entry.name, "", "failed", "finding", entry.reason, "Unusable")
            for entry in found.entries
            if isinstance(entry, Unusable)
        ]
        for outcome in unusable:
            tell(outcome, False)
        if left:
            tasks = [Task(case, output, way, time_limit_s, compare) for case in left]
            with connected(workers, logs=output / WORK_NAME / "jobs") as client:
                for outcome in outcomes(client, tasks):
                    journal.add(outcome)
                    tell(outcome, False)
        of_all = {**journal.outcomes, **{outcome.case: outcome for outcome in unusable}}
        return Counted(
            *write_tables([of_all[entry.name] for entry in found.entries], output=output)
        )


def _left(
    cases: Sequence[Case], journal: Journal, *, output: Path, way: Pipeline, retry_failed: bool
) -> tuple[list[Case], list[Outcome]]:
    """The cases to do, and what became of the others in an earlier run."""
    left, kept = [], []
    for case in cases:
        earlier = journal.outcomes.get(case.name)
        if earlier is None or earlier.fingerprint != fingerprint(case, way=way):
            left.append(case)
        elif earlier.state == "done":
            there = (output / case.name / RESULT_NAME).is_file()
            kept.append(earlier) if there else left.append(case)
        elif retry_failed:
            left.append(case)
        else:
            kept.append(earlier)
    return left, kept


def outcomes(client: Client, tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Hand out the tasks and give what comes back, in the order in which it comes.

    A case whose worker was ended from outside is done once more: the machine, or the job's time,
    may have been at fault.

    Raises:
        ClusterError: the scheduler is gone.
    """
    from distributed import as_completed

    waiting = iter(tasks)
    running: dict[Future[Outcome], Task] = {}
    given_up: Counter[str] = Counter()
    killed: set[str] = set()
    completed = as_completed()

    def hand_out(given: Iterator[Task]) -> None:
        for task in given:
            future = client.submit(run_case, task, pure=False, retries=0)
            running[future] = task
            completed.add(future)

    hand_out(islice(waiting, AT_ONCE))
    for future in completed:
        task = running.pop(future)
        outcome = outcome_of(future, task, client=client)
        name = task.case.name
        given_up[name] += outcome is None
        if given_up[name] == MOST_GIVEN_UP:
            outcome = never_begun(task)
        elif outcome is not None and outcome.kind == KILLED and name not in killed:
            killed.add(name)
            outcome = None
        if outcome is None:
            hand_out(iter([task]))
        else:
            yield outcome
            hand_out(islice(waiting, 1))


def outcome_of(future: Future[Outcome], task: Task, *, client: Client) -> Outcome | None:
    """What became of a task that has ended; None where it has to be handed out again.

    With a worker that ends, all the tasks that the scheduler gave it are given up, though only one
    had begun, and outcomes that were not yet fetched are lost.

    Raises:
        ClusterError: the scheduler or all workers are gone.
    """
    from distributed.scheduler import KilledWorker, NoWorkerError

    try:
        return future.result()
    except KilledWorker:
        return why_it_died(task)
    except CancelledError as error:
        if client.status == "running":
            return None
        raise ClusterError("The scheduler is gone; the same command takes up from here.") from error
    except NoWorkerError as error:
        raise ClusterError(
            "No worker is left: they end while they start. The same command takes up from here."
        ) from error
    except Exception as error:
        raise ClusterError(
            f"A worker could not take a case ({type(error).__name__}); the same mri-resorb must be "
            "installed there, and the same folders be there."
        ) from error
