"""Which studies are of the lumbar spine, and which earlier one each is compared with.

A person is a PatientID, where birth date and sex, if both studies tell them, agree; measuring
checks identity again. A study that serves as another's baseline and has no earlier one itself
waits for nothing, and is no case.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from pathlib import Path

from mri_resorb.batch.heap import PLACEHOLDER_IDS
from mri_resorb.errors import InputError
from mri_resorb.io.choice import choose, fitting
from mri_resorb.io.contrast import is_other_region
from mri_resorb.io.dicom import find_frames, list_files
from mri_resorb.io.stacks import stacks
from mri_resorb.model import Level
from mri_resorb.pipeline import Remote
from mri_resorb.service import audit
from mri_resorb.service.cases import queue
from mri_resorb.service.store import Store, new_id, now
from mri_resorb.service.studies import (
    Study,
    StudyFacts,
    read_study_row,
    study_folder,
    study_in,
)

NO_EARLIER = "There is no earlier lumbar study of this person yet."
ASKING = "The PACS is being asked for earlier studies of this person."
NO_IDENTITY = "The study has no PatientID that tells whom it shows, so no earlier one is sought."
NO_DATE = "The study has no date, so it is not known which studies are earlier."
LATE = "Further images of a study arrived after this was corrected or signed; they are not in it."


@dataclass(frozen=True)
class Seen:
    """What a study's headers say.

    Attributes:
        date: of the series that would be measured.
        flaw: why nothing in it can be measured; None where something can.
    """

    date: Date | None
    flaw: str | None


def look_at(folder: Path) -> Seen:
    """Read the headers of a study's files."""
    try:
        chosen, _ = choose(fitting(stacks(find_frames(list_files(folder))), series=None))
    except InputError as error:
        return Seen(None, " ".join(str(error).split()))
    if is_other_region(chosen.stack):
        return Seen(None, "Its sagittal T2 series is named after another part of the body.")
    return Seen(chosen.stack.header.acquired, None)


def complete(store: Store, study: Study, *, rules: Remote, ask_pacs: bool) -> None:
    """Take a quiet study for whole: note what it is, and make cases of it.

    Nothing happens where more of it came meanwhile: it is not whole yet. Cases that it had before
    are measured anew.

    Args:
        ask_pacs: see `make_cases`.
    """
    seen = look_at(study_folder(store, study.id))
    with store.transaction() as connection:
        now_held = study_in(connection, study.id)
        if now_held.state != "receiving" or now_held.instances != study.instances:
            return
        date = seen.date or study.facts.date
        connection.execute(
            "UPDATE studies SET state = ?, flaw = ?, date = ? WHERE id = ?",
            (
                "other" if seen.flaw else "lumbar",
                seen.flaw,
                date.isoformat() if date else None,
                study.id,
            ),
        )
        _measure_anew(connection, study.id)
        make_cases(connection, study.id, rules=rules, ask_pacs=ask_pacs)
        audit.append(
            connection,
            who=study.sender,
            action="received",
            subject=study.id,
            details={"instances": study.instances, "lumbar": "no" if seen.flaw else "yes"},
        )


def make_cases(
    connection: sqlite3.Connection, study_id: str, *, rules: Remote, ask_pacs: bool
) -> None:
    """Pair a complete study, and others of the person that it may be the earlier one of.

    What is paired already stays so; doing it again changes nothing.

    Args:
        ask_pacs: a study waits until the PACS was asked for earlier ones once.
    """
    study = study_in(connection, study_id)
    person = [study, *_others_of(connection, study)]
    for one in person:
        if one.state == "lumbar" and one.origin != "fetched":
            asking = ask_pacs and one.ask_priors_at is None
            baseline = None if asking else _baseline(one, person=person, rules=rules)
            why = ASKING if asking else _why_it_waits(one)
            _make_cases(connection, one, baseline=baseline, levels=rules.levels, why=why)
    connection.execute(
        "DELETE FROM cases WHERE state = 'waiting' AND follow_up IN"
        " (SELECT baseline FROM cases WHERE baseline IS NOT NULL)"
    )


