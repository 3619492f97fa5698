"""What would be compared with what and why, and what was left out, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from mri_resorb.batch.case_table import Unusable
from mri_resorb.batch.cases import Case, FoundCases, LeftOut
from mri_resorb.batch.pairs import Dated, pair
from mri_resorb.errors import InputError


def listing(found: FoundCases) -> Iterator[str]:
    """One line a case with its number, which the log's lines have too; then what was left out.

    Headers are read for it.
    """
    left_out = list(found.left_out)
    for number, entry in enumerate(found.entries, start=1):
        if isinstance(entry, Unusable):
            yield f"{number}. {entry.name}: fails. {entry.reason}"
            continue
        yield f"{number}. {entry.name}, {entry.level}: {_paired(entry, left_out)}"
    if left_out:
        yield "Left out:"
    for one in left_out:
        yield f"  {one.what}: {one.reason.rstrip('.')}."


def _paired(case: Case, left_out: list[LeftOut]) -> str:
    try:
        found = pair(case)
    except InputError as error:
        return f"fails. {' '.join(str(error).split())}"
    left_out += [LeftOut(f"{case.name}, {one.what}", one.reason) for one in found.left_out]
    dates = (found.baseline, found.follow_up)
    flaws = [f" Fails: {' '.join(one.flaw.split())}" for one in dates if one.flaw]
    return f"{_dated(dates[0])} with {_dated(dates[1])}, {found.because}.{''.join(flaws)}"


def _dated(one: Dated) -> str:
    return f"{one.study.name} ({one.day or 'no date'})"
