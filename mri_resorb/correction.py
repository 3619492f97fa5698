"""Masks that a person corrected, measured by the same definition as the automatic ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from mri_resorb.case import (
    PlacedCase,
    ReadCase,
    measure_masks,
    place_case,
    read_case,
    read_masks,
)
from mri_resorb.errors import ResultsError
from mri_resorb.io.inputs import INPUTS_NAME, read_inputs
from mri_resorb.io.results import (
    DateDocument,
    FollowUpDocument,
    Which,
    drawn_mask_name,
)
from mri_resorb.model import CaseResult, Review, StudyInput
from mri_resorb.outputs import RESULT_NAME


def remeasure(
    folder: Path,
    *,
    baseline_mask: Path | None = None,
    follow_up_mask: Path | None = None,
    baseline: Path | None = None,
    follow_up: Path | None = None,
    reviewed_by: str | None = None,
) -> CaseResult:
    """Measure a case again, with masks that a person corrected.

    A date without a new mask keeps the one that was given for it before, if any. Both the corrected
    and the automatic figures are made anew, so that one version made them both.

    Args:
        folder: what a run left.
        baseline_mask, follow_up_mask: NIfTI, NRRD, `.seg.nrrd`, MHA or DICOM SEG, on the voxels of
            the series that was measured.
        baseline, follow_up: where the studies are now, if they are not where they were.
        reviewed_by: who corrected the masks.

    Raises:
        ResultsError: the folder holds no result, the studies are gone or not the ones that were
            measured, or an earlier mask is gone.
        InputError: as `mri_resorb.follow_up`; among them MaskError for a mask that does not fit.
    """
    before = read_result(folder)
    read = _read_again(folder, before=before, baseline=baseline, follow_up=follow_up)
    masks = read_masks(
        read,
        _mask(baseline_mask, before.baseline, folder=folder, which="baseline"),
        _mask(follow_up_mask, before.follow_up, folder=folder, which="follow_up"),
    )
    return reviewed(measure_masks(place_case(read), masks=masks), by=reviewed_by)


def place_again(folder: Path) -> PlacedCase:
    """What a run measured, read and placed anew, for masks to be measured on it.

    Raises:
        ResultsError, InputError: as `remeasure`.
    """
    before = read_result(folder)
    return place_case(_read_again(folder, before=before, baseline=None, follow_up=None))


def reviewed(case: CaseResult, *, by: str | None) -> CaseResult:
    """The result with who corrected its masks, where that is told, and that it was now."""
    return replace(case, review=Review(by, datetime.now(UTC).replace(microsecond=0)))


def _read_again(
    folder: Path, *, before: FollowUpDocument, baseline: Path | None, follow_up: Path | None
) -> ReadCase:
    """The studies of a result, the same ones, and what was asked of them."""
    studies = _studies(folder, before=before, baseline=baseline, follow_up=follow_up)
    parameters = before.provenance.get("parameters")
    asked = parameters if isinstance(parameters, dict) else {}
    point = asked.get("disc_at")
    read = read_case(
        replace(studies[0], date=before.baseline.date),
        replace(studies[1], date=before.follow_up.date),
        level=before.level,
        disc_at=(point[0], point[1], point[2]) if isinstance(point, list) else None,  # type: ignore[arg-type]
        sex=before.patient.sex,
        age_years=before.patient.age_years,
        anatomy_labels=asked.get("anatomy_labels"),  # type: ignore[arg-type]
        allow_same_date=bool(asked.get("allow_same_date")),
        allow_different_patients=bool(asked.get("allow_different_patients")),
    )
    if read.sha256 != before.provenance.get("input_sha256"):
        raise ResultsError(
            f"The studies are not the ones that {folder / RESULT_NAME} was measured from: their "
            "files differ. Name the right ones with --baseline and --follow-up, or start anew with "
            "mri-resorb run."
        )
    return read


def read_result(folder: Path) -> FollowUpDocument:
    """The result document of a folder that a run left.

    Raises:
        ResultsError: there is none.
    """
    path = folder / RESULT_NAME
    if not path.is_file():
        raise ResultsError(f"{folder} holds no {RESULT_NAME}; give the folder that a run left.")
    try:
        return FollowUpDocument.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise ResultsError(f"{path} is no result document of mri-resorb.") from error


def _studies(
    folder: Path, *, before: FollowUpDocument, baseline: Path | None, follow_up: Path | None
) -> tuple[StudyInput, StudyInput]:
    remembered = folder / INPUTS_NAME
    if baseline is not None and follow_up is not None and not remembered.is_file():
        return (
            StudyInput(baseline, before.baseline.series_uid),
            StudyInput(follow_up, before.follow_up.series_uid),
        )
    first, second = read_inputs(remembered)
    first = replace(first, path=baseline or first.path)
    second = replace(second, path=follow_up or second.path)
    for study, word in ((first, "baseline"), (second, "follow-up")):
        if not study.path.exists():
            raise ResultsError(
                f"The {word} study is not where it was measured any more ({remembered} "
                f"says where); name its place with --{word}."
            )
    return first, second


def _mask(given: Path | None, before: DateDocument, *, folder: Path, which: Which) -> Path | None:
    if given is not None or before.mask_source == "automatic":
        return given
    kept = folder / drawn_mask_name(which)
    if not kept.is_file():
        raise ResultsError(f"{kept}, the mask that was measured before, is gone; give it again.")
    return kept
