"""A case as a BIDS dataset: valid by the BIDS validator, the same figures, nobody's name."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from case_results import UNKNOWN, case_result, refused

from mri_resorb.errors import OutputError
from mri_resorb.io.bids import subject_label, write_bids
from mri_resorb.io.results import document
from mri_resorb.model import CaseResult, Patient, Remark

MEASURED = case_result()
REFUSED = case_result(follow_up=refused(), change=UNKNOWN, reasons=(Remark("fragment-at-edge"),))
VALIDATOR = "bids-validator-deno"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
"""Where it may be: beside the interpreter, in an environment that is not activated, too."""


def dataset(case: CaseResult, folder: Path, subject: str = "k7") -> Path:
    write_bids(case, folder / "bids", subject=subject)
    return folder / "bids"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("case", [MEASURED, REFUSED], ids=["measured", "refused"])
def test_the_bids_validator_finds_no_error(case: CaseResult, tmp_path: Path) -> None:
    """The project's own validator: `pip install bids-validator-deno`."""
    program = shutil.which(VALIDATOR, path=PATH)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{VALIDATOR} is not installed")
        pytest.skip(f"{VALIDATOR} is not installed")
    done = subprocess.run(
        [program, "--format", "json", str(dataset(case, tmp_path))],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["subjects"] == ["k7"]
    assert found["summary"]["sessions"] == ["baseline", "followup"]
    issues = found["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert {issue["code"] for issue in issues} <= {"TOO_FEW_AUTHORS"}


def test_tables_hold_the_documents_figures(tmp_path: Path) -> None:
    folder, made = dataset(MEASURED, tmp_path), document(MEASURED)
    sessions = rows(folder / "sub-k7" / "sub-k7_sessions.tsv")
    for row, point in zip(sessions, (made.baseline, made.follow_up), strict=True):
        assert point.volume_cm3 is not None
        assert float(row["volume_cm3"]) == point.volume_cm3.value
        assert float(row["volume_cm3_low"]) == point.volume_cm3.low
        assert row["type"] == point.type
    assert float(sessions[0]["volume_sd_boundary_cm3"]) == 0.1
    assert [row["days_from_baseline"] for row in sessions] == ["0", "89"]
    (change,) = rows(folder / "phenotype" / "resorption.tsv")
    assert made.change.resorption_percent is not None
    assert float(change["resorption_percent"]) == made.change.resorption_percent.value
    assert change["verdict"] == "decreased"


def test_occupancy_is_the_measured_one_in_the_series_own_grid(tmp_path: Path) -> None:
    folder = dataset(MEASURED, tmp_path)
    stem = "sub-k7_ses-baseline_space-orig"
    anat = folder / "sub-k7" / "ses-baseline" / "anat"
    read = nib.load(anat / f"{stem}_label-fragment_probseg.nii.gz")
    point = MEASURED.baseline
    assert point.fragment is not None
    native = sitk.DICOMOrient(point.fragment.occupancy, point.scan.native_orientation)
    np.testing.assert_array_equal(
        np.asanyarray(read.dataobj).transpose(2, 1, 0), sitk.GetArrayFromImage(native)
    )
    voxel_cm3 = abs(float(np.linalg.det(read.affine[:3, :3]))) / 1000
    assert voxel_cm3 == pytest.approx(np.prod(native.GetSpacing()) / 1000, rel=1e-5)


def test_a_date_without_figures_has_none_and_no_mask(tmp_path: Path) -> None:
    folder = dataset(REFUSED, tmp_path)
    session = rows(folder / "sub-k7" / "sub-k7_sessions.tsv")[1]
    assert session["status"] == "undetermined"
    assert session["volume_cm3"] == session["type"] == "n/a"
    assert not list(folder.rglob("*followup*probseg*"))
    (change,) = rows(folder / "phenotype" / "resorption.tsv")
    assert change["resorption_percent"] == "n/a"
    assert change["reasons"] == "fragment-at-edge"


def test_nothing_in_it_names_the_patient(tmp_path: Path) -> None:
    named = replace(MEASURED, patient=Patient(id="DOE-4711", sex="F", age_years=93))
    folder = dataset(named, tmp_path, subject_label(named))
    for path in folder.rglob("*"):
        assert "4711" not in path.name
        if path.is_file() and path.suffix != ".gz":
            text = path.read_text(encoding="utf-8")
            for identifying in ("DOE", *(str(day) for day in dates(named))):
                assert identifying not in text, path.name
    (participant,) = rows(folder / "participants.tsv")
    assert participant["age"] == "89"


def dates(case: CaseResult) -> list[date]:
    found = [case.baseline.scan.date, case.follow_up.scan.date]
    return [day for day in found if day is not None]


def of_files(*digests: str, patient: str = "A") -> CaseResult:
    scan = replace(MEASURED.baseline.scan, sha256=digests)
    return replace(
        MEASURED, patient=Patient(id=patient), baseline=replace(MEASURED.baseline, scan=scan)
    )


def test_the_label_is_the_images_and_not_the_patients() -> None:
    assert subject_label(of_files("aa", "bb")) == subject_label(of_files("bb", "aa", patient="B"))
    assert subject_label(of_files("aa")) != subject_label(of_files("cc"))
    assert subject_label(of_files("aa")).isalnum()
    assert subject_label(of_files("aa"), given="Case7") == "Case7"


@pytest.mark.parametrize("label", ["", "a-b", "a_b", "../x", "Ж", "a b"])
def test_a_label_that_bids_does_not_take_is_refused(label: str) -> None:
    with pytest.raises(OutputError, match="--subject"):
        subject_label(MEASURED, given=label)
