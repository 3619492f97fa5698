"""`cases.csv`: which level of each case, and what else the files do not say."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mri_resorb.errors import CaseTableError, LevelNameError
from mri_resorb.model import Level, Sex

TABLE_NAME = "cases.csv"

RESERVED_NAMES = frozenset({"results.csv", "results.parquet", "failed.csv", "report.html"})
"""What stands beside the cases' folders in the results."""


@dataclass(frozen=True)
class Unusable:
    """A case that cannot be compared as it stands."""

    name: str
    reason: str


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _level(value: object) -> object:
    try:
        return Level.parse(str(value))
    except LevelNameError as error:
        raise ValueError(str(error)) from error


def _point(value: object) -> object:
    return re.split(r"[,;\s]+", value.strip()) if isinstance(value, str) and value else None


def _sex(value: object) -> object:
    return value.strip().upper() or None if isinstance(value, str) else value


_Empty = BeforeValidator(_none_if_empty)
_Millimetres = Annotated[float, Field(gt=-10_000, lt=10_000)]


class Row(BaseModel):
    """One row; all but `case` and `level` may be missing or empty.

    Attributes:
        disc_at: `X Y Z` or `X,Y,Z`, patient mm (LPS).
        baseline, follow_up: names of the studies in the case's folder, or paths from `STUDIES`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    case: str
    level: Annotated[Level, BeforeValidator(_level)]
    disc_at: Annotated[
        tuple[_Millimetres, _Millimetres, _Millimetres] | None, BeforeValidator(_point)
    ] = None
    sex: Annotated[Sex | None, BeforeValidator(_sex)] = None
    age: Annotated[Annotated[int, Field(ge=0, le=130)] | None, _Empty] = None
    baseline: Annotated[str | None, _Empty] = None
    follow_up: Annotated[str | None, _Empty] = None


def read_case_table(studies: Path, *, level: Level | None) -> Mapping[str, Row | Unusable]:
    """The rows of `studies/cases.csv` by the case's name; none where there is no table.

    A row that cannot be used is that case's failure and stops no other.

    Args:
        level: of rows that name none.

    Raises:
        CaseTableError: the table cannot be read, lacks a column or has an unknown one; or there is
            none and no level is given.
    """
    file = studies / TABLE_NAME
    if not file.exists():
        if level is None:
            raise CaseTableError(
                f"There is no {TABLE_NAME} in {studies} to name the cases' levels; give one for "
                "all with --level."
            )
        return {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CaseTableError(f"{file} cannot be read as a table in UTF-8.") from error
    table = csv.DictReader(lines)
    _check_columns(table.fieldnames or (), file=file)
    rows: dict[str, Row | Unusable] = {}
    for values in table:
        name = (values.get("case") or "").strip()
        if not name:
            raise CaseTableError(f"{file}, line {table.line_num}, names no case.")
        where = f"{TABLE_NAME}, line {table.line_num}"
        rows[name] = (
            Unusable(name, f"{where}: the case was named before; give each row its own name.")
            if name in rows
            else _row(name, values, level=level, where=where)
        )
    return rows


def _check_columns(names: Sequence[str], *, file: Path) -> None:
    known = list(Row.model_fields)
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"the columns are {', '.join(known)}."
            raise CaseTableError(f"{file} has a column '{name}' that means nothing; {hint}")
    if "case" not in names:
        raise CaseTableError(f"{file} has no column 'case'; the columns are {', '.join(known)}.")


def _row(
    name: str, values: Mapping[str | None, Any], *, level: Level | None, where: str
) -> Row | Unusable:
    flaw = name_flaw(name)
    if flaw is not None:
        return Unusable(name, f"{where}: {flaw}")
    if None in values or None in values.values():
        return Unusable(name, f"{where} has more or fewer cells than the table has columns.")
    cells = {str(key): str(value).strip() for key, value in values.items()}
    if not cells.get("level"):
        if level is None:
            return Unusable(name, f"{where} names no level.")
        cells["level"] = str(level)
    if bool(cells.get("baseline")) != bool(cells.get("follow_up")):
        return Unusable(name, f"{where} names one study; name baseline and follow_up, or neither.")
    try:
        return Row.model_validate(cells)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        what = fault["msg"].removeprefix("Value error, ").rstrip(".")
        return Unusable(name, f"{where}, {fault['loc'][0]}: {what}.")


def name_flaw(name: str) -> str | None:
    """Why a case's name cannot be that of a folder; None where it can."""
    if name.startswith(".") or any(mark in name for mark in "/\\\0") or name in RESERVED_NAMES:
        return f"'{name}' cannot be the name of a folder with results; give another."
    return None
