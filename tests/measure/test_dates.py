"""Two dates from anatomy to change, the network left out: what is measured, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from spines import Comparison, Grid, Solid, Spine, box, compare, dome, ellipsoid

from mri_resorb.measure import shared_frame
from mri_resorb.measure.shared_frame import place_closely
from mri_resorb.model import Anatomy, Estimate, Fragment, Point, Remark, TimePoint

SPINE = Spine(discs=1, lordosis=0.6, rounding_mm=0.5)
REPOSED = SPINE.posed(turn_degrees=(7.0, 4.0, -3.0), shift_mm=(25.0, -60.0, 210.0))
WHOLE, HALF = dome(depth=8, width=18, height=9.5), dome(depth=4, width=18, height=9.5)
MIGRATED = ellipsoid(ap=7, transverse=12, craniocaudal=11, at=(5.5, -6.0, 13.5))


@cache
def scanned(
    spine: Spine,
    *,
    in_plane_mm: float = 0.8,
    slice_mm: float = 4.0,
    offset_mm: Point = (0.0, 0.0, 0.0),
    extent_mm: Point = (78.0, 84.0, 52.0),
) -> Anatomy:
    return spine.anatomy(
        Grid.around(
            spine.disc_frame().to_patient(np.array([-10.0, 0.0, 0.0])),
            in_plane_mm=in_plane_mm,
            slice_mm=slice_mm,
            extent_mm=extent_mm,
            offset_mm=offset_mm,
        )
    )


def other_scan(spine: Spine) -> Anatomy:
    """The follow-up's scanner: thicker slices, larger pixels, another offset."""
    return scanned(spine, in_plane_mm=0.9, slice_mm=4.4, offset_mm=(0.3, 0.4, 1.7))


@cache
def pair(before: Solid | None, after: Solid | None) -> Comparison:
    """The spine with one herniation, then re-posed in another scanner with another one."""
    first, second = (
        spine.with_fragment(*([solid] if solid else []))
        for spine, solid in ((SPINE, before), (REPOSED, after))
    )
    return compare(scanned(first), other_scan(second))


def fragment(point: TimePoint) -> Fragment:
    assert point.reason is None, point.reason
    assert point.fragment is not None
    return point.fragment


def holds(estimate: Estimate | None, truth: float) -> bool:
    assert estimate is not None
    return estimate.low <= truth <= estimate.high


def test_halved_in_another_pose_and_scanner() -> None:
    found = pair(WHOLE, HALF)
    assert found.baseline.status == found.follow_up.status == "measured"
    assert holds(fragment(found.baseline).volume_cm3, WHOLE.volume_cm3)
    assert holds(fragment(found.follow_up).volume_cm3, HALF.volume_cm3)
    percent = found.change.resorption_percent
    assert percent is not None
    assert holds(percent, 50)
    assert percent.value == pytest.approx(50, abs=6)
    assert found.change.verdict == "decreased"
    assert fragment(found.baseline).type == "protrusion"


def test_the_same_reposed_is_no_change_beyond_error() -> None:
    for solid in (WHOLE, MIGRATED):
        found = pair(solid, solid)
        assert holds(found.change.resorption_percent, 0)
        assert found.change.verdict == "no_change_beyond_error"
        one, other = fragment(found.baseline), fragment(found.follow_up)
        assert (one.type, one.migration) == (other.type, other.migration)
        assert one.size is not None
        assert other.size is not None
        assert one.size.ap == pytest.approx(other.size.ap, abs=1.0)
        assert one.size.craniocaudal == pytest.approx(other.size.craniocaudal, abs=1.0)
        assert one.size.transverse == pytest.approx(other.size.transverse, abs=4.4)


def test_a_sequester_up_and_to_the_right_is_gone() -> None:
    found = pair(MIGRATED, None)
    piece = fragment(found.baseline)
    assert piece.type == "sequestration"
    assert piece.migration is not None
    assert (piece.migration.craniocaudal, piece.migration.side) == ("cranial", "right")
    assert piece.detached_cm3 == pytest.approx(MIGRATED.volume_cm3, rel=0.05)
    assert piece.volume_cm3.value == pytest.approx(MIGRATED.volume_cm3, rel=0.05)
    assert found.follow_up.status == "absent"
    gone = fragment(found.follow_up)
    assert (gone.type, gone.size, gone.migration) == ("none", None, None)
    assert found.change.band == "complete"
    assert found.change.verdict == "decreased"


