"""The page: what it says, what it must not say, and its plots."""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from case_results import FOLLOW_UP_DATE, absent, case_result, changed, refused, time_point
from html_pages import CASES, REASON, having, local, page, parsed, refused_case, text_of

from mri_resorb.languages import Language
from mri_resorb.model import Estimate, Level, Patient, Review, Trajectory
from mri_resorb.outputs import CHOSEN, HTML_NAME
from mri_resorb.report.html import plots
from mri_resorb.report.html.page import _environment, html_report, trajectory_report
from mri_resorb.report.html.stacks import stacks


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("language", Language)
def test_page_is_valid_and_of_its_language(name: str, language: Language) -> None:
    document = parsed(page(name, language))
    assert document.get("lang") == language
    identifiers = [e.get("id") for e in document.iter() if e.get("id")]
    assert len(identifiers) == len(set(identifiers))
    headings = [int(local(e)[1]) for e in document.iter() if re.fullmatch("h[1-6]", local(e))]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))


@pytest.mark.parametrize("name", CASES)
def test_everything_that_is_pictured_or_set_has_a_name(name: str) -> None:
    document = parsed(page(name))
    labelled = {label.get("for") for label in having(document, "label")}
    assert {e.get("id") for e in having(document, "input")} <= labelled
    for picture in having(document, "svg"):
        assert picture.get("aria-hidden") == "true" or (
            picture.get("role") == "img" and picture.get("aria-label")
        )
    names = {e.get("id") for e in document.iter()}
    for section in having(document, "section"):
        assert section.get("aria-labelledby") in names
    for link in having(document, "use"):
        assert (link.get("href") or "").lstrip("#") in names


