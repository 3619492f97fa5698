"""What goes between the service and the PACS, and how it is noted, so that it goes once.

A signed case is sent object by object; each that the PACS took is noted before the next one goes.
After a failure it is tried again, later each time. An object whose noting was cut off by a sudden
end is sent once more: it is the same object, with the same UID.
"""

from __future__ import annotations

import logging
from pathlib import Path

from mri_resorb.errors import PacsError, RefusedInstanceError
from mri_resorb.io.contrast import names_other_region
from mri_resorb.pipeline import Remote
from mri_resorb.service import audit
from mri_resorb.service.cases import Case, result_folder, select_cases
from mri_resorb.service.pacs import HeldStudy, fetch_study, find_studies, sending
from mri_resorb.service.pairing import complete, earlier_than, identifies, make_cases
from mri_resorb.service.reception import Deidentify, receive
from mri_resorb.service.settings import DicomwebPacs, Pacs
from mri_resorb.service.store import Store, now
from mri_resorb.service.studies import Study, get_study, read_study_row

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 900.0
ASK_AGAIN_SECONDS, ASK_AGAIN_AFTER_FAILURE_SECONDS = 3600.0, 60.0
ASKED_FOR_SECONDS = 2 * 86400.0
"""How long after a study arrived the PACS is asked for earlier ones of its person."""
MOST_FETCHED = 5
"""Earlier studies of one person, until one is of the lumbar spine."""

_log = logging.getLogger(__name__)


def take_up(store: Store) -> None:
    """Have what a sudden end cut off sent again."""
    with store.transaction() as connection:
        connection.execute("UPDATE cases SET state = 'signed' WHERE state = 'sending'")


def send_signed(store: Store, pacs: Pacs, *, ae_title: str) -> None:
    """Send every case whose signed reports are written, and that is due."""
    due = (
        "state IN ('signed', 'send_failed') AND reports = 'written'"
        " AND (send_after IS NULL OR send_after <= ?)"
    )
    for case in select_cases(store, due, now()):
        if _begin_sending(store, case):
            try:
                _send(store, case, pacs=pacs, ae_title=ae_title)
            except PacsError as error:
                _note_failure(store, case, reason=str(error))
            else:
                _note_sent(store, case)


def ask_for_priors(
    store: Store, pacs: DicomwebPacs, rules: Remote, *, deidentify: Deidentify | None
) -> None:
    """Fetch earlier studies for those that have none, as far as it is time to ask.

    Where the PACS does not answer, a study is paired with what the store holds.
    """
    for study in _asking(store):
        try:
            _fetch_priors(store, study, pacs=pacs, rules=rules, deidentify=deidentify)
            again = ASK_AGAIN_SECONDS
        except PacsError as error:
            _log.warning("Earlier studies could not be fetched: %s", error)
            again = ASK_AGAIN_AFTER_FAILURE_SECONDS
        with store.transaction() as connection:
            connection.execute(
                "UPDATE studies SET ask_priors_at = ? WHERE id = ?", (now() + again, study.id)
            )
            make_cases(connection, study.id, rules=rules, ask_pacs=True)


def sent_files(folder: Path) -> list[Path]:
    """The DICOM objects of a result; segmentations before the report that refers to them."""
    return sorted(folder.glob("*.dcm"), key=lambda file: (".seg." not in file.name, file.name))


def _begin_sending(store: Store, case: Case) -> bool:
    with store.transaction() as connection:
        begun = connection.execute(
            "UPDATE cases SET state = 'sending', message = NULL, changed_at = ?"
            " WHERE id = ? AND revision = ? AND state = ?",
            (now(), case.id, case.revision, case.state),
        )
        return begun.rowcount == 1


def _send(store: Store, case: Case, *, pacs: Pacs, ae_title: str) -> None:
    folder = result_folder(store, case)
    assert folder is not None
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT file FROM sent_objects WHERE case_id = ? AND result = ?",
            (case.id, folder.name),
        )
        sent = {row["file"] for row in rows}
    left = [file for file in sent_files(folder) if file.name not in sent]
    if not left:
        return
    with sending(pacs, left, ae_title=ae_title) as send:
        for file in left:
            send(file)
            with store.transaction() as connection:
                connection.execute(
                    "INSERT INTO sent_objects (case_id, result, file, sent_at) VALUES (?, ?, ?, ?)",
                    (case.id, folder.name, file.name, now()),
                )


def _note_failure(store: Store, case: Case, *, reason: str) -> None:
    pause = min(FIRST_PAUSE_SECONDS * 2**case.send_attempts, LONGEST_PAUSE_SECONDS)
    with store.transaction() as connection:
        connection.execute(
            "UPDATE cases SET state = 'send_failed', message = ?, send_after = ?,"
            " send_attempts = send_attempts + 1, changed_at = ? WHERE id = ? AND state = 'sending'",
            (reason, now() + pause, now(), case.id),
        )


def _note_sent(store: Store, case: Case) -> None:
    with store.transaction() as connection:
        count = connection.execute(
            "SELECT count(*) FROM sent_objects WHERE case_id = ? AND result = ?",
            (case.id, case.result),
        ).fetchone()[0]
        connection.execute(
            "UPDATE cases SET state = 'sent', sent_at = ?, send_after = NULL, changed_at = ?"
            " WHERE id = ? AND state = 'sending'",
            (now(), now(), case.id),
        )
        audit.append(
            connection,
            who="service",
            action="sent",
            subject=case.id,
            details={"objects": count, "revision": case.revision},
        )


def _asking(store: Store) -> list[Study]:
    """Complete studies for which the PACS is to be asked now."""
    with store.reading() as connection:
        rows = connection.execute(
            "SELECT * FROM studies WHERE state = 'lumbar' AND origin <> 'fetched'"
            " AND (ask_priors_at IS NULL OR (ask_priors_at < ? AND arrived_at > ? AND EXISTS"
            " (SELECT 1 FROM cases WHERE follow_up = studies.id AND cases.state = 'waiting')))"
            " ORDER BY arrived_at",
            (now(), now() - ASKED_FOR_SECONDS),
        )
        return [read_study_row(row) for row in rows]


def _fetch_priors(
    store: Store,
    study: Study,
    *,
    pacs: DicomwebPacs,
    rules: Remote,
    deidentify: Deidentify | None,
) -> None:
    if study.facts.date is None or not identifies(study.facts):
        return
    held = [
        one
        for one in find_studies(pacs, patient_id=study.facts.patient_id)
        if one.uid != study.facts.uid and not names_other_region(one.description)
    ]
    by_date = {one.date: one for one in held}
    for date in earlier_than(study.facts.date, list(by_date), rules=rules)[:MOST_FETCHED]:
        if _fetch(store, by_date[date], pacs=pacs, rules=rules, deidentify=deidentify):
            return


def _fetch(
    store: Store,
    wanted: HeldStudy,
    *,
    pacs: DicomwebPacs,
    rules: Remote,
    deidentify: Deidentify | None,
) -> bool:
    """Fetch a study and look at it; whether it is of the lumbar spine."""
    studies = set()
    for content in fetch_study(pacs, wanted.uid):
        try:
            received = receive(
                store, content, sender="service", origin="fetched", deidentify=deidentify
            )
        except RefusedInstanceError as error:
            _log.warning("An instance of an earlier study was refused: %s", error)
        else:
            studies.add(received.study)
    found = False
    for study_id in studies:
        study = get_study(store, study_id)
        if study.state == "receiving":
            complete(store, study, rules=rules, ask_pacs=True)
        found = found or get_study(store, study_id).state == "lumbar"
    return found
