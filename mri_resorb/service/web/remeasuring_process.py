"""Corrected masks are measured in a process of their own, so that no page waits for it.

Measuring holds Python's lock, takes memory by the hundred MB, and runs code that reads files from
outside; there it slows and endangers nobody else. Calls come in threads: readers do not wait for
one another.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from multiprocessing.managers import BaseManager
from pathlib import Path
from typing import Any

from mri_resorb.errors import StateError
from mri_resorb.io.results import Which
from mri_resorb.languages import Language
from mri_resorb.service.web.corrections import RemeasuringHere

_LOG = logging.getLogger(__name__)


class _Manager(BaseManager):
    """Starts the process, and calls what is registered below in it."""


_Manager.register("Remeasuring", RemeasuringHere, exposed=("prepare", "measure"))


class RemeasuringProcess:
    """As `mri_resorb.service.web.corrections.Remeasuring`; started anew where it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._manager: _Manager | None = None
        self._there: Any = None

    def prepare(self, folder: Path) -> None:
        """As `Remeasuring`."""
        self._call("prepare", folder)

    def measure(
        self, folder: Path, output: Path, masks: dict[Which, Path], by: str, language: Language
    ) -> None:
        """As `Remeasuring`.

        Raises:
            MaskError, ResultsError: as `RemeasuringHere.measure`.
            StateError: the process ended meanwhile.
        """
        self._call("measure", folder, output, masks, by, language)

    def end(self) -> None:
        """End the process, if it was ever needed."""
        with self._lock:
            if self._manager is not None:
                self._manager.shutdown()
                self._manager = None

    def _call(self, method: str, *arguments: object) -> None:
        there = self._started()
        try:
            getattr(there, method)(*arguments)
        except (EOFError, ConnectionError) as error:
            _LOG.error("the process that measures corrections ended in %s", method)
            with self._lock:
                if self._there is there:
                    self._manager = None
            raise StateError("The correction could not be measured; try it again.") from error

    def _started(self) -> Any:
        with self._lock:
            if self._manager is None:
                manager = _Manager(ctx=get_context("spawn"))
                manager.start(initializer=_begin)
                self._manager = manager
                self._there = manager.Remeasuring()  # type: ignore[attr-defined]
            return self._there


@contextmanager
def remeasuring_process() -> Iterator[RemeasuringProcess]:
    """A process for corrected masks, from the first one until the block is left."""
    process = RemeasuringProcess()
    try:
        yield process
    finally:
        process.end()


def _begin() -> None:
    """Say nothing that libraries say, for it may name patients; end with the service."""
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service ends this when it ends itself
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(0)
