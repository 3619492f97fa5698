"""The story: two or more studies in, one result out."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

import mri_resorb
from mri_resorb.errors import NoStudyError
from mri_resorb.io.label_maps import read_label_maps
from mri_resorb.io.label_tables import LabelScheme
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.studies import read_pair, read_studies
from mri_resorb.measure.change import find_change
from mri_resorb.measure.dates import measure_dates
from mri_resorb.measure.shared_frame import Placed, Refused, place, share_frame
from mri_resorb.measure.uncertainty import VolumeError
from mri_resorb.model import (
    DEFINITIONS_VERSION,
    Anatomy,
    CaseResult,
    LabelledAnatomy,
    Level,
    Point,
    Remark,
    Scan,
    Sex,
    StudyInput,
    TimePoint,
    Trajectory,
)
from mri_resorb.segment.discs import Disc, find_discs
from mri_resorb.segment.labelled import complete
from mri_resorb.segment.levels import Found, Names, locate_pair
from mri_resorb.segment.network import find_anatomy, weights_sha256
from mri_resorb.side_by_side import for_each_date

DRAWN = ("baseline-drawn", "follow-up-drawn")
"""Codes of what is said where the mask of a person was measured."""


def follow_up(
    baseline: StudyInput | Path | str,
    follow_up: StudyInput | Path | str,
    *,
    level: Level | str,
    disc_at: Point | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    anatomy_labels: LabelScheme | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> CaseResult:
    """Compare the herniated fragment at one level between two studies of one person.

    Args:
        baseline, follow_up: a folder of DICOM files, a zip of one, or a NIfTI, NRRD or MHA file;
            or a `StudyInput`, to overrule its series or date, or to give a fragment mask or
            another program's anatomy.
        level: `L1-L2` ... `L5-S1`, in any usual spelling.
        disc_at: a point inside the disc in the baseline, patient mm (LPS).
        sex, age_years: instead of the files'; the age is that at baseline.
        anatomy_labels: whose labels an anatomy has, where they do not tell.
        allow_same_date, allow_different_patients: overrule the refusal of such pairs.

    Raises:
        InputError: an input that cannot be used; its subclasses and message say why.
    """
    level = Level.parse(level)
    began = time.perf_counter()
    studies = [_study(baseline), _study(follow_up)]
    scans = read_pair(
        *studies,
        sex=sex,
        age_years=age_years,
        allow_same_date=allow_same_date,
        allow_different_patients=allow_different_patients,
    )
    masks = _masks(studies, scans)
    labelled = _label_maps(studies, scans, scheme=anatomy_labels)
    result = compare(*scans, level=level, disc_at=disc_at, masks=masks, labelled=labelled)
    names = ("baseline", "follow_up")
    given = {
        f"{name}_{what}": value is not None
        for what, values in (("mask", masks), ("anatomy", labelled))
        for name, value in zip(names, values, strict=True)
    }
    return replace(
        result,
        inputs=(studies[0], studies[1]),
        provenance=_provenance(
            began,
            parameters={
                "level": str(level),
                "disc_at": disc_at,
                **given,
                "anatomy_labels": anatomy_labels,
                "allow_same_date": allow_same_date,
                "allow_different_patients": allow_different_patients,
            },
            inputs=dict(zip(names, _digests(scans, labelled), strict=True)),
        ),
    )


def trajectory(
    studies: Sequence[StudyInput | Path | str],
    *,
    level: Level | str,
    disc_at: Point | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    anatomy_labels: LabelScheme | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> Trajectory:
    """Measure three or more studies of one person together, in the order of their dates.

    All dates share one disc frame, one boundary and one footprint, so their volumes can be set side
    by side; figures may differ a little from those of two studies compared alone.

    Args:
        studies: as those of `follow_up`, in any order; their dates order them.
        disc_at: a point inside the disc in the earliest study, patient mm (LPS).

    Raises:
        InputError: an input that cannot be used; its subclasses and message say why.
    """
    level = Level.parse(level)
    began = time.perf_counter()
    given = [_study(study) for study in studies]
    if len(given) < 2:
        raise NoStudyError("A trajectory needs two studies at least.")
    read = read_studies(
        given,
        sex=sex,
        age_years=age_years,
        allow_same_date=allow_same_date,
        allow_different_patients=allow_different_patients,
    )
    order = sorted(range(len(read)), key=lambda k: str(read[k].date))
    scans, ordered = [read[k] for k in order], [given[k] for k in order]
    labelled = _label_maps(ordered, scans, scheme=anatomy_labels)
    dates = _placed(scans, level=level, disc_at=disc_at, labelled=labelled)
    points, errors = measure_dates(*dates, masks=_masks(ordered, scans))
    provenance = _provenance(
        began,
        parameters={"level": str(level), "disc_at": disc_at},
        inputs={f"study_{k + 1}": digests for k, digests in enumerate(_digests(scans, labelled))},
    )
    later = range(1, len(scans))
    pairs = sorted({(0, k) for k in later} | {(k - 1, k) for k in later})
    return Trajectory(
        level=level,
        patient=scans[0].patient,
        points=points,
        comparisons={
            (one, other): replace(
                _compared(level, points[one], points[other], errors=(errors[one], errors[other])),
                provenance=provenance,
            )
            for one, other in pairs
        },
        provenance=provenance,
    )


def compare(
    baseline: Scan,
    follow_up: Scan,
    *,
    level: Level,
    disc_at: Point | None = None,
    masks: Sequence[sitk.Image | None] = (None, None),
    labelled: Sequence[LabelledAnatomy | None] = (None, None),
) -> CaseResult:
    """The same for scans that are already read, and masks and label maps on their grids.

    With masks the result holds what is found without them as well (`CaseResult.automatic`).
    """
    dates = _placed((baseline, follow_up), level=level, disc_at=disc_at, labelled=labelled)
    points, errors = measure_dates(*dates)
    automatic = _compared(level, *points, errors=(errors[0], errors[1]))
    if not any(masks):
        return automatic
    points, errors = measure_dates(*dates, masks=masks)
    drawn = [_drawn(*of) for of in zip(points, masks, DRAWN, strict=True)]
    return replace(_compared(level, *drawn, errors=(errors[0], errors[1])), automatic=automatic)


def _drawn(point: TimePoint, mask: sitk.Image | None, code: str) -> TimePoint:
    """The date with the mask of a person that was measured, if any, and that said."""
    if mask is None:
        return point
    return replace(point, drawn=mask, warnings=(*point.warnings, Remark(code)))


def _placed(
    scans: Sequence[Scan],
    *,
    level: Level,
    disc_at: Point | None,
    labelled: Sequence[LabelledAnatomy | None],
) -> tuple[Placed | Refused, ...]:
    """From pixels to the disc of every date in one frame."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # a thread a date is enough
    seen = for_each_date(_anatomy, scans, labelled)
    discs = for_each_date(find_discs, [anatomy for _, anatomy in seen])
    names = [maps.disc_at if maps else {} for maps in labelled]
    located = _located(discs, level=level, disc_at=disc_at, names=names)
    return share_frame(
        *for_each_date(place, [scan for scan, _ in seen], [anatomy for _, anatomy in seen], located)
    )


