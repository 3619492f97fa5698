"""Whether two studies are of one person, one after the other; messages never say who that is."""

from __future__ import annotations

from datetime import date

from mri_resorb.errors import DateError, IdentityError
from mri_resorb.io.frames import Header
from mri_resorb.model import Remark, Scan


def check_dates(baseline: date | None, follow_up: date | None, *, allow_same_date: bool) -> None:
    """Refuse dates in the wrong order; dates that are missing are not compared.

    Raises:
        DateError: the follow-up is earlier than the baseline, or of the same date.
    """
    if baseline is None or follow_up is None:
        return
    if follow_up < baseline:
        raise DateError(
            f"The follow-up ({follow_up}) is earlier than the baseline ({baseline}): swap the two, "
            "or correct a date with --baseline-date or --follow-up-date."
        )
    if follow_up == baseline and not allow_same_date:
        raise DateError(
            f"Both studies are of {baseline}: if that is meant, say so with --allow-same-date; "
            "else correct a date with --baseline-date or --follow-up-date."
        )


def check_identity(one: Header | None, other: Header | None) -> tuple[Remark, ...]:
    """Compare who the studies are of.

    Different birth dates or sexes are different people, whatever the IDs. Different IDs are, too,
    unless name and birth date agree: hospitals number the same person differently.

    Raises:
        IdentityError: they are different people.
    """
    unknown = Remark("identity-unverified")
    if one is None or other is None:
        return (unknown,)
    differs = [
        word
        for word, first, second in (
            ("birth date", one.birth_date, other.birth_date),
            ("sex", one.sex, other.sex),
        )
        if first and second and first != second
    ]
    same_name = bool(one.patient_name) and one.patient_name == other.patient_name
    same_birth = one.birth_date is not None and one.birth_date == other.birth_date
    ids = one.patient_id.casefold(), other.patient_id.casefold()
    if all(ids) and ids[0] != ids[1] and not (same_name and same_birth):
        differs.insert(0, "patient ID")
    if differs:
        raise IdentityError(
            f"The studies are of different people: they differ in {' and '.join(differs)}. If they "
            "are of one person after all, say so with --allow-different-patients."
        )
    if all(ids) or same_birth:
        return ()
    return (unknown,)


def compare_kinds(baseline: Scan, follow_up: Scan) -> tuple[Remark, ...]:
    """Warn where the dates could not be given the same kind of series."""
    suppressed = baseline.fat_suppressed, follow_up.fat_suppressed
    if None in suppressed or suppressed[0] == suppressed[1]:
        return ()
    return (Remark("different-contrast"),)
