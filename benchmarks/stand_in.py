"""What stands in for measuring: a sample case that was measured before, and bad behaviour."""

from __future__ import annotations

import os
import pickle
import time
from functools import cache
from pathlib import Path
from typing import Any

from mri_resorb import follow_up as measure
from mri_resorb.errors import PixelDataError
from mri_resorb.model import CaseResult, Level, StudyInput

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "extrusion-halved"


def make_stand_ins(folder: Path, behaviours: list[str]) -> Path:
    """Cases whose studies hold one file: how many seconds the case takes, or how it fails.

    The sample case is measured once, and lies beside the folder for the workers.
    """
    sample = measure(SAMPLE / "baseline", SAMPLE / "follow_up", level=Level.L4_L5)
    _beside(folder).write_bytes(pickle.dumps(sample))
    for number, behaviour in enumerate(behaviours, start=1):
        for study in ("baseline", "follow_up"):
            place = folder / f"case-{number:05d}" / study
            place.mkdir(parents=True)
            (place / "behaviour").write_text(behaviour)
    return folder


def stand_in(_: StudyInput, follow_up: StudyInput, **__: Any) -> CaseResult:
    """Wait, and give the sample's result; or do not come back."""
    behaviour = (follow_up.path / "behaviour").read_text()
    if behaviour == "corrupt":
        raise PixelDataError("Follow-up: its pixels are cut off.")
    if behaviour == "killed":
        os.kill(os.getpid(), 9)
    if behaviour == "hang":
        while True:
            time.sleep(60)
    time.sleep(float(behaviour))
    return _sample(_beside(follow_up.path.parents[1]))


def _beside(studies: Path) -> Path:
    return studies.with_name("sample.pickle")


@cache
def _sample(file: Path) -> CaseResult:
    sample: CaseResult = pickle.loads(file.read_bytes())
    return sample
