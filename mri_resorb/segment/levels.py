"""Names the discs of an anatomy, counting up from the sacrum or by a label map's names.

Abstains rather than guesses: a lumbar-only field of view is numbered wrongly in 14.1 % of readings
(PMC3955794), and 18.1 % of people have a transitional vertebra (doi 10.1148/radiol.12112747).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import SimpleITK as sitk

from mri_resorb.languages import Phrase, Value
from mri_resorb.model import Level, LevelSource, LocatedDisc, Point, Remark
from mri_resorb.segment.discs import Disc
from mri_resorb.segment.lumbosacral import (
    LEAST_CERTAINTY,
    LevelNotFoundError,
    certainty_upwards,
    lumbosacral_disc,
)

Names = Mapping[Level, Point]

_POINT_TOLERANCE_MM = 8.0
_ROW_DIFFERENCE_MOST_MM = 5.0


@dataclass(frozen=True)
class Found:
    """A disc and the name it was found by."""

    disc: Disc
    located: LocatedDisc


def locate_pair(
    baseline: tuple[Disc, ...],
    follow_up: tuple[Disc, ...],
    *,
    level: Level,
    disc_at_mm: Point | None = None,
    named: tuple[Names, Names] = ({}, {}),
) -> tuple[Found | Remark, Found | Remark]:
    """The same disc at both dates, or the reason why it is not safely found.

    Counted up from the sacrum at each date by itself; or by the names of a label map. Where only
    one date has names, or where a point is given, that settles the disc at one date, and the other
    date's is the one like it, by the row of discs around it (the two dates' coordinates need not
    agree).

    Args:
        baseline, follow_up: the discs of each date, lowest first.
        disc_at_mm: a point in the baseline's disc, LPS; settles which disc is meant, whatever its
            name.
        named: the middle of each disc that a label map names, LPS; empty where there is none.
    """
    rows = (baseline, follow_up)
    if disc_at_mm is None and any(named) and not all(named):
        which = 0 if named[0] else 1
        found = _found_and_found_again(
            rows[which],
            rows[1 - which],
            find=lambda: _named(rows[which], named[which], level),
            level=level,
            source="labels",
        )
        return (found[0], found[1]) if which == 0 else (found[1], found[0])
    if disc_at_mm is not None:
        return _found_and_found_again(
            *rows, find=lambda: _disc_at(baseline, disc_at_mm), level=level, source="point"
        )
    source: LevelSource = "labels" if all(named) else "counted"
    first: int | None = None
    try:
        first, certainty = _by_itself(baseline, named[0], level)
        at_baseline: Found | Remark = _found(
            baseline, first, level=level, source=source, certainty=certainty
        )
    except LevelNotFoundError as error:
        at_baseline = error.reason
    try:
        second, certainty = _by_itself(follow_up, named[1], level)
        if first is not None:
            _check_alike(baseline, first, follow_up, second)
    except LevelNotFoundError as error:
        return at_baseline, error.reason
    return at_baseline, _found(follow_up, second, level=level, source=source, certainty=certainty)


def _by_itself(discs: tuple[Disc, ...], names: Names, level: Level) -> tuple[int, float | None]:
    """The disc in one date's row, and how sure its name is; None by a label map's names."""
    if names:
        return _named(discs, names, level), None
    return _counted(discs, level)


def _found_and_found_again(
    known: tuple[Disc, ...],
    other: tuple[Disc, ...],
    *,
    find: Callable[[], int],
    level: Level,
    source: LevelSource,
) -> tuple[Found | Remark, Found | Remark]:
    """The disc that `find` gives in one row, and the one like it in the other row."""
    try:
        first = find()
    except LevelNotFoundError as error:
        return error.reason, error.reason
    at_known = _found(known, first, level=level, source=source)
    try:
        second = _same_disc(known, first, other)
    except LevelNotFoundError as error:
        return at_known, error.reason
    return at_known, _found(other, second, level=level, source=source)


def _found(
    discs: tuple[Disc, ...],
    index: int,
    *,
    level: Level,
    source: LevelSource,
    certainty: float | None = None,
) -> Found:
    said = {"counted": "disc.counted", "point": "disc.at-point", "labels": "disc.labels"}[source]
    values: dict[str, Value] = {"level": level, "discs": len(discs)}
    if certainty is not None:
        values["percent"] = 100 * certainty
    remark = Phrase(said, values)
    return Found(
        discs[index], LocatedDisc(level, discs[index].centre_mm, source, remark, certainty)
    )


def _named(discs: tuple[Disc, ...], names: Names, level: Level) -> int:
    """The disc that a label map names, unless its names contradict the discs or the sacrum."""
    if level not in names:
        raise LevelNotFoundError("level-not-in-labels", level=level)
    indices = [
        _disc_at(discs, names[known]) for known in reversed(Level) if known in names
    ]  # upwards
    if any(above <= below for below, above in pairwise(indices)):
        raise LevelNotFoundError("labels-contradict-discs")
    index = _disc_at(discs, names[level])
    on_sacrum = discs[index].sacrum_below
    if np.isfinite(on_sacrum) and (on_sacrum > 0.5) != (level is Level.L5_S1):
        raise LevelNotFoundError("labels-contradict-sacrum", level=level)
    return index


def _counted(discs: tuple[Disc, ...], level: Level) -> tuple[int, float]:
    """The disc by its number above the sacrum, and how sure that name is."""
    lowest = lumbosacral_disc(discs)
    index = lowest.index + level.discs_above_sacrum
    certainty = lowest.certainty * certainty_upwards(discs[lowest.index : index + 1])
    if certainty < LEAST_CERTAINTY:
        raise LevelNotFoundError("level-count-doubtful", level=level)
    if index >= len(discs):
        seen = len(discs) - lowest.index
        raise LevelNotFoundError("level-not-in-view", level=level, discs=seen)
    return index, certainty


def _same_disc(baseline: tuple[Disc, ...], index: int, follow_up: tuple[Disc, ...]) -> int:
    """The follow-up's disc as many above the sacrum; by its neighbours where that is not known."""
    try:
        second = index - lumbosacral_disc(baseline).index + lumbosacral_disc(follow_up).index
    except LevelNotFoundError:
        return most_alike(baseline, index, follow_up)
    if not 0 <= second < len(follow_up):
        raise LevelNotFoundError("disc-not-found-again")
    _check_alike(baseline, index, follow_up, second)
    return second