def test_residual_below_the_threshold_is_measured_in_the_baselines_footprint() -> None:
    left = dome(depth=1.8, width=18, height=9.5)
    found = pair(WHOLE, left)
    assert found.follow_up.status == "absent"
    assert fragment(found.follow_up).volume_cm3.value > 0.1
    assert holds(fragment(found.follow_up).volume_cm3, left.volume_cm3)
    assert found.change.band == "complete"
    percent = found.change.resorption_percent
    assert percent is not None
    assert percent.value < 90, "what is left is not resorbed"
    assert holds(percent, 100 * (1 - left.volume_cm3 / WHOLE.volume_cm3))


def test_absent_at_both_dates() -> None:
    found = pair(None, None)
    assert found.baseline.status == found.follow_up.status == "absent"
    assert fragment(found.baseline).volume_cm3.value == 0
    assert fragment(found.follow_up).volume_cm3.value == 0
    assert found.change.resorption_percent is None
    assert found.change.verdict == "no_change_beyond_error"


def test_flipped_arrays_are_the_same_study() -> None:
    herniated = SPINE.with_fragment(WHOLE)
    anatomy = scanned(herniated)
    images = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    flipped = Anatomy(*(sitk.Flip(image, [True, True, True]) for image in images))
    found = compare(anatomy, flipped)
    percent = found.change.resorption_percent
    assert percent is not None
    assert percent.value == pytest.approx(0, abs=1)


def test_a_resampled_copy_is_no_change_beyond_error() -> None:
    anatomy = scanned(SPINE.with_fragment(WHOLE), in_plane_mm=0.6, slice_mm=2.0)
    target = scanned(SPINE, in_plane_mm=0.9, slice_mm=3.0, offset_mm=(0.2, 0.3, 0.7)).disc
    images = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    resampled = Anatomy(*(sitk.Resample(image, target) for image in images))
    found = compare(anatomy, resampled)
    assert holds(found.change.resorption_percent, 0)
    assert found.change.verdict == "no_change_beyond_error"


@pytest.mark.parametrize(("lordosis", "body_height_mm"), [(0.6, 16.0), (2.0, 27.0)])
def test_different_spines_are_refused(lordosis: float, body_height_mm: float) -> None:
    """Bodies that do not overlap, and bodies that do while their posterior walls part."""
    other = Spine(discs=1, lordosis=lordosis, body_height_mm=body_height_mm).with_fragment(HALF)
    found = compare(scanned(SPINE.with_fragment(WHOLE)), other_scan(other))
    for point in (found.baseline, found.follow_up):
        assert point.status == "undetermined"
        assert point.fragment is None
        assert point.reason is not None
        assert point.reason.code == "pair-misaligned"
    assert found.change.verdict == "undetermined"
    assert found.change.resorption_percent is None


def _slab(anatomy: Anatomy, first: int, last: int) -> Anatomy:
    images = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    return Anatomy(*(image[:, :, first:last] for image in images))


def refused(point: TimePoint, code: str) -> None:
    assert (point.status, point.fragment) == ("incomplete", None)
    assert point.reason is not None
    assert point.reason.code == code


def test_a_fragment_in_the_last_slice_is_never_a_number() -> None:
    whole = scanned(SPINE.with_fragment(WHOLE))
    found = compare(whole, _slab(whole, 2, 8))  # 6 mm to the left; the fragment goes on to 9
    refused(found.follow_up, "fragment-at-edge")
    assert found.baseline.status == "measured", "the other date still stands"
    assert found.change.verdict == "undetermined"
    assert found.change.resorption_percent is None


@pytest.mark.parametrize(
    "outline",
    [
        pytest.param(box(depth=4, width=8, height=80), id="next disc"),
        pytest.param(
            ellipsoid(ap=15, transverse=20, craniocaudal=44, at=(6.5, 0.0, 0.0)), id="too large"
        ),
    ],
)
def test_an_outline_that_is_no_fragment_is_refused_and_the_other_date_stands(
    outline: Solid,
) -> None:
    found = pair(outline, WHOLE)
    assert found.baseline.status == "undetermined"
    assert found.baseline.reason == Remark("outline-implausible")
    alone = pair(None, WHOLE)
    assert fragment(found.follow_up).volume_cm3.value == pytest.approx(
        fragment(alone.follow_up).volume_cm3.value, rel=0.02
    )
    assert found.change.resorption_percent is None


