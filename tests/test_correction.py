"""Masks that a person corrected: what is measured, kept, said and refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import SimpleITK as sitk
from dicom_case import dicom_case
from typer.testing import CliRunner, Result

from mri_resorb.cli import app
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.result_folder import write_results
from mri_resorb.io.results import FollowUpDocument
from mri_resorb.io.studies import read_study

SAMPLE = Path(__file__).parents[1] / "sample_data" / "sequester-gone"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample case as `run` leaves it, for `remeasure` to copy."""
    output = tmp_path_factory.mktemp("measured") / "result"
    arguments = ["run", str(SAMPLE / "baseline"), str(SAMPLE / "follow_up")]
    done = CliRunner().invoke(app, [*arguments, "--level", "L5-S1", "--output", str(output)])
    assert done.exit_code == 0, done.output
    return output


@pytest.fixture
def result(measured: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(measured, tmp_path / "result"))


@pytest.fixture
def smaller(result: Path, tmp_path: Path) -> Path:
    """The baseline's fragment without its outermost layer, as a person might save it."""
    found = sitk.ReadImage(str(result / "baseline_fragment.nii.gz"))
    kept = sitk.BinaryErode(sitk.Cast(found >= 0.5, sitk.sitkUInt8), [1, 1, 0])
    sitk.WriteImage(kept, str(tmp_path / "smaller.nii.gz"))
    return tmp_path / "smaller.nii.gz"


def remeasure(folder: Path, *options: str | Path) -> Result:
    return CliRunner().invoke(app, ["remeasure", str(folder), *map(str, options)])


def read(folder: Path) -> FollowUpDocument:
    return FollowUpDocument.model_validate_json((folder / "result.json").read_text("utf-8"))


def test_the_mask_is_measured_and_the_automatic_figures_stay_beside(
    result: Path, smaller: Path, tmp_path: Path
) -> None:
    before = read(result)
    moved = shutil.copytree(SAMPLE / "baseline", tmp_path / "moved")
    done = remeasure(
        *(result, "--baseline-mask", smaller, "--baseline", moved),
        *("--reviewed-by", "A. Reader"),
    )
    assert done.exit_code == 0, done.output
    after = read(result)
    mask = sitk.ReadImage(str(smaller))
    volume_cm3 = sitk.GetArrayFromImage(mask).sum() * 0.001
    for edge_mm in mask.GetSpacing():
        volume_cm3 *= edge_mm
    assert after.baseline.volume_cm3 is not None
    assert after.baseline.volume_cm3.value == pytest.approx(volume_cm3, rel=1e-6)
    assert (after.baseline.mask_source, after.follow_up.mask_source) == ("person", "automatic")
    assert after.automatic is not None
    assert after.automatic.baseline.volume_cm3 == before.baseline.volume_cm3
    assert after.automatic.change == before.change
    assert after.review is not None
    assert after.review.by == "A. Reader"
    assert "Corrected:" in done.stdout
    assert "Automatic:" in done.stdout


def test_a_second_correction_keeps_the_first(result: Path, smaller: Path) -> None:
    assert remeasure(result, "--baseline-mask", smaller).exit_code == 0
    first = read(result).baseline.volume_cm3
    assert first is not None
    kept = result / "follow_up_fragment.nii.gz"  # in place, as one saves what one has opened
    assert remeasure(result, "--follow-up-mask", kept).exit_code in (0, 3)
    after = read(result)
    assert after.baseline.volume_cm3 is not None
    assert after.baseline.volume_cm3.value == first.value
    assert (after.baseline.mask_source, after.follow_up.mask_source) == ("person", "person")
    assert after.review is not None
    assert after.review.by is None


def test_other_studies_than_those_measured_are_refused(result: Path, smaller: Path) -> None:
    before = (result / "result.json").read_bytes()
    other = SAMPLE.parent / "extrusion-unchanged"
    done = remeasure(
        *(result, "--baseline-mask", smaller, "--baseline", other / "baseline"),
        *("--follow-up", other / "follow_up"),
    )
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert (result / "result.json").read_bytes() == before


def test_files_that_changed_are_not_the_ones_measured(result: Path, smaller: Path) -> None:
    measured = json.loads((result / "result.json").read_text("utf-8"))
    measured["provenance"]["input_sha256"]["baseline"][0] = "0" * 64
    (result / "result.json").write_text(json.dumps(measured), encoding="utf-8")
    done = remeasure(result, "--baseline-mask", smaller)
    assert done.exit_code == 1
    assert "not the ones" in done.stderr


def test_studies_that_are_gone_are_asked_for(result: Path, smaller: Path) -> None:
    inputs = json.loads((result / "inputs.json").read_text("utf-8"))
    inputs["baseline"]["study"] = str(result / "gone")
    (result / "inputs.json").write_text(json.dumps(inputs), encoding="utf-8")
    done = remeasure(result, "--baseline-mask", smaller)
    assert done.exit_code == 1
    assert "--baseline" in done.stderr


def test_where_the_studies_lay_is_for_the_owner_alone(result: Path) -> None:
    assert (result / "inputs.json").stat().st_mode & 0o077 == 0
    assert str(SAMPLE) not in (result / "result.json").read_text("utf-8")


def test_without_a_mask_the_command_is_off(result: Path) -> None:
    assert remeasure(result).exit_code == 2


def test_a_folder_without_result_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mask.nii.gz").touch()
    done = remeasure(tmp_path, "--baseline-mask", tmp_path / "mask.nii.gz")
    assert done.exit_code == 1
    assert "result.json" in done.stderr


def test_a_mask_of_another_grid_is_refused_and_the_result_stays(
    result: Path, smaller: Path
) -> None:
    before = (result / "result.json").read_bytes()
    mask = sitk.ReadImage(str(smaller))
    mask.SetOrigin([mask.GetOrigin()[0] + 1.0, *mask.GetOrigin()[1:]])
    sitk.WriteImage(mask, str(smaller))
    done = remeasure(result, "--baseline-mask", smaller)
    assert done.exit_code == 1
    assert "grid" in done.stderr
    assert (result / "result.json").read_bytes() == before


def test_a_drawn_mask_is_kept_as_it_was_given(tmp_path: Path) -> None:
    case = dicom_case(tmp_path / "studies")
    assert case.baseline.fragment is not None
    drawn = case.baseline.fragment.occupancy
    write_results(replace(case, baseline=replace(case.baseline, drawn=drawn)), tmp_path / "result")
    scan = read_study(tmp_path / "studies" / "baseline")
    assert scan.date == date(2018, 11, 5)
    kept = read_fragment_mask(tmp_path / "result" / "baseline_drawn.nii.gz", scan=scan)
    assert (sitk.GetArrayFromImage(kept) == sitk.GetArrayFromImage(drawn)).all()
    assert not (tmp_path / "result" / "follow_up_drawn.nii.gz").exists()
