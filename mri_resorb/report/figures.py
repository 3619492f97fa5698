"""The overlay picture: both dates side by side, and what was measured drawn on them.

Pixels keep their true proportions and stay readable: the fragment is a thin outline (where it
fills half of a voxel), the posterior boundary a dashed line.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from mri_resorb import __version__
from mri_resorb.languages import Language, Phrase, decimal, say
from mri_resorb.model import CaseResult, DiscFrame, FloatArray, Point, TimePoint
from mri_resorb.report import wording

FIELD_MM = 90.0
SCALE_BAR_MM = 10.0
WIDTH_PIXELS, HEIGHT_PIXELS, DPI = 1650, 1080, 150

_GROUND = "#101418"
_TEXT = "#f2f2f2"
_FAINT = "#a9b4bd"
_FRAGMENT = "#ffd400"
_BOUNDARY = "#35d0ff"
_REFUSED = "#ff9e80"
_OUTLINE = [withStroke(linewidth=2.5, foreground="black")]


def overlay_figure(case: CaseResult, *, language: Language = Language.EN) -> Figure:
    """Draw the case; `Figure.savefig` writes it.

    Each date shows the sagittal slice with the most fragment. A date without a fragment shows the
    slice at the same distance from the disc's middle as the other date's; one that could not be
    measured shows its disc's, or its middle, slice and no figure.
    """
    figure = Figure(figsize=(WIDTH_PIXELS / DPI, HEIGHT_PIXELS / DPI), dpi=DPI, facecolor=_GROUND)
    FigureCanvasAgg(figure)
    _headline(figure, case, language=language)
    for left, name, point, other in (
        (0.03, "figure.baseline", case.baseline, case.follow_up),
        (0.515, "figure.follow-up", case.follow_up, case.baseline),
    ):
        view = _view(point, other=other)
        axes = figure.add_axes((left, 0.155, 0.455, 0.665), facecolor="black")
        _draw_panel(axes, point=point, view=view, language=language)
        if view.field == (FIELD_MM, FIELD_MM):
            _draw_thumbnail(axes, view=view)
        _caption(figure, left=left, name=name, point=point, view=view, language=language)
    _legend(figure, case, language=language)
    return figure


@dataclass(frozen=True)
class _View:
    """One slice in its own millimetres: right is posterior, down is inferior, from its corner."""

    scan: sitk.Image
    index: int
    pixels: FloatArray
    centre: tuple[float, float]
    field: tuple[float, float]
    window: tuple[float, float]
    lateral_mm: float | None
    """How far to the patient's left of the disc's middle."""

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top edges."""
        rows, columns = self.pixels.shape
        across, down = self.scan.GetSpacing()[:2]
        return -across / 2, (columns - 0.5) * across, (rows - 0.5) * down, -down / 2

    def place(self, points_mm: FloatArray) -> FloatArray:
        """LPS points (n, 3) to this slice's millimetres (n, 2)."""
        spacing = self.scan.GetSpacing()[:2]
        return np.array(
            [
                np.multiply(
                    self.scan.TransformPhysicalPointToContinuousIndex(point.tolist())[:2], spacing
                )
                for point in points_mm
            ]
        ).reshape(-1, 2)


def _view(point: TimePoint, *, other: TimePoint) -> _View:
    image = point.scan.image
    index = _slice_index(point, other=other)
    pixels = sitk.GetArrayViewFromImage(image)[index].astype(np.float64)
    across, down = image.GetSpacing()[:2]
    whole = (pixels.shape[1] * across, pixels.shape[0] * down)
    target = _target(point)
    if target is None:
        centre = ((whole[0] - across) / 2, (whole[1] - down) / 2)
        field = whole
    else:
        here = np.multiply(
            image.TransformPhysicalPointToContinuousIndex(target)[:2], (across, down)
        )
        centre, field = (float(here[0]), float(here[1])), (FIELD_MM, FIELD_MM)
    low, high = np.percentile(pixels, [1.0, 99.7])
    lateral_mm = None
    if point.frame is not None and target is not None:
        lateral_mm = _lateral_mm(image, index=index, frame=point.frame)
    return _View(
        scan=image,
        index=index,
        pixels=pixels,
        centre=centre,
        field=field,
        window=(float(low), float(max(high, low + 1e-6))),
        lateral_mm=lateral_mm,
    )


