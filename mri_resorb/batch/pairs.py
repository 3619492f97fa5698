"""Which two studies of a case are compared, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from pathlib import Path

from mri_resorb.batch.cases import Case, LeftOut, Study
from mri_resorb.errors import DateError, InputError
from mri_resorb.io.archive import unpacked
from mri_resorb.io.choice import choose, fitting
from mri_resorb.io.dicom import find_frames, list_files
from mri_resorb.io.stacks import stacks
from mri_resorb.io.volume_files import is_volume_file

BY_DATES = "in the order of the files' dates"
BY_DATED_NAMES = "in the order of the dates that the names give, as files carry none"
BY_NAMES = "as the names say, as files carry no date"
BY_TABLE = "as cases.csv says"


@dataclass(frozen=True)
class Dated:
    """A study and what its files say.

    Attributes:
        date: of the series that would be measured; None where the files have none.
        from_name: the name's date, where the files have none and the name is one.
        flaw: why nothing in it can be measured; None where something can.
    """

    study: Study
    date: Date | None
    from_name: Date | None = None
    flaw: str | None = None

    @property
    def day(self) -> Date | None:
        """Of the files or else of the name."""
        return self.date or self.from_name


@dataclass(frozen=True)
class Pair:
    """The two studies of a case that are compared, and those that are not."""

    baseline: Dated
    follow_up: Dated
    because: str
    left_out: tuple[LeftOut, ...] = ()


def pair(case: Case) -> Pair:
    """Of more than two studies, the earliest and the latest of those that can be measured.

    Raises:
        DateError: the order is not known, or two studies share the first or the last date.
    """
    looked_at = [look_at(study) for study in case.studies]
    if case.ordered:
        return Pair(looked_at[0], looked_at[1], because=BY_TABLE)
    left_out: list[LeftOut] = []
    if len(looked_at) > 2:
        left_out = [LeftOut(one.study.name, one.flaw) for one in looked_at if one.flaw]
        looked_at = [one for one in looked_at if not one.flaw]
        if len(looked_at) < 2:
            raise DateError(
                f"Of {len(case.studies)} studies, {len(looked_at)} can be measured; a comparison "
                f"needs two. {left_out[0].reason}"
            )
    ordered, because = _ordered(looked_at)
    if len(ordered) > 2:
        _check_ends(ordered)
        because = f"the earliest and the latest of {len(ordered)}, {because}"
        left_out += [LeftOut(one.study.name, "between the two") for one in ordered[1:-1]]
    return Pair(ordered[0], ordered[-1], because=because, left_out=tuple(left_out))


def look_at(study: Study) -> Dated:
    """Read a study's headers, as far as its date and whether something in it can be measured."""
    try:
        with _files(study) as files:
            finding = find_frames(files)
            if not finding.frames:  # a volume file; or nothing, and the reader will say so
                return Dated(study, None, from_name=_date(study.name))
            chosen, _ = choose(fitting(stacks(finding), series=None))
    except (InputError, OSError) as error:
        flaw = str(error) if isinstance(error, InputError) else f"{error.strerror}."
        return Dated(study, None, from_name=_date(study.name), flaw=flaw)
    day = chosen.stack.header.acquired
    return Dated(study, day, from_name=None if day else _date(study.name))


@contextmanager
def _files(study: Study) -> Iterator[Sequence[Path]]:
    if study.files:
        yield study.files
    elif study.path.is_dir():
        yield list_files(study.path)
    elif is_volume_file(study.path):
        yield []
    else:
        with unpacked(study.path) as folder:
            yield list_files(folder)


def _date(name: str) -> Date | None:
    try:
        return Date.fromisoformat(name)
    except ValueError:
        return None


def _ordered(looked_at: Sequence[Dated]) -> tuple[list[Dated], str]:
    if all(one.day for one in looked_at):
        from_names = any(one.from_name for one in looked_at)
        return (
            sorted(looked_at, key=lambda one: str(one.day)),
            BY_DATED_NAMES if from_names else BY_DATES,
        )
    named = {one.study.name.casefold().replace("-", "_"): one for one in looked_at}
    if set(named) == {"baseline", "follow_up"}:
        return [named["baseline"], named["follow_up"]], BY_NAMES
    flaws = [one.flaw for one in looked_at if one.flaw]
    if flaws:
        raise DateError(f"A study cannot be measured, so its date is not known. {flaws[0]}")
    raise DateError(
        "The studies carry no dates, so which is the baseline is not known: name them in "
        "cases.csv, or call their folders baseline and follow_up."
    )


def _check_ends(ordered: Sequence[Dated]) -> None:
    for one, other, end in ((0, 1, "first"), (-2, -1, "last")):
        if ordered[one].day == ordered[other].day:
            raise DateError(
                f"Two of {len(ordered)} studies are of the {end} date, {ordered[one].day}: name "
                "baseline and follow_up in cases.csv."
            )