def pair_waiting(store: Store, *, rules: Remote, ask_pacs: bool) -> None:
    """Look again for earlier studies of those that wait: settings may have changed since."""
    with store.transaction() as connection:
        waiting = connection.execute("SELECT follow_up FROM cases WHERE state = 'waiting'")
        for study_id in {row["follow_up"] for row in waiting.fetchall()}:
            make_cases(connection, study_id, rules=rules, ask_pacs=ask_pacs)


def identifies(facts: StudyFacts) -> bool:
    """Whether a PatientID is one person's."""
    return bool(facts.patient_id) and (
        facts.patient_id.casefold().replace(" ", "_") not in PLACEHOLDER_IDS
    )


def earlier_than(date: Date, dates: Sequence[Date], *, rules: Remote) -> list[Date]:
    """Of these dates those that a study may be compared with, the one that the rules want first."""
    fit = {one for one in dates if 0 < (date - one).days <= rules.longest_interval_days}
    return sorted(fit, reverse=rules.baseline == "latest")


def _others_of(connection: sqlite3.Connection, study: Study) -> list[Study]:
    if not identifies(study.facts):
        return []
    rows = connection.execute(
        "SELECT * FROM studies WHERE patient_id = ? COLLATE NOCASE AND id <> ?"
        " AND state = 'lumbar'",
        (study.facts.patient_id, study.id),
    )
    return [read_study_row(row) for row in rows]


def _make_cases(
    connection: sqlite3.Connection,
    study: Study,
    *,
    baseline: Study | None,
    levels: Sequence[Level],
    why: str,
) -> None:
    for level in levels:
        held = connection.execute(
            "SELECT id, state FROM cases WHERE follow_up = ? AND level = ?", (study.id, level)
        ).fetchone()
        deleted = connection.execute(
            "SELECT 1 FROM deleted_cases WHERE follow_up = ? AND level = ?", (study.id, level)
        ).fetchone()
        if deleted is not None or (held is not None and held["state"] != "waiting"):
            continue
        case_id = new_id() if held is None else str(held["id"])
        if held is None:
            connection.execute(
                "INSERT INTO cases (id, follow_up, level, state, changed_at)"
                " VALUES (?, ?, ?, 'waiting', ?)",
                (case_id, study.id, level, now()),
            )
        connection.execute(
            "UPDATE cases SET message = ? WHERE id = ? AND message IS NOT ?", (why, case_id, why)
        )
        if baseline is not None:
            connection.execute("UPDATE cases SET baseline = ? WHERE id = ?", (baseline.id, case_id))
            queue(connection, case_id)


def _baseline(study: Study, *, person: Sequence[Study], rules: Remote) -> Study | None:
    if study.facts.date is None or not identifies(study.facts):
        return None
    by_date = {
        one.facts.date: one
        for one in person
        if one.state == "lumbar" and one.facts.date and _may_be_one(one.facts, study.facts)
    }
    dates = earlier_than(study.facts.date, list(by_date), rules=rules)
    return by_date[dates[0]] if dates else None


def _may_be_one(one: StudyFacts, other: StudyFacts) -> bool:
    pairs = ((one.birth_date, other.birth_date), (one.sex, other.sex))
    return not any(first and second and first != second for first, second in pairs)


def _why_it_waits(study: Study) -> str:
    if not identifies(study.facts):
        return NO_IDENTITY
    return NO_EARLIER if study.facts.date else NO_DATE


def _measure_anew(connection: sqlite3.Connection, study_id: str) -> None:
    """Have the cases of a study that grew measured again, unless a person worked on them."""
    rows = connection.execute(
        "SELECT id, state, result, job FROM cases WHERE baseline = ? OR follow_up = ?",
        (study_id, study_id),
    ).fetchall()
    for row in rows:
        automatic = row["state"] == "measured" and row["result"] == f"job-{row['job']}"
        if row["state"] in ("running", "failed") or automatic:
            queue(connection, row["id"])
        elif row["state"] not in ("waiting", "queued"):
            connection.execute(
                "UPDATE cases SET message = ?, changed_at = ? WHERE id = ?",
                (LATE, now(), row["id"]),
            )
