"""Results read back: a folder that holds `result.json` files, or a table `results.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mri_resorb.errors import ResultsError
from mri_resorb.io.results import FollowUpDocument
from mri_resorb.model import HerniationType, Level, Sex, Status, Verdict

RESULT_NAME = "result.json"


@dataclass(frozen=True)
class Case:
    """What a cohort needs to know of one pair of studies.

    Attributes:
        name: the folder's name, or the table's `case`.
        patient_id: only to tell how many people there are; never shown.
        type: of the herniation at baseline.
        baseline_cm3, follow_up_cm3: None where not known.
    """

    name: str
    patient_id: str | None
    sex: Sex | None
    age_years: int | None
    level: Level | None
    baseline_date: date | None
    interval_days: int | None
    baseline_status: Status | None
    follow_up_status: Status | None
    type: HerniationType | None
    baseline_cm3: float | None
    follow_up_cm3: float | None
    resorption_percent: float | None
    verdict: Verdict

    @property
    def is_determined(self) -> bool:
        """Both dates were measured or found absent, and nothing else kept the case from a verdict.

        An undetermined case is never counted as resorbed, nor as not.
        """
        return self.verdict != "undetermined"

    @property
    def had_herniation(self) -> bool:
        """There was something to resorb at baseline, and a percentage of it is known."""
        return self.is_determined and self.resorption_percent is not None

    @property
    def is_complete(self) -> bool:
        """A herniation at baseline, none at follow-up."""
        return self.had_herniation and self.follow_up_status == "absent"

    @property
    def percent_per_day(self) -> float | None:
        """Resorption over days; None where either is not known, or both dates are one."""
        if self.resorption_percent is None or not self.interval_days:
            return None
        return self.resorption_percent / self.interval_days


@dataclass(frozen=True)
class Results:
    """The cases that could be read, and one line for each that could not."""

    cases: tuple[Case, ...]
    unreadable: tuple[str, ...]


def read_results(place: Path) -> Results:
    """Read every `result.json` below a folder, or the rows of a table.

    A file or row that cannot be read is named in `Results.unreadable`, and the others are read.

    Raises:
        ResultsError: nothing there, or nothing in it that can be read.
    """
    if place.is_dir():
        read = _read_folder(place)
    elif place.suffix.lower() == ".csv" and place.is_file():
        read = _read_table(place)
    elif place.exists():
        raise ResultsError(
            f"{place} is neither a folder with results in it nor a table (.csv) of them."
        )
    else:
        raise ResultsError(f"{place} is not there; give a folder with results, or results.csv.")
    if not read.cases:
        first = f" The first: {read.unreadable[0]}" if read.unreadable else ""
        raise ResultsError(f"{place} holds no result that can be read.{first}")
    return read


def _read_folder(folder: Path) -> Results:
    cases, unreadable = [], []
    for file in _result_files(folder):
        name = file.parent.relative_to(folder).as_posix()
        try:
            document = FollowUpDocument.model_validate_json(file.read_bytes())
        except ValidationError as error:
            unreadable.append(f"{file}: {_first_fault(error)}")
        except OSError as error:
            unreadable.append(f"{file}: {error.strerror or error}")
        else:
            cases.append(_case(document, name=folder.resolve().name if name == "." else name))
    return Results(tuple(cases), tuple(unreadable))


def _result_files(folder: Path) -> Iterator[Path]:
    """In order of their names; folders that start with a dot hold unfinished work."""
    for file in sorted(folder.rglob(RESULT_NAME)):
        if not any(part.startswith(".") for part in file.relative_to(folder).parts):
            yield file


def _case(document: FollowUpDocument, *, name: str) -> Case:
    before, after, change = document.baseline, document.follow_up, document.change
    return Case(
        name=name,
        patient_id=document.patient.id,
        sex=document.patient.sex,
        age_years=document.patient.age_years,
        level=document.level,
        baseline_date=before.date,
        interval_days=document.interval.days if document.interval else None,
        baseline_status=before.status,
        follow_up_status=after.status,
        type=before.type,
        baseline_cm3=before.volume_cm3.value if before.volume_cm3 else None,
        follow_up_cm3=after.volume_cm3.value if after.volume_cm3 else None,
        resorption_percent=change.resorption_percent.value if change.resorption_percent else None,
        verdict=change.verdict,
    )


def _read_table(file: Path) -> Results:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{file} cannot be read as a table in UTF-8.") from error
    table = csv.DictReader(text.splitlines())
    if "case" not in (table.fieldnames or ()):
        raise ResultsError(f"{file} has no column 'case'; see docs/cohort.md for the columns.")
    cases, unreadable = [], []
    for row in table:
        try:
            cases.append(_Row.model_validate(row).as_case())
        except ValidationError as error:
            unreadable.append(f"{file}, line {table.line_num}: {_first_fault(error)}")
    return Results(tuple(cases), tuple(unreadable))


def _first_fault(error: ValidationError) -> str:
    """Where and what, without the value itself, which may name a person."""
    fault = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg']}" if where else fault["msg"]


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


_Empty = BeforeValidator(_none_if_empty)
_Volume = Annotated[Annotated[float, Field(ge=0)] | None, _Empty]


class _Row(BaseModel):
    """The columns of a table that are read; all but `case` may be missing, an empty cell too."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    case: Annotated[str, Field(min_length=1)]
    sex: Annotated[Sex | None, _Empty] = None
    age_years: Annotated[int | None, _Empty] = None
    level: Annotated[Level | None, _Empty] = None
    baseline_date: Annotated[date | None, _Empty] = None
    interval_days: Annotated[int | None, _Empty] = None
    baseline_status: Annotated[Status | None, _Empty] = None
    follow_up_status: Annotated[Status | None, _Empty] = None
    baseline_type: Annotated[HerniationType | None, _Empty] = None
    baseline_volume_cm3: _Volume = None
    follow_up_volume_cm3: _Volume = None
    resorption_percent: Annotated[float | None, _Empty] = None
    verdict: Annotated[Verdict | None, _Empty] = None

    def as_case(self) -> Case:
        """The row as a case; without a verdict it is undetermined."""
        percent = self.resorption_percent
        if percent is None and self.baseline_volume_cm3 and self.follow_up_volume_cm3 is not None:
            lost_cm3 = self.baseline_volume_cm3 - self.follow_up_volume_cm3
            percent = 100 * lost_cm3 / self.baseline_volume_cm3
        return Case(
            name=self.case,
            patient_id=None,
            sex=self.sex,
            age_years=self.age_years,
            level=self.level,
            baseline_date=self.baseline_date,
            interval_days=self.interval_days,
            baseline_status=self.baseline_status,
            follow_up_status=self.follow_up_status,
            type=self.baseline_type,
            baseline_cm3=self.baseline_volume_cm3,
            follow_up_cm3=self.follow_up_volume_cm3,
            resorption_percent=percent,
            verdict=self.verdict or "undetermined",
        )