@pytest.mark.parametrize("name", CASES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    document = parsed(page(name))
    for element in document.iter():
        for key, value in element.attrib.items():
            if str(key).rpartition("}")[2] in {"src", "href", "action", "data"}:
                assert value.startswith(("data:", "#")), value[:60]
    (policy,) = [e.get("content", "") for e in having(document, "meta") if e.get("http-equiv")]
    assert policy.startswith("default-src 'none'")
    for tag, source in (("script", "script-src"), ("style", "style-src")):
        (block,) = having(document, tag)
        digest = hashlib.sha256((block.text or "").encode()).digest()
        assert f"{source} 'sha256-{base64.b64encode(digest).decode()}'" in policy
        assert "url(" not in (block.text or "")
        assert "fetch" not in (block.text or "")


def test_figures_are_those_of_the_result() -> None:
    text = text_of(page("halved"))
    for said in (
        "Disc L3-L4: decreased beyond measurement error (50-100 % resorbed)",
        "Patient: Man, 50 years old".replace(": ", " "),
        "50 % 95 % interval 35 to 62 %",
        "1,20 (1,00 to 1,45)",
        "0,60 (0,50 to 0,75)",
        "Volume lost, cm³ 0,60 (0,45 to 0,75)",
        "Between the studies 89 days",
        "November 5, 2018",
        "The only sagittal T2 series." if "The only sagittal" in page("halved") else "Series",
        "not a medical device",
        "not a forecast",
        "Reformatted from the sagittal slices",
        "4,4 mm from right to left and 0,90 mm from front to back",
    ):
        assert said in text


@pytest.mark.parametrize("name", ["lost", "not wholly seen"])
def test_refused_says_why_first_and_gives_no_figure(name: str) -> None:
    text = text_of(page(name))
    reason = REASON.text().rstrip(".")
    assert "Disc L3-L4: undetermined No figure is given for the change" in " ".join(
        text.replace("Two lumbar MRI studies of one person, compared", "").split()
    )
    assert text.index(reason) < text.index("The case")
    document = parsed(page(name))
    panels = having(document, "figure", **{"class": "panel"})
    follow_up = [panel for panel in panels if panel.get("data-follows") == "2"]
    assert follow_up
    for panel in follow_up:
        assert not having(panel, "path", **{"class": "fragment"})
        assert "Not measured" in " ".join(panel.itertext())
    assert not having(document, "figure", **{"class": "change"})
    cells = [
        [" ".join("".join(td.itertext()).split()) for td in having(row, "td")]
        for table in having(document, "table")
        if table.get("aria-labelledby") == "measures-heading"
        for row in having(table, "tr")[2:]
    ]
    assert cells
    assert {row[-1] for row in cells} == {"–"}
    assert "Volume lost" not in text
    assert "resorbed;" not in page(name)


def test_a_date_whose_disc_was_not_found_is_shown_whole() -> None:
    sagittal, axial = stacks(refused_case())
    image = time_point().scan.image
    extent = np.multiply(image.GetSize(), image.GetSpacing())
    assert sagittal.follow_up.field_mm == pytest.approx(extent[:2].max())
    assert len(sagittal.follow_up.pictures) == image.GetSize()[2]
    assert not sagittal.aligned
    assert not axial.follow_up.pictures


def test_nobody_is_named() -> None:
    case = replace(
        CASES["halved"],
        patient=Patient(id="SECRET-7", sex="M", age_years=50),
        provenance={"parameters": {"level": "L3-L4", "disc_at": None}, "run_seconds": 3.0},
    )
    scan = replace(case.baseline.scan, patient=case.patient)
    case = replace(case, baseline=replace(case.baseline, scan=scan))
    assert "SECRET" not in html_report(case)


def test_trajectory_keeps_time_to_scale_and_leaves_gaps() -> None:
    days = [date(2024, 1, 1), date(2024, 1, 31), date(2024, 4, 30), date(2024, 12, 26)]
    estimates = [Estimate(1.5, 1.2, 1.9), Estimate(1.0, 0.8, 1.3), None, Estimate(0.1, 0.0, 0.2)]
    plot = plots.trajectory(list(zip(days, estimates, strict=True)))
    places = np.array([mark.x for mark in plot.marks])
    since = np.array([(day - days[0]).days for day in days])
    assert np.diff(places) / np.diff(since) == pytest.approx((places[-1] - places[0]) / since[-1])
    assert len(plot.lines) == 1
    assert plot.marks[2].y is None
    zero, top = plot.ticks[0].at, plot.ticks[-1].at
    for mark, estimate in zip(plot.marks, estimates, strict=True):
        if estimate is not None:
            assert mark.low is not None
            assert mark.high is not None
            assert top <= mark.high <= mark.low <= zero
            height = (zero - (mark.y or 0)) / (zero - top) * plot.ticks[-1].value
            assert height == pytest.approx(estimate.value)


def test_page_of_many_studies_shows_all_volumes() -> None:
    first, middle, last = (
        time_point(),
        refused(day=date(2018, 12, 1)),
        time_point(day=FOLLOW_UP_DATE),
    )
    comparisons = {
        (0, 1): refused_case(),
        (0, 2): case_result(baseline=first, follow_up=last),
        (1, 2): refused_case(),
    }
    made = trajectory_report(Trajectory(Level.L3_L4, Patient(), (first, middle, last), comparisons))
    document = parsed(made)
    (plot,) = [e for e in having(document, "svg") if "2018-12-01" in (e.get("aria-label") or "")]
    assert "2018-12-01: not measured" in plot.get("aria-label", "")
    assert len(having(plot, "circle")) == 2
    assert not having(plot, "path", **{"class": "link"})


def test_trajectory_without_all_dates_is_even() -> None:
    plot = plots.trajectory([(None, Estimate(1, 1, 1)), (date(2024, 1, 1), None), (None, None)])
    assert np.ptp(np.diff([mark.x for mark in plot.marks])) == pytest.approx(0)


@pytest.mark.parametrize("estimate", [(50.0, 35.0, 62.0), (-310.0, -900.0, -20.0), (100, 96, 100)])
def test_percent_plot_holds_its_interval(estimate: tuple[float, float, float]) -> None:
    plot = plots.percent_plot(Estimate(*estimate))
    at = {tick.value: tick.at for tick in plot.ticks}
    assert at[0.0] == pytest.approx(plot.nothing_at)
    assert 0 <= plot.bar.low <= plot.bar.at <= plot.bar.high <= plots.WIDTH
    scale = (at[100.0] - at[0.0]) / 100
    assert plot.bar.at == pytest.approx(at[0.0] + scale * estimate[0])
    assert len(plot.ticks) <= 10


def test_corrected_masks_stand_beside_the_automatic_figures() -> None:
    case = CASES["halved"]
    drawn = replace(case.baseline, drawn=case.baseline.scan.image)
    automatic = case_result(baseline=time_point(volume_cm3=Estimate(1.4, 1.1, 1.7)))
    review = Review(by="Dr A. Reader", at=datetime(2024, 3, 1, 12, tzinfo=UTC))
    text = text_of(html_report(replace(case, baseline=drawn, automatic=automatic, review=review)))
    assert "Volume found without the masks, cm³ 1,40 (1,10 to 1,70)" in text
    assert "drawn by a person found by the network" in text
    assert "March 1, 2024, by Dr A. Reader" in text


def test_context_is_of_the_type_at_baseline_with_its_sources() -> None:
    text = text_of(page("halved"))
    context = text[text.index("Published figures") :]
    assert "Extrusion as each paper defines it 67 % Zou 2024" in context
    assert "10.1097/BSD.0000000000001490" in context
    assert "Protrusion" not in context
    assert "Published" not in text_of(
        html_report(case_result(baseline=absent(day=date(2018, 11, 5)), change=changed(None)))
    )


def test_output_writes_the_page(tmp_path: Path) -> None:
    CHOSEN["html"].write(CASES["halved"], tmp_path, Language.EN)
    written = (tmp_path / HTML_NAME).read_text(encoding="utf-8")
    assert written.startswith("<!DOCTYPE html>")
    assert len(written) < 1_500_000


@pytest.fixture
def nowhere_to_keep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No folder for temporary files, as in a container that may not write."""
    _environment.cache_clear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    yield
    _environment.cache_clear()


@pytest.mark.usefixtures("nowhere_to_keep")
def test_page_is_made_where_compiled_templates_cannot_be_kept() -> None:
    assert "research and decision support" in text_of(html_report(case_result())).lower()
