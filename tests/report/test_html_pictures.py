"""The page's pictures: where outlines lie, what scrolls with what, changes and pieces."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import SimpleITK as sitk
from case_results import (
    BACK_OF_DISC,
    FOLLOW_UP_DATE,
    SAGITTAL,
    SPACING_MM,
    absent,
    blank,
    case_result,
    changed,
    ellipsoid,
    time_point,
)
from html_pages import CASES, text_of
from PIL import Image

from mri_resorb.model import CaseResult, Fragment, TimePoint
from mri_resorb.report.html import encode
from mri_resorb.report.html.page import html_report
from mri_resorb.report.html.pieces import find_pieces
from mri_resorb.report.html.stacks import stacks


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
