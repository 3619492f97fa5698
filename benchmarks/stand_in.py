"""What stands in for measuring: a sample case that was measured before, and bad behaviour."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from mri_resorb import follow_up as measure
from mri_resorb.errors import PixelDataError
from mri_resorb.model import CaseResult, Level, StudyInput, TimePoint

STRUCTURES = ("vertebra", "disc", "canal", "sacrum")
SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "extrusion-halved"


def make_stand_ins(folder: Path, behaviours: list[str]) -> Path:
    """Cases whose studies hold one file: how many seconds the case takes, or how it fails.

    The sample case is measured once, and lies beside the folder for the workers; its images are
    cut to a few voxels, so that writing them takes no time.
    """
    sample = measure(SAMPLE / "baseline", SAMPLE / "follow_up", level=Level.L4_L5)
    sample = replace(sample, baseline=_cut(sample.baseline), follow_up=_cut(sample.follow_up))
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


def _cut(point: TimePoint) -> TimePoint:
    def corner(image: sitk.Image) -> sitk.Image:
        return image[:8, :8, :3]

    assert point.fragment is not None
    structures = {name: corner(getattr(point.anatomy, name)) for name in STRUCTURES}
    return replace(
        point,
        scan=replace(point.scan, image=corner(point.scan.image)),
        anatomy=replace(point.anatomy, **structures),
        fragment=replace(point.fragment, occupancy=corner(point.fragment.occupancy)),
    )


def _beside(studies: Path) -> Path:
    return studies.with_name("sample.pickle")


@cache
def _sample(file: Path) -> CaseResult:
    sample: CaseResult = pickle.loads(file.read_bytes())
    return sample