def _target(point: TimePoint) -> Point | None:
    """What to centre on: the back of the disc, else the disc."""
    if point.frame is not None:
        return point.frame.origin_mm
    return point.disc.centre_mm if point.disc is not None else None


def _slice_index(point: TimePoint, *, other: TimePoint) -> int:
    image = point.scan.image
    best = _fullest_slice(point)
    if best is not None:
        return best
    if point.frame is not None:
        theirs = _fullest_slice(other)
        lateral = (
            _lateral_mm(other.scan.image, index=theirs, frame=other.frame)
            if theirs is not None and other.frame is not None
            else 0.0
        )
        centre = point.frame.to_patient(np.array([0.0, lateral, 0.0]))
        index = image.TransformPhysicalPointToContinuousIndex(centre.tolist())[2]
    elif point.disc is not None:
        index = image.TransformPhysicalPointToContinuousIndex(point.disc.centre_mm)[2]
    else:
        index = (image.GetSize()[2] - 1) / 2
    return int(np.clip(round(index), 0, image.GetSize()[2] - 1))


def _fullest_slice(point: TimePoint) -> int | None:
    """The slice with the most fragment; None where there is no herniation."""
    if point.status != "measured" or point.fragment is None:
        return None
    areas = sitk.GetArrayViewFromImage(point.fragment.occupancy).sum(axis=(1, 2))
    return int(areas.argmax()) if areas.max() > 0 else None


def _lateral_mm(image: sitk.Image, *, index: int, frame: DiscFrame) -> float:
    """Where a slice cuts the disc's transverse axis, mm to the left of the disc's middle."""
    origin = image.TransformPhysicalPointToContinuousIndex(frame.origin_mm)
    step = image.TransformPhysicalPointToContinuousIndex(
        frame.to_patient(np.array([0.0, 1.0, 0.0])).tolist()
    )
    return float((index - origin[2]) / (step[2] - origin[2]))


def _draw_panel(axes: Axes, *, point: TimePoint, view: _View, language: Language) -> None:
    axes.imshow(
        view.pixels,
        cmap="gray",
        vmin=view.window[0],
        vmax=view.window[1],
        extent=view.extent,
        interpolation="bilinear",
    )
    if point.boundary_mm is not None:
        line = view.place(np.asarray(point.boundary_mm[view.index], dtype=np.float64))
        axes.plot(*line.T, color=_BOUNDARY, linewidth=1.0, linestyle=(0, (4, 3)))
    if point.fragment is not None:
        occupancy = sitk.GetArrayViewFromImage(point.fragment.occupancy)[view.index]
        if occupancy.max() > 0.5 > occupancy.min():
            across, down = view.scan.GetSpacing()[:2]
            rows, columns = occupancy.shape
            axes.contour(
                np.arange(columns) * across,
                np.arange(rows) * down,
                occupancy,
                levels=[0.5],
                colors=_FRAGMENT,
                linewidths=1.3,
            )
    (x, y), (width, height) = view.centre, view.field
    axes.set_xlim(x - width / 2, x + width / 2)
    axes.set_ylim(y + height / 2, y - height / 2)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for letter, at in {
        "A": (0.03, 0.5),
        "P": (0.97, 0.5),
        "S": (0.5, 0.97),
        "I": (0.5, 0.03),
    }.items():
        axes.text(
            *at,
            letter,
            transform=axes.transAxes,
            color=_TEXT,
            ha="center",
            va="center",
            fontsize=11,
            path_effects=_OUTLINE,
        )
    _scale_bar(axes, language=language)


