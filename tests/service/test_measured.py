"""Cases that are kept, so that a corrected mask is measured at once."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
import SimpleITK as sitk

import mri_resorb.service.measured
from mri_resorb import follow_up
from mri_resorb.case import PlacedCase
from mri_resorb.correction import remeasure
from mri_resorb.errors import MaskError, ResultsError
from mri_resorb.io.result_folder import write_results
from mri_resorb.io.results import document
from mri_resorb.model import CaseResult
from mri_resorb.service.measured import KeptCases, remeasured

SAMPLE = Path(__file__).parents[2] / "sample_data" / "sequester-gone"
MOST_SECONDS = 2.0


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "result"
    write_results(follow_up(SAMPLE / "baseline", SAMPLE / "follow_up", level="L5-S1"), folder)
    return folder


@pytest.fixture(scope="module")
def placed(result: Path) -> PlacedCase:
    return KeptCases().placed(result)


@pytest.fixture
def smaller(result: Path, tmp_path: Path) -> Path:
    """The baseline's fragment without its outermost layer."""
    found = sitk.ReadImage(str(result / "baseline_fragment.nii.gz"))
    kept = sitk.BinaryErode(sitk.Cast(found >= 0.5, sitk.sitkUInt8), [1, 1, 0])
    sitk.WriteImage(kept, str(tmp_path / "smaller.nii.gz"))
    return tmp_path / "smaller.nii.gz"


def figures(case: CaseResult) -> dict[str, Any]:
    made = cast(dict[str, Any], json.loads(document(case).to_json()))
    del made["provenance"]["run_seconds"]
    if made["review"]:
        del made["review"]["at"]
    return made


def test_a_kept_case_gives_the_figures_of_the_command_in_two_seconds(
    placed: PlacedCase, result: Path, smaller: Path
) -> None:
    began = time.process_time()  # not that of the wall: other programs may keep the machine busy
    made = remeasured(placed, baseline_mask=smaller, reviewed_by="A. Reader")
    assert time.process_time() - began < MOST_SECONDS
    assert made.automatic is not None
    again = remeasure(result, baseline_mask=smaller, reviewed_by="A. Reader")
    assert figures(made) == figures(again)


def test_without_masks_it_is_the_automatic_result_again(placed: PlacedCase, result: Path) -> None:
    made = figures(remeasured(placed))
    assert made == figures(follow_up(SAMPLE / "baseline", SAMPLE / "follow_up", level="L5-S1"))
    assert made["automatic"] is None
    assert made["review"] is None


def test_a_mask_of_another_grid_is_refused(placed: PlacedCase, smaller: Path) -> None:
    mask = sitk.ReadImage(str(smaller))
    mask.SetOrigin([mask.GetOrigin()[0] + 1.0, *mask.GetOrigin()[1:]])
    sitk.WriteImage(mask, str(smaller))
    with pytest.raises(MaskError):
        remeasured(placed, baseline_mask=smaller)


class Placing:
    """Stands in for the placing, which takes seconds; counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.flaw: Exception | None = None
        monkeypatch.setattr(mri_resorb.service.measured, "place_again", self)

    def __call__(self, folder: Path) -> Any:
        self.done.append(folder.name)
        if self.flaw is not None:
            raise self.flaw
        return object()


@pytest.fixture
def placing(monkeypatch: pytest.MonkeyPatch) -> Placing:
    return Placing(monkeypatch)


def folders(result: Path, tmp_path: Path, *names: str) -> list[Path]:
    made = [tmp_path / name for name in names]
    for folder in made:
        folder.mkdir()
        (folder / "result.json").write_bytes((result / "result.json").read_bytes())
    return made


def test_the_last_used_are_kept(result: Path, tmp_path: Path, placing: Placing) -> None:
    a, b, c = folders(result, tmp_path, "a", "b", "c")
    kept = KeptCases(most=2)
    first = kept.placed(a)
    for folder in (b, a, c, a):
        kept.placed(folder)
    assert kept.placed(a) is first
    assert placing.done == ["a", "b", "c"]
    kept.placed(b)
    assert placing.done == ["a", "b", "c", "b"]


def test_a_case_that_was_measured_otherwise_is_placed_again(
    result: Path, tmp_path: Path, placing: Placing
) -> None:
    (folder,) = folders(result, tmp_path, "a")
    kept = KeptCases()
    kept.placed(folder)
    measured = json.loads((folder / "result.json").read_text("utf-8"))
    measured["provenance"]["parameters"]["baseline_mask"] = True
    (folder / "result.json").write_text(json.dumps(measured), encoding="utf-8")
    kept.placed(folder)  # a mask changes nothing of it
    assert placing.done == ["a"]
    measured["provenance"]["parameters"]["level"] = "L4-L5"
    (folder / "result.json").write_text(json.dumps(measured), encoding="utf-8")
    kept.placed(folder)
    assert placing.done == ["a", "a"]


def test_those_who_ask_at_once_wait_for_one_placing(
    result: Path, tmp_path: Path, placing: Placing
) -> None:
    (folder,) = folders(result, tmp_path, "a")
    kept, together = KeptCases(), Barrier(4)

    def ask(_: int) -> object:
        together.wait()
        return kept.placed(folder)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, range(4)))
    assert len(set(map(id, found))) == 1
    assert placing.done == ["a"]


def test_what_failed_is_tried_anew(result: Path, tmp_path: Path, placing: Placing) -> None:
    (folder,) = folders(result, tmp_path, "a")
    kept = KeptCases()
    placing.flaw = ResultsError("The studies are gone.")
    with pytest.raises(ResultsError):
        kept.placed(folder)
    placing.flaw = None
    assert kept.placed(folder) is not None
