"""What the REST interface says of cases, in JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mri_resorb.io.results import EstimateDocument
from mri_resorb.model import Level, Sex, Status, Verdict
from mri_resorb.service.accounts import Role
from mri_resorb.service.cases import Case, CaseState, DateSummary
from mri_resorb.service.studies import Study


class Document(BaseModel):
    """What all documents have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SessionDocument(Document):
    """Who is signed in."""

    name: str
    role: Role
    csrf: str | None
    """To be sent as `X-CSRF-Token` with whatever changes something; null for a program."""


class PatientDocument(Document):
    """Whose case it is; the age is that at baseline."""

    id: str | None
    sex: Sex | None
    age_years: int | None


class DateDocument(Document):
    """One date; without a status while it is not measured."""

    date: date | None
    status: Status | None
    volume_cm3: EstimateDocument | None


class SignedDocument(Document):
    """Who accepted the result, as it stands on the report, and when."""

    by: str
    at: datetime


class SentDocument(Document):
    """When the PACS had every object, and how many."""

    at: datetime
    objects: int


class CaseDocument(Document):
    """A line of the work list."""

    id: str
    state: CaseState
    step: str | None
    level: Level
    patient: PatientDocument
    baseline: DateDocument | None
    """Null while no earlier study is known."""
    follow_up: DateDocument
    resorption_percent: EstimateDocument | None
    verdict: Verdict | None
    message: str | None
    """Why it failed, waits, was not sent, or is undetermined."""
    signed: SignedDocument | None
    sent: SentDocument | None
    corrected: bool
    revision: Annotated[int, Field(ge=0)]
    """To be sent as `If-Match` with a change."""
    changed_at: datetime


def case_document(case: Case) -> CaseDocument:
    """What is said of a case."""
    summary = case.summary
    facts = case.follow_up.facts
    return CaseDocument(
        id=case.id,
        state=case.state,
        step=case.step,
        level=case.level,
        patient=PatientDocument(
            id=(summary.patient_id if summary else facts.patient_id) or None,
            sex=summary.sex if summary else facts.sex,
            age_years=summary.age_years if summary else facts.age_years,
        ),
        baseline=(
            _date(case.baseline, summary.baseline if summary else None) if case.baseline else None
        ),
        follow_up=_date(case.follow_up, summary.follow_up if summary else None),
        resorption_percent=summary.resorption_percent if summary else None,
        verdict=summary.verdict if summary else None,
        message=case.message or (" ".join(summary.reasons) or None if summary else None),
        signed=(
            SignedDocument(by=case.signature.name, at=_time(case.signature.at))
            if case.signature
            else None
        ),
        sent=(
            SentDocument(at=_time(case.sent_at), objects=case.sent_objects)
            if case.sent_at is not None
            else None
        ),
        corrected=summary.corrected if summary else False,
        revision=case.revision,
        changed_at=_time(case.changed_at),
    )


def _date(study: Study, summary: DateSummary | None) -> DateDocument:
    if summary is not None:
        return DateDocument(date=summary.date, status=summary.status, volume_cm3=summary.volume_cm3)
    return DateDocument(date=study.facts.date, status=None, volume_cm3=None)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
