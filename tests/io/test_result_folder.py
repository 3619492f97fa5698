from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from case_results import UNKNOWN, case_result, refused

from mri_resorb.errors import OutputError
from mri_resorb.io import result_folder
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.result_folder import check_output, write_results
from mri_resorb.languages import Language
from mri_resorb.model import CaseResult, Remark
from mri_resorb.outputs import DATES, OWN_NAMES, OutputName, bids

WHOLE = set(OWN_NAMES)
LEFT = {"result.json", "case.txt", "overlay.png", "bids"}
LEFT |= {f"{date}_{what}.nii.gz" for date in DATES for what in ("fragment", "anatomy")}
"""What a case of volume files leaves with a picture and a BIDS dataset."""
CASE = case_result()
REASON = Remark("fragment-at-edge")
HALF_CASE = case_result(follow_up=refused(), change=UNKNOWN, reasons=(REASON,))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def quick_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write small stand-ins, whose text names the case they are of, for the pictures and masks."""

    def write(
        case: CaseResult, folder: Path, *, outputs: Collection[OutputName], language: Language
    ) -> None:
        seconds = case.provenance["seconds"]
        for name in OWN_NAMES:
            if "follow_up" not in name or case.follow_up.fragment is not None:
                (folder / name).write_text(
                    json.dumps({"schema": "mri-resorb/follow-up/1", "run": seconds})
                )

    monkeypatch.setattr(result_folder, "_write_files", write)


def run_named(name: str, *, measured: bool = True) -> CaseResult:
    return replace(CASE if measured else HALF_CASE, provenance={"seconds": name})


def test_folder_holds_the_whole_result_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "made" / "here"
    write_results(CASE, output, outputs=("picture", bids(None)))
    assert {path.name for path in output.iterdir()} == LEFT
    made = json.loads((output / "result.json").read_text(encoding="utf-8"))
    for date, point in (("baseline", CASE.baseline), ("follow_up", CASE.follow_up)):
        assert point.fragment is not None
        mask = read_fragment_mask(output / made[date]["fragment_mask"], scan=point.scan)
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(point.fragment.occupancy)
        )
        labels = sitk.ReadImage(str(output / made[date]["anatomy_mask"]))
        assert labels.GetSize() == sitk.DICOMOrient(point.scan.image, "LPS").GetSize()
    assert (output / "case.txt").read_text(encoding="utf-8").startswith("Patient: Man")
    assert (output / "overlay.png").read_bytes().startswith(b"\x89PNG")


def test_earlier_files_do_not_outlive_their_result(tmp_path: Path) -> None:
    write_results(CASE, tmp_path, outputs=["picture", bids(None)])
    write_results(HALF_CASE, tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == LEFT - {"follow_up_fragment.nii.gz", "overlay.png", "bids"}


def test_other_files_of_the_user_stay(tmp_path: Path, quick_files: None) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "seen.txt").write_text("mine")
    (tmp_path / "drawn.nii.gz").write_text("mine too")
    write_results(run_named("first"), tmp_path)
    write_results(run_named("second"), tmp_path)
    assert (tmp_path / "notes" / "seen.txt").read_text() == "mine"
    assert (tmp_path / "drawn.nii.gz").read_text() == "mine too"
    assert "second" in (tmp_path / "case.txt").read_text()


@pytest.mark.parametrize("name", ["case.txt", "overlay.png", "result.json"])
def test_a_foreign_file_of_the_same_name_is_not_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"schema": "somebody else\'s"}')
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="not from a run"):
        write_results(CASE, tmp_path)
    assert contents(tmp_path) == before


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        check_output(tmp_path / "out")
    with pytest.raises(OutputError, match="cannot be written to"):
        check_output(tmp_path / "out" / "below")


def test_a_folder_that_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OutputError, match="cannot be written to"):
        check_output(tmp_path / "out")


@pytest.mark.parametrize("earlier", [True, False])
def test_a_failure_while_writing_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_files: None, earlier: bool
) -> None:
    output = tmp_path / "out"
    if earlier:
        write_results(run_named("first"), output)
    before = contents(tmp_path)

    def fill_disk(
        case: CaseResult, folder: Path, *, outputs: Collection[OutputName], language: Language
    ) -> None:
        (folder / "result.json").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(result_folder, "_write_files", fill_disk)
    with pytest.raises(OutputError, match="No space left"):
        write_results(run_named("second"), output)
    assert contents(tmp_path) == before
    assert output.exists() == earlier


class Killed(BaseException):
    """The process ended here."""


class Killer:
    """Lets `after` changes to the disk happen, then none any more, as a killed process would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
        self.left = after
        self.patch = monkeypatch
        for owner, name in (
            (Path, "replace"),
            (Path, "rename"),
            (Path, "unlink"),
            (Path, "rmdir"),
            (shutil, "rmtree"),
        ):
            monkeypatch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, change: object) -> object:
        assert callable(change)

        def changed(*arguments: object, **options: object) -> object:
            if self.left <= 0:
                raise Killed
            self.left -= 1
            return change(*arguments, **options)

        return changed


@pytest.mark.parametrize("earlier_measured", [True, False])
@pytest.mark.parametrize("later_measured", [True, False])
def test_a_killed_run_leaves_the_earlier_result_or_the_new_one(
    tmp_path: Path, quick_files: None, earlier_measured: bool, later_measured: bool
) -> None:
    clean = [tmp_path / "old", tmp_path / "new"]
    for folder, measured in zip(clean, (earlier_measured, later_measured), strict=True):
        write_results(run_named(folder.name, measured=measured), folder)
    old, new = (contents(folder) for folder in clean)

    outcomes = []
    for after in range(3 * len(OWN_NAMES)):
        output = tmp_path / f"killed_{after}"
        write_results(run_named("old", measured=earlier_measured), output)
        with pytest.MonkeyPatch.context() as patch:
            Killer(patch, after=after)
            try:
                write_results(run_named("new", measured=later_measured), output)
                finished = True
            except Killed:
                finished = False
        seen = {name: text for name, text in contents(output).items() if "/" not in name}
        if "result.json" in seen:  # never a result beside another one's files
            assert seen in (old, new)
        check_output(output)
        assert contents(output) in (old, new)
        outcomes.append(contents(output) == new)
        if finished:
            break
    assert finished
    assert outcomes[0] is False
    assert outcomes[-1] is True
    assert outcomes == sorted(outcomes)


def test_recovery_that_is_killed_too_can_be_repeated(tmp_path: Path, quick_files: None) -> None:
    write_results(run_named("old"), tmp_path / "clean")
    old = contents(tmp_path / "clean")
    for after in range(20):
        output = tmp_path / f"killed_{after}"
        write_results(run_named("old"), output)
        with pytest.MonkeyPatch.context() as patch:
            Killer(patch, after=10)  # in the middle of putting the new files in place
            with pytest.raises(Killed):
                write_results(run_named("new"), output)
        assert not (output / "result.json").exists()
        with pytest.MonkeyPatch.context() as patch:
            Killer(patch, after=after)
            with suppress(Killed):
                check_output(output)
        check_output(output)
        assert contents(output) == old
