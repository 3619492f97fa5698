"""The page: what it says, what it must not say, and where its pictures lie."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import pytest
import SimpleITK as sitk
from case_results import (
    BACK_OF_DISC,
    FOLLOW_UP_DATE,
    SAGITTAL,
    SPACING_MM,
    UNKNOWN,
    absent,
    blank,
    case_result,
    changed,
    ellipsoid,
    refused,
    time_point,
)
from PIL import Image

from mri_resorb.languages import Language
from mri_resorb.model import (
    CaseResult,
    Estimate,
    Fragment,
    Level,
    Patient,
    Remark,
    Review,
    TimePoint,
    Trajectory,
)
from mri_resorb.outputs import CHOSEN, HTML_NAME
from mri_resorb.report.html import encode, plots
from mri_resorb.report.html.page import _environment, html_report, trajectory_report
from mri_resorb.report.html.pieces import find_pieces
from mri_resorb.report.html.stacks import stacks

REASON = Remark("fragment-at-edge")


def parsed(page: str) -> Element:
    """The document; a parse error fails."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page)


def text_of(page: str) -> str:
    body = parsed(page).find("body")
    assert body is not None
    for script in list(body.iter("script")):
        script.text = ""
    return " ".join(" ".join(body.itertext()).split())


def local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def having(root: Element, name: str, **attributes: str) -> list[Element]:
    return [
        element
        for element in root.iter()
        if local(element) == name
        and all(value in element.get(key, "").split() for key, value in attributes.items())
    ]


def refused_case(*, found: bool = False) -> CaseResult:
    point = replace(refused(found=found), reason=REASON)
    return case_result(follow_up=point, change=UNKNOWN, reasons=(REASON,))


CASES = {
    "halved": case_result(),
    "absent": case_result(follow_up=absent(), change=changed((96.0, 80.0, 100.0), band="complete")),
    "grown": case_result(change=changed((-60.0, -140.0, -5.0), verdict="increased", band=None)),
    "lost": refused_case(),
    "not wholly seen": refused_case(found=True),
    "no dates": case_result(baseline=time_point(day=None), follow_up=time_point(day=None)),
}


@cache
def page(name: str, language: Language = Language.EN) -> str:
    return html_report(CASES[name], language=language)


def corners(path: str) -> np.ndarray:
    """Points of SVG path data, (n, 2) mm."""
    points = []
    for line in filter(None, path.split("M")):
        start, _, steps = line.rstrip("z").partition("l")
        moves = np.array(f"{start} {steps}".split(), float).reshape(-1, 2)
        points.append(np.cumsum(moves, axis=0))
    return np.concatenate(points) / encode.UNITS_PER_MM


def at_x(x_mm: float, *, day: date | None = None) -> TimePoint:
    """A fragment to the left (positive) or right of the middle of the body."""
    image = blank()
    point = time_point(image=image) if day is None else time_point(day=day, image=image)
    assert point.fragment is not None
    occupancy = ellipsoid(image, centre=(x_mm, 43.0, -15.0), radii_mm=(5.0, 4.0, 6.0))
    return replace(point, fragment=replace(point.fragment, occupancy=occupancy))


