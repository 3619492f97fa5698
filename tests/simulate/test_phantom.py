"""The phantom's truth is true: volumes, types, places, and one person stays one person."""

from __future__ import annotations

import numpy as np
import pytest
from phantoms import ANN, BOB, Pieces, ann, ann_healthy, array, bob, centroid_mm, coarse_phantom
from scipy import ndimage

from mri_resorb.model import Level, Structure
from mri_resorb.simulate.herniation import Herniation
from mri_resorb.simulate.phantom import Phantom
from mri_resorb.simulate.tissue import SpinEcho


def _share(phantom: Phantom, structure: Structure) -> np.ndarray:
    return array(phantom.structures[structure]) / 255


def _in_frame(phantom: Phantom, level: Level) -> np.ndarray:
    """Frame coordinates of the fragment's voxels, (n, 3)."""
    occupancy = phantom.fragments[level].occupancy
    inside = np.argwhere(array(occupancy) > 0.5)[:, ::-1].tolist()
    points = np.array([occupancy.TransformIndexToPhysicalPoint(index) for index in inside])
    return phantom.frames[level].to_frame(points)


@pytest.mark.parametrize(
    ("who", "pieces", "level"),
    [("ann", ANN, level) for level in ANN] + [("bob", BOB, level) for level in BOB],
)
def test_volume_is_what_was_asked_within_one_percent(
    who: str, pieces: Pieces, level: Level
) -> None:
    fragment = {"ann": ann, "bob": bob}[who]().fragments[level]
    joined, detached = (
        sum(p.volume_cm3 for p in pieces[level] if p.detached is kind) for kind in (False, True)
    )
    integral = array(fragment.occupancy).sum() * np.prod(fragment.occupancy.GetSpacing()) / 1000
    assert fragment.joined_cm3 == pytest.approx(joined, rel=0.01)
    assert fragment.detached_cm3 == pytest.approx(detached, rel=0.01)
    assert integral == pytest.approx(joined + detached, rel=0.01)


@pytest.mark.parametrize("level", [Level.L2_L3, Level.L4_L5, Level.L5_S1])
def test_all_of_the_fragment_is_disc_and_none_of_it_bone_or_canal(level: Level) -> None:
    occupancy = array(ann().fragments[level].occupancy)
    assert _share(ann(), Structure.DISC)[occupancy > 0.95].min() > 0.9
    assert (_share(ann(), Structure.CANAL) * occupancy).sum() < 0.02 * occupancy.sum()
    assert (_share(ann(), Structure.VERTEBRA) + occupancy).max() < 1.02


@pytest.mark.parametrize(("level", "side_mm"), [(Level.L1_L2, -5.0), (Level.L4_L5, 2.0)])
def test_a_piece_lies_on_the_side_it_was_put(level: Level, side_mm: float) -> None:
    place = ann().frames[level].to_frame(centroid_mm(ann().fragments[level].occupancy))
    assert place[1] == pytest.approx(side_mm, abs=0.8)
    assert 0.5 < place[0] < 8.0


def test_migration_goes_beyond_the_disc_height_to_its_end() -> None:
    assert _in_frame(ann(), Level.L4_L5)[:, 2].mean() > 4.0
    assert _in_frame(ann(), Level.L2_L3)[:, 2].mean() < -4.0
    assert _in_frame(bob(), Level.L4_L5)[:, 2].mean() > 6.0
    assert _in_frame(bob(), Level.L1_L2)[:, 2].mean() < -6.0


def test_a_bulge_is_broad_and_a_protrusion_is_not() -> None:
    assert np.ptp(_in_frame(ann(), Level.L3_L4)[:, 1]) > 30.0
    assert np.ptp(_in_frame(bob(), Level.L2_L3)[:, 1]) < 26.0


