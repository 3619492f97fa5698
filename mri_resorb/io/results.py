"""The result document `mri-resorb/follow-up/1`: what other programs read.

`python -m mri_resorb.io.results` prints its JSON schema, which `docs/follow-up-schema.json` holds.
Figures that are not known are null, never 0; lengths and volumes are not rounded.
"""

from __future__ import annotations

import json
from datetime import date as Date  # noqa: N812 - `date` is a field's name here
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import to_jsonable_python

from mri_resorb.languages import Language
from mri_resorb.model import (
    Band,
    CaseResult,
    Change,
    CraniocaudalMigration,
    Estimate,
    Fragment,
    HerniationType,
    Level,
    LevelSource,
    Point,
    Remark,
    Sex,
    Side,
    SizeMm,
    Status,
    TimePoint,
    Verdict,
)

SCHEMA = "mri-resorb/follow-up/1"

Which = Literal["baseline", "follow_up"]
MaskSource = Literal["automatic", "person"]
Percent = Annotated[float, Field(ge=0, le=100)]
NonNegative = Annotated[float, Field(ge=0)]


class Document(BaseModel):
    """What all documents have in common."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class RemarkDocument(Document):
    """A code for programs, words for people."""

    code: str
    message: str
    translations: dict[str, str] = {}
    """The same words in the other languages, by ISO 639-1 code."""


class PatientDocument(Document):
    """What the files or the options say of the person."""

    id: str | None
    sex: Sex | None
    age_years: int | None


class IntervalDocument(Document):
    """Time between the two acquisitions; months are days / 30.4375."""

    days: int
    months: float


class EstimateDocument(Document):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError("a figure lies outside of its own interval")
        return self


class SizeDocument(Document):
    """Largest extents along the disc frame's axes, edge to edge, cm."""

    ap: NonNegative
    transverse: NonNegative
    craniocaudal: NonNegative


class MigrationDocument(Document):
    """Where the fragment's centroid lies, seen from the disc."""

    craniocaudal: CraniocaudalMigration
    side: Side


class VolumePartsDocument(Document):
    """The volume's two parts: joined to the disc, and detached pieces."""

    joined: NonNegative
    detached: NonNegative


class DateDocument(Document):
    """One date, measured or refused."""

    date: Date | None
    series_uid: str | None
    series_chosen_because: str
    status: Status
    volume_cm3: EstimateDocument | None
    volume_parts_cm3: VolumePartsDocument | None
    volume_standard_deviations_cm3: dict[str, float] | None
    """Standard deviation of the volume by each named source of error."""
    reach_mm: NonNegative | None
    """How far behind the posterior boundary the fragment goes."""
    size_cm: SizeDocument | None
    type: HerniationType | None
    migration: MigrationDocument | None
    canal_compromise_percent: Percent | None
    disc_at: Point | None
    """Centre of the disc that was measured, patient mm (LPS)."""
    disc_remark: str | None
    disc_certainty: float | None = None
    fragment_mask: str | None
    """File beside this one: NIfTI, the series' own grid, occupancy 0-1."""
    mask_source: MaskSource = "automatic"
    """Whose mask was measured."""
    anatomy_mask: str
    """File beside this one: NIfTI, 1 vertebra, 2 disc, 3 canal, 4 sacrum."""

    @model_validator(mode="after")
    def _has_figures_only_where_known(self) -> Self:
        known = self.status in ("measured", "absent")
        if known != (self.volume_cm3 is not None):
            raise ValueError(f"status '{self.status}' contradicts the volume that is given")
        return self


class ChangeDocument(Document):
    """What happened between the dates; resorption is 100 (V0 - V1) / V0, growth negative."""

    resorption_percent: EstimateDocument | None
    absolute_cm3: EstimateDocument | None
    percent_per_day: float | None
    verdict: Verdict
    band: Band | None
    smallest_detectable_percent: float | None = None
    """A smaller change, percent of the baseline's volume, could not have been told from none."""


class AutomaticDocument(Document):
    """What is found without the masks of a person; its mask files are not kept, and null."""

    baseline: DateDocument
    follow_up: DateDocument
    change: ChangeDocument


class ReviewDocument(Document):
    """Who corrected the masks, null where not told, and when they were measured."""

    by: str | None
    at: datetime


class SignatureDocument(Document):
    """Who accepted the result as a reader, and when."""

    name: str
    at: datetime


