from __future__ import annotations

from dataclasses import replace
from datetime import date
from io import BytesIO

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
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from mri_resorb.model import CaseResult, Level, Remark, TimePoint
from mri_resorb.report.figures import overlay_figure

FRAGMENT = (1.0, 0.83, 0.0)
REASON = Remark("fragment-at-edge")


def panels(case: CaseResult) -> tuple[Axes, Axes]:
    baseline, follow_up = overlay_figure(case).axes
    return baseline, follow_up


def words(figure: Figure) -> str:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return "\n".join(text.get_text() for text in texts)


def outline(axes: Axes) -> np.ndarray:
    """Corners of the drawn fragment, (n, 2) mm on the slice."""
    paths = [path for drawn in axes.collections for path in drawn.get_paths()]
    return np.concatenate([path.vertices for path in paths]) if paths else np.empty((0, 2))


def shown_slice(axes: Axes, point: TimePoint) -> int:
    """Index of the slice whose pixels the panel shows."""
    pixels = axes.images[0].get_array()
    volume = sitk.GetArrayViewFromImage(point.scan.image)
    return next(k for k in range(len(volume)) if np.array_equal(volume[k], pixels))


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
    text = words(overlay_figure(case_result(level=Level.L5_S1)))
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
    assert text.split().count("A") == text.split().count("P") == 2


def test_outline_has_the_size_and_the_place_of_the_fragment() -> None:
    axes = panels(case_result())[0]
    corners = outline(axes)
    point = time_point()
    # An ellipsoid of 10 mm (AP) by 14 mm, from the boundary backwards, at the disc's height.
    assert np.ptp(corners[:, 0]) == pytest.approx(10, abs=0.3)
    assert np.ptp(corners[:, 1]) == pytest.approx(14, abs=0.3)
    index = point.scan.image.TransformPhysicalPointToContinuousIndex((0.0, 43.0, -15.0))
    expected = np.multiply(index[:2], point.scan.image.GetSpacing()[:2])
    assert corners.min(axis=0) + np.ptp(corners, axis=0) / 2 == pytest.approx(expected, abs=0.3)


def test_boundary_is_drawn_where_it_lies() -> None:
    axes = panels(case_result())[0]
    image = time_point().scan.image
    behind = image.TransformPhysicalPointToContinuousIndex((0.0, 38.0, 0.0))[0]
    assert axes.lines[0].get_xdata() == pytest.approx([behind * image.GetSpacing()[0]] * 2)


def test_pixels_keep_their_proportions_and_the_field_is_90_mm() -> None:
    axes = panels(case_result())[0]
    assert axes.get_aspect() == 1.0
    assert np.ptp(axes.get_xlim()) == pytest.approx(90)
    assert np.ptp(axes.get_ylim()) == pytest.approx(90)
    left, right, bottom, top = axes.images[0].get_extent()
    assert (right - left, bottom - top) == pytest.approx((100 * 0.9, 120 * 0.8))
    bar = axes.lines[1].get_xdata()
    assert bar[1] - bar[0] == pytest.approx(10)


@pytest.mark.parametrize("x_mm", [-8.8, 4.4])
def test_slice_with_the_most_fragment_is_shown(x_mm: float) -> None:
    baseline = with_fragment_at(x_mm)
    case = case_result(baseline=baseline)
    expected = baseline.scan.image.TransformPhysicalPointToIndex((x_mm, 43.0, -15.0))[2]
    assert shown_slice(panels(case)[0], baseline) == expected


@pytest.mark.parametrize("x_mm", [-8.8, 8.8])
def test_absent_date_shows_the_place_where_the_fragment_was(x_mm: float) -> None:
    baseline = with_fragment_at(x_mm)
    picture = with_fragment_at(0.0).scan.image
    follow_up = absent()
    follow_up = replace(follow_up, scan=replace(follow_up.scan, image=picture))
    axes = panels(case_result(baseline=baseline, follow_up=follow_up, change=changed()))[1]
    expected = picture.TransformPhysicalPointToIndex((x_mm, 43.0, -15.0))[2]
    assert shown_slice(axes, follow_up) == expected
    assert outline(axes).size == 0


@pytest.mark.parametrize("found", [True, False])
def test_undetermined_shows_the_image_and_the_reason_and_no_change(found: bool) -> None:
    case = case_result(follow_up=refused(found=found), change=UNKNOWN, reasons=(REASON,))
    figure = overlay_figure(case)
    text = words(figure)
    assert "Undetermined: no figure is given" in text
    assert REASON.text().rstrip(".") in " ".join(text.split())
    assert "Resorption" not in text
    assert outline(figure.axes[1]).size == 0
    assert len(figure.axes[1].images) == 1


def test_missing_dates_are_said() -> None:
    case = case_result(baseline=time_point(day=None), follow_up=time_point(day=FOLLOW_UP_DATE))
    assert "Baseline, no date" in words(overlay_figure(case))


def test_picture_shows_the_outline_and_keeps_the_pixels_inside_of_it() -> None:
    file = BytesIO()
    overlay_figure(case_result()).savefig(file)
    file.seek(0)
    pixels = imread(file)[..., :3]
    assert pixels.shape == (1080, 1650, 3)
    yellow = (np.abs(pixels - FRAGMENT) < 0.15).all(axis=-1)
    rows, columns = np.nonzero(yellow[200:900, :825])  # the baseline's panel, without the legend
    inside = yellow[200:900][
        rows.min() + 10 : rows.max() - 10, columns.min() + 10 : columns.max() - 10
    ]
    assert 0 < yellow.sum() < 4000
    assert inside.mean() < 0.1
