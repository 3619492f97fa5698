"""The tables and the page of a batch, from results on disk."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from case_results import UNKNOWN, absent, case_result, changed, refused
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from mri_resorb.batch.journal import WORK_NAME, Outcome
from mri_resorb.batch.report.waterfall import HEIGHT, LEFT, WIDTH, waterfall
from mri_resorb.batch.results import COLUMNS, write_tables
from mri_resorb.cohort.read import read_results
from mri_resorb.io.results import EstimateDocument, document
from mri_resorb.model import CaseResult, Remark

CASES = {
    "halved": case_result(),
    "gone & <away>": case_result(
        follow_up=absent(), change=changed((97.0, 80.0, 100.0), band="complete")
    ),
    "grown": case_result(change=changed((-250.0, -400.0, -120.0), verdict="increased", band=None)),
    "refused": case_result(
        follow_up=refused(), change=UNKNOWN, reasons=(Remark("fragment-at-edge"),)
    ),
}
FAILURE = Outcome("z <bad>", "", "failed", "reading", "Baseline: a file & its flaw.", "Flaw")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    write(tmp_path, CASES)
    outcomes = [*(Outcome(name, "", "done") for name in CASES), FAILURE]
    assert write_tables(outcomes, output=tmp_path) == (4, 1)
    return tmp_path


def write(output: Path, cases: dict[str, CaseResult]) -> None:
    (output / WORK_NAME).mkdir()
    for name, case in cases.items():
        (output / name).mkdir()
        (output / name / "result.json").write_text(document(case).to_json(), encoding="utf-8")
        (output / name / "case.txt").write_text("")
    Image.new("RGB", (1600, 800), "red").save(output / "halved" / "overlay.png")
    (output / "halved" / "report.html").write_text("")


class Page(HTMLParser):
    """What a page links to, shows and asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.sources: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            if name == "src" or (name == "href" and tag != "a"):
                self.sources.append(value or "")
            if name == "id":
                self.ids.add(value or "")


def test_the_cohort_reads_the_same_from_the_table_as_from_the_documents(output: Path) -> None:
    table = {case.name: case for case in read_results(output / "results.csv").cases}
    folder = {case.name: case for case in read_results(output).cases}
    assert set(table) == set(folder) == set(CASES)
    for name, case in table.items():
        there = folder[name]
        assert case.verdict == there.verdict
        assert case.resorption_percent == there.resorption_percent
        assert (case.baseline_cm3, case.follow_up_cm3) == (there.baseline_cm3, there.follow_up_cm3)
        assert (case.level, case.type, case.interval_days) == (
            there.level,
            there.type,
            there.interval_days,
        )


def test_parquet_holds_what_csv_holds(output: Path) -> None:
    with (output / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(output / "results.parquet")
    assert table.column_names == list(COLUMNS) == list(rows[0])
    for row, same in zip(rows, table.to_pylist(), strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in same.items()}
    assert str(table.schema.field("resorption_low_percent").type) == "double"
    assert str(table.schema.field("interval_days").type) == "int64"


def test_a_refused_figure_is_an_empty_cell(output: Path) -> None:
    with (output / "results.csv").open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["case"] == "refused")
    assert row["verdict"] == "undetermined"
    assert row["reasons"] == "fragment-at-edge"
    for name in ("resorption_percent", "absolute_cm3", "follow_up_volume_cm3", "follow_up_ap_cm"):
        assert row[name] == ""


def test_tables_name_no_patient(output: Path) -> None:
    for name in ("results.csv", "failed.csv", "report.html"):
        assert "P1" not in (output / name).read_text(encoding="utf-8")


def test_the_page_asks_for_nothing_and_links_to_what_is_there(output: Path) -> None:
    text = (output / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(source.startswith("data:") for source in page.sources)
    assert not re.search(r"https?://", text)
    assert "halved/report.html" in page.links
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            from urllib.parse import unquote

            assert (output / unquote(link)).is_file()
    assert sum(source.startswith("data:image/jpeg") for source in page.sources) == 1


def test_the_page_has_failures_on_top_and_words_as_words(output: Path) -> None:
    text = (output / "report.html").read_text(encoding="utf-8")
    assert "gone &amp; &lt;away&gt;" in text
    assert "<away>" not in text
    assert text.index("z &lt;bad&gt;") < text.index("<svg") < text.index("halved/report.html")
    assert "a file &amp; its flaw." in text
    assert "touches" in text or "reaches" in text  # why one was refused


def test_without_any_result_the_tables_have_their_heads(tmp_path: Path) -> None:
    (tmp_path / WORK_NAME).mkdir()
    assert write_tables([FAILURE], output=tmp_path) == (0, 1)
    assert (tmp_path / "results.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert parquet.read_table(tmp_path / "results.parquet").num_rows == 0
    assert "<svg" not in (tmp_path / "report.html").read_text(encoding="utf-8")


percents = st.floats(-1000, 100)


@given(st.dictionaries(st.text(max_size=3), st.tuples(percents, percents, percents), max_size=40))
def test_every_bar_lies_in_the_picture_and_none_hides_its_sign(
    drawn: dict[str, tuple[float, float, float]],
) -> None:
    estimates = {}
    for name, three in drawn.items():
        low, value, high = sorted(three)
        estimates[name] = EstimateDocument(low=low, value=value, high=high)
    plot = waterfall(estimates)
    assert sorted(bar.case for bar in plot.bars) == sorted(estimates)
    assert [estimates[bar.case].value for bar in plot.bars] == sorted(
        estimate.value for estimate in estimates.values()
    )
    for bar in plot.bars:
        estimate = estimates[bar.case]
        assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH
        assert 0 <= bar.high_y <= bar.low_y <= HEIGHT
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT + 0.01
        grows = estimate.value < 0
        assert (bar.y >= plot.zero_y) if grows else (bar.y + bar.height <= plot.zero_y + 0.01)
        assert bar.cut == (estimate.value < -100)
