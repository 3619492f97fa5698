"""Shrinking leaves the part of a herniation that it says, and the disc as it was."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from spines import Grid, Solid, Spine, box, dome

from mri_resorb.measure.material import FOOTPRINT_MM, find_material
from mri_resorb.measure.occupancy import fill
from mri_resorb.model import Anatomy, DiscFrame
from mri_resorb.simulate.shrink import Shrinking, shrink_herniation

SPINE = Spine()
FRAME: DiscFrame = SPINE.disc_frame()
BOUNDARY = SPINE.boundary()
HERNIATIONS: dict[str, Solid] = {
    "dome": dome(depth=8, width=16, height=9),
    "box": box(depth=6, width=12, height=8, at=(0.0, 2.0, 0.0)),
}


@cache
def herniated(name: str) -> Anatomy:
    grid = Grid.around(
        np.array(FRAME.origin_mm) - [0, 8, 0],
        in_plane_mm=0.5,
        slice_mm=2.0,
        extent_mm=(64.0, 60.0, 42.0),
    )
    return SPINE.with_fragment(HERNIATIONS[name]).anatomy(grid)


def shrinking(name: str, part: float) -> Shrinking:
    material = find_material(anatomy=herniated(name), frame=FRAME, boundary=BOUNDARY)
    return shrink_herniation(frame=FRAME, boundary=BOUNDARY, material=material, part=part)


def volume_cm3(name: str, disc: sitk.Image) -> float:
    """The disc's material behind the boundary on the footprint of the first herniation."""
    before = herniated(name)
    material = find_material(anatomy=before, frame=FRAME, boundary=BOUNDARY)
    after = Anatomy(before.vertebra, disc, before.canal, before.sacrum)
    left = find_material(anatomy=after, frame=FRAME, boundary=BOUNDARY)
    return fill(
        anatomy=after,
        frame=FRAME,
        boundary=BOUNDARY,
        material=left,
        footprint=material.footprint | left.footprint,
    ).volume_cm3


@pytest.mark.parametrize("part", [0.6, 0.25])
@pytest.mark.parametrize("name", HERNIATIONS)
def test_the_part_asked_for_is_left(name: str, part: float) -> None:
    disc = herniated(name).disc
    before = volume_cm3(name, disc)
    assert before == pytest.approx(HERNIATIONS[name].volume_cm3, rel=0.03)
    after = volume_cm3(name, shrinking(name, part).apply(disc))
    assert after / before == pytest.approx(part, abs=0.03)


def test_all_of_it_left_changes_nothing() -> None:
    anatomy = herniated("dome")
    for volume in (anatomy.disc, anatomy.canal):
        kept = shrinking("dome", 1.0).apply(volume)
        np.testing.assert_array_equal(
            sitk.GetArrayViewFromImage(kept), sitk.GetArrayViewFromImage(volume)
        )


@pytest.mark.parametrize("name", HERNIATIONS)
def test_none_of_it_left_leaves_nothing_behind_the_boundary(name: str) -> None:
    gone = shrinking(name, 0.0).apply(herniated(name).disc)
    after = Anatomy(herniated(name).vertebra, gone, herniated(name).canal, herniated(name).sacrum)
    left = find_material(anatomy=after, frame=FRAME, boundary=BOUNDARY)
    assert not left.is_herniated
    assert left.reach_mm.max() < FOOTPRINT_MM
    assert volume_cm3(name, gone) < 0.02 * volume_cm3(name, herniated(name).disc)


def test_the_sac_follows_and_the_disc_stays() -> None:
    anatomy = herniated("dome")
    before, after = (
        sitk.GetArrayFromImage(volume)
        for volume in (anatomy.canal, shrinking("dome", 0.0).apply(anatomy.canal))
    )
    voxel_cm3 = float(np.prod(anatomy.canal.GetSpacing())) / 1000
    gained = float(after.sum(dtype=float) - before.sum(dtype=float)) * voxel_cm3
    assert gained == pytest.approx(HERNIATIONS["dome"].volume_cm3, rel=0.1)

    index = np.argwhere(sitk.GetArrayViewFromImage(anatomy.disc) > 0)
    disc = anatomy.disc
    matrix = np.array(disc.GetDirection()).reshape(3, 3) * np.array(disc.GetSpacing())
    depth = FRAME.to_frame(index[:, ::-1] @ matrix.T + np.array(disc.GetOrigin()))[:, 0]
    in_front = tuple(index[depth < 0].T)
    shrunk = shrinking("dome", 0.3).apply(disc)
    np.testing.assert_array_equal(
        sitk.GetArrayViewFromImage(shrunk)[in_front], sitk.GetArrayViewFromImage(disc)[in_front]
    )
    assert shrunk.GetDirection() == disc.GetDirection()
