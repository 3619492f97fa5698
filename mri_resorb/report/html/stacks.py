"""Both dates' pictures of one plane, and the change between them, linked place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import CaseResult, DiscFrame, TimePoint
from mri_resorb.report.html import axial, encode, sagittal
from mri_resorb.report.html.axial import AxialVolume
from mri_resorb.report.html.planes import LATERAL_MM, Edges, Picture, around_level
from mri_resorb.report.html.sagittal import SagittalView

Plane = Literal["sagittal", "axial"]

MOST_STEPS = 25
"""More places than this are thinned out, to keep the page small."""
_CHANGE_PIXELS = 180


@dataclass(frozen=True)
class Panel:
    """One date's pictures, by a number that the steps refer to.

    Attributes:
        pictures: empty where the date has none in this plane.
        frame_to_picture: SVG matrix from the frame's axes to this picture's, for the line where
            the other plane cuts it; None without a frame.
    """

    pictures: Mapping[int, Picture]
    field_mm: float
    edges: Edges
    frame_to_picture: tuple[float, ...] | None


@dataclass(frozen=True)
class ChangePicture:
    """What was lost and gained, to be laid over the baseline's picture of the same number.

    Attributes:
        overlay: data URI of a transparent picture; None where nothing changed.
        before, after: SVG paths of the fragment at both dates.
    """

    overlay: str | None
    before: str
    after: str


@dataclass(frozen=True)
class Step:
    """One place of the scroll: which picture each date shows, None where its slices do not lie."""

    offset_mm: float
    baseline: int | None
    follow_up: int | None


@dataclass(frozen=True)
class Stack:
    """One plane of the case.

    Attributes:
        change: by the number of the baseline's picture; None where a date has no figures.
        start: index of the step that is shown first: the one with the most fragment.
        aligned: both dates lie in one frame.
    """

    plane: Plane
    baseline: Panel
    follow_up: Panel
    change: Mapping[int, ChangePicture] | None
    steps: tuple[Step, ...]
    start: int
    aligned: bool


def stacks(case: CaseResult) -> list[Stack]:
    """The planes of a case: sagittal always, axial where a date has its frame."""
    baseline, follow_up = (around_level(p) for p in (case.baseline, case.follow_up))
    from_below = _axial_stack(baseline, follow_up)
    from_the_side = _sagittal_stack(baseline, follow_up)
    return [from_the_side] if from_below is None else [from_the_side, from_below]


def _sagittal_stack(baseline: TimePoint, follow_up: TimePoint) -> Stack:
    """The series' own slices of both dates, the nearest ones together."""
    views = (
        sagittal.view(baseline, like=baseline),
        sagittal.view(follow_up, like=baseline),
    )
    steps = _thinned(_sagittal_steps(*views))
    panels = [
        _sagittal_panel(view, indices=sorted({n for n in shown if n is not None}))
        for view, shown in zip(
            views,
            ([s.baseline for s in steps], [s.follow_up for s in steps]),
            strict=True,
        )
    ]
    return Stack(
        plane="sagittal",
        baseline=panels[0],
        follow_up=panels[1],
        change=_sagittal_change(views, pictures=panels[0].pictures),
        steps=steps,
        start=_fullest(steps, panels[0], panels[1]),
        aligned=_aligned(baseline, follow_up),
    )


def _axial_stack(baseline: TimePoint, follow_up: TimePoint) -> Stack | None:
    """Planes parallel to the disc, resampled from the sagittal slices; None without a frame."""
    points = (baseline, follow_up)
    if all(point.frame is None for point in points):
        return None
    heights = axial.heights_mm(points)
    volumes = [
        None if point.frame is None else axial.volume(point, heights_mm=heights) for point in points
    ]
    panels = [
        _axial_panel(volume, point=point) for volume, point in zip(volumes, points, strict=True)
    ]
    numbers = range(len(heights))
    steps = tuple(
        Step(
            offset_mm=float(heights[n]),
            baseline=n if panels[0].pictures else None,
            follow_up=n if panels[1].pictures else None,
        )
        for n in numbers
    )
    return Stack(
        plane="axial",
        baseline=panels[0],
        follow_up=panels[1],
        change=_axial_change(volumes, panels=panels),
        steps=steps,
        start=_fullest(steps, panels[0], panels[1]),
        aligned=_aligned(baseline, follow_up),
    )


def _aligned(baseline: TimePoint, follow_up: TimePoint) -> bool:
    return baseline.frame is not None and follow_up.frame is not None


def _sagittal_panel(view: SagittalView, *, indices: list[int]) -> Panel:
    matrix = None
    if view.turned is not None:
        matrix = (*(round(float(value), 4) for value in view.turned.T.ravel()), 0, 0)
    return Panel(
        pictures=sagittal.pictures(view, indices=indices),
        field_mm=view.field_mm,
        edges=view.edges,
        frame_to_picture=matrix,
    )


def _axial_panel(volume: AxialVolume | None, *, point: TimePoint) -> Panel:
    pictures = [] if volume is None else axial.pictures(volume, point=point)
    return Panel(
        pictures=dict(enumerate(pictures)),
        field_mm=axial.FIELD_MM,
        edges=("R", "L", "A", "P"),
        frame_to_picture=(1, 0, 0, 1, 0, 0),
    )


