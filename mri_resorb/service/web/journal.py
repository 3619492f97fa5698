"""What visitors do, told to the audit log."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from mri_resorb.service.audit import Action, Detail, append
from mri_resorb.service.store import Store

REPEATED_WITHIN_SECONDS = 300.0
_MOST_KEPT = 10_000


@dataclass
class Journal:
    """The audit log as the web side writes it.

    Looking at the same thing again within a few minutes is not told again: a page loads a case in
    several parts, and again at each change.
    """

    store: Store
    _seen: OrderedDict[tuple[str, ...], float] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def did(self, who: str, action: Action, subject: str | None = None, **details: Detail) -> None:
        """Tell what was done."""
        with self.store.transaction() as connection:
            append(connection, who=who, action=action, subject=subject, details=details)

    def saw(self, who: str, action: Action, subject: str | None = None, **details: Detail) -> None:
        """Tell what was looked at, unless that was told just now."""
        key = (who, action, subject or "", *(f"{name}={value}" for name, value in details.items()))
        now = time.monotonic()
        with self._lock:
            before = self._seen.pop(key, None)
            is_new = before is None or now - before > REPEATED_WITHIN_SECONDS
            self._seen[key] = now if before is None or is_new else before
            if len(self._seen) > _MOST_KEPT:
                self._seen.popitem(last=False)
        if is_new:
            self.did(who, action, subject, **details)
