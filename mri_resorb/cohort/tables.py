"""Cohort and agreement as tables, for people."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from mri_resorb.cohort import wording
from mri_resorb.cohort.agreement import Agreement, Comparison
from mri_resorb.cohort.half_volume import TimeToHalf
from mri_resorb.cohort.incidence import NOT_STATED, Incidence
from mri_resorb.cohort.published import PUBLISHED, share
from mri_resorb.cohort.summary import Cohort
from mri_resorb.model import Estimate

_NONE = "–"


def cohort_tables(cohort: Cohort) -> Group:
    """Who is counted, the shares by definition and group, rates, time to half, and papers."""
    return Group(
        Text(_counted(cohort)),
        _incidence_table(cohort),
        _rate_table(cohort),
        Text(_half(cohort.time_to_half_volume)),
        _published_table(),
        *(Text(f"Note: {note}") for note in cohort.notes),
    )


def agreement_tables(comparison: Comparison) -> Group:
    """A table of all figures, the verdicts, and what was not compared."""
    table = _table("Agreement of A and B (95 % intervals)")
    table.add_column("")
    for agreement in comparison.agreements:
        name, unit, _ = wording.FIGURE_WORDS[agreement.figure]
        table.add_column(f"{name}, {unit}")
    columns = [dict(_agreement_rows(agreement)) for agreement in comparison.agreements]
    for label in columns[0] if columns else ():
        table.add_row(label, *(column[label] for column in columns))
    left_out = [
        f"Only in {name}: {', '.join(names)}."
        for name, names in (("A", comparison.only_in_a), ("B", comparison.only_in_b))
        if names
    ]
    return Group(
        *([table] if columns else []),
        Text(
            f"Cases in both: {comparison.cases}. Same verdict: {comparison.same_verdict} of the "
            f"{comparison.verdicts} with one in both."
        ),
        *map(Text, left_out),
    )


def _table(title: str) -> Table:
    """Narrow enough for a terminal of 80 columns."""
    return Table(box=SIMPLE, pad_edge=False, padding=0, title=title)


def _counted(cohort: Cohort) -> str:
    verdicts = ", ".join(
        f"{verdict.replace('_', ' ')} {count}" for verdict, count in cohort.verdicts.items()
    )
    fallen = next(entry for entry in cohort.incidences if entry.definition == "any-decrease")
    lines = [
        f"Cases: {cohort.cases}. With a herniation at baseline: {cohort.with_herniation}"
        f"{f' ({verdicts})' if verdicts else ''}. Without one: {cohort.without_herniation}. "
        f"Undetermined: {len(cohort.undetermined)}. Unreadable: {len(cohort.unreadable)}.",
        f"Of {fallen.resorbed} cases with any decrease, {fallen.within_error} are within "
        "measurement error.",
    ]
    return "\n".join(lines)


def _incidence_table(cohort: Cohort) -> Table:
    table = _table("Resorbed, % of cases with a herniation at baseline (Wilson 95 %)")
    table.add_column("", no_wrap=True)
    table.add_column("cases", justify="right", no_wrap=True)
    for words in (*wording.DEFINITION_WORDS.values(), "any, within error"):
        table.add_column(words, overflow="fold", min_width=max(map(len, words.split())))
    rows: dict[tuple[str, str], list[Incidence]] = {}
    for entry in cohort.incidences:
        rows.setdefault((entry.grouping, entry.group), []).append(entry)
    last = None
    for (grouping, group), entries in rows.items():
        if grouping != last:
            table.add_section()
        last = grouping
        is_plain = grouping in ("all", "type", "level", "interval") and group != NOT_STATED
        label = group if is_plain else f"{entries[0].grouping} {group}"
        fallen = next(entry for entry in entries if entry.definition == "any-decrease")
        doubtful = f"{fallen.within_error} of {fallen.resorbed}"
        table.add_row(label, str(fallen.cases), *map(_share, entries), doubtful)
    return table


def _share(entry: Incidence) -> str:
    if entry.percent is None:
        return _NONE
    return f"{entry.percent.value:.0f} ({entry.percent.low:.0f}-{entry.percent.high:.0f})"


def _rate_table(cohort: Cohort) -> Table:
    table = _table("Resorption, % a day")
    for words in ("", "cases", "median (95 %)", "middle half"):
        table.add_column(words)
    for rate in cohort.rates_percent_per_day:
        median = wording.number(rate.median, places=2)
        if rate.interval:
            median = wording.interval(Estimate(rate.median, *rate.interval), places=2)
        low, high = (wording.number(quartile, places=2) for quartile in rate.quartiles)
        table.add_row(rate.group, str(rate.cases), median, f"{low} to {high}")
    return table


def _half(time: TimeToHalf | None) -> str:
    if time is None:
        return "Time to half volume: no case with a herniation at baseline and both dates."
    low, high = time.median_interval_days
    interval = f"95 %: {low} to {high} days" if high is not None else f"95 %: over {low} days"
    if time.median_days is None:
        median = f"not reached by half within {time.curve[-1].days} days of follow-up"
    else:
        median = f"after {time.median_days[0]}, at most {time.median_days[1]} days for half of them"
    return (
        f"Time to half volume: {median} ({interval}); {time.halved} of {time.cases} herniations. "
        "Interval-censored: only the state at the follow-up is known."
    )


def _published_table() -> Table:
    """Where each was found stands in the document."""
    table = _table("Published, under conservative treatment, %")
    for words in ("source", "resorbed means", "of", "%"):
        table.add_column(words)
    for entry in PUBLISHED:
        with_interval = share(entry)
        means = (
            "as defined there"
            if entry.definition == "as-defined-by-each-paper"
            else wording.DEFINITION_WORDS[entry.definition]
        )
        percent = (
            wording.interval(with_interval)
            if with_interval
            else wording.number(entry.percent, places=1)
        )
        table.add_row(entry.source.reference, means, entry.group, percent)
    return table


def _agreement_rows(agreement: Agreement) -> Iterator[tuple[str, str]]:
    places = wording.FIGURE_WORDS[agreement.figure][2]
    lines = agreement.bland_altman

    def shown(estimate: Estimate | None, *, places: int = places) -> str:
        return _NONE if estimate is None else wording.interval(estimate, places=places)

    yield "cases", str(len(agreement.names))
    yield "bias A - B", shown(lines.bias)
    yield "lower limit of agreement", shown(lines.lower_limit)
    yield "upper limit of agreement", shown(lines.upper_limit)
    yield "ICC(A,1), absolute agreement", shown(agreement.icc_agreement, places=3)
    yield "ICC(C,1), consistency", shown(agreement.icc_consistency, places=3)
    yield "repeatability coefficient", shown(agreement.repeatability_coefficient)
    yield "smallest detectable change", shown(agreement.smallest_detectable_change)