def row_difference_mm(
    first: tuple[Disc, ...], first_index: int, second: tuple[Disc, ...], second_index: int
) -> float:
    """How differently the neighbouring discs lie around two discs, mm; infinite without any.

    Mean distance between the centres of up to three neighbours on either side, each seen in the
    frame of the disc in question.
    """
    distances = []
    for step in (-3, -2, -1, 1, 2, 3):
        a, b = first_index + step, second_index + step
        if 0 <= a < len(first) and 0 <= b < len(second):
            seen = [
                row[here].frame.to_frame(np.array(row[there].centre_mm))[[0, 2]]
                for row, here, there in ((first, first_index, a), (second, second_index, b))
            ]
            distances.append(float(np.linalg.norm(seen[0] - seen[1])) / abs(step))
    if not distances:
        return float("inf")
    return float(np.mean(distances))


def most_alike(baseline: tuple[Disc, ...], index: int, follow_up: tuple[Disc, ...]) -> int:
    """The follow-up's disc that is the baseline's disc.

    The two rows of discs are laid against each other in every way in which two or more discs
    meet, also those that leave the disc in question out of the follow-up's view: it would be the
    neighbour that is taken otherwise. Where both rows rest on the sacrum, that settles it.

    Raises:
        LevelNotFoundError: no way fits, another fits nearly as well, or the disc is out of view.
    """
    shifts = range(2 - len(baseline), len(follow_up) - 1)
    differences = {
        shift: _shifted_difference_mm(baseline, follow_up, shift)
        for shift in shifts
        if not _sacrum_contradicts(baseline, follow_up, shift)
    }
    order = sorted(differences, key=differences.__getitem__)
    if not order or differences[order[0]] > _ROW_DIFFERENCE_MOST_MM:
        raise LevelNotFoundError("disc-not-found-again")
    if len(order) > 1 and differences[order[1]] < 1.5 * differences[order[0]] + 0.3:
        raise LevelNotFoundError("disc-match-doubtful")
    found = index + order[0]
    if not 0 <= found < len(follow_up):
        raise LevelNotFoundError("disc-not-found-again")
    return found


def _shifted_difference_mm(first: tuple[Disc, ...], second: tuple[Disc, ...], shift: int) -> float:
    """How differently two rows lie if disc k of the first is disc k + shift of the second, mm."""
    return float(
        np.mean(
            [row_difference_mm(first, k, second, k + shift) for k in _both(first, second, shift)]
        )
    )


def _both(first: tuple[Disc, ...], second: tuple[Disc, ...], shift: int) -> range:
    return range(max(0, -shift), min(len(first), len(second) - shift))


def _sacrum_contradicts(first: tuple[Disc, ...], second: tuple[Disc, ...], shift: int) -> bool:
    """Two discs that would be one lie differently on the sacrum."""
    lowest = [
        [k for k, disc in enumerate(row) if disc.sacrum_below > 0.5][-1:] for row in (first, second)
    ]
    if all(lowest):
        return lowest[1][0] - lowest[0][0] != shift
    return any(  # never where the sacrum is not seen (NaN)
        abs(first[k].sacrum_below - second[k + shift].sacrum_below) > 0.7
        for k in _both(first, second, shift)
    )


def _check_alike(
    baseline: tuple[Disc, ...], first: int, follow_up: tuple[Disc, ...], second: int
) -> None:
    """Refuse counts by which the rows of discs lie worse on each other than by another count."""
    differences = {
        shift: _shifted_difference_mm(baseline, follow_up, shift)
        for shift in range(2 - len(baseline), len(follow_up) - 1)
    }
    counted = differences.pop(second - first, float("inf"))
    if not np.isfinite(counted):
        return
    better = [other for other in differences.values() if 1.5 * other + 0.5 < counted]
    if better or counted > _ROW_DIFFERENCE_MOST_MM:
        raise LevelNotFoundError("levels-disagree")


def _disc_at(discs: tuple[Disc, ...], point: Point) -> int:
    def distance(disc: Disc) -> float:
        """Distance from the point to the disc's nearest voxel, mm."""
        voxels = np.argwhere(sitk.GetArrayViewFromImage(disc.occupancy) >= 0.5)[:, ::-1]
        first, last = voxels.min(axis=0), voxels.max(axis=0)
        index = np.array(disc.occupancy.TransformPhysicalPointToContinuousIndex(point))
        if np.any(index < first - 60) or np.any(index > last + 60):
            return float("inf")
        spacing = np.array(disc.occupancy.GetSpacing())
        return float(np.linalg.norm((voxels - index) * spacing, axis=1).min())

    if not discs:
        raise LevelNotFoundError("no-disc")
    distances = [distance(disc) for disc in discs]
    nearest = int(np.argmin(distances))
    if distances[nearest] > _POINT_TOLERANCE_MM:
        raise LevelNotFoundError("no-disc-at-point", distance_mm=_POINT_TOLERANCE_MM)
    return nearest
