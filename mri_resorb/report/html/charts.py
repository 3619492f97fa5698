"""What the plots show, and what they say to those who do not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from mri_resorb.languages import decimal
from mri_resorb.model import CaseResult, Estimate
from mri_resorb.report import wording
from mri_resorb.report.html import plots
from mri_resorb.report.html.tables import Tables


@dataclass(frozen=True)
class Percent:
    """Resorption, rounded for people."""

    value: str
    low: str
    high: str
    plot: plots.PercentPlot
    alt: str


@dataclass(frozen=True)
class Volumes:
    """Volumes over time."""

    plot: plots.Trajectory
    alt: str


@dataclass(frozen=True)
class _PairOfValues:
    label: str
    baseline: float | None
    follow_up: float | None


@dataclass(frozen=True)
class Rows:
    """Values of both dates on one axis."""

    axis: plots.Axis
    rows: list[_PairOfValues]
    alt: str


def percent(case: CaseResult, tables: Tables) -> Percent | None:
    """Percent resorption; None where there is none."""
    estimate = case.change.resorption_percent
    if estimate is None:
        return None
    value, low, high = (
        wording.percent(number) for number in (estimate.value, estimate.low, estimate.high)
    )
    return Percent(
        value,
        low,
        high,
        plots.percent_plot(estimate),
        tables.t("percent-alt", value=value, low=low, high=high),
    )


def volumes_of(case: CaseResult) -> list[tuple[date | None, Estimate | None]]:
    """The case's two dates."""
    return [
        (point.scan.date, None if point.fragment is None else point.fragment.volume_cm3)
        for point in (case.baseline, case.follow_up)
    ]


def volumes(volumes_cm3: Sequence[tuple[date | None, Estimate | None]], tables: Tables) -> Volumes:
    """Volumes of two or more studies."""
    said = [
        tables.t("volume-at", day=short_date(day, number, tables), volume=_said(volume, tables))
        for number, (day, volume) in enumerate(volumes_cm3)
    ]
    alt = tables.t("volume-alt", volumes="; ".join(said))
    return Volumes(plots.trajectory(volumes_cm3), alt)


def short_date(known: date | None, number: int, tables: Tables) -> str:
    """A date as short as an axis needs it, or the study's number."""
    return tables.t("study-number", number=number + 1) if known is None else known.isoformat()


def _said(estimate: Estimate | None, tables: Tables) -> str:
    if estimate is None:
        return tables.t("not-measured")
    return tables.estimate(estimate, places=2, unit=f" {tables.t('cm3')}")


def sizes(case: CaseResult, tables: Tables) -> Rows | None:
    """Largest extents, cm; None where neither date has any."""
    sizes = [
        None if point.fragment is None else point.fragment.size
        for point in (case.baseline, case.follow_up)
    ]
    rows = [
        _PairOfValues(
            tables.t(f"size-{name}"),
            *(None if size is None else getattr(size, name) / 10 for size in sizes),
        )
        for name in ("ap", "transverse", "craniocaudal")
    ]
    return _rows(rows, "size-alt", tables, unit=f" {tables.t('cm')}", places=2)


def compromise(case: CaseResult, tables: Tables) -> Rows | None:
    """Part of the canal that is taken, percent; None where not known at either date."""
    percents = [
        None if point.fragment is None else point.fragment.canal_compromise_percent
        for point in (case.baseline, case.follow_up)
    ]
    rows = [_PairOfValues(tables.t("measure-compromise"), *percents)]
    return _rows(rows, "compromise-alt", tables, unit=" %", places=0, most=100.0)


def _rows(
    rows: list[_PairOfValues],
    alt: str,
    tables: Tables,
    *,
    unit: str,
    places: int,
    most: float | None = None,
) -> Rows | None:
    values = [v for row in rows for v in (row.baseline, row.follow_up) if v is not None]
    if not values:
        return None
    axis = plots.axis(most=max(values)) if most is None else plots.axis(most=most, step=most / 3)

    def shown(value: float | None) -> str:
        return tables.t("not-given") if value is None else decimal(value, places=places) + unit

    parts = [
        tables.t(
            "pair-alt",
            label=row.label,
            baseline=shown(row.baseline),
            follow_up=shown(row.follow_up),
        )
        for row in rows
    ]
    return Rows(axis, rows, f"{tables.t(alt)} {' '.join(parts)}")
