"""The service's own work, until it is told to stop: studies to cases, to results, to the PACS.

Measuring and the PACS have a thread each, so that a PACS that does not answer stops no measuring.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mri_resorb.batch.cluster import LocalWorkers, connected
from mri_resorb.batch.run import MOST_GIVEN_UP, outcome_of
from mri_resorb.batch.worker import KILLED, Compare, never_begun, run_case
from mri_resorb.case import follow_up
from mri_resorb.errors import MissingPackageError
from mri_resorb.pipeline import Pipeline
from mri_resorb.service import exchange, jobs
from mri_resorb.service.jobs import Job, end, hand_back, next_job, show_step
from mri_resorb.service.pairing import complete, pair_waiting
from mri_resorb.service.reception import Deidentify
from mri_resorb.service.settings import Settings
from mri_resorb.service.store import Store, now
from mri_resorb.service.studies import studies_in_state

if TYPE_CHECKING:
    from distributed import Client
    from distributed.client import Future

    from mri_resorb.batch.journal import Outcome

POLL_SECONDS = 0.25
PAUSE_SECONDS = 5.0
"""After something went wrong that is no case's fault: a full disk, workers that do not start."""

_log = logging.getLogger(__name__)


@contextmanager
def working(
    store: Store,
    settings: Settings,
    way: Pipeline,
    *,
    compare: Compare = follow_up,
    deidentify: Deidentify | None = None,
) -> Iterator[None]:
    """Work in threads while the block lasts; what runs at its end is begun again the next time.

    Args:
        compare: instead of `mri_resorb.follow_up`; a function that workers can import.
    """
    stop = threading.Event()

    def measure() -> None:
        _until(stop, lambda: measure_cases(store, settings, way, compare=compare, stop=stop))

    def send_and_fetch() -> None:
        _until(stop, lambda: _exchange(store, settings, way, deidentify=deidentify, stop=stop))

    threads = [threading.Thread(target=work) for work in (measure, send_and_fetch)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def measure_cases(
    store: Store, settings: Settings, way: Pipeline, *, compare: Compare, stop: threading.Event
) -> None:
    """Make cases of studies that are complete, and have workers measure them.

    Raises:
        MissingPackageError, ClusterError: there are no workers.
    """
    jobs.take_up(store)
    ask_pacs = settings.pacs.dicomweb is not None
    pair_waiting(store, rules=way.remote, ask_pacs=ask_pacs)
    with connected(LocalWorkers(settings.workers), logs=store.folder) as client:
        running: dict[Future[Outcome], Job] = {}
        given_up: Counter[tuple[str, int]] = Counter()
        killed: set[tuple[str, int]] = set()
        while not stop.wait(POLL_SECONDS):
            quiet_since = now() - way.remote.quiet_seconds
            for study in studies_in_state(store, "receiving", before=quiet_since):
                complete(store, study, rules=way.remote, ask_pacs=ask_pacs)
            for future in [future for future in running if future.done()]:
                _collect(store, running[future], future, client, given_up, killed)
                del running[future]
            _hand_out(store, settings, way, client, running, compare=compare)
            for job in running.values():
                show_step(store, job)


def _hand_out(
    store: Store,
    settings: Settings,
    way: Pipeline,
    client: Client,
    running: dict[Future[Outcome], Job],
    *,
    compare: Compare,
) -> None:
    """As many jobs as there are workers, so that what is signed waits for one of them at most."""
    while len(running) < settings.workers:
        job = next_job(
            store,
            way=way,
            time_limit_s=settings.time_limit_seconds,
            compare=compare,
            running=frozenset(job.case.id for job in running.values()),
        )
        if job is None:
            return
        running[client.submit(run_case, job.task, pure=False, retries=0)] = job


def _collect(
    store: Store,
    job: Job,
    future: Future[Outcome],
    client: Client,
    given_up: Counter[tuple[str, int]],
    killed: set[tuple[str, int]],
) -> None:
    """Note a job's outcome; one whose worker was ended from outside is done once more."""
    outcome = outcome_of(future, job.task, client=client)
    key = (job.case.id, job.case.revision)
    given_up[key] += outcome is None
    if outcome is None and given_up[key] == MOST_GIVEN_UP:
        outcome = never_begun(job.task)
    elif outcome is not None and outcome.kind == KILLED and key not in killed:
        killed.add(key)
        outcome = None
    if outcome is None:
        hand_back(store, job)
    else:
        end(store, job, outcome)


def _exchange(
    store: Store,
    settings: Settings,
    way: Pipeline,
    *,
    deidentify: Deidentify | None,
    stop: threading.Event,
) -> None:
    exchange.take_up(store)
    while not stop.wait(POLL_SECONDS):
        if settings.pacs.dicomweb is not None:
            exchange.ask_for_priors(
                store, settings.pacs.dicomweb, way.remote, deidentify=deidentify
            )
        if settings.pacs.dicomweb is not None or settings.pacs.dimse is not None:
            exchange.send_signed(store, settings.pacs, ae_title=settings.dicom.ae_title)


def _until(stop: threading.Event, work: Callable[[], None]) -> None:
    """Do it again where the disk or the workers failed it, until it is to stop."""
    while not stop.is_set():
        try:
            work()
        except MissingPackageError:
            raise
        except Exception as error:
            # Only the kind and the place: the message may quote what a header holds.
            place = traceback.extract_tb(error.__traceback__)[-1]
            kind, file = type(error).__name__, Path(place.filename).name
            _log.error("Work is taken up again after %s at %s:%s.", kind, file, place.lineno)
            stop.wait(PAUSE_SECONDS)
