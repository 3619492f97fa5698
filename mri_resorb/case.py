"""The story: two studies in, one result out."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

import mri_resorb
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.studies import read_pair
from mri_resorb.measure.change import find_change
from mri_resorb.measure.dates import Placed, Refused, measure_dates, place, share_frame
from mri_resorb.model import (
    DEFINITIONS_VERSION,
    CaseResult,
    Level,
    Point,
    Scan,
    Sex,
    StudyInput,
)
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.levels import locate_pair
from mri_resorb.segment.network import find_anatomy, weights_sha256


def follow_up(
    baseline: StudyInput | Path | str,
    follow_up: StudyInput | Path | str,
    *,
    level: Level | str,
    disc_at: Point | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> CaseResult:
    """Compare the herniated fragment at one level between two studies of one person.

    Args:
        baseline, follow_up: a folder of DICOM files, a zip of one, or a NIfTI, NRRD or MHA file;
            or a `StudyInput`, to overrule its series or date or to give a fragment mask.
        level: `L1-L2` ... `L5-S1`, in any usual spelling.
        disc_at: a point inside the disc in the baseline, patient mm (LPS).
        sex, age_years: instead of the files'; the age is that at baseline.
        allow_same_date, allow_different_patients: overrule the refusal of such pairs.

    Raises:
        InputError: an input that cannot be used; its subclasses and message say why.
    """
    level = Level.parse(level)
    began = time.perf_counter()
    studies = [
        given if isinstance(given, StudyInput) else StudyInput(Path(given))
        for given in (baseline, follow_up)
    ]
    scans = read_pair(
        *studies,
        sex=sex,
        age_years=age_years,
        allow_same_date=allow_same_date,
        allow_different_patients=allow_different_patients,
    )
    masks = [
        read_fragment_mask(study.fragment_mask, scan=scan) if study.fragment_mask else None
        for study, scan in zip(studies, scans, strict=True)
    ]
    result = compare(*scans, level=level, disc_at=disc_at, masks=(masks[0], masks[1]))
    return replace(
        result,
        inputs=(studies[0], studies[1]),
        provenance={
            "mri_resorb": mri_resorb.__version__,
            "definitions": DEFINITIONS_VERSION,
            "weights_sha256": weights_sha256(),
            "python": platform.python_version(),
            "parameters": {
                "level": str(level),
                "disc_at": disc_at,
                "baseline_mask": masks[0] is not None,
                "follow_up_mask": masks[1] is not None,
                "allow_same_date": allow_same_date,
                "allow_different_patients": allow_different_patients,
            },
            "input_sha256": {
                "baseline": list(scans[0].sha256),
                "follow_up": list(scans[1].sha256),
            },
            "run_seconds": round(time.perf_counter() - began, 3),
        },
    )


def compare(
    baseline: Scan,
    follow_up: Scan,
    *,
    level: Level,
    disc_at: Point | None = None,
    masks: tuple[sitk.Image | None, sitk.Image | None] = (None, None),
) -> CaseResult:
    """The same for scans that are already read, and fragment masks on their grids.

    With masks the result holds what is found without them as well (`CaseResult.automatic`).
    """
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    scans = (baseline, follow_up)
    anatomies = (find_anatomy(baseline.image), find_anatomy(follow_up.image))
    located = locate_pair(*(find_discs(a) for a in anatomies), level=level, disc_at_mm=disc_at)
    dates = [
        place(scan=scan, anatomy=anatomy, located=found)
        for scan, anatomy, found in zip(scans, anatomies, located, strict=True)
    ]
    shared = share_frame(*dates)
    result = _measure(shared, masks=masks, level=level)
    if masks == (None, None):
        return result
    return replace(result, automatic=_measure(shared, masks=(None, None), level=level))


def _measure(
    dates: tuple[Placed | Refused, ...],
    *,
    masks: tuple[sitk.Image | None, sitk.Image | None],
    level: Level,
) -> CaseResult:
    baseline, follow_up = (date.scan for date in dates)
    points, errors = measure_dates(*dates, masks=masks)
    days = (follow_up.date - baseline.date).days if baseline.date and follow_up.date else None
    return CaseResult(
        level=level,
        level_source=next((p.disc.source for p in points if p.disc), "counted"),
        patient=baseline.patient,
        interval_days=days,
        baseline=replace(points[0], drawn=masks[0]),
        follow_up=replace(points[1], drawn=masks[1]),
        change=find_change(*points, errors=errors, interval_days=days),
        reasons=tuple(dict.fromkeys(p.reason for p in points if p.reason)),
        warnings=tuple(dict.fromkeys(w for p in points for w in p.warnings)),
    )
