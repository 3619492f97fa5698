from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from case_results import UNKNOWN, case_result, refused
from typer.testing import CliRunner, Result

import mri_resorb.case
from mri_resorb import __version__
from mri_resorb.cli import app
from mri_resorb.errors import NoStudyError
from mri_resorb.model import CaseResult, Level, Remark, StudyInput

CASE = case_result()
UNDETERMINED = case_result(
    follow_up=refused(),
    change=UNKNOWN,
    reasons=(Remark("fragment-at-edge"),),
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `follow_up` was called with; it answers with a measured case."""
    return answer_with(CASE, monkeypatch)


def answer_with(
    answer: CaseResult | Callable[[], CaseResult], monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def follow_up(baseline: StudyInput, follow_up: StudyInput, **options: Any) -> CaseResult:
        calls.append({"baseline": baseline, "follow_up": follow_up} | options)
        return answer() if callable(answer) else answer

    monkeypatch.setattr(mri_resorb.case, "follow_up", follow_up)
    return calls


@pytest.fixture(autouse=True)
def _plain_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MRI_RESORB_DEBUG", raising=False)


def run(output: Path, *options: str, level: str = "L3-L4") -> Result:
    arguments = ["run", "before", "after", "--level", level, "--output", str(output), *options]
    return CliRunner().invoke(app, arguments)


def test_case_text_is_printed_and_everything_written(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    result = run(tmp_path / "out")
    assert result.exit_code == 0
    written = (tmp_path / "out" / "case.txt").read_text(encoding="utf-8")
    assert result.stdout.startswith(written)
    assert str(tmp_path / "out") in result.stdout
    assert "overlay.png" in result.stdout
    assert result.stderr == ""


def test_words_come_in_the_language_asked_for_and_the_document_stays(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    documents = []
    for language, word in (("en", "Patient: "), ("ru", "Пациент: "), ("kk", "Пациент: Ер адам")):
        output = tmp_path / language
        result = run(output, "--language", language)
        assert result.stdout.startswith(word)
        assert (output / "case.txt").read_text(encoding="utf-8").startswith(word)
        documents.append((output / "result.json").read_text(encoding="utf-8"))
    assert len(set(documents)) == 1
    assert run(tmp_path / "out", "--language", "kz").exit_code == 2


def test_json_prints_the_document_and_nothing_else(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    result = run(tmp_path / "out", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["change"]["resorption_percent"]["value"] == 50.0
    assert result.stdout == (tmp_path / "out" / "result.json").read_text(encoding="utf-8")


def test_every_option_reaches_the_comparison(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    result = run(
        tmp_path / "out",
        *("--disc-at", "-3.5,20,-15e1"),
        *("--baseline-date", "2018-11-05", "--follow-up-date", "2019-02-02"),
        *("--sex", "f", "--age", "0"),
        *("--baseline-series", "1.2", "--follow-up-series", "1.3"),
        *("--baseline-mask", "b.nii.gz", "--follow-up-mask", "f.seg.nrrd"),
        *("--baseline-anatomy", "total.nii.gz", "--baseline-anatomy", "names.nii.gz"),
        *("--follow-up-anatomy", "spine.mha", "--anatomy-labels", "spider"),
        "--allow-same-date",
        "--allow-different-patients",
        level="l3–L4",
    )
    assert result.exit_code == 0, result.stderr
    assert calls == [
        {
            "baseline": StudyInput(
                Path("before"),
                "1.2",
                date(2018, 11, 5),
                Path("b.nii.gz"),
                (Path("total.nii.gz"), Path("names.nii.gz")),
            ),
            "follow_up": StudyInput(
                Path("after"),
                "1.3",
                date(2019, 2, 2),
                Path("f.seg.nrrd"),
                (Path("spine.mha"),),
            ),
            "level": Level.L3_L4,
            "disc_at": (-3.5, 20.0, -150.0),
            "sex": "F",
            "age_years": 0,
            "anatomy_labels": "spider",
            "allow_same_date": True,
            "allow_different_patients": True,
        }
    ]


def test_the_layout_of_the_command_overrules_the_pipelines(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    assert run(tmp_path / "plain", "--pipeline", "research", "--layout", "plain").exit_code == 0
    assert not (tmp_path / "plain" / "bids").exists()
    result = run(tmp_path / "both", "--layout", "bids", "--subject", "Case7")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "both" / "bids" / "sub-Case7" / "ses-followup").is_dir()
    assert "BIDS derivatives dataset" in result.stdout
    refused = run(tmp_path / "none", "--layout", "bids", "--subject", "Doe, Jane")
    assert refused.exit_code == 1
    assert "--subject" in refused.stderr
    assert not (tmp_path / "none").exists()


def test_options_that_are_not_given_overrule_nothing(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    run(tmp_path / "out")
    given = {"baseline", "follow_up", "level"}
    assert all(not value for name, value in calls[0].items() if name not in given)


def test_a_refused_number_ends_with_3_and_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(UNDETERMINED, monkeypatch)
    result = run(tmp_path / "out")
    assert result.exit_code == 3
    assert "undetermined (The fragment reaches the first or last slice" in result.stdout
    made = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert made["status"] == "undetermined"


def refuse() -> CaseResult:
    raise NoStudyError("before holds no DICOM file;\ngive another folder.")


def test_unusable_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(refuse, monkeypatch)
    for options in ((), ("--json",)):
        result = run(tmp_path / "out", *options)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr == "mri-resorb: before holds no DICOM file; give another folder.\n"
        assert list(tmp_path.iterdir()) == []


def crash() -> CaseResult:
    raise KeyError("Doe^Jane")


def test_a_bug_is_one_line_that_names_no_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_with(crash, monkeypatch)
    result = run(tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "bug" in result.stderr
    assert "KeyError at test_cli.py:" in result.stderr
    assert "Doe" not in result.stderr
    monkeypatch.setenv("MRI_RESORB_DEBUG", "1")
    assert isinstance(run(tmp_path / "out").exception, KeyError)


def test_what_libraries_warn_of_stays_off_the_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chatter() -> CaseResult:
        import logging
        import warnings

        warnings.warn("Invalid value 'Doe^Jane'", stacklevel=1)
        logging.getLogger("pydicom").warning("Doe^Jane")
        return CASE

    answer_with(chatter, monkeypatch)
    assert run(tmp_path / "out").stderr == ""


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ((), "L6-S1"),
        ((), "C5-C6"),
        (("--disc-at", "1,2"), "L4-L5"),
        (("--disc-at", "1,2,x"), "L4-L5"),
        (("--disc-at", "1,2,nan"), "L4-L5"),
        (("--baseline-date", "05.11.2018"), "L4-L5"),
        (("--follow-up-date", "2019-02-30"), "L4-L5"),
        (("--sex", "unknown"), "L4-L5"),
        (("--age", "-1"), "L4-L5"),
        (("--age", "forty"), "L4-L5"),
        (("--what",), "L4-L5"),
    ],
)
def test_words_that_are_off_end_with_2(
    tmp_path: Path, calls: list[dict[str, Any]], options: tuple[str, ...], level: str
) -> None:
    result = run(tmp_path / "out", *options, level=level)
    assert result.exit_code == 2
    assert "Error" in result.stderr
    assert calls == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", ["L4-L5", "L4/5", "L4–L5", "l4l5", "L4—5", " l4 - l5 "])
def test_usual_spellings_of_a_level(
    tmp_path: Path, calls: list[dict[str, Any]], level: str
) -> None:
    assert run(tmp_path / "out", level=level).exit_code == 0
    assert calls[0]["level"] is Level.L4_L5


@pytest.mark.parametrize("place", ["", "results", "a/b"])
def test_results_never_go_into_a_study(
    tmp_path: Path, calls: list[dict[str, Any]], place: str
) -> None:
    study = tmp_path / "after"
    study.mkdir()
    (study / "image").write_text("")
    arguments = ["run", "before", str(study), "--level", "L4-L5", "--output", str(study / place)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "lies in the study" in result.stderr
    assert calls == []
    assert [path.name for path in study.iterdir()] == ["image"]


def test_results_may_stand_beside_the_studies(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "image").write_text(name)
    studies = [str(tmp_path / "before"), str(tmp_path / "after")]
    arguments = ["run", *studies, "--level", "L4-L5", "--output", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (tmp_path / "after" / "image").read_text() == "after"


def test_a_mask_that_is_read_is_not_overwritten(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    assert run(tmp_path / "out").exit_code == 0
    mask = tmp_path / "out" / "follow_up_fragment.nii.gz"
    mask.write_text("mended by hand")
    result = run(tmp_path / "out", "--follow-up-mask", str(mask))
    assert result.exit_code == 1
    assert "would be overwritten" in result.stderr
    assert mask.read_text() == "mended by hand"


def test_output_that_is_a_file_is_refused_before_the_work(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    (tmp_path / "out").write_text("mine")
    result = run(tmp_path / "out")
    assert result.exit_code == 1
    assert "is a file" in result.stderr
    assert calls == []
    assert (tmp_path / "out").read_text() == "mine"


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"mri-resorb {__version__}\n")


def test_help_loads_no_imaging_library() -> None:
    heavy = {"SimpleITK", "matplotlib", "numpy", "onnxruntime", "pydicom", "scipy"}
    script = (
        "import sys; from mri_resorb.cli import app\n"
        "try: app(['run', '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        f"loaded = {heavy!r} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    assert "--level" in done.stdout