def test_an_extrusion_is_wider_in_its_dome_than_at_its_base() -> None:
    place = _in_frame(bob(), Level.L5_S1)
    base, dome = (place[(place[:, 0] > low) & (place[:, 0] < low + 1.2)] for low in (0.0, 5.0))
    assert np.ptp(dome[:, 2]) > np.ptp(base[:, 2]) + 1.5


def test_a_sequester_touches_neither_disc_nor_hernia() -> None:
    whole = array(ann().fragments[Level.L5_S1].occupancy) > 0.9
    pieces, _ = ndimage.label(_share(ann(), Structure.DISC) > 0.5)
    large = [n for n in np.unique(pieces[whole]) if (whole & (pieces == n)).sum() > 20]
    assert len(large) == 2


def test_the_sac_gives_way() -> None:
    lost = _share(ann_healthy(), Structure.CANAL).sum() - _share(ann(), Structure.CANAL).sum()
    assert lost * ann().field.voxel_cm3 > 1.0


def test_one_seed_is_one_person_whatever_is_displaced() -> None:
    for structure in (Structure.VERTEBRA, Structure.SACRUM):
        np.testing.assert_array_equal(_share(ann(), structure), _share(ann_healthy(), structure))
    signals = [array(phantom.signal(SpinEcho())) for phantom in (ann(), ann_healthy())]
    assert 0.97 < np.isclose(*signals).mean() < 1.0


def test_the_same_call_gives_the_same_phantom() -> None:
    again = coarse_phantom(seed=5000)
    np.testing.assert_array_equal(
        *(array(phantom.signal(SpinEcho())) for phantom in (ann_healthy(), again))
    )
    assert again.disc_centres_mm == ann().disc_centres_mm != bob().disc_centres_mm


def test_no_fragment_where_nothing_herniates() -> None:
    assert ann_healthy().fragments == {}
    assert Level.L3_L4 not in bob().fragments


@pytest.mark.parametrize("phantom", [ann_healthy, bob])
def test_discs_are_where_the_centres_say_and_the_canal_behind_them(phantom: object) -> None:
    made = phantom()  # type: ignore[operator]
    disc, canal = made.structures[Structure.DISC], made.structures[Structure.CANAL]
    heights = [made.disc_centres_mm[level][2] for level in Level]
    assert heights == sorted(heights, reverse=True)
    for level in set(Level) - {Level.L5_S1}:
        assert disc[disc.TransformPhysicalPointToIndex(made.disc_centres_mm[level])] > 200
        behind = made.frames[level].to_patient(np.array([10.0, 0.0, 0.0])).tolist()
        assert canal[canal.TransformPhysicalPointToIndex(behind)] > 200


def test_fluid_is_brighter_than_bone_on_t2_and_darker_on_t1() -> None:
    sac = _share(ann_healthy(), Structure.CANAL) > 0.98
    bone = _share(ann_healthy(), Structure.VERTEBRA) > 0.98
    t2 = array(ann_healthy().signal(SpinEcho()))
    t1 = array(ann_healthy().signal(SpinEcho(repetition_time_ms=600.0, echo_time_ms=12.0)))
    assert np.median(t2[sac]) > 1.8 * np.median(t2[bone])
    assert np.median(t1[sac]) < np.median(t1[bone])


@pytest.mark.parametrize("volume_cm3", [0.0, -1.0, 2.6])
def test_refuses_volumes_that_no_herniation_has(volume_cm3: float) -> None:
    with pytest.raises(ValueError, match="cm3"):
        Herniation("extrusion", volume_cm3)


def test_refuses_a_migrated_protrusion() -> None:
    with pytest.raises(ValueError, match="migrate"):
        Herniation("protrusion", 0.3, migration="caudal")


def test_refuses_a_sequester_that_touches_the_hernia() -> None:
    pieces = (
        Herniation("extrusion", 0.8, migration="caudal"),
        Herniation("sequestration", 0.3, migration="caudal"),
    )
    with pytest.raises(ValueError, match="touches"):
        coarse_phantom(seed=5000, herniations={Level.L4_L5: pieces}, width_mm=30.0)