def test_a_slab_that_misses_the_other_dates_footprint_is_never_complete() -> None:
    """A fragment far to the right; the follow-up's slices begin at the midline."""
    beside = dome(depth=7, width=9, height=9.5, at=(0.0, -9.0, 0.0))
    before, after = scanned(SPINE.with_fragment(beside)), scanned(SPINE)
    found = compare(before, _slab(after, 5, 13))
    refused(found.follow_up, "footprint-not-covered")
    assert found.change.band is None


def test_shallow_rim_beyond_the_other_dates_slices_is_error_and_not_a_change() -> None:
    """A focal herniation on a broad bulge of 1.8 mm; the follow-up's slices end 10 mm to a side."""
    focal, rim = dome(depth=7, width=9, height=9.5), box(depth=1.8, width=34, height=9)
    whole = scanned(SPINE.with_fragment(focal, rim))
    alone, slab = compare(whole, whole), compare(whole, _slab(whole, 4, 9))
    for found in (slab.baseline, slab.follow_up):
        assert found.status == "measured"
        of_all = fragment(alone.baseline).volume_cm3.value
        assert fragment(found).volume_cm3.value < 0.95 * of_all, "rim is left out at both dates"
        assert fragment(found).volume_cm3.high >= of_all
    percent = slab.change.resorption_percent
    assert percent is not None
    assert percent.value == pytest.approx(0, abs=3)
    assert slab.change.verdict == "no_change_beyond_error"


def test_what_just_falls_short_of_a_herniation_widens_the_interval_of_absence() -> None:
    shallow = box(depth=1.8, width=16, height=9)
    found = compare(scanned(SPINE.with_fragment(shallow)), other_scan(REPOSED))
    assert (found.baseline.status, found.follow_up.status) == ("absent", "absent")
    assert fragment(found.baseline).volume_cm3.high >= shallow.volume_cm3
    assert fragment(found.follow_up).volume_cm3.high < fragment(found.baseline).volume_cm3.high
    change = found.change
    assert (change.resorption_percent, change.verdict) == (None, "no_change_beyond_error")
    assert change.absolute_cm3 is not None
    assert change.absolute_cm3.high >= shallow.volume_cm3 / 2


def test_what_hardly_exceeds_a_rim_may_be_no_herniation_and_its_change_stands() -> None:
    """By the experts' outlines it may be none, at both dates; how much of it went is the same."""
    hardly, less = (box(depth=depth, width=16, height=9) for depth in (2.6, 1.5))
    found = compare(scanned(SPINE.with_fragment(hardly)), scanned(SPINE.with_fragment(less)))
    assert (found.baseline.status, found.follow_up.status) == ("measured", "absent")
    assert [w.code for w in found.baseline.warnings] == ["hardly-herniated"]
    volume = fragment(found.baseline).volume_cm3
    assert volume.low == 0
    assert volume.parts["threshold"] == pytest.approx(hardly.volume_cm3 / 1.96, rel=0.2)
    percent = found.change.resorption_percent
    assert percent is not None
    assert percent.high - percent.low < 100
    assert found.change.absolute_cm3 is not None
    assert found.change.absolute_cm3.low <= 0


def test_what_one_date_shows_to_be_a_herniation_is_one_at_the_other() -> None:
    hardly = box(depth=2.6, width=16, height=9)
    for before, after in ((WHOLE, WHOLE), (WHOLE, hardly)):
        found = compare(*(scanned(SPINE.with_fragment(solid)) for solid in (before, after)))
        for point in (found.baseline, found.follow_up):
            assert fragment(point).volume_cm3.parts["threshold"] == 0
            assert fragment(point).volume_cm3.low > 0
            assert point.warnings == ()


def test_a_herniation_that_a_person_drew_is_one() -> None:
    hardly = scanned(SPINE.with_fragment(box(depth=2.6, width=16, height=9)))
    automatic = compare(hardly, hardly)
    masks = fragment(automatic.baseline).occupancy, fragment(automatic.follow_up).occupancy
    drawn = compare(hardly, hardly, masks=masks)
    assert fragment(automatic.baseline).volume_cm3.low == 0
    assert fragment(drawn.baseline).volume_cm3.parts["threshold"] == 0


