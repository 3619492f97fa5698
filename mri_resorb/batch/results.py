"""The batch's tables: `results.csv` and `results.parquet`, a row a case, and `failed.csv`.

They hold no time of running, so the same cases give the same bytes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mri_resorb.batch.case_table import RESERVED_NAMES
from mri_resorb.batch.journal import WORK_NAME, Outcome
from mri_resorb.batch.report.page import batch_report
from mri_resorb.errors import MissingPackageError, OutputError
from mri_resorb.io.results import DateDocument, EstimateDocument, FollowUpDocument
from mri_resorb.outputs import RESULT_NAME

Value = str | int | float | None
Row = dict[str, Value]

_DATE_COLUMNS = (
    "date",
    "status",
    "volume_cm3",
    "volume_low_cm3",
    "volume_high_cm3",
    "ap_cm",
    "transverse_cm",
    "craniocaudal_cm",
    "type",
    "migration",
    "side",
    "canal_compromise_percent",
)
COLUMNS = (
    *("case", "status", "reasons", "warnings", "level", "level_source"),
    *("sex", "age_years", "interval_days"),
    *(f"baseline_{name}" for name in _DATE_COLUMNS),
    *(f"follow_up_{name}" for name in _DATE_COLUMNS),
    *("resorption_percent", "resorption_low_percent", "resorption_high_percent"),
    *("absolute_cm3", "absolute_low_cm3", "absolute_high_cm3"),
    *("percent_per_day", "verdict", "band"),
)
FAILED_COLUMNS = ("case", "step", "reason")


def check_tables(output: Path) -> None:
    """See, before the work, that the tables replace none but those of an earlier batch.

    Raises:
        OutputError: one is there and no batch has written to the folder; or pyarrow is missing.
    """
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "`batch` needs the package pyarrow: pip install 'mri-resorb[batch]'."
        ) from error
    foreign = [name for name in sorted(RESERVED_NAMES) if (output / name).exists()]
    if foreign and not (output / WORK_NAME).is_dir():
        raise OutputError(
            f"{output / foreign[0]} is there and not from a batch of mri-resorb; move it, or give "
            "another folder for the results."
        )


def write_tables(outcomes: Sequence[Outcome], *, output: Path) -> tuple[int, int]:
    """Write the tables and the report of all cases, in the order given.

    A result that is no longer there or was changed into something else counts as failed.

    Returns:
        How many cases have a result, and how many failed.

    Raises:
        OutputError: the disk refused.
    """
    documents: dict[str, FollowUpDocument] = {}
    failures: list[Outcome] = []
    for outcome in outcomes:
        if outcome.state == "done":
            try:
                content = (output / outcome.case / RESULT_NAME).read_bytes()
                documents[outcome.case] = FollowUpDocument.model_validate_json(content)
                continue
            except (OSError, ValidationError):
                outcome = replace(
                    outcome,
                    step="collecting",
                    reason=f"Its {RESULT_NAME} cannot be read; remove the folder and run again.",
                )
        failures.append(outcome)
    rows = [_row(name, document) for name, document in documents.items()]
    failed: list[Row] = [
        {"case": one.case, "step": one.step, "reason": one.reason} for one in failures
    ]
    try:
        _replace(output / "results.csv", _csv(COLUMNS, rows))
        _replace(output / "results.parquet", _parquet(rows))
        _replace(output / "failed.csv", _csv(FAILED_COLUMNS, failed))
        page = batch_report(documents, failures, output=output)
        _replace(output / "report.html", page.encode())
    except OSError as error:
        raise OutputError(f"{output} cannot be written to: {error.strerror or error}.") from error
    return len(documents), len(failures)


def _row(name: str, document: FollowUpDocument) -> Row:
    change, interval = document.change, document.interval
    return {
        "case": name,
        "status": document.status,
        "reasons": " ".join(reason.code for reason in document.reasons),
        "warnings": " ".join(warning.code for warning in document.warnings),
        "level": str(document.level),
        "level_source": document.level_source,
        "sex": document.patient.sex,
        "age_years": document.patient.age_years,
        "interval_days": interval.days if interval else None,
        **_date("baseline", document.baseline),
        **_date("follow_up", document.follow_up),
        **_estimate("resorption", "_percent", change.resorption_percent),
        **_estimate("absolute", "_cm3", change.absolute_cm3),
        "percent_per_day": change.percent_per_day,
        "verdict": change.verdict,
        "band": change.band,
    }


def _date(which: str, date: DateDocument) -> Row:
    size, migration = date.size_cm, date.migration
    return {
        f"{which}_date": date.date.isoformat() if date.date else None,
        f"{which}_status": date.status,
        **_estimate(f"{which}_volume", "_cm3", date.volume_cm3),
        f"{which}_ap_cm": size.ap if size else None,
        f"{which}_transverse_cm": size.transverse if size else None,
        f"{which}_craniocaudal_cm": size.craniocaudal if size else None,
        f"{which}_type": date.type,
        f"{which}_migration": migration.craniocaudal if migration else None,
        f"{which}_side": migration.side if migration else None,
        f"{which}_canal_compromise_percent": date.canal_compromise_percent,
    }


def _estimate(name: str, unit: str, estimate: EstimateDocument | None) -> Row:
    return {
        f"{name}{unit}": estimate.value if estimate else None,
        f"{name}_low{unit}": estimate.low if estimate else None,
        f"{name}_high{unit}": estimate.high if estimate else None,
    }


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    """UTF-8 with a header; a cell is empty where the value is not known."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    def kind(name: str) -> Any:
        if name in {"age_years", "interval_days"}:
            return pyarrow.int64()
        known = name.endswith(("_cm", "_cm3", "_percent", "_per_day"))
        return pyarrow.float64() if known else pyarrow.string()

    schema = pyarrow.schema([(name, kind(name)) for name in COLUMNS])
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), buffer)
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename, so that the table is whole at any moment."""
    beside = path.parent / WORK_NAME / path.name
    beside.write_bytes(content)
    beside.replace(path)