class FollowUpDocument(Document):
    """Two studies of one person compared at one lumbar level."""

    model_config = ConfigDict(title=SCHEMA)

    schema_: Literal["mri-resorb/follow-up/1"] = Field(alias="schema")
    status: Literal["measured", "undetermined"]
    reasons: tuple[RemarkDocument, ...]
    warnings: tuple[RemarkDocument, ...]
    level: Level
    level_source: LevelSource
    patient: PatientDocument
    interval: IntervalDocument | None
    baseline: DateDocument
    follow_up: DateDocument
    change: ChangeDocument
    automatic: AutomaticDocument | None = None
    """Where masks of a person were measured, the figures without them."""
    review: ReviewDocument | None = None
    signature: SignatureDocument | None = None
    provenance: dict[str, JsonValue]

    @model_validator(mode="after")
    def _gives_no_change_it_does_not_know(self) -> Self:
        change = self.change
        figures = (change.resorption_percent, change.absolute_cm3, change.percent_per_day)
        if self.status == "undetermined" and (
            change.verdict != "undetermined"
            or change.band is not None
            or any(figure is not None for figure in figures)
        ):
            raise ValueError("an undetermined case gives a change")
        if self.status == "undetermined" and not self.reasons:
            raise ValueError("an undetermined case gives no reason")
        return self

    def to_json(self) -> str:
        """UTF-8 text, indented, with a final newline."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def document(case: CaseResult) -> FollowUpDocument:
    """The case as a document.

    Raises:
        pydantic.ValidationError: the case contradicts itself (a change without both dates, a
            figure outside of its interval).
    """
    return FollowUpDocument(
        schema=SCHEMA,
        status=case.status,
        reasons=_remarks(case.reasons),
        warnings=_remarks(case.warnings),
        level=case.level,
        level_source=case.level_source,
        patient=PatientDocument(
            id=case.patient.id, sex=case.patient.sex, age_years=case.patient.age_years
        ),
        interval=(
            None
            if case.interval_days is None or case.interval_months is None
            else IntervalDocument(days=case.interval_days, months=case.interval_months)
        ),
        baseline=_date(case.baseline, which="baseline"),
        follow_up=_date(case.follow_up, which="follow_up"),
        change=_change(case.change),
        automatic=_automatic(case.automatic) if case.automatic else None,
        review=(ReviewDocument(by=case.review.by, at=case.review.at) if case.review else None),
        signature=(
            SignatureDocument(name=case.signature.name, at=case.signature.at)
            if case.signature
            else None
        ),
        provenance=to_jsonable_python(dict(case.provenance)),
    )


def drawn_mask_name(which: Which) -> str:
    """File name of the mask that a person drew for a date, as it was given."""
    return f"{which}_drawn.nii.gz"


def fragment_mask_name(which: Which) -> str:
    """File name of a date's fragment mask."""
    return f"{which}_fragment.nii.gz"


def anatomy_mask_name(which: Which) -> str:
    """File name of a date's anatomy mask."""
    return f"{which}_anatomy.nii.gz"


def schema() -> str:
    """The document's JSON schema, as text."""
    made = FollowUpDocument.model_json_schema(by_alias=True, mode="serialization")
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _date(point: TimePoint, *, which: Which) -> DateDocument:
    fragment = point.fragment
    return DateDocument(
        date=point.scan.date,
        series_uid=point.scan.series_uid,
        series_chosen_because=str(point.scan.chosen_because or ""),
        status=point.status,
        volume_cm3=_estimate(fragment.volume_cm3) if fragment else None,
        volume_parts_cm3=_volume_parts(fragment) if fragment else None,
        volume_standard_deviations_cm3=dict(fragment.volume_cm3.parts) if fragment else None,
        reach_mm=fragment.reach_mm if fragment else None,
        size_cm=_size(fragment.size) if fragment and fragment.size else None,
        type=fragment.type if fragment else None,
        migration=_migration(fragment),
        canal_compromise_percent=fragment.canal_compromise_percent if fragment else None,
        disc_at=point.disc.centre_mm if point.disc else None,
        disc_remark=point.disc.remark.text() if point.disc else None,
        disc_certainty=point.disc.certainty if point.disc else None,
        fragment_mask=fragment_mask_name(which) if fragment else None,
        mask_source="automatic" if point.drawn is None else "person",
        anatomy_mask=anatomy_mask_name(which),
    )


def _automatic(case: CaseResult) -> AutomaticDocument:
    without_file = {"fragment_mask": None}
    return AutomaticDocument(
        baseline=_date(case.baseline, which="baseline").model_copy(update=without_file),
        follow_up=_date(case.follow_up, which="follow_up").model_copy(update=without_file),
        change=_change(case.change),
    )


def _change(change: Change) -> ChangeDocument:
    return ChangeDocument(
        resorption_percent=_estimate(change.resorption_percent),
        absolute_cm3=_estimate(change.absolute_cm3),
        percent_per_day=change.percent_per_day,
        verdict=change.verdict,
        band=change.band,
        smallest_detectable_percent=change.smallest_detectable_percent,
    )


def _estimate(estimate: Estimate | None) -> EstimateDocument | None:
    if estimate is None:
        return None
    return EstimateDocument(value=estimate.value, low=estimate.low, high=estimate.high)


def _volume_parts(fragment: Fragment) -> VolumePartsDocument:
    return VolumePartsDocument(joined=fragment.joined_cm3, detached=fragment.detached_cm3)


def _size(size: SizeMm) -> SizeDocument:
    return SizeDocument(
        ap=size.ap / 10, transverse=size.transverse / 10, craniocaudal=size.craniocaudal / 10
    )


def _migration(fragment: Fragment | None) -> MigrationDocument | None:
    if fragment is None or fragment.migration is None:
        return None
    return MigrationDocument(
        craniocaudal=fragment.migration.craniocaudal, side=fragment.migration.side
    )


def _remarks(remarks: tuple[Remark, ...]) -> tuple[RemarkDocument, ...]:
    return tuple(
        RemarkDocument(
            code=remark.code,
            message=remark.text(),
            translations={
                str(language): remark.text(language)
                for language in Language
                if language is not Language.EN
            },
        )
        for remark in remarks
    )


if __name__ == "__main__":
    print(schema(), end="")