def test_a_neck_that_only_one_date_shows_is_no_doubt() -> None:
    """A migrated herniation is joined to its disc at one date, and parted from it at the other."""
    disc_part = dome(depth=5, width=12, height=9.5)
    neck = box(depth=5, width=8, height=10, at=(0.0, -4.0, 7.0))
    joined, parted = (
        SPINE.with_fragment(disc_part, MIGRATED, *with_neck) for with_neck in ((neck,), ())
    )
    found = compare(scanned(joined), scanned(parted))
    assert fragment(found.baseline).detached_cm3 == pytest.approx(0, abs=0.02)
    assert fragment(found.follow_up).detached_cm3 > 0.2
    assert found.change.resorption_percent is not None


def test_a_central_slab_is_measured_with_a_warning() -> None:
    small = dome(depth=7, width=9, height=9.5)
    whole = scanned(SPINE.with_fragment(small))
    found = compare(whole, _slab(whole, 4, 9))
    assert found.follow_up.status == "measured"
    assert [w.code for w in found.follow_up.warnings] == ["lateral-coverage"]
    assert found.baseline.warnings == ()


def test_a_level_that_was_not_found_leaves_the_other_date_standing() -> None:
    blind = replace(scanned(SPINE), sacrum=scanned(SPINE).sacrum * 0)
    found = compare(scanned(SPINE.with_fragment(WHOLE)), blind)
    assert found.baseline.status == "measured"
    assert found.follow_up.status == "undetermined"
    assert found.change.verdict == "undetermined"


@pytest.mark.parametrize(
    ("overlooked", "status"),
    [
        (dome(depth=6, width=12, height=8), "undetermined"),
        (dome(depth=3, width=6, height=5), "absent"),
        (None, "absent"),
    ],
)
def test_what_the_closer_look_alone_does_not_see_is_not_called_absent(
    monkeypatch: pytest.MonkeyPatch, overlooked: Solid | None, status: str
) -> None:
    whole, healed = SPINE.with_fragment(WHOLE), scanned(SPINE)
    seen = scanned(SPINE.with_fragment(*([overlooked] if overlooked else [])))
    monkeypatch.setattr(
        shared_frame, "look_closely", lambda anatomy, **_: healed if anatomy is seen else anatomy
    )
    found = compare(scanned(whole), seen, placed=place_closely)
    assert found.baseline.status == "measured"
    assert found.follow_up.status == status
    if status == "undetermined":
        assert found.follow_up.reason == Remark("fragment-in-doubt")
        assert found.follow_up.fragment is None
        assert found.change.resorption_percent is None


def test_drawn_masks_are_measured_instead() -> None:
    """The anatomy shows one thing, the person's masks another: theirs count, in full."""
    anatomy = scanned(SPINE.with_fragment(WHOLE))
    frame = SPINE.disc_frame()
    drawn = [box(depth=9, width=16, height=9), box(depth=3, width=16, height=9)]
    grid = Grid.around(
        frame.to_patient(np.array([-10.0, 0.0, 0.0])),
        in_plane_mm=0.8,
        slice_mm=4.0,
        extent_mm=(78.0, 84.0, 52.0),
    )
    masks = [grid.image(grid.occupancy(solid, frame)) for solid in drawn]
    found = compare(anatomy, anatomy, masks=(masks[0], masks[1]))
    for point, solid in zip((found.baseline, found.follow_up), drawn, strict=True):
        assert fragment(point).volume_cm3.value == pytest.approx(solid.volume_cm3, rel=0.01)
    assert found.change.resorption_percent is not None
    assert found.change.resorption_percent.value == pytest.approx(100 * 2 / 3, abs=1)


def test_the_boundary_is_given_in_every_slice_for_pictures() -> None:
    found = pair(WHOLE, HALF)
    for point in (found.baseline, found.follow_up):
        image = point.scan.image
        assert point.boundary_mm is not None
        assert len(point.boundary_mm) == image.GetSize()[2]
        for number, line in enumerate(point.boundary_mm):
            index = image.TransformPhysicalPointToContinuousIndex(line[len(line) // 2])
            assert index[2] == pytest.approx(number, abs=0.6), "it lies in its slice"
