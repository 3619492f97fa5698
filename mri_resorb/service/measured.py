"""Measured cases kept in memory, so that a mask that a reader corrects is measured at once.

Finding the disc takes seconds, measuring a mask on it a fraction of one: the service keeps the last
few cases as they were placed. A case that is not kept is placed again from its studies; who opens a
case calls `KeptCases.placed` beforehand, so that it is there when the first correction comes.

    kept = KeptCases()
    case = remeasured(kept.placed(folder), follow_up_mask=path, reviewed_by="A. Reader")
    write_results(case, folder)  # result.json, text and masks; reports are made again when wanted
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path

from mri_resorb.case import PlacedCase, measure_masks, read_masks
from mri_resorb.correction import place_again, read_result, reviewed
from mri_resorb.model import CaseResult

MOST_KEPT = 4
"""A case takes some hundred MB."""


class KeptCases:
    """The cases that were last used, one set for a process; any thread may ask."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._cases: OrderedDict[tuple[Path, str], Future[PlacedCase]] = OrderedDict()

    def placed(self, folder: Path) -> PlacedCase:
        """The case of a result folder; placed again, which takes seconds, where it is not kept.

        It is taken for the same while its `result.json` is of the same files and options. Threads
        that ask for the same case wait for one placing.

        Raises:
            ResultsError, InputError: as `mri_resorb.correction.place_again`.
        """
        key = (folder.absolute(), _asked(folder))
        with self._lock:
            found = self._cases.get(key)
            mine = found is None
            case = self._cases[key] = found or Future()
            self._cases.move_to_end(key)
            while len(self._cases) > self._most:
                self._cases.popitem(last=False)
        if mine:
            try:
                case.set_result(place_again(folder))
            except BaseException as error:
                with self._lock:
                    self._cases.pop(key, None)
                case.set_exception(error)
        return case.result()


def remeasured(
    placed: PlacedCase,
    *,
    baseline_mask: Path | None = None,
    follow_up_mask: Path | None = None,
    reviewed_by: str | None = None,
) -> CaseResult:
    """Measure fragments that a reader corrected; a date without a mask has the automatic one.

    Nothing is remembered from call to call: a mask that was given before is given again.

    Args:
        baseline_mask, follow_up_mask: see `mri_resorb.io.masks.read_fragment_mask`.
        reviewed_by: who corrected them.

    Returns:
        The result, the automatic one in `automatic`; without masks the automatic one itself.

    Raises:
        MaskError: a mask does not fit its series, cannot be read or is empty.
    """
    masks = read_masks(placed.read, baseline_mask, follow_up_mask)
    case = measure_masks(placed, masks=masks)
    return reviewed(case, by=reviewed_by) if any(masks) else case


def _asked(folder: Path) -> str:
    """What a result was measured from and how, masks apart."""
    provenance = read_result(folder).provenance
    parameters = provenance.get("parameters")
    asked = parameters if isinstance(parameters, dict) else {}
    without_masks = {name: asked[name] for name in sorted(asked) if not name.endswith("_mask")}
    return json.dumps([without_masks, provenance.get("input_sha256")])
