"""Which cases a folder of studies holds: by its layout, and by `cases.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mri_resorb.batch.case_table import TABLE_NAME, Row, Unusable, name_flaw, read_case_table
from mri_resorb.errors import NoStudyError
from mri_resorb.io.volume_files import is_volume_file
from mri_resorb.model import Level, Point, Sex


@dataclass(frozen=True)
class Study:
    """One study of a case.

    Attributes:
        path: a folder, a zip, or a volume file.
        files: where the folder holds other studies too, those of this one.
    """

    path: Path
    files: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The folder's name, or the file's without its suffixes."""
        return self.path.name if self.path.is_dir() else self.path.name.split(".")[0]


@dataclass(frozen=True)
class Case:
    """What is to be compared.

    Attributes:
        name: of the folder that its results go to.
        studies: two or more, in no order unless `ordered`.
        ordered: the table says which is the baseline, the first, and which the follow-up.
    """

    name: str
    level: Level
    studies: tuple[Study, ...]
    ordered: bool = False
    disc_at: Point | None = None
    sex: Sex | None = None
    age_years: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """What was found and is part of no case."""

    what: str
    reason: str


@dataclass(frozen=True)
class FoundCases:
    """All that a folder holds; `entries` in the order of the table, else of the names."""

    entries: tuple[Case | Unusable, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def cases(self) -> tuple[Case, ...]:
        """Those that can be compared."""
        return tuple(entry for entry in self.entries if isinstance(entry, Case))


def find_cases(studies: Path, *, level: Level | None = None) -> FoundCases:
    """The cases in `studies/<case>/<study>/...`, with levels from `studies/cases.csv`.

    Folders that the table does not name are compared at `level`, and left out without one.

    Raises:
        NoStudyError: no such folder, or no case in it.
        CaseTableError: the table cannot be read, or there is none and no level is given.
    """
    rows = read_case_table(studies, level=level)
    folders = {path.name: path for path in _entries(studies) if path.is_dir()}
    found: list[Case | Unusable] = []
    for row in rows.values():
        found.append(row if isinstance(row, Unusable) else _named(row, studies=studies))
    left_out = [
        LeftOut(path.name, "a file beside the case folders")
        for path in _entries(studies)
        if not path.is_dir() and path.name != TABLE_NAME
    ]
    used = {*rows, *_folders_used(found, studies=studies)}
    for name, folder in folders.items():
        if name in used:
            continue
        if level is None:
            left_out.append(LeftOut(name, f"not in {TABLE_NAME}"))
        else:
            found.append(_checked(Case(name, level, _studies(folder))))
    if not found:
        raise NoStudyError(
            f"{studies} holds no cases; they lie in it as <case>/<study>, or as DICOM files of any "
            "order with --group-by patient."
        )
    return FoundCases(tuple(found), tuple(left_out))


def from_row(
    row: Row | Unusable, studies: tuple[Study, ...], *, ordered: bool = False
) -> Case | Unusable:
    """The case that a row of the table and its studies make."""
    if isinstance(row, Unusable):
        return row
    return Case(
        name=row.case,
        level=row.level,
        studies=studies,
        ordered=ordered,
        disc_at=row.disc_at,
        sex=row.sex,
        age_years=row.age,
    )


def _named(row: Row, *, studies: Path) -> Case | Unusable:
    folder = studies / row.case
    if row.baseline is None or row.follow_up is None:
        if not folder.is_dir():
            return Unusable(row.case, f"{TABLE_NAME} names it, but there is no such folder.")
        return _checked(from_row(row, _studies(folder)))
    places = []
    for name in (row.baseline, row.follow_up):
        place = next((p for p in (folder / name, studies / name) if p.exists()), None)
        if place is None:
            return Unusable(row.case, f"There is no '{name}', which {TABLE_NAME} names.")
        places.append(Study(place))
    return from_row(row, tuple(places), ordered=True)


def _checked(case: Case | Unusable) -> Case | Unusable:
    if isinstance(case, Unusable):
        return case
    flaw = name_flaw(case.name)
    if flaw is not None:
        return Unusable(case.name, flaw)
    if len(case.studies) >= 2:
        return case
    held = "one study" if case.studies else "no study in a folder of its own"
    return Unusable(case.name, f"The folder holds {held}; a comparison needs two.")


def _studies(folder: Path) -> tuple[Study, ...]:
    """Folders, zips and volume files in a case's folder; loose files of other kinds are none."""
    return tuple(
        Study(path)
        for path in _entries(folder)
        if path.is_dir() or path.suffix.lower() == ".zip" or is_volume_file(path)
    )


def _folders_used(found: Sequence[Case | Unusable], *, studies: Path) -> set[str]:
    """Names of the folders from which the table takes studies, whatever the case is called."""
    return {
        study.path.relative_to(studies).parts[0]
        for case in found
        if isinstance(case, Case)
        for study in case.studies
        if study.path.is_relative_to(studies)
    }


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise NoStudyError(f"{folder} cannot be read: {error.strerror}.") from error
