"""A cohort in figures: `summarize` gathers what the others compute; `Cohort` is the document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mri_resorb import __version__
from mri_resorb.cohort.half_volume import TimeToHalf, time_to_half
from mri_resorb.cohort.incidence import Incidence, Rate, incidences, rates
from mri_resorb.cohort.published import PUBLISHED, PublishedIncidence
from mri_resorb.cohort.read import Results
from mri_resorb.errors import ResultsError
from mri_resorb.model import DEFINITIONS_VERSION, Verdict

SCHEMA: Literal["mri-resorb/cohort/1"] = "mri-resorb/cohort/1"


@dataclass(frozen=True)
class Cohort:
    """The document `mri-resorb/cohort/1`.

    Attributes:
        cases: all that were read.
        undetermined: of them, in no share; their names are listed.
        without_herniation: determined, but nothing to resorb at baseline; in no share.
        patients: how many people the cases with a herniation are of, where all have an ID.
        verdicts: of the cases with a herniation at baseline.
        unreadable: a line for each result that could not be read.
    """

    schema: Literal["mri-resorb/cohort/1"]
    version: str
    definitions: int
    cases: int
    undetermined: tuple[str, ...]
    without_herniation: int
    with_herniation: int
    patients: int | None
    verdicts: Mapping[Verdict, int]
    incidences: tuple[Incidence, ...]
    rates_percent_per_day: tuple[Rate, ...]
    time_to_half_volume: TimeToHalf | None
    published: tuple[PublishedIncidence, ...]
    notes: tuple[str, ...]
    unreadable: tuple[str, ...]


def summarize(results: Results) -> Cohort:
    """All figures of a cohort.

    Raises:
        ResultsError: two results of one name, which may be one case counted twice.
    """
    cases = results.cases
    name, times = Counter(case.name for case in cases).most_common(1)[0]
    if times > 1:
        raise ResultsError(f"The case {name} is there {times} times; give each its own name.")
    at_risk = [case for case in cases if case.had_herniation]
    known_ids = [case.patient_id for case in at_risk if case.patient_id is not None]
    patients = len(set(known_ids)) if len(known_ids) == len(at_risk) else None
    return Cohort(
        schema=SCHEMA,
        version=__version__,
        definitions=DEFINITIONS_VERSION,
        cases=len(cases),
        undetermined=tuple(case.name for case in cases if not case.is_determined),
        without_herniation=sum(case.is_determined and not case.had_herniation for case in cases),
        with_herniation=len(at_risk),
        patients=patients,
        verdicts=dict(Counter(case.verdict for case in at_risk)),
        incidences=incidences(cases),
        rates_percent_per_day=rates(cases),
        time_to_half_volume=time_to_half(cases),
        published=PUBLISHED,
        notes=_notes(cases=len(cases), at_risk=len(at_risk), patients=patients),
        unreadable=results.unreadable,
    )


def _notes(*, cases: int, at_risk: int, patients: int | None) -> tuple[str, ...]:
    notes = []
    if patients is None and at_risk:
        notes.append(
            "Not all cases have a patient ID: intervals take every case for another person's, and "
            "are too narrow if some are of one person."
        )
    elif patients is not None and patients < at_risk:
        notes.append(
            f"{at_risk} cases are of {patients} people: intervals take cases as independent, and "
            "are too narrow."
        )
    if at_risk < cases:
        notes.append(
            "Undetermined cases and those without a herniation at baseline are in no share. If the "
            "undetermined ones fared differently, the shares are off."
        )
    return tuple(notes)
