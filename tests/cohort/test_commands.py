"""`cohort`, `agreement` and `claim` on the command line, and what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cohort_cases import write_result, write_undetermined
from PIL import Image
from typer.testing import CliRunner, Result

from mri_resorb.cli import app


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for k, percent in enumerate((90.0, 60.0, 30.0, 5.0, -10.0)):
        verdict = "decreased" if percent >= 30 else "no_change_beyond_error"
        write_result(folder / f"case-{k}", percent=percent, verdict=verdict, patient=f"P{k}")
    write_undetermined(folder / "case-u")
    return folder


def test_cohort_prints_tables_and_writes_nothing(results: Path) -> None:
    before = sorted(results.rglob("*"))
    made = run("cohort", results)
    assert made.exit_code == 0
    assert "Of 4 cases with any decrease, 1 are within measurement error." in made.stdout
    assert "Undetermined: 1." in made.stdout
    assert sorted(results.rglob("*")) == before


def test_cohort_json_holds_every_share(results: Path) -> None:
    document = json.loads(run("cohort", results, "--json").stdout)
    assert document["schema"] == "mri-resorb/cohort/1"
    assert document["undetermined"] == ["case-u"]
    shares = {
        entry["definition"]: (entry["resorbed"], entry["cases"])
        for entry in document["incidences"]
        if entry["grouping"] == "all"
    }
    assert shares == {
        "any-decrease": (4, 5),
        "beyond-error": (3, 5),
        "over-25": (3, 5),
        "over-50": (2, 5),
        "complete": (0, 5),
    }


def test_cohort_leaves_a_document_text_and_pictures(results: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    for _ in range(2):  # a second time in place of the first
        made = run("cohort", results, "--output", output, "--json")
        assert made.exit_code == 0
    names = ["cohort.json", "cohort.txt", "forest.png", "half-volume.png"]
    assert sorted(path.name for path in output.iterdir()) == names
    assert (output / "cohort.json").read_text(encoding="utf-8") == made.stdout
    for name in ("forest.png", "half-volume.png"):
        with Image.open(output / name) as picture:
            assert picture.width > 600


def test_a_file_of_the_users_is_not_overwritten(results: Path, tmp_path: Path) -> None:
    mine = tmp_path / "forest.png"
    mine.write_bytes(b"mine")
    made = run("cohort", results, "--output", tmp_path)
    assert made.exit_code == 1
    assert "forest.png is there and not from mri-resorb" in made.stderr
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "cohort.json").exists()


def test_a_bad_result_is_a_line_and_exit_code_3(results: Path) -> None:
    (results / "case-0" / "result.json").write_text("{", encoding="utf-8")
    made = run("cohort", results)
    assert made.exit_code == 3
    (line,) = made.stderr.splitlines()
    assert "case-0" in line


def test_a_cohort_without_any_herniation_is_refused_shares(tmp_path: Path) -> None:
    write_undetermined(tmp_path / "a")
    made = run("cohort", tmp_path)
    assert made.exit_code == 3
    assert "Undetermined: 1." in made.stdout


def test_no_results_are_one_line(tmp_path: Path) -> None:
    made = run("cohort", tmp_path / "none")
    assert (made.exit_code, len(made.stderr.splitlines())) == (1, 1)


def test_agreement_of_a_reader_and_the_software(results: Path, tmp_path: Path) -> None:
    reader = tmp_path / "reader.csv"
    rows = [f"case-{k},1.1,{left}" for k, left in enumerate((0.2, 0.5, 0.8, 1.0, 1.2))]
    reader.write_text(
        "\n".join(["case,baseline_volume_cm3,follow_up_volume_cm3", *rows]), encoding="utf-8"
    )
    output = tmp_path / "out"
    made = run("agreement", results, reader, "--output", output, "--json")
    assert made.exit_code == 0
    document = json.loads(made.stdout)
    assert document["only_in_a"] == ["case-u"]
    volume, left, percent = document["agreements"]
    assert (volume["figure"], left["figure"], percent["figure"]) == (
        "baseline_cm3",
        "follow_up_cm3",
        "resorption_percent",
    )
    assert volume["bland_altman"]["bias"]["value"] == pytest.approx(-0.1)
    assert volume["icc_agreement"] is None  # the software found 1 cm3 in every case
    assert left["icc_agreement"]["value"] > 0.9
    assert sorted(path.name for path in output.iterdir()) == [
        "agreement.json",
        "agreement.txt",
        "bland-altman.png",
    ]


def test_too_few_cases_in_common_are_refused(results: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.csv"
    two.write_text("case,baseline_volume_cm3\ncase-0,1\ncase-1,1\n", encoding="utf-8")
    assert run("agreement", results, two).exit_code == 3
    two.write_text("case,baseline_volume_cm3\nother,1\n", encoding="utf-8")
    made = run("agreement", results, two)
    assert made.exit_code == 1
    assert "no case name in common" in made.stderr


def test_claim_in_words_and_in_a_file(tmp_path: Path) -> None:
    words = run("claim", "Sequester 2x1 cm, complete resorption")
    assert words.exit_code == 0
    assert words.stdout.startswith("Stated: sequestration, size 2 x 1 cm, complete resorption")
    file = tmp_path / "claim.yaml"
    file.write_text("type: sequestration\nsize_cm: [2, 1]\nresult: complete\n", encoding="utf-8")
    assert run("claim", file).stdout == words.stdout
    assert json.loads(run("claim", file, "--json").stdout)["schema"] == "mri-resorb/claim/1"


def test_claims_that_cannot_be_checked() -> None:
    assert run("claim", "Happy patients").exit_code == 3
    assert run("claim", " ").exit_code == 1
    assert run("claim", "none.yaml").exit_code == 1
