"""A case that a reader opens is made ready, so that its first correction is measured at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from mri_resorb.service.cases import Case

_LOG = logging.getLogger(__name__)


@dataclass
class Preparation:
    """One case at a time, in a thread of its own; of those that wait, the last opened alone.

    Attributes:
        prepare: makes a case ready; takes seconds.
    """

    prepare: Callable[[Case], None]
    _next: Case | None = None
    _is_running: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def opened(self, case: Case) -> None:
        """Have a case ready soon."""
        with self._lock:
            self._next = case
            if self._is_running:
                return
            self._is_running = True
        threading.Thread(target=self._run, name="preparation", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                case, self._next = self._next, None
                if case is None:
                    self._is_running = False
                    return
            try:
                self.prepare(case)
            except Exception as error:  # the correction itself will say it to the reader
                _LOG.warning("a case could not be made ready: %s", type(error).__name__)
