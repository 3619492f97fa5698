"""The work list as it is sent: kept, and of what changed alone made anew, since pages ask often."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from mri_resorb.errors import NotThereError
from mri_resorb.service.cases import Case, all_cases, changes_since, get_case, latest_change
from mri_resorb.service.store import Store
from mri_resorb.service.web.documents import case_document


@dataclass
class WorkList:
    """Each case as JSON, up to date with the store whenever it is asked for."""

    store: Store
    _made_at: int = -1
    _lines: dict[str, tuple[float, str]] = field(default_factory=dict)
    _content: bytes = b""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def content(self) -> tuple[int, bytes]:
        """Number of the latest change in it, and the JSON: the case that changed last first."""
        with self._lock:
            if latest_change(self.store) != self._made_at:
                self._bring_up_to_date()
                newest_first = sorted(self._lines.values(), reverse=True)
                self._content = f"[{','.join(line for _, line in newest_first)}]".encode()
            return self._made_at, self._content

    def _bring_up_to_date(self) -> None:
        changes = changes_since(self.store, self._made_at) if self._made_at >= 0 else []
        if not changes or changes[0].number != self._made_at + 1:  # some are forgotten
            self._made_at = latest_change(self.store)
            self._lines = {case.id: _line(case) for case in all_cases(self.store)}
            return
        self._made_at = changes[-1].number
        for case_id in {change.case_id for change in changes}:
            try:
                self._lines[case_id] = _line(get_case(self.store, case_id))
            except NotThereError:
                self._lines.pop(case_id, None)


def _line(case: Case) -> tuple[float, str]:
    return case.changed_at, case_document(case).model_dump_json()
