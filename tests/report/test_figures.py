"""What the overlay picture shows, as data; and that what is painted is what was described."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from case_results import (
    FOLLOW_UP_DATE,
    UNKNOWN,
    absent,
    blank,
    case_result,
    changed,
    ellipsoid,
    refused,
    time_point,
)
from PIL import Image, ImageColor

from mri_resorb.languages import Language
from mri_resorb.model import CaseResult, Level, Remark, TimePoint
from mri_resorb.report.figures import EDGES, SCALE_BAR_MM, Overlay, Panel, overlay
from mri_resorb.report.painting import FRAGMENT, HEIGHT, WIDTH, paint, write_png

REASON = Remark("fragment-at-edge")


def words(picture: Overlay) -> str:
    panels = (picture.baseline, picture.follow_up)
    lines = (
        picture.level,
        picture.headline,
        *picture.explanation,
        *(line for panel in panels for line in (panel.heading, panel.finding, panel.place)),
        picture.scale,
        picture.footer,
    )
    return "\n".join(lines)


def outline(panel: Panel) -> np.ndarray:
    """Corners of the drawn fragment, (n, 2) mm on the slice."""
    return np.concatenate(panel.outlines) if panel.outlines else np.empty((0, 2))


def place_mm(point: TimePoint, lps: tuple[float, float, float]) -> np.ndarray:
    """Where a point lies on its slice, mm from the middle of the first pixel."""
    image = point.scan.image
    index = image.TransformPhysicalPointToContinuousIndex(lps)
    return np.multiply(index[:2], image.GetSpacing()[:2])


def painted(case: CaseResult) -> np.ndarray:
    """Of both panels without what is below them, (rows, columns, 3)."""
    return np.asarray(paint(overlay(case)), float)[:920]


def like_the_fragment(pixels: np.ndarray) -> np.ndarray:
    return (np.abs(pixels - ImageColor.getrgb(FRAGMENT)) < 40).all(axis=-1)


def with_fragment_at(x_mm: float, *, day: date = date(2018, 11, 5)) -> TimePoint:
    """A fragment in one lateral place, with a picture that differs from slice to slice."""
    image = blank()
    point = time_point(day=day, image=image)
    assert point.fragment is not None
    occupancy = ellipsoid(image, centre=(x_mm, 43.0, -15.0), radii_mm=(5.0, 4.0, 6.0))
    values = sitk.GetArrayFromImage(point.scan.image) + np.arange(7)[:, None, None]
    picture = sitk.GetImageFromArray(values.astype(np.float32))
    picture.CopyInformation(image)
    return replace(
        point,
        scan=replace(point.scan, image=picture),
        fragment=replace(point.fragment, occupancy=occupancy),
    )


def test_everything_that_was_measured_is_named() -> None:
    picture = overlay(case_result(level=Level.L5_S1))
    text = words(picture)
    for expected in (
        "L5-S1",
        "Resorption: 50 % (95 % interval 35 to 62 %)",
        "Decreased beyond measurement error",
        "Baseline, November 5, 2018",
        "1,20 cm³ (95 % interval 1,00 to 1,45)",
        "Follow-up, February 2, 2019",
        "0,60 cm³ (95 % interval 0,50 to 0,75)",
        "10 mm",
        "not a medical device",
    ):
        assert expected in text
    assert EDGES == ("A", "P", "S", "I")
    assert picture.legend is not None
    assert picture.legend.fragment == "fragment"
    assert picture.legend.boundary == "posterior boundary"


def test_outline_has_the_size_and_the_place_of_the_fragment() -> None:
    panel = overlay(case_result()).baseline
    corners = outline(panel)
    # An ellipsoid of 10 mm (AP) by 14 mm, from the boundary backwards, at the disc's height.
    assert np.ptp(corners[:, 0]) == pytest.approx(10, abs=0.3)
    assert np.ptp(corners[:, 1]) == pytest.approx(14, abs=0.3)
    expected = place_mm(time_point(), (0.0, 43.0, -15.0))
    assert corners.min(axis=0) + np.ptp(corners, axis=0) / 2 == pytest.approx(expected, abs=0.3)


def test_boundary_is_drawn_where_it_lies() -> None:
    panel = overlay(case_result()).baseline
    ends = [place_mm(time_point(), (0.0, 38.0, z)) for z in (5.0, -35.0)]
    assert panel.boundary == pytest.approx(np.array(ends))


def test_the_field_is_90_mm_around_the_back_of_the_disc() -> None:
    panel = overlay(case_result()).baseline
    left, top, width, height = panel.field
    assert (width, height) == (90, 90)
    assert (left + 45, top + 45) == pytest.approx(place_mm(time_point(), (-3.0, 38.0, -15.0)))
    assert panel.whole == pytest.approx((-0.45, -0.4, 100 * 0.9, 120 * 0.8))


@pytest.mark.parametrize("x_mm", [-8.8, 4.4])
def test_slice_with_the_most_fragment_is_shown(x_mm: float) -> None:
    baseline = with_fragment_at(x_mm)
    panel = overlay(case_result(baseline=baseline)).baseline
    image = baseline.scan.image
    assert panel.index == image.TransformPhysicalPointToIndex((x_mm, 43.0, -15.0))[2]
    volume = sitk.GetArrayViewFromImage(image)
    assert (panel.intensities == volume[panel.index]).all()


@pytest.mark.parametrize("x_mm", [-8.8, 8.8])
def test_absent_date_shows_the_place_where_the_fragment_was(x_mm: float) -> None:
    baseline = with_fragment_at(x_mm)
    image = with_fragment_at(0.0).scan.image
    follow_up = absent()
    follow_up = replace(follow_up, scan=replace(follow_up.scan, image=image))
    case = case_result(baseline=baseline, follow_up=follow_up, change=changed())
    panel = overlay(case).follow_up
    assert panel.index == image.TransformPhysicalPointToIndex((x_mm, 43.0, -15.0))[2]
    assert outline(panel).size == 0


@pytest.mark.parametrize("found", [True, False])
def test_undetermined_shows_the_image_and_the_reason_and_no_change(found: bool) -> None:
    case = case_result(follow_up=refused(found=found), change=UNKNOWN, reasons=(REASON,))
    picture = overlay(case)
    text = words(picture)
    assert picture.refused
    assert "Undetermined: no figure is given" in text
    assert REASON.text().rstrip(".") in " ".join(text.split())
    assert "Resorption" not in text
    assert outline(picture.follow_up).size == 0
    if not found:
        assert picture.follow_up.field == picture.follow_up.whole
        assert picture.follow_up.boundary is None


def test_no_lines_no_legend() -> None:
    nothing = refused(found=False)
    case = case_result(baseline=nothing, follow_up=nothing, change=UNKNOWN, reasons=(REASON,))
    assert overlay(case).legend is None
    assert not like_the_fragment(np.asarray(paint(overlay(case)), float)).any()


def test_missing_dates_are_said() -> None:
    case = case_result(baseline=time_point(day=None), follow_up=time_point(day=FOLLOW_UP_DATE))
    assert overlay(case).baseline.heading == "Baseline, no date"


def test_the_painted_outline_has_the_fragments_size_and_place_and_is_thin() -> None:
    yellow = like_the_fragment(painted(case_result()))[:, : WIDTH // 2]
    rows, columns = np.nonzero(yellow)
    # The field of 90 mm is as high as the panel, 718 pixels, and its middle is the disc's back.
    tall_mm, wide_mm = (np.ptp(axis) * 90 / 718 for axis in (rows, columns))
    assert tall_mm == pytest.approx(14, abs=0.6)
    assert wide_mm == pytest.approx(10, abs=0.6)
    middle_of_panel = (194 + 718 / 2, 66 + 718 / 2)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(middle_of_panel[0], abs=5)
    assert columns.min() == pytest.approx(middle_of_panel[1], abs=5)
    inside = yellow[rows.min() + 10 : rows.max() - 10, columns.min() + 10 : columns.max() - 10]
    assert 0 < yellow.sum() < 4000
    assert inside.mean() < 0.1


def test_painted_pixels_keep_the_slices_place_and_proportions() -> None:
    """A bright block on a dark slice is found again where it lies, as large as it is."""
    point = time_point()
    image = blank()
    values = np.zeros(image.GetSize()[::-1], np.float32)
    values[:, 40:60, 20:40] = 100  # rows of 0.8 mm, columns of 0.9 mm
    block = sitk.GetImageFromArray(values)
    block.CopyInformation(image)
    dark = replace(point, scan=replace(point.scan, image=block), fragment=None, boundary_mm=None)
    panel = overlay(case_result(baseline=dark)).baseline
    grey = np.asarray(paint(overlay(case_result(baseline=dark))), float)[194:912, 66:784, 0]
    bright = np.argwhere(grey[100:500, 40:650] > 127) + np.array([100, 40])  # not the letters
    top, left = bright.min(axis=0)
    bottom, right = bright.max(axis=0) + 1
    scale = 718 / 90
    corner = [(20 * 0.9 - 0.45) - panel.field.left, (40 * 0.8 - 0.4) - panel.field.top]
    assert (left, top) == pytest.approx(np.multiply(corner, scale), abs=1.5)
    assert (right - left, bottom - top) == pytest.approx((18 * scale, 16 * scale), abs=2)


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    grey = painted(case_result())[..., 0]
    row = round(194 + 0.94 * 718)
    bar = np.flatnonzero(grey[row, 600:784] > 200)
    assert np.ptp(bar) + 1 == pytest.approx(SCALE_BAR_MM * 718 / 90, abs=2)


@pytest.mark.parametrize("language", Language)
def test_the_file_is_a_png_of_the_pictures_size_in_every_language(
    tmp_path: Path, language: Language
) -> None:
    picture = paint(overlay(case_result(), language=language))
    write_png(picture, tmp_path / "picture.png")
    with Image.open(BytesIO((tmp_path / "picture.png").read_bytes())) as read:
        assert (read.format, read.mode, read.size) == ("PNG", "RGB", (WIDTH, HEIGHT))
        assert (np.asarray(read) == np.asarray(picture)).all()


def test_reports_of_a_case_do_not_wait_for_matplotlib() -> None:
    modules = ("painting", "pdf", "html.page", "case_text")
    program = "".join(f"import mri_resorb.report.{module}\n" for module in modules)
    program += "import sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
