"""A small case whose scans come from DICOM files, and other people's programs that read it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from case_results import FOLLOW_UP_DATE, case_result, time_point

from mri_resorb.io.results import Which
from mri_resorb.io.studies import read_study
from mri_resorb.model import CaseResult, Estimate, Fragment, TimePoint
from mri_resorb.report.dicom_study import point_of
from mri_resorb.simulate.dicom_series import write_dicom_series

NAME = "Ахметова^Жанна"
PDF = b"%PDF-1.7\n%%EOF"


def dicom_case(folder: Path) -> CaseResult:
    """The usual case of the tests, with its scans written to, and read from, DICOM files."""
    baseline = from_dicom(time_point(), folder / "baseline")
    later = time_point(
        day=FOLLOW_UP_DATE, volume_cm3=Estimate(0.6, 0.5, 0.75), radii_mm=(5.0, 3.5, 5.0)
    )
    case = case_result(baseline=baseline, follow_up=from_dicom(later, folder / "follow_up"))
    return replace(case, provenance={"weights_sha256": "0" * 64, "definitions": 1})


def from_dicom(point: TimePoint, folder: Path) -> TimePoint:
    """The date with its scan as files would give it."""
    assert point.scan.date is not None
    write_dicom_series(
        point.scan.image,
        folder,
        patient=point.scan.patient,
        patient_name=NAME,
        study_date=point.scan.date,
        uid_seed=f"case {point.scan.date}",
    )
    return replace(point, scan=read_study(folder))


def fragment(case: CaseResult, which: Which) -> Fragment:
    """The fragment of a date that has one."""
    found = point_of(case, which).fragment
    assert found is not None
    return found


def occupancy(case: CaseResult, which: Which) -> np.ndarray:
    """(slices, rows, columns), sagittal order, which is that of these files."""
    return sitk.GetArrayFromImage(fragment(case, which).occupancy)


def program(name: str) -> str:
    """Where a program lies; without it the test is skipped, but fails where `CI=true`."""
    found = shutil.which(name)
    if found:
        return found
    reason = f"no {name}: .ci/run installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
