"""The cohort's pictures: a forest plot, time to half volume, and Bland-Altman plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mri_resorb.cohort import wording
from mri_resorb.cohort.agreement import Agreement
from mri_resorb.cohort.half_volume import TimeToHalf
from mri_resorb.cohort.incidence import DEFINITIONS, Incidence
from mri_resorb.cohort.published import PublishedIncidence, published, share
from mri_resorb.model import Estimate

_OURS, _THEIRS, _FAINT = "#0b5cad", "#80868f", "#d9dde2"
_TYPES = ("sequestration", "extrusion", "protrusion", "bulge")


@dataclass(frozen=True)
class _Row:
    """A line of the forest plot; a heading where there is no percent."""

    label: str
    percent: float | None = None
    interval: Estimate | None = None
    counts: tuple[int, int] | None = None
    is_ours: bool = False

    @property
    def figures(self) -> str:
        if self.percent is None:
            return ""
        of = f"{self.counts[0]}/{self.counts[1]}: " if self.counts else ""
        if self.interval is None:
            return f"{of}{self.percent:g} %"
        return f"{of}{wording.interval(self.interval)} %"


def forest_figure(incidences: Sequence[Incidence]) -> Figure:
    """This cohort's shares, and under each what papers report by that definition or type."""
    rows = list(_forest_rows(incidences))
    height = 1.3 + 0.26 * len(rows)
    figure = _figure(width=11, height=height)
    axes = figure.add_axes((0.40, 0.6 / height, 0.36, 1 - 1.2 / height))
    for y, row in enumerate(reversed(rows)):
        _draw_row(axes, row, y=y)
    axes.set(xlim=(-1, 101), ylim=(-0.8, len(rows) - 0.2), yticks=[])
    axes.set_xlabel("resorbed, % (lines: 95 % intervals, where known)")
    axes.grid(axis="x", color=_FAINT)
    figure.suptitle("Incidence of resorption: this cohort (squares) and published (circles)")
    return figure


def _forest_rows(incidences: Sequence[Incidence]) -> Iterator[_Row]:
    overall = {entry.definition: entry for entry in incidences if entry.grouping == "all"}
    for definition in DEFINITIONS:
        yield _Row(f"{wording.DEFINITION_WORDS[definition].capitalize()}, all types")
        yield _our_row(overall[definition])
        yield from map(_their_row, published(definition=definition))
    yield _Row("As each paper defined it, all types")
    yield from map(_their_row, published(definition="as-defined-by-each-paper"))
    for type_ in _TYPES:
        ours = [e for e in incidences if e.grouping == "type" and e.group == type_]
        yield _Row(f"{type_.capitalize()} (published: as each paper defined it)")
        yield from (
            _our_row(entry)
            for entry in ours
            if entry.definition in ("any-decrease", "beyond-error")
        )
        yield from map(_their_row, published(definition="as-defined-by-each-paper", group=type_))


def _our_row(entry: Incidence) -> _Row:
    label = f"this cohort, {wording.DEFINITION_WORDS[entry.definition]}"
    if entry.percent is None:
        return _Row(f"{label}: no cases")
    return _Row(
        label, entry.percent.value, entry.percent, (entry.resorbed, entry.cases), is_ours=True
    )


def _their_row(entry: PublishedIncidence) -> _Row:
    return _Row(entry.source.reference, entry.percent, share(entry), entry.counts)


def _draw_row(axes: Axes, row: _Row, *, y: int) -> None:
    beside = axes.get_yaxis_transform()
    is_heading = row.percent is None and not row.label.startswith("this cohort")
    axes.text(
        -0.02,
        y,
        row.label,
        transform=beside,
        ha="right",
        va="center",
        fontsize=8.5,
        weight="bold" if is_heading else "normal",
    )
    if row.percent is None:
        return
    colour = _OURS if row.is_ours else _THEIRS
    if row.interval is not None:
        axes.plot((row.interval.low, row.interval.high), (y, y), color=colour, linewidth=2)
    axes.plot(row.percent, y, "s" if row.is_ours else "o", color=colour, markersize=6)
    axes.text(1.02, y, row.figures, transform=beside, ha="left", va="center", fontsize=8.5)


def half_volume_figure(time: TimeToHalf) -> Figure:
    """Share that had lost half of its volume by each length of follow-up."""
    figure = _figure(width=8, height=5)
    axes = figure.add_axes((0.1, 0.2, 0.86, 0.7))
    days = [0, *(point.days for point in time.curve)]
    axes.step(
        days, [0.0, *(p.percent.value for p in time.curve)], where="post", color=_OURS, linewidth=2
    )
    axes.vlines(
        days[1:],
        [point.percent.low for point in time.curve],
        [point.percent.high for point in time.curve],
        color=_THEIRS,
        linewidth=0.8,
        alpha=0.6,
    )
    axes.axhline(50, color=_FAINT, linewidth=1)
    axes.set(xlim=(0, days[-1] * 1.02), ylim=(0, 100))
    axes.set_xlabel(
        "days from the baseline\n"
        "Every time is interval-censored: only the state at the follow-up is known\n"
        "(Turnbull's estimate; vertical lines: 95 % limits)"
    )
    axes.set_ylabel("half or more of the volume gone, %")
    figure.suptitle(f"Time to half volume, {time.cases} herniations, {time.halved} halved")
    return figure


def bland_altman_figure(agreements: Sequence[Agreement]) -> Figure:
    """Differences against means, a panel a figure; bands are the 95 % intervals of the lines."""
    figure = _figure(width=5.2 * len(agreements), height=4.6)
    panels = figure.subplots(1, len(agreements), squeeze=False)[0]
    for axes, agreement in zip(panels, agreements, strict=True):
        _draw_bland_altman(axes, agreement)
    figure.suptitle("Agreement (Bland and Altman)")
    figure.tight_layout()
    return figure


def _draw_bland_altman(axes: Axes, agreement: Agreement) -> None:
    a, b = np.asarray(agreement.a), np.asarray(agreement.b)
    name, unit, places = wording.FIGURE_WORDS[agreement.figure]
    lines = agreement.bland_altman
    axes.plot((a + b) / 2, a - b, "o", color=_OURS, markersize=4)
    for line, style in ((lines.bias, "-"), (lines.lower_limit, "--"), (lines.upper_limit, "--")):
        axes.axhspan(line.low, line.high, color=_FAINT, alpha=0.6, linewidth=0)
        axes.axhline(line.value, color="black", linestyle=style, linewidth=1)
        axes.annotate(
            wording.number(line.value, places=places),
            (0.99, line.value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=8,
        )
    axes.axhline(0, color=_THEIRS, linestyle=":", linewidth=1)
    axes.set_xlabel(f"mean of A and B, {unit}")
    axes.set_ylabel(f"A - B, {unit}")
    axes.set_title(f"{name}, {len(a)} cases", fontsize=10)


def _figure(*, width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=120, facecolor="white")
    FigureCanvasAgg(figure)
    return figure