def _anatomy(scan: Scan, labelled: LabelledAnatomy | None) -> tuple[Scan, Anatomy]:
    """The scan with what is to be said of its anatomy, and the anatomy."""
    if labelled is None:
        return scan, find_anatomy(scan.image)
    anatomy, remarks = complete(labelled, scan.image)
    return replace(scan, warnings=(*scan.warnings, *remarks)), anatomy


def _located(
    discs: Sequence[tuple[Disc, ...]],
    *,
    level: Level,
    disc_at: Point | None,
    names: Sequence[Names],
) -> list[Found | Remark]:
    """The disc at each date: that of the first, and those of the others beside it."""
    pairs = [
        locate_pair(discs[0], other, level=level, disc_at_mm=disc_at, named=(names[0], other_names))
        for other, other_names in zip(discs[1:], names[1:], strict=True)
    ]
    first = next((pair[0] for pair in pairs if isinstance(pair[0], Found)), pairs[0][0])
    return [first, *(pair[1] for pair in pairs)]


def _compared(
    level: Level,
    baseline: TimePoint,
    follow_up: TimePoint,
    *,
    errors: tuple[VolumeError | None, VolumeError | None],
) -> CaseResult:
    points = (baseline, follow_up)
    dates = (baseline.scan.date, follow_up.scan.date)
    days = (dates[1] - dates[0]).days if dates[0] and dates[1] else None
    return CaseResult(
        level=level,
        level_source=next((p.disc.source for p in points if p.disc), "counted"),
        patient=baseline.scan.patient,
        interval_days=days,
        baseline=baseline,
        follow_up=follow_up,
        change=find_change(*points, errors=errors, interval_days=days),
        reasons=tuple(dict.fromkeys(p.reason for p in points if p.reason)),
        warnings=tuple(dict.fromkeys(w for p in points for w in p.warnings)),
    )


def _study(given: StudyInput | Path | str) -> StudyInput:
    return given if isinstance(given, StudyInput) else StudyInput(Path(given))


def _masks(studies: Sequence[StudyInput], scans: Sequence[Scan]) -> list[sitk.Image | None]:
    return [
        read_fragment_mask(study.fragment_mask, scan=scan) if study.fragment_mask else None
        for study, scan in zip(studies, scans, strict=True)
    ]


def _label_maps(
    studies: Sequence[StudyInput], scans: Sequence[Scan], *, scheme: LabelScheme | None
) -> list[LabelledAnatomy | None]:
    return [
        read_label_maps(study.anatomy, scan=scan, scheme=scheme) if study.anatomy else None
        for study, scan in zip(studies, scans, strict=True)
    ]


def _digests(scans: Sequence[Scan], labelled: Sequence[LabelledAnatomy | None]) -> list[list[str]]:
    return [
        [*scan.sha256, *(maps.sha256 if maps else ())]
        for scan, maps in zip(scans, labelled, strict=True)
    ]


def _provenance(
    began: float, *, parameters: Mapping[str, object], inputs: Mapping[str, list[str]]
) -> dict[str, object]:
    return {
        "mri_resorb": mri_resorb.__version__,
        "definitions": DEFINITIONS_VERSION,
        "weights_sha256": weights_sha256(),
        "python": platform.python_version(),
        "parameters": dict(parameters),
        "input_sha256": dict(inputs),
        "run_seconds": round(time.perf_counter() - began, 3),
    }
