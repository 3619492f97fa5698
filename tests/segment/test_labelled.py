"""Another program's anatomy: completed by the network, refused where it does not fit, and named."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import array
from spines import Grid, Spine, compare, dome, ellipsoid

from mri_resorb.errors import MaskError, NotLumbarSpineError
from mri_resorb.model import Anatomy, LabelledAnatomy, Level, Point, Remark, Structure
from mri_resorb.segment import labelled as module
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.labelled import complete
from mri_resorb.segment.levels import Found, locate_pair

HERNIATION = dome(depth=8.0, width=14.0, height=9.0)
SPINE = Spine(discs=3, lordosis=1.0).with_fragment(HERNIATION, disc=1)
MIDDLE = SPINE.disc_frame(1).origin_mm
GRID = Grid((1.0, 1.0, 3.3), (90, 160, 11), (MIDDLE[0], MIDDLE[1] - 15, MIDDLE[2]))
NAMES = {0: Level.L5_S1, 1: Level.L4_L5, 2: Level.L3_L4}


@cache
def truth(spine: Spine = SPINE) -> Anatomy:
    return spine.anatomy(GRID)


def parts(anatomy: Anatomy) -> dict[Structure, sitk.Image]:
    images = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    return dict(zip(Structure, images, strict=True))


def labels(anatomy: Anatomy, *, without: tuple[Structure, ...] = ()) -> LabelledAnatomy:
    """A label map of an anatomy, 0 or 1 in each voxel."""
    return LabelledAnatomy(
        tool="TotalSpineSeg",
        structures={
            structure: sitk.Cast(image >= 0.5, sitk.sitkFloat32)
            for structure, image in parts(anatomy).items()
            if structure not in without
        },
        disc_at={},
        sha256=(),
    )


def network_sees(anatomy: Anatomy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_anatomy", lambda image: anatomy)


def codes(remarks: tuple[Remark, ...]) -> set[str]:
    return {remark.code for remark in remarks}


def test_a_label_map_is_measured_as_the_anatomy_it_was_made_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network_sees(truth(), monkeypatch)
    completed, remarks = complete(labels(truth()), truth().disc)
    assert remarks == ()
    made, own = (compare(a, a, level=Level.L4_L5).baseline.fragment for a in (completed, truth()))
    assert made is not None
    assert own is not None
    assert made.volume_cm3.low <= HERNIATION.volume_cm3 <= made.volume_cm3.high
    # A mask of 0 and 1 hides its doubt; its interval is no narrower for that.
    widths = [figure.volume_cm3.high - figure.volume_cm3.value for figure in (made, own)]
    assert widths[0] > widths[1]
    assert made.volume_cm3.value == pytest.approx(own.volume_cm3.value, rel=0.1)
    assert (made.type, made.migration) == (own.type, own.migration)


def test_what_the_labels_lack_is_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    network_sees(truth(), monkeypatch)
    lacking = labels(truth(), without=(Structure.CANAL, Structure.SACRUM))
    completed, remarks = complete(lacking, truth().disc)
    assert codes(remarks) == {"canal-from-network", "sacrum-from-network"}
    assert array(completed.canal).sum() == pytest.approx(array(truth().canal).sum(), rel=0.1)
    assert array(completed.sacrum).sum() == pytest.approx(array(truth().sacrum).sum(), rel=0.1)
    disc = array(lacking.structures[Structure.DISC]) == 1
    assert not array(completed.canal)[disc].any()
    assert not array(completed.sacrum)[disc].any()
    assert compare(completed, completed, level=Level.L4_L5).baseline.status == "measured"


def test_detached_pieces_are_the_networks_where_the_labels_have_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without them, a herniation that broke off would be read as gone."""
    piece = ellipsoid(ap=8, transverse=11, craniocaudal=9, at=(6.5, 0.0, 14.0))
    network_sees(truth(SPINE.with_fragment(piece, disc=1)), monkeypatch)
    completed, _ = complete(labels(truth(SPINE.with_fragment())), truth().disc)
    found = compare(completed, completed, level=Level.L4_L5).baseline
    assert found.status == "measured"
    assert found.fragment is not None
    assert found.fragment.type == "sequestration"
    volume = found.fragment.volume_cm3
    assert volume.low <= piece.volume_cm3 <= volume.high


