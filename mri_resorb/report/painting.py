"""Paints the overlay picture.

Positions are pixels of the picture, (x, y), from its upper left corner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mri_resorb.model import FloatArray
from mri_resorb.report import fonts
from mri_resorb.report.figures import EDGES, SCALE_BAR_MM, Legend, Overlay, Panel, Rectangle
from mri_resorb.report.slices import windowed

WIDTH, HEIGHT = 1650, 1080
DPI = 150
FRAGMENT = "#ffd400"

_GROUND = "#101418"
_TEXT = "#f2f2f2"
_FAINT = "#a9b4bd"
_BOUNDARY = "#35d0ff"
_REFUSED = "#ff9e80"

_LEFT = 50
_HEADLINE_LEFT = 215
_PANELS_LEFT = (_LEFT, 850)
_PANEL_TOP, _PANEL_WIDTH, _PANEL_HEIGHT = 194, 751, 718
_FRAGMENT_WIDTH, _BOUNDARY_WIDTH, _BAR_WIDTH = 2.7, 2.1, 5
_DASH, _GAP = 8.3, 6.3
_LINE_HEIGHT = 25
_THUMBNAIL = 0.3
"""Of the panel's height."""
_FINER = 4
"""Lines are drawn this much larger and reduced, which makes them smooth."""