def _scale_bar(axes: Axes, *, language: Language) -> None:
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    end = right - 0.05 * (right - left)
    height = bottom - 0.06 * (bottom - top)
    axes.plot(
        [end - SCALE_BAR_MM, end],
        [height, height],
        color=_TEXT,
        linewidth=2.5,
        path_effects=[withStroke(linewidth=4.5, foreground="black")],
    )
    axes.text(
        end - SCALE_BAR_MM / 2,
        height - 0.012 * (bottom - top),
        say("figure.scale", language=language, mm=decimal(SCALE_BAR_MM, places=0)),
        color=_TEXT,
        ha="center",
        va="bottom",
        fontsize=9,
        path_effects=_OUTLINE,
    )


def _draw_thumbnail(axes: Axes, *, view: _View) -> None:
    """The whole slice, small, with the field of the panel as a box."""
    left, right, bottom, top = view.extent
    height = 0.30
    small = axes.inset_axes((0.0, 0.0, height * (right - left) / (bottom - top), height))
    small.imshow(
        view.pixels, cmap="gray", vmin=view.window[0], vmax=view.window[1], extent=view.extent
    )
    (x, y), (width, tall) = view.centre, view.field
    small.add_patch(
        Rectangle(
            (x - width / 2, y - tall / 2), width, tall, fill=False, edgecolor=_TEXT, linewidth=0.8
        )
    )
    small.set_xlim(left, right)
    small.set_ylim(bottom, top)
    small.set_xticks([])
    small.set_yticks([])
    for spine in small.spines.values():
        spine.set_color(_FAINT)


def _headline(figure: Figure, case: CaseResult, *, language: Language) -> None:
    figure.text(0.03, 0.967, str(case.level), color=_TEXT, fontsize=20, weight="bold", va="center")
    if case.status == "undetermined":
        first = say("figure.undetermined", language=language)
        second = wording.reasons(case.reasons, language=language)
        colour = _REFUSED
    else:
        resorption = wording.resorption(case, language=language)
        first = say("figure.resorption", language=language, resorption=resorption)
        second = _capitalised(wording.verdict(case, language=language))
        colour = _TEXT
    figure.text(0.13, 0.97, first, color=colour, fontsize=14, weight="bold", va="center")
    lines = textwrap.wrap(second, width=105, max_lines=2, placeholder=" ...")
    figure.text(0.13, 0.945, "\n".join(lines), color=_TEXT, fontsize=10, va="top")


def _caption(
    figure: Figure, *, left: float, name: str, point: TimePoint, view: _View, language: Language
) -> None:
    heading = say(name, language=language, day=point.scan.date or Phrase("figure.no-date"))
    figure.text(left, 0.865, heading, color=_TEXT, fontsize=12, weight="bold")
    volume = _capitalised(wording.volume_at(point, language=language))
    figure.text(left, 0.832, volume, color=_TEXT, fontsize=11)
    figure.text(left, 0.125, _where(view, language=language), color=_FAINT, fontsize=9)


def _where(view: _View, *, language: Language) -> str:
    """Which slice it is, and how far from the disc's middle."""
    number, count = view.index + 1, view.scan.GetSize()[2]
    if view.lateral_mm is None:
        return say("figure.slice", language=language, number=number, count=count)
    away_mm = decimal(abs(view.lateral_mm), places=0)
    if away_mm == "0":
        return say("figure.slice-middle", language=language, number=number, count=count)
    name = "figure.slice-left" if view.lateral_mm > 0 else "figure.slice-right"
    return say(name, language=language, number=number, count=count, mm=away_mm)


def _legend(figure: Figure, case: CaseResult, *, language: Language) -> None:
    fragment, boundary = (
        say(name, language=language) for name in ("figure.fragment", "figure.boundary")
    )
    handles = [
        Line2D([], [], color=_FRAGMENT, linewidth=1.3, label=fragment),
        Line2D([], [], color=_BOUNDARY, linestyle=(0, (4, 3)), label=boundary),
    ]
    shown = case.baseline.fragment is not None or case.follow_up.fragment is not None
    if shown:
        figure.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0.02, 0.05),
            ncols=2,
            frameon=False,
            labelcolor=_TEXT,
            fontsize=10,
        )
    figure.text(
        0.03,
        0.03,
        f"{wording.disclaimer(language)} mri-resorb {__version__}",
        color=_FAINT,
        fontsize=9,
        va="center",
    )


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