@pytest.mark.parametrize("moved_mm", [(0.0, 0.0, 8.0), (0.0, 9.0, 6.0), (0.0, 0.0, 37.0)])
def test_labels_of_another_scan_are_refused(
    moved_mm: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SPINE.posed(turn_degrees=(0.0, 0.0, 0.0), shift_mm=moved_mm)
    network_sees(truth(), monkeypatch)
    with pytest.raises(MaskError, match="does not fit the scan"):
        complete(labels(other.anatomy(GRID)), truth().disc)


def test_where_the_network_sees_no_spine_the_labels_are_taken_unchecked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sees_nothing(image: sitk.Image) -> Anatomy:
        raise NotLumbarSpineError("No lumbar spine is recognised in the image.")

    monkeypatch.setattr(module, "find_anatomy", sees_nothing)
    completed, remarks = complete(labels(truth()), truth().disc)
    assert codes(remarks) == {"anatomy-unchecked"}
    np.testing.assert_array_equal(array(completed.disc), array(truth().disc) >= 0.5)
    with pytest.raises(NotLumbarSpineError):
        complete(labels(truth(), without=(Structure.CANAL,)), truth().disc)


def middles(spine: Spine, names: Mapping[int, Level]) -> dict[Level, Point]:
    """Middle of each disc under the name that a label map gives it."""
    found = {}
    for disc, level in names.items():
        x, y, z = spine.disc_frame(disc).to_patient(np.array([-17.0, 0.0, 0.0]))
        found[level] = (float(x), float(y), float(z))
    return found


NO_SACRUM = Spine(discs=3, lordosis=1.0, sacral_bodies=0)


@pytest.mark.parametrize("disc", [0, 1, 2])
def test_names_tell_the_level_though_the_sacrum_is_out_of_view(disc: int) -> None:
    row = find_discs(truth(NO_SACRUM))
    named = middles(NO_SACRUM, {0: Level.L4_L5, 1: Level.L3_L4, 2: Level.L2_L3})
    level = list(named)[disc]
    for found in locate_pair(row, row, level=level, named=(named, named)):
        assert isinstance(found, Found)
        assert found.located.source == "labels"
        assert np.linalg.norm(np.subtract(found.disc.centre_mm, named[level])) < 6


@pytest.mark.parametrize("sacrum_seen", [True, False])
def test_names_at_one_date_settle_the_disc_at_both(sacrum_seen: bool) -> None:
    """Whichever date has them; the other's disc is found again or refused, never a neighbour."""
    spine = Spine(discs=5, lordosis=1.0)
    x, y, z = spine.disc_frame(2).origin_mm
    named, other = (
        find_discs(spine.anatomy(Grid((1.2, 1.2, 4.4), (100, rows, 11), (x, y - 15, z + up))))
        for rows, up in ((190, 0.0), (190, 2.0) if sacrum_seen else (130, 36.0))
    )
    names = middles(spine, dict(enumerate(reversed(Level))))
    for dates, given in (((named, other), (names, {})), ((other, named), ({}, names))):
        found = locate_pair(*dates, level=Level.L3_L4, named=given)
        assert isinstance(found[0 if given[0] else 1], Found)
        assert not sacrum_seen or all(isinstance(one, Found) for one in found)
        for one in found:
            if isinstance(one, Found):
                assert one.located.source == "labels"
                assert np.linalg.norm(np.subtract(one.disc.centre_mm, names[Level.L3_L4])) < 6


def code_of(names: Mapping[Level, Point], level: Level) -> str:
    row = find_discs(truth())
    found, _ = locate_pair(row, row, level=level, named=(names, names))
    assert isinstance(found, Remark), found
    return found.code


def test_names_that_cannot_be_true_are_refused() -> None:
    one_off = middles(SPINE, {0: Level.L4_L5, 1: Level.L3_L4, 2: Level.L2_L3})
    assert code_of(one_off, Level.L4_L5) == "labels-contradict-sacrum"
    s1_as_l5 = middles(SPINE, {1: Level.L5_S1, 2: Level.L4_L5})
    assert code_of(s1_as_l5, Level.L5_S1) == "labels-contradict-sacrum"
    reversed_ = middles(SPINE, {0: Level.L3_L4, 1: Level.L4_L5, 2: Level.L5_S1})
    assert code_of(reversed_, Level.L4_L5) == "labels-contradict-discs"
    assert code_of(middles(SPINE, NAMES), Level.L1_L2) == "level-not-in-labels"


def test_a_first_sacral_segment_labelled_as_a_vertebra_shifts_no_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SPIDER numbers the lowest vertebra 1, and where S1 is drawn that is S1."""
    network_sees(truth(), monkeypatch)
    seen = truth()
    bone = Anatomy(seen.vertebra + seen.sacrum, seen.disc, seen.canal, seen.sacrum * 0)
    completed, _ = complete(labels(bone, without=(Structure.SACRUM,)), seen.disc)
    row = find_discs(completed)
    names = middles(SPINE, {0: Level.L4_L5, 1: Level.L3_L4, 2: Level.L2_L3})
    found, _ = locate_pair(row, row, level=Level.L4_L5, named=(names, names))
    assert isinstance(found, Remark)
    assert found.code == "labels-contradict-sacrum"


def test_a_point_overrules_names() -> None:
    row = find_discs(truth())
    names = middles(SPINE, NAMES)
    found, _ = locate_pair(
        row, row, level=Level.L4_L5, disc_at_mm=names[Level.L3_L4], named=(names, names)
    )
    assert isinstance(found, Found)
    assert found.located.source == "point"
    assert np.linalg.norm(np.subtract(found.disc.centre_mm, names[Level.L3_L4])) < 6
