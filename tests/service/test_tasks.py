"""The reports of a signed result say what was read, or are not written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from case_results import case_result, time_point

from mri_resorb.errors import ResultsError
from mri_resorb.io.result_folder import write_results
from mri_resorb.model import CaseResult, Estimate, Review, Signature
from mri_resorb.service import tasks
from mri_resorb.service.tasks import Report, write_image

REVIEW = Review("reader", datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
SIGNATURE = Signature("Dr. А. Reader", datetime(2026, 3, 1, 10, 0, tzinfo=UTC))


def measures(case: CaseResult, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Have the case come out of measuring again; what that was asked for."""
    asked: list[dict[str, Any]] = []

    def remeasured(_: object, **options: Any) -> CaseResult:
        asked.append(options)
        return case

    monkeypatch.setattr(tasks, "place_again", lambda _: None)
    monkeypatch.setattr(tasks, "remeasured", remeasured)
    return asked


def test_the_same_figures_are_signed_and_who_corrected_them_when_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_result()
    assert case.follow_up.fragment is not None
    drawn = replace(case.follow_up, drawn=case.follow_up.fragment.occupancy)
    corrected = replace(case, follow_up=drawn, review=REVIEW)
    write_results(corrected, tmp_path / "read")
    asked = measures(replace(corrected, review=None), monkeypatch)
    signed = Report(tmp_path / "read", SIGNATURE)()
    assert (signed.signature, signed.review) == (SIGNATURE, REVIEW)
    assert asked == [
        {
            "baseline_mask": None,
            "follow_up_mask": tmp_path / "read" / "follow_up_drawn.nii.gz",
        }
    ]


def test_other_figures_than_those_that_were_read_are_not_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = case_result()
    write_results(read, tmp_path / "read")
    other = time_point(volume_cm3=Estimate(1.2001, 1.0, 1.45))
    measures(replace(read, baseline=replace(other, scan=read.baseline.scan)), monkeypatch)
    with pytest.raises(ResultsError, match="other figures"):
        Report(tmp_path / "read", SIGNATURE)()


def test_an_image_lies_on_its_own_grid_with_its_own_values_and_names_nobody(
    tmp_path: Path,
) -> None:
    scan = replace(case_result().baseline.scan, native_orientation="LPS")
    write_image(scan, tmp_path / "image.nii.gz")
    read = sitk.ReadImage(str(tmp_path / "image.nii.gz"))
    assert np.reshape(read.GetDirection(), (3, 3)) == pytest.approx(np.eye(3))
    back = sitk.GetArrayFromImage(sitk.DICOMOrient(read, "PIL"))
    assert np.array_equal(back, sitk.GetArrayFromImage(scan.image))
    words = {
        read.GetMetaData(key)
        for key in ("descrip", "intent_name", "aux_file", "db_name")
        if read.HasMetaDataKey(key)
    }
    assert words <= {""}