def _sagittal_steps(baseline: SagittalView, follow_up: SagittalView) -> list[Step]:
    """From right to left: a step for each slice of the date with the closer slices, and for those
    of the other date that would not be seen beside them.
    """
    views = (baseline, follow_up)
    spacings = [_slice_distance_mm(view) for view in views]

    def step(offset_mm: float) -> Step:
        shown = [
            _nearest(view, offset_mm, within_mm=0.6 * spacing)
            for view, spacing in zip(views, spacings, strict=True)
        ]
        return Step(float(offset_mm), shown[0], shown[1])

    leading = 1 if spacings[1] < 0.95 * spacings[0] else 0
    other = views[1 - leading]
    steps = [step(offset) for offset in views[leading].offsets_mm[_at_level(views[leading])]]
    seen = {s.follow_up if leading == 0 else s.baseline for s in steps}
    unseen = [n for n in np.flatnonzero(_at_level(other)) if n not in seen]
    steps += [step(other.offsets_mm[n]) for n in unseen]
    return sorted(steps, key=lambda s: s.offset_mm)


def _slice_distance_mm(view: SagittalView) -> float:
    return float(np.diff(view.offsets_mm).mean()) if len(view.offsets_mm) > 1 else 1.0


def _at_level(view: SagittalView) -> npt.NDArray[np.bool_]:
    """Slices that cut the level; all of them where it was not found."""
    if view.point.frame is None and view.point.disc is None:
        return np.ones(len(view.offsets_mm), bool)
    near = np.abs(view.offsets_mm) <= LATERAL_MM
    return near if near.any() else np.ones(len(view.offsets_mm), bool)


def _nearest(view: SagittalView, offset_mm: float, *, within_mm: float) -> int | None:
    away = np.abs(view.offsets_mm - offset_mm)
    index = int(away.argmin())
    return index if away[index] <= within_mm else None


def _thinned(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(steps[:: ceil(len(steps) / MOST_STEPS)])


def _fullest(steps: Sequence[Step], baseline: Panel, follow_up: Panel) -> int:
    """The step with the most fragment at baseline, else at follow-up, else the middle one."""
    for panel, shown in (
        (baseline, [step.baseline for step in steps]),
        (follow_up, [step.follow_up for step in steps]),
    ):
        areas = [0.0 if n is None else panel.pictures[n].fragment_mm2 for n in shown]
        if max(areas) > 0:
            return int(np.argmax(areas))
    return int(np.argmin([abs(step.offset_mm) for step in steps]))


def _sagittal_change(
    views: tuple[SagittalView, SagittalView], *, pictures: Mapping[int, Picture]
) -> dict[int, ChangePicture] | None:
    """Baseline minus follow-up on the baseline's slices, the follow-up carried by the frame."""
    baseline, follow_up = (view.point for view in views)
    if (
        baseline.fragment is None
        or follow_up.fragment is None
        or baseline.frame is None
        or follow_up.frame is None
    ):
        return None
    before_image = baseline.fragment.occupancy
    after_image = sitk.Resample(
        follow_up.fragment.occupancy,
        before_image,
        _between(baseline.frame, follow_up.frame),
        sitk.sitkLinear,
    )
    before, after = (sitk.GetArrayViewFromImage(image) for image in (before_image, after_image))
    in_plane = views[0].in_plane
    changes = {}
    for index, picture in pictures.items():
        difference = before[index] - after[index]
        overlay = None
        if np.abs(difference).max() > 0:
            overlay = encode.change_png(
                encode.turned(
                    np.asarray(difference, np.float32),
                    matrix=in_plane.matrix,
                    offset=in_plane.offset,
                    field_mm=views[0].field_mm,
                    pixels_across=_CHANGE_PIXELS,
                )
            )
        changes[index] = ChangePicture(
            overlay=overlay,
            before=picture.outlines["fragment"],
            after=sagittal.outline(after[index], view=views[0]),
        )
    return changes


def _between(baseline: DiscFrame, follow_up: DiscFrame) -> sitk.AffineTransform:
    """From the baseline's LPS to the follow-up's, through the frame that both share."""
    transform = sitk.AffineTransform(3)
    matrix = follow_up.axes.T @ baseline.axes
    transform.SetMatrix(matrix.ravel().tolist())
    shift = np.array(follow_up.origin_mm) - matrix @ np.array(baseline.origin_mm)
    transform.SetTranslation(shift.tolist())
    return transform


def _axial_change(
    volumes: Sequence[AxialVolume | None], *, panels: Sequence[Panel]
) -> dict[int, ChangePicture] | None:
    before, after = (None if volume is None else volume.fragment for volume in volumes)
    if before is None or after is None:
        return None
    return {
        n: ChangePicture(
            overlay=encode.change_png(before[n] - after[n]),
            before=panels[0].pictures[n].outlines["fragment"],
            after=panels[1].pictures[n].outlines["fragment"],
        )
        for n in range(len(before))
    }
