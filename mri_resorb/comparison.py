"""What pairs and trajectories are made of: from scans to discs in one frame, and what is said."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace

import SimpleITK as sitk

import mri_resorb
from mri_resorb.io.label_maps import read_label_maps
from mri_resorb.io.label_tables import LabelScheme
from mri_resorb.measure.change import find_change
from mri_resorb.measure.shared_frame import Placed, Refused, place_closely, share_frame
from mri_resorb.measure.uncertainty import VolumeError, alike
from mri_resorb.model import (
    DEFINITIONS_VERSION,
    Anatomy,
    CaseResult,
    LabelledAnatomy,
    Level,
    Point,
    Remark,
    Scan,
    StudyInput,
    TimePoint,
)
from mri_resorb.segment.close_up import weights_sha256
from mri_resorb.segment.discs import Disc, find_discs
from mri_resorb.segment.labelled import complete
from mri_resorb.segment.levels import Found, Names, locate_pair
from mri_resorb.segment.network import find_anatomy
from mri_resorb.side_by_side import for_each_date


def place_dates(
    scans: Sequence[Scan],
    *,
    level: Level,
    disc_at: Point | None,
    labelled: Sequence[LabelledAnatomy | None],
) -> tuple[Placed | Refused, ...]:
    """From pixels to the disc of every date, two or more, in one frame."""
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # a thread a date is enough
    seen = for_each_date(_anatomy, scans, labelled)
    discs = for_each_date(find_discs, [anatomy for _, anatomy in seen])
    names = [maps.disc_at if maps else {} for maps in labelled]
    located = _located(discs, level=level, disc_at=disc_at, names=names)
    return share_frame(
        *for_each_date(
            place_closely, [scan for scan, _ in seen], [anatomy for _, anatomy in seen], located
        )
    )


def compared(
    level: Level,
    baseline: TimePoint,
    follow_up: TimePoint,
    *,
    errors: tuple[VolumeError | None, VolumeError | None],
) -> CaseResult:
    """The result of two measured dates."""
    points = (baseline, follow_up)
    dates = (baseline.scan.date, follow_up.scan.date)
    days = (dates[1] - dates[0]).days if dates[0] and dates[1] else None
    said = () if None in errors else _unlike_slices(points)
    return CaseResult(
        level=level,
        level_source=next((p.disc.source for p in points if p.disc), "counted"),
        patient=baseline.scan.patient,
        interval_days=days,
        baseline=baseline,
        follow_up=follow_up,
        change=find_change(*points, errors=errors, interval_days=days),
        reasons=tuple(dict.fromkeys(p.reason for p in points if p.reason)),
        warnings=(*dict.fromkeys(w for p in points for w in p.warnings), *said),
    )


def _unlike_slices(points: tuple[TimePoint, TimePoint]) -> tuple[Remark, ...]:
    """What widens the change's interval is said."""
    first_mm, second_mm = (point.scan.image.GetSpacing()[2] for point in points)
    if alike(first_mm, second_mm):
        return ()
    return (Remark("different-slices", {"baseline_mm": first_mm, "follow_up_mm": second_mm}),)


def label_maps_of(
    studies: Sequence[StudyInput], scans: Sequence[Scan], *, scheme: LabelScheme | None
) -> list[LabelledAnatomy | None]:
    """Another program's label maps of each study that has some."""
    return [
        read_label_maps(study.anatomy, scan=scan, scheme=scheme) if study.anatomy else None
        for study, scan in zip(studies, scans, strict=True)
    ]


def digests_of(
    scans: Sequence[Scan], labelled: Sequence[LabelledAnatomy | None]
) -> list[list[str]]:
    """SHA-256 of each study's files, those of its label maps included."""
    return [
        [*scan.sha256, *(maps.sha256 if maps else ())]
        for scan, maps in zip(scans, labelled, strict=True)
    ]


def provenance_of(
    seconds: float, *, parameters: Mapping[str, object], inputs: Mapping[str, list[str]]
) -> dict[str, object]:
    """What made a result, and from what.

    Args:
        seconds: how long it took.
        inputs: SHA-256 of the files of each study.
    """
    return {
        "mri_resorb": mri_resorb.__version__,
        "definitions": DEFINITIONS_VERSION,
        "weights_sha256": weights_sha256(),
        "python": platform.python_version(),
        "parameters": dict(parameters),
        "input_sha256": dict(inputs),
        "run_seconds": round(seconds, 3),
    }


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