def turned_grid(degrees: float) -> sitk.Image:
    """Slices that lie turned about the transverse axis: the person lay differently."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    direction = (turn @ np.array(SAGITTAL).reshape(3, 3)).ravel()
    return blank(direction=tuple(direction), shape=(9, 130, 120), spacing_mm=(0.7, 0.7, 3.0))


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


def test_outline_lies_where_the_fragment_is() -> None:
    sagittal, axial = stacks(CASES["halved"])
    shown = sagittal.steps[sagittal.start].baseline
    assert shown is not None
    picture = sagittal.baseline.pictures[shown]
    # Behind the back of the disc, 10 mm deep and 14 mm high, in the slice 1.4 mm from its middle.
    points = corners(picture.outlines["fragment"])
    assert points.min(axis=0) == pytest.approx([0.0, -7.0], abs=0.35)
    assert points.max(axis=0) == pytest.approx([10.0, 7.0], abs=0.35)
    assert corners(picture.outlines["boundary"])[:, 0] == pytest.approx(0.0, abs=0.06)
    middle = axial.baseline.pictures[axial.steps[axial.start].baseline or 0]
    assert abs(middle.offset_mm) <= 1.0
    depth = corners(middle.outlines["fragment"])[:, 1]
    assert np.ptp(depth) == pytest.approx(10.0, abs=0.6)
    assert depth.min() == pytest.approx(corners(middle.outlines["boundary"])[0, 1], abs=0.35)


def test_pixels_lie_under_their_outlines() -> None:
    case = CASES["halved"]
    sagittal, _ = stacks(case)
    picture = sagittal.baseline.pictures[sagittal.steps[sagittal.start].baseline or 0]
    pixels = np.asarray(Image.open(io.BytesIO(decoded(picture.image))), float)
    pixel_mm = sagittal.baseline.field_mm / len(pixels)
    # Along a row through the fragment's middle the dark fragment ends where its outline does.
    row = pixels[len(pixels) // 2, len(pixels) // 2 :]
    bright = np.flatnonzero(row > (row[:20].min() + row.max()) / 2)
    after = bright[bright > 5.0 / pixel_mm][0]
    edge = corners(picture.outlines["fragment"])[:, 0].max()
    assert (after + 0.5) * pixel_mm == pytest.approx(edge, abs=0.6)


def test_a_turned_date_is_turned_back_and_keeps_its_scale() -> None:
    straight = CASES["halved"].baseline
    turned = time_point(day=FOLLOW_UP_DATE, image=turned_grid(12.0))
    sagittal, _ = stacks(case_result(baseline=straight, follow_up=turned))
    assert sagittal.aligned
    outlines = []
    for panel in (sagittal.baseline, sagittal.follow_up):
        fullest = max(panel.pictures.values(), key=lambda picture: picture.fragment_mm2)
        outlines.append(corners(fullest.outlines["fragment"]))
    before, after = outlines
    assert after.min(axis=0) == pytest.approx(before.min(axis=0), abs=0.5)
    assert after.max(axis=0) == pytest.approx(before.max(axis=0), abs=0.5)
    assert sagittal.follow_up.edges == ("A", "P", "H", "F")


@pytest.mark.parametrize(("x_mm", "side"), [(5.0, 1), (-11.0, -1)])
def test_axial_pictures_have_the_patients_right_on_the_left(x_mm: float, side: int) -> None:
    _, axial = stacks(case_result(baseline=at_x(x_mm)))
    picture = axial.baseline.pictures[axial.steps[axial.start].baseline or 0]
    place = corners(picture.outlines["fragment"])[:, 0]
    assert place.mean() == pytest.approx(x_mm - BACK_OF_DISC[0], abs=1.5)
    assert np.sign(place.mean()) == side
    assert axial.baseline.edges == ("R", "L", "A", "P")


@pytest.mark.parametrize("x_mm", [-11.8, 5.8])
def test_page_opens_where_most_of_the_fragment_is(x_mm: float) -> None:
    baseline = at_x(x_mm)
    sagittal, _ = stacks(case_result(baseline=baseline))
    expected = baseline.scan.image.TransformPhysicalPointToIndex((x_mm, 43.0, -15.0))[2]
    assert sagittal.steps[sagittal.start].baseline == expected


def test_both_dates_scroll_to_the_nearest_slices() -> None:
    fine = time_point(day=FOLLOW_UP_DATE, image=turned_grid(0.0))
    sagittal, _ = stacks(case_result(follow_up=fine))
    for step in sagittal.steps:
        for panel, number, apart in (
            (sagittal.baseline, step.baseline, SPACING_MM[2]),
            (sagittal.follow_up, step.follow_up, 3.0),
        ):
            if number is not None:
                away = abs(panel.pictures[number].offset_mm - step.offset_mm)
                assert away <= 0.6 * apart
    shown = {step.follow_up for step in sagittal.steps}
    assert shown >= set(range(fine.scan.image.GetSize()[2]))
    assert [s.offset_mm for s in sagittal.steps] == sorted(s.offset_mm for s in sagittal.steps)


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


@pytest.mark.parametrize(
    ("case", "colour"),
    [
        (CASES["absent"], encode.LOST_RGB),
        (
            case_result(
                baseline=absent(day=date(2018, 11, 5)), follow_up=time_point(day=FOLLOW_UP_DATE)
            ),
            encode.GAINED_RGB,
        ),
    ],
)
def test_change_map_colours_what_was_lost_or_gained(
    case: CaseResult, colour: tuple[int, int, int]
) -> None:
    sagittal, axial = stacks(case)
    with_fragment = next(p for p in (case.baseline, case.follow_up) if p.status == "measured")
    assert with_fragment.fragment is not None
    occupancy = sitk.GetArrayViewFromImage(with_fragment.fragment.occupancy)
    expected_mm3 = float(occupancy.sum()) * float(np.prod(SPACING_MM))
    assert sagittal.change is not None
    coloured_mm3 = 0.0
    for change in sagittal.change.values():
        if change.overlay is not None:
            pixels = np.asarray(Image.open(io.BytesIO(decoded(change.overlay))), float)
            seen = pixels[..., 3] > 0
            assert (pixels[seen][:, :3] == colour).all()
            area_mm2 = (sagittal.baseline.field_mm / len(pixels)) ** 2
            coloured_mm3 += pixels[..., 3].sum() / encode.MOST_OPAQUE * area_mm2 * SPACING_MM[2]
    assert coloured_mm3 == pytest.approx(expected_mm3, rel=0.04)
    assert axial.change is not None
    assert any(change.overlay for change in axial.change.values())


def test_growth_is_said_to_be_gained() -> None:
    growth = changed((-60.0, -140.0, -5.0), absolute_cm3=(-0.6, -1.4, -0.1), verdict="increased")
    text = text_of(html_report(case_result(change=growth)))
    assert "Gained in all: 0,60 cm³ (0,10 to 1,40)" in text
    assert "-60 % 95 % interval -140 to -5 %" in text


def test_change_map_of_no_change_is_blank() -> None:
    case = case_result(follow_up=time_point(day=FOLLOW_UP_DATE))
    for stack in stacks(case):
        assert stack.change is not None
        assert all(change.overlay is None for change in stack.change.values())


def two_pieces() -> tuple[Fragment, TimePoint]:
    point = time_point()
    assert point.fragment is not None
    image = point.scan.image
    big = sitk.GetArrayFromImage(
        ellipsoid(image, centre=(-3.0, 43.0, -15.0), radii_mm=(6.0, 5.0, 5.0))
    )
    small = sitk.GetArrayFromImage(
        ellipsoid(image, centre=(5.8, 44.0, -33.0), radii_mm=(5.0, 4.0, 5.0))
    )
    both = sitk.GetImageFromArray(np.maximum(big, small))
    both.CopyInformation(image)
    return replace(point.fragment, occupancy=both), point


def test_pieces_are_told_apart_and_add_up() -> None:
    fragment, point = two_pieces()
    assert point.frame is not None
    pieces = find_pieces(fragment, frame=point.frame)
    whole = sitk.GetArrayViewFromImage(fragment.occupancy).sum() * np.prod(SPACING_MM) / 1000
    assert len(pieces) == 2
    assert sum(piece.volume_cm3 for piece in pieces) == pytest.approx(whole, rel=1e-6)
    assert pieces[0].volume_cm3 > pieces[1].volume_cm3
    assert (pieces[0].left_mm, pieces[0].above_mm) == pytest.approx((0.0, 0.0), abs=0.5)
    assert (pieces[1].left_mm, pieces[1].above_mm) == pytest.approx((8.8, -18.0), abs=0.8)


def test_nothing_has_no_pieces() -> None:
    point = absent()
    assert point.fragment is not None
    assert point.frame is not None
    assert find_pieces(point.fragment, frame=point.frame) == ()


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
