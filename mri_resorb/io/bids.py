"""A case as a BIDS derivatives dataset, without anything that names the patient.

Sessions are named by their order, never by their dates, which would help to find the person; the
subject by what the user gives, or by a digest of the images' own digests, from which nothing can be
computed back and which stays the same when the same studies are measured again. The patient's own
number never enters it.

Source: Brain Imaging Data Structure 1.10.0, "BIDS Derivatives" and "Phenotypic and assessment
data"; `space-orig` is its name for an image's own space.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mri_resorb import __version__
from mri_resorb.errors import OutputError
from mri_resorb.io.masks import write_labels, write_occupancy
from mri_resorb.io.results import (
    ChangeDocument,
    DateDocument,
    EstimateDocument,
    FollowUpDocument,
    document,
)
from mri_resorb.model import CaseResult, Structure, TimePoint

BIDS_VERSION = "1.10.0"
SESSIONS = ("baseline", "followup")
MISSING = "n/a"
COLOURS = {"vertebra": "#d9c48c", "disc": "#4f9fd6", "canal": "#e8e8e8", "sacrum": "#b98f5a"}


def subject_label(case: CaseResult, *, given: str | None = None) -> str:
    """The subject's label: the user's, or a digest of the images'.

    Raises:
        OutputError: the label is not of letters and digits alone.
    """
    if given is not None:
        if not (given.isascii() and given.isalnum()):
            raise OutputError(
                "A subject's label in BIDS has letters and digits only; give another --subject."
            )
        return given
    digests = sorted((*case.baseline.scan.sha256, *case.follow_up.scan.sha256))
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:10]


def write_bids(case: CaseResult, folder: Path, *, subject: str) -> None:
    """Write a dataset of one subject.

    Args:
        folder: is made; must not be there yet.
        subject: label without `sub-`.
    """
    made = document(case)
    folder.mkdir()
    _write_json(folder / "dataset_description.json", _description(case))
    (folder / "README.md").write_text(_README, encoding="utf-8")
    _write_table(
        folder / "participants", "The person.", [_participant(made, subject)], _PARTICIPANT_COLUMNS
    )
    person = folder / f"sub-{subject}"
    person.mkdir()
    days = made.interval.days if made.interval else None
    dates = (made.baseline, made.follow_up)
    sources = {part for date in dates for part in date.volume_standard_deviations_cm3 or {}}
    _write_table(
        person / f"sub-{subject}_sessions",
        "The fragment at each date.",
        [
            _session(made, date, name=name, days=since, sources=sorted(sources))
            for name, date, since in zip(SESSIONS, dates, (0, days), strict=True)
        ],
        _SESSION_COLUMNS | {_source_column(source): _SOURCE_OF_ERROR for source in sources},
    )
    for name, point in zip(SESSIONS, (case.baseline, case.follow_up), strict=True):
        anat = person / f"ses-{name}" / "anat"
        anat.mkdir(parents=True)
        _write_masks(point, anat / f"sub-{subject}_ses-{name}_space-orig")
    tables = folder / "phenotype"
    tables.mkdir()
    _write_table(
        tables / "resorption",
        "The change between the dates.",
        [_change(made, made.change, subject=subject)],
        _CHANGE_COLUMNS,
    )


def _write_masks(point: TimePoint, stem: Path) -> None:
    native = point.scan.native_orientation
    about = {"SpatialReference": "orig", "Manual": False}
    anatomy = stem.with_name(f"{stem.name}_desc-anatomy_dseg")
    write_labels(point.anatomy, _named(anatomy, ".nii.gz"), native_orientation=native)
    _write_json(
        _named(anatomy, ".json"),
        about | {"Description": "The structure that fills most of a voxel."},
    )
    rows = [
        {"index": int(s), "name": s.name.lower(), "color": COLOURS[s.name.lower()]}
        for s in Structure
    ]
    _write_rows(_named(anatomy, ".tsv"), rows)
    if point.fragment is not None:
        fragment = stem.with_name(f"{stem.name}_label-fragment_probseg")
        write_occupancy(
            point.fragment.occupancy, _named(fragment, ".nii.gz"), native_orientation=native
        )
        _write_json(
            _named(fragment, ".json"),
            about | {"Description": "How much of each voxel is fragment, 0-1."},
        )


def _named(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _description(case: CaseResult) -> dict[str, object]:
    digests = sorted((*case.baseline.scan.sha256, *case.follow_up.scan.sha256))
    return {
        "Name": "Resorption of a herniated lumbar disc fragment",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": "As the source images: ask their owner",
        "GeneratedBy": [
            {
                "Name": "mri_resorb",
                "Version": __version__,
                "Description": "Volume of a herniated lumbar disc fragment at two dates.",
            }
        ],
        "SourceDatasets": [
            {"Version": hashlib.sha256("".join(digests).encode()).hexdigest()},
        ],
    }


def _participant(made: FollowUpDocument, subject: str) -> dict[str, object]:
    return {
        "participant_id": f"sub-{subject}",
        "sex": made.patient.sex,
        # Ages from 90 upwards identify (HIPAA, 45 CFR 164.514(b)(2)(i)(C)); BIDS caps them at 89.
        "age": None if made.patient.age_years is None else min(made.patient.age_years, 89),
    }


def _session(
    made: FollowUpDocument,
    date: DateDocument,
    *,
    name: str,
    days: int | None,
    sources: Sequence[str],
) -> dict[str, object]:
    size, migration = date.size_cm, date.migration
    parts = date.volume_standard_deviations_cm3 or {}
    return {
        "session_id": f"ses-{name}",
        "days_from_baseline": days,
        "level": made.level,
        "level_source": made.level_source,
        "status": date.status,
        **_interval("volume_cm3", date.volume_cm3),
        "ap_cm": size.ap if size else None,
        "transverse_cm": size.transverse if size else None,
        "craniocaudal_cm": size.craniocaudal if size else None,
        "type": date.type,
        "migration_craniocaudal": migration.craniocaudal if migration else None,
        "migration_side": migration.side if migration else None,
        "canal_compromise_percent": date.canal_compromise_percent,
        **{_source_column(source): parts.get(source) for source in sources},
    }


def _source_column(source: str) -> str:
    return f"volume_sd_{source}_cm3"


def _change(made: FollowUpDocument, change: ChangeDocument, *, subject: str) -> dict[str, object]:
    return {
        "participant_id": f"sub-{subject}",
        "level": made.level,
        "status": made.status,
        "reasons": "; ".join(reason.code for reason in made.reasons) or None,
        "interval_days": made.interval.days if made.interval else None,
        **_interval("resorption_percent", change.resorption_percent),
        **_interval("absolute_cm3", change.absolute_cm3),
        "percent_per_day": change.percent_per_day,
        "verdict": change.verdict,
        "band": change.band,
    }


def _interval(name: str, estimate: EstimateDocument | None) -> dict[str, float | None]:
    return {
        name: estimate.value if estimate else None,
        f"{name}_low": estimate.low if estimate else None,
        f"{name}_high": estimate.high if estimate else None,
    }


def _write_table(
    stem: Path,
    description: str,
    rows: Sequence[Mapping[str, object]],
    columns: Mapping[str, Mapping[str, object]],
) -> None:
    """A table with its data dictionary beside it."""
    assert all(set(row) == set(columns) for row in rows)
    _write_rows(_named(stem, ".tsv"), rows)
    _write_json(_named(stem, ".json"), {"Description": description, **columns})


def _write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


def _cell(value: object) -> str:
    return MISSING if value is None else str(value)


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _column(description: str, *, units: str | None = None, levels: str = "") -> dict[str, Any]:
    column: dict[str, Any] = {"Description": description}
    if units:
        column["Units"] = units
    if levels:
        column["Levels"] = {word: word.replace("_", " ") for word in levels.split()}
    return column


def _estimate_columns(name: str, description: str, units: str) -> dict[str, dict[str, Any]]:
    return {
        name: _column(description, units=units),
        f"{name}_low": _column("Lower end of its 95 % interval.", units=units),
        f"{name}_high": _column("Upper end of its 95 % interval.", units=units),
    }


_LEVELS = "L1-L2 L2-L3 L3-L4 L4-L5 L5-S1"
_PARTICIPANT_COLUMNS = {
    "participant_id": _column("Subject."),
    "sex": _column("As in the files.", levels="F M"),
    "age": _column("At baseline; 89 stands for 89 and more.", units="year"),
}
_SESSION_COLUMNS = {
    "session_id": _column("Session."),
    "days_from_baseline": _column("Days between the acquisitions.", units="day"),
    "level": _column("Lumbar disc.", levels=_LEVELS),
    "level_source": _column("How the disc was told.", levels="counted point labels"),
    "status": _column(
        "Whether figures are given.", levels="measured absent incomplete undetermined"
    ),
    **_estimate_columns("volume_cm3", "Volume of the fragment.", "cm3"),
    "ap_cm": _column("Largest extent from front to back.", units="cm"),
    "transverse_cm": _column("Largest extent from side to side.", units="cm"),
    "craniocaudal_cm": _column("Largest extent from top to bottom.", units="cm"),
    "type": _column(
        "Type by Fardon et al. 2014.", levels="none bulge protrusion extrusion sequestration"
    ),
    "migration_craniocaudal": _column("Migration.", levels="none cranial caudal"),
    "migration_side": _column("Side.", levels="central left right"),
    "canal_compromise_percent": _column(
        "Largest part of the canal's area taken, in a plane parallel to the disc.", units="percent"
    ),
}
_SOURCE_OF_ERROR = _column("Standard deviation of the volume by this source of error.", units="cm3")
_CHANGE_COLUMNS = {
    "participant_id": _column("Subject."),
    "level": _column("Lumbar disc.", levels=_LEVELS),
    "status": _column("Whether the change is given.", levels="measured undetermined"),
    "reasons": _column("Codes of the reasons why not."),
    "interval_days": _column("Days between the acquisitions.", units="day"),
    **_estimate_columns("resorption_percent", "100 (V0 - V1) / V0; growth is negative.", "percent"),
    **_estimate_columns("absolute_cm3", "V0 - V1.", "cm3"),
    "percent_per_day": _column("Resorption over the interval."),
    "verdict": _column(
        "Whether the change exceeds its error.",
        levels="decreased no_change_beyond_error increased undetermined",
    ),
    "band": _column("Resorption by bands.", levels="complete 50-100 25-50 under-25"),
}

_README = """# Resorption of a herniated lumbar disc fragment

Made by mri_resorb from two lumbar MRI studies of one person; research and decision support, not a
medical device. `sub-*/sub-*_sessions.tsv` has a row a session, `phenotype/resorption.tsv` a row a
subject; each column is described in the JSON file beside it.

In each session's `anat`:

- `label-fragment_probseg`: how much of each voxel is fragment, 0-1, in the series' own grid. It is
  missing where no figure could be given; `status` in the table says why.
- `desc-anatomy_dseg`: 1 vertebra, 2 disc, 3 canal, 4 sacrum.

Subjects and sessions carry no name, number or date of the patient.
"""