def paint(overlay: Overlay) -> Image.Image:
    """The picture, RGB, `WIDTH` by `HEIGHT` pixels."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), _GROUND)
    _headline(picture, overlay)
    for left, panel in zip(_PANELS_LEFT, (overlay.baseline, overlay.follow_up), strict=True):
        _captions(picture, panel, left=left)
        shown = _painted_panel(panel, scale=overlay.scale)
        margins = (_PANEL_WIDTH - shown.width, _PANEL_HEIGHT - shown.height)
        picture.paste(shown, (left + margins[0] // 2, _PANEL_TOP + margins[1] // 2))
    if overlay.legend is not None:
        _legend(picture, overlay.legend)
    _text(picture, (_LEFT, 1048), overlay.footer, points=9, colour=_FAINT, anchor="lm")
    return picture


def write_png(picture: Image.Image, file: Path) -> None:
    """Write it, quickly rather than as small as can be."""
    picture.save(file, "PNG", compress_level=1, dpi=(DPI, DPI))


def _headline(picture: Image.Image, overlay: Overlay) -> None:
    _text(picture, (_LEFT, 32), overlay.level, points=20, bold=True, anchor="lm")
    colour = _REFUSED if overlay.refused else _TEXT
    at = (_HEADLINE_LEFT, 30)
    _text(picture, at, overlay.headline, points=14, bold=True, colour=colour, anchor="lm")
    for number, line in enumerate(overlay.explanation):
        _text(picture, (_HEADLINE_LEFT, 75 + number * _LINE_HEIGHT), line, points=10)


def _captions(picture: Image.Image, panel: Panel, *, left: int) -> None:
    _text(picture, (left, 146), panel.heading, points=12, bold=True)
    _text(picture, (left, 181), panel.finding, points=11)
    _text(picture, (left, 945), panel.place, points=9, colour=_FAINT)


def _legend(picture: Image.Image, legend: Legend) -> None:
    middle, length, gap = 995, 42, 17
    left = float(_LEFT + 2)
    for name, colour, dashed in (
        (legend.fragment, FRAGMENT, False),
        (legend.boundary, _BOUNDARY, True),
    ):
        line = np.array([[left, middle], [left + length, middle]])
        lines = _dashes(line, dash=12, gap=9) if dashed else [line]
        _stroke(picture, lines, colour=colour, width=3)
        left += length + gap
        _text(picture, (left, middle), name, points=10, anchor="lm")
        left += _font(10).getlength(name) + length


@dataclass(frozen=True)
class _Scale:
    """From a slice's millimetres to a panel's pixels."""

    field: Rectangle
    pixels_per_mm: float

    @property
    def size(self) -> tuple[int, int]:
        _, _, width, height = self.field
        return round(width * self.pixels_per_mm), round(height * self.pixels_per_mm)

    def place(self, points_mm: FloatArray) -> FloatArray:
        return np.asarray((points_mm - np.array(self.field[:2])) * self.pixels_per_mm)


def _painted_panel(panel: Panel, *, scale: str) -> Image.Image:
    _, _, width_mm, height_mm = panel.field
    fit = _Scale(panel.field, min(_PANEL_WIDTH / width_mm, _PANEL_HEIGHT / height_mm))
    shown = _painted_slice(panel, part=panel.field, size=fit.size)
    if panel.boundary is not None:
        dashes = _dashes(fit.place(panel.boundary), dash=_DASH, gap=_GAP)
        _stroke(shown, dashes, colour=_BOUNDARY, width=_BOUNDARY_WIDTH)
    outlines = [fit.place(line) for line in panel.outlines]
    _stroke(shown, outlines, colour=FRAGMENT, width=_FRAGMENT_WIDTH)
    width, height = shown.size
    places = ((0.03, 0.5), (0.97, 0.5), (0.5, 0.03), (0.5, 0.97))
    for letter, (x, y) in zip(EDGES, places, strict=True):
        at = (x * width, y * height)
        _text(shown, at, letter, points=11, anchor="mm", outlined=True)
    _scale_bar(shown, scale, length=SCALE_BAR_MM * fit.pixels_per_mm)
    if panel.field != panel.whole:
        _thumbnail(shown, panel)
    return shown


def _painted_slice(panel: Panel, *, part: Rectangle, size: tuple[int, int]) -> Image.Image:
    """Part of the slice, black where it lies outside."""
    across, down = panel.spacing_mm
    left, top = part.left / across + 0.5, part.top / down + 0.5
    right, bottom = left + part.width / across, top + part.height / down
    rows, columns = panel.intensities.shape
    before = (max(0, ceil(-top)), max(0, ceil(-left)))
    after = (max(0, ceil(bottom) - rows), max(0, ceil(right) - columns))
    grey = np.pad(windowed(panel.intensities, panel.window), tuple(zip(before, after, strict=True)))
    box = (left + before[1], top + before[0], right + before[1], bottom + before[0])
    return Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR, box=box).convert("RGB")


def _scale_bar(shown: Image.Image, scale: str, *, length: float) -> None:
    right, middle = 0.95 * shown.width, 0.94 * shown.height
    half = _BAR_WIDTH / 2
    bar = (right - length, middle - half, right, middle + half)
    around = (bar[0] - 2, bar[1] - 2, bar[2] + 2, bar[3] + 2)
    draw = ImageDraw.Draw(shown)
    draw.rectangle(around, fill="black")
    draw.rectangle(bar, fill=_TEXT)
    above = (right - length / 2, middle - 0.018 * shown.height)
    _text(shown, above, scale, points=9, anchor="ms", outlined=True)


def _thumbnail(shown: Image.Image, panel: Panel) -> None:
    """The whole slice, small, in the lower left corner, with the field of the panel as a box."""
    whole = panel.whole
    fit = _Scale(whole, _THUMBNAIL * shown.height / whole.height)
    small = _painted_slice(panel, part=whole, size=fit.size)
    left, top, width, height = panel.field
    corners = fit.place(np.array([[left, top], [left + width, top + height]]))
    draw = ImageDraw.Draw(small)
    draw.rectangle(corners.ravel().tolist(), outline=_TEXT, width=2)
    draw.rectangle((0, 0, small.width - 1, small.height - 1), outline=_FAINT, width=2)
    shown.paste(small, (0, shown.height - small.height))


def _dashes(line: FloatArray, *, dash: float, gap: float) -> list[FloatArray]:
    """The parts of a line (n, 2) that are drawn, each (m, 2)."""
    travelled = np.concatenate([[0.0], np.hypot(*np.diff(line, axis=0).T).cumsum()])
    parts = []
    for start in np.arange(0, travelled[-1], dash + gap):
        end = min(start + dash, travelled[-1])
        between = travelled[(travelled > start) & (travelled < end)]
        at = np.array([start, *between, end])
        parts.append(np.stack([np.interp(at, travelled, axis) for axis in line.T], axis=-1))
    return parts


def _stroke(
    picture: Image.Image, lines: Iterable[FloatArray], *, colour: str, width: float
) -> None:
    """Draw smooth lines (n, 2); what lies outside of the picture is left out."""
    lines = list(lines)
    if not lines:
        return
    corners = np.concatenate(lines)
    left, top = (max(0, floor(value - width)) for value in corners.min(axis=0))
    right, bottom = (
        min(size, ceil(value + width))
        for size, value in zip(picture.size, corners.max(axis=0), strict=True)
    )
    if right <= left or bottom <= top:
        return
    mask = Image.new("L", ((right - left) * _FINER, (bottom - top) * _FINER))
    draw = ImageDraw.Draw(mask)
    for line in lines:
        # Pillow counts from the middle of the first pixel.
        points = (line - np.array([left, top])) * _FINER - 0.5
        if (line[0] == line[-1]).all():
            points = np.concatenate([points, points[1:2]])  # joined where it began
        draw.line(points.ravel().tolist(), fill=255, width=round(width * _FINER), joint="curve")
    picture.paste(colour, (left, top, right, bottom), mask.reduce(_FINER))


def _text(
    picture: Image.Image,
    at: tuple[float, float],
    text: str,
    *,
    points: float,
    bold: bool = False,
    colour: str = _TEXT,
    anchor: str = "ls",
    outlined: bool = False,
) -> None:
    ImageDraw.Draw(picture).text(
        at,
        text,
        fill=colour,
        font=_font(points, bold=bold),
        anchor=anchor,
        stroke_width=2 if outlined else 0,
        stroke_fill="black",
    )


def _font(points: float, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    file = fonts.BOLD if bold else fonts.REGULAR
    return ImageFont.truetype(file, points * DPI / 72, layout_engine=ImageFont.Layout.BASIC)
