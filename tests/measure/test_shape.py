"""Size, type, migration and canal compromise of solids drawn on the shared grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from spines import Grid, Solid, Spine, box, dome, ellipsoid

from benchmarks.implanted import fragment_alone
from mri_resorb.measure import shape
from mri_resorb.measure.boundary import frame_at_posterior_margin
from mri_resorb.measure.material import (
    DEPTH_MM,
    DEPTH_STEP_MM,
    HEIGHT_MM,
    HEIGHT_STEP_MM,
    TRANSVERSE_MM,
    TRANSVERSE_STEP_MM,
    BoolArray,
    Material,
    find_material,
)
from mri_resorb.model import Anatomy, HerniationType, Point
from mri_resorb.segment.discs import find_discs

BOUNDARY = Spine(discs=1).boundary()
STEPS = (DEPTH_STEP_MM, TRANSVERSE_STEP_MM, HEIGHT_STEP_MM)


def drawn(*solids: Solid) -> BoolArray:
    """Solids on the shared grid (transverse, craniocaudal, depth)."""
    transverse, height, depth = np.meshgrid(TRANSVERSE_MM, HEIGHT_MM, DEPTH_MM, indexing="ij")
    parts = [solid.inside(depth, transverse, height) > 0 for solid in solids]
    return np.any(parts, axis=0) if parts else np.zeros(depth.shape, bool)


def material(
    joined: tuple[Solid, ...] = (), detached: tuple[Solid, ...] = (), canal: Solid | None = None
) -> Material:
    here = drawn(*joined)
    reach = np.where(here, DEPTH_MM + DEPTH_STEP_MM / 2, 0.0).max(axis=-1)
    sac = drawn(canal) if canal else np.zeros_like(here)
    covered = np.ones(len(TRANSVERSE_MM), bool)
    broad = here[..., DEPTH_MM > 1.0].any(axis=(1, 2))
    pieces = drawn(*detached)
    return Material(here, pieces, sac, covered, reach, broad, tips=here | pieces)


def type_of(joined: tuple[Solid, ...], detached: tuple[Solid, ...] = ()) -> HerniationType:
    seen = material(joined, detached)
    return shape.herniation_type(material=seen, footprint=seen.footprint, boundary=BOUNDARY)


def neck(*, depth: float, width: float, height: float, at: Point = (0.0, 0.0, 0.0)) -> Solid:
    return box(depth=depth, width=width, height=height, at=at)


@settings(deadline=None, max_examples=25)
@given(st.floats(3, 15), st.floats(4, 24), st.floats(4, 24), st.floats(-8, 8), st.floats(-8, 8))
def test_sizes_of_boxes_are_true_within_a_step_of_the_grid(
    depth: float, width: float, height: float, transverse: float, craniocaudal: float
) -> None:
    solid = box(depth=depth, width=width, height=height, at=(0.0, transverse, craniocaudal))
    size = shape.size_mm(drawn(solid), boundary=BOUNDARY)
    found = (size.ap, size.transverse, size.craniocaudal)
    for mm, true, step in zip(found, (depth, width, height), STEPS, strict=True):
        assert abs(mm - true) <= step + 1e-9


@pytest.mark.parametrize(
    ("width_mm", "wall_to_mm", "slices_to_mm", "expected"),
    [
        (28, 13, 24, "bulge"),
        (22, 13, 24, "protrusion"),
        (28, 13, 13, "protrusion"),
        (14, 6, 24, "protrusion"),
    ],
    ids=["takes all of the wall", "leaves some", "slices end with the wall", "little wall is seen"],
)
def test_what_takes_all_of_the_posterior_wall_is_a_bulge(
    width_mm: float, wall_to_mm: float, slices_to_mm: float, expected: HerniationType
) -> None:
    seen = material((box(depth=4, width=width_mm, height=6),))
    seen = replace(seen, covered=np.abs(TRANSVERSE_MM) <= slices_to_mm)
    boundary = replace(BOUNDARY, transverse_range_mm=(-wall_to_mm, wall_to_mm))
    found = shape.herniation_type(material=seen, footprint=seen.footprint, boundary=boundary)
    assert found == expected


def test_pieces_are_sized_together_edge_to_edge() -> None:
    joined = box(depth=5, width=10, height=8)
    below = box(depth=4, width=6, height=6, at=(2.0, 8.0, -14.0))
    size = shape.size_mm(drawn(joined, below), boundary=BOUNDARY)
    assert size.craniocaudal == pytest.approx(4 + 17, abs=HEIGHT_STEP_MM)
    assert size.transverse == pytest.approx(5 + 11, abs=TRANSVERSE_STEP_MM)
    assert size.ap == pytest.approx(6, abs=DEPTH_STEP_MM)


def test_along_a_slanting_wall_a_fragment_is_sized_along_the_axes_and_not_along_the_wall() -> None:
    slant = 0.3  # mm to the back, a mm downwards, below the disc
    walls = np.array([[0.0, 0.0, 0.0], [10 * slant, 0.0, 0.0]])
    slanting = replace(BOUNDARY, walls=walls)
    lower = float(slanting.corner_heights_mm(np.array(0.0))[1])
    piece = box(depth=4, width=6, height=10, at=(2.1, 0.0, lower - 7.1))
    size = shape.size_mm(drawn(piece), boundary=slanting)
    assert size.craniocaudal == pytest.approx(10, abs=HEIGHT_STEP_MM)
    assert size.ap == pytest.approx(4 + slant * 10, abs=DEPTH_STEP_MM + slant * HEIGHT_STEP_MM)


def test_nothing_has_no_size() -> None:
    with pytest.raises(ValueError, match="empty"):
        shape.size_mm(drawn(), boundary=BOUNDARY)


GRIDS = [
    (0.35, 3.3, (0.0, 0.0, 0.0), (0.0, 0.0, 0.3)),
    (0.6, 4.4, (8.0, -6.0, 4.0), (0.4, 0.2, -0.4)),
    (0.9, 2.0, (-10.0, 5.0, -6.0), (0.1, 0.5, 0.0)),
    (0.9, 5.0, (3.0, 3.0, 3.0), (0.0, 0.3, 0.5)),
]


@pytest.mark.parametrize("grid", GRIDS)
def test_sizes_through_the_imaging_are_true_within_half_a_voxel_or_a_grid_step(
    grid: tuple[float, float, Point, Point],
) -> None:
    in_plane_mm, slice_mm, turn, (across, down, left) = grid
    solid = box(depth=7.3, width=16.4, height=8.6, at=(0.0, 1.5, 0.2))
    spine = Spine(discs=1, turn_degrees=turn, shift_mm=(5.0, 60.0, -90.0)).with_fragment(solid)
    frame = spine.disc_frame()
    where = Grid.around(
        frame.to_patient(np.array([4.0, 0.0, 0.0])),
        in_plane_mm=in_plane_mm,
        slice_mm=slice_mm,
        extent_mm=(40.0, 50.0, 48.0),
        offset_mm=(across * in_plane_mm, down * in_plane_mm, left * slice_mm),
    )
    seen, _ = fragment_alone(anatomy=spine.anatomy(where), frame=frame, boundary=spine.boundary())
    whole = shape.whole_fragment(seen, seen.footprint)
    size = shape.size_mm(whole, boundary=spine.boundary())
    half_voxel = np.array([in_plane_mm, slice_mm, in_plane_mm]) / 2
    errors = np.array([size.ap - 7.3, size.transverse - 16.4, size.craniocaudal - 8.6])
    assert np.all(np.abs(errors) <= np.maximum(half_voxel, STEPS) + 1e-6), errors


@pytest.mark.parametrize("grid", GRIDS)
def test_tips_that_taper_off_through_a_slice_count_to_the_size_within_it(
    grid: tuple[float, float, Point, Point],
) -> None:
    in_plane_mm, slice_mm, turn, (across, down, left) = grid
    solid = ellipsoid(ap=7.0, transverse=7.0, craniocaudal=13.0, at=(3.5, 0.7, -7.0))
    spine = Spine(discs=1, turn_degrees=turn).with_fragment(solid)
    frame = spine.disc_frame()
    where = Grid.around(
        frame.to_patient(np.array([4.0, 0.0, -4.0])),
        in_plane_mm=in_plane_mm,
        slice_mm=slice_mm,
        extent_mm=(40.0, 54.0, 48.0),
        offset_mm=(across * in_plane_mm, down * in_plane_mm, left * slice_mm),
    )
    seen, _ = fragment_alone(anatomy=spine.anatomy(where), frame=frame, boundary=spine.boundary())
    whole = shape.whole_fragment(seen, seen.footprint)
    half = shape.size_mm(whole, boundary=spine.boundary())
    size = shape.size_mm(whole, tips=seen.tips, boundary=spine.boundary())
    assert size.ap == pytest.approx(7, abs=0.75)
    assert size.craniocaudal == pytest.approx(13, abs=1.0)
    assert size.transverse == half.transverse
    if slice_mm > 4:  # where half-filled voxels alone fall short by more
        assert size.ap - half.ap >= DEPTH_STEP_MM
        assert size.craniocaudal - half.craniocaudal >= HEIGHT_STEP_MM


MUSHROOM = (
    neck(depth=5, width=8, height=4),
    ellipsoid(ap=8, transverse=16, craniocaudal=9, at=(6.0, 0.0, 0.0)),
)


@pytest.mark.parametrize(
    ("joined", "detached", "expected"),
    [
        ((dome(depth=6, width=16, height=9),), (), "protrusion"),
        ((box(depth=4, width=12, height=8),), (), "protrusion"),
        # A dome less than two pixels wider than its base is not seen to be wider.
        ((neck(depth=3, width=11, height=7), box(depth=3, width=12, height=8, gap=3)), (),
         "protrusion"),
        (MUSHROOM, (), "extrusion"),
        # Wider in the axial plane alone, and in the sagittal plane alone.
        ((neck(depth=4, width=6, height=8), box(depth=4, width=14, height=8, gap=3)), (),
         "extrusion"),
        ((neck(depth=4, width=12, height=4), box(depth=4, width=12, height=9, gap=3)), (),
         "extrusion"),
        # Beyond the disc's height, as wide as its base.
        ((box(depth=5, width=12, height=18, at=(0.0, 0.0, 7.0)),), (), "extrusion"),
        ((box(depth=5, width=12, height=18, at=(0.0, 0.0, -7.0)),), (), "extrusion"),
        ((), (ellipsoid(ap=6, transverse=10, craniocaudal=10, at=(5.0, 0.0, 12.0)),),
         "sequestration"),
        ((dome(depth=5, width=14, height=9),),
         (ellipsoid(ap=6, transverse=10, craniocaudal=10, at=(5.0, 0.0, 12.0)),),
         "sequestration"),
        ((box(depth=3, width=38, height=9),), (), "bulge"),
        ((box(depth=3, width=30, height=9),), (), "protrusion"),
    ],
)  # fmt: skip
def test_types(
    joined: tuple[Solid, ...], detached: tuple[Solid, ...], expected: HerniationType
) -> None:
    assert type_of(joined, detached) == expected


def test_a_bulge_is_as_broad_as_the_disc_bulges_and_not_as_the_canal_is_wide() -> None:
    """The fragment ends at the lateral recesses; what bulges beside them tells what it is."""
    for width, expected in ((40, "bulge"), (16, "protrusion")):
        spine = Spine(discs=1).with_fragment(box(depth=3.5, width=width, height=9))
        anatomy = spine.anatomy(
            Grid.around(spine.disc_frame().origin_mm, in_plane_mm=0.8, slice_mm=3.0)
        )
        seen = find_material(anatomy=anatomy, frame=spine.disc_frame(), boundary=spine.boundary())
        found = shape.herniation_type(
            material=seen, footprint=seen.footprint, boundary=spine.boundary()
        )
        assert found == expected


@pytest.mark.parametrize(
    ("at", "way", "side"),
    [
        ((5.0, 0.0, 0.0), "none", "central"),
        ((5.0, 2.0, 12.0), "cranial", "central"),
        ((5.0, 8.0, 12.0), "cranial", "left"),
        ((5.0, -8.0, -12.0), "caudal", "right"),
        ((5.0, -8.0, 2.0), "none", "right"),
        ((5.0, 8.0, -12.0), "caudal", "left"),
    ],
)
def test_migration_goes_by_the_centroid(at: Point, way: str, side: str) -> None:
    piece = ellipsoid(ap=6, transverse=9, craniocaudal=9, at=at)
    found = shape.migration(drawn(piece), boundary=BOUNDARY)
    assert (found.craniocaudal, found.side) == (way, side)


@pytest.mark.parametrize("turn", [(20.0, -8.0, 10.0), (-15.0, 8.0, -12.0)])
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True)])
def test_migration_is_the_patients_in_any_pose(turn: Point, flips: tuple[bool, bool, bool]) -> None:
    """A piece to the patient's right and above, found from the image in the disc's own frame."""
    piece = ellipsoid(ap=6, transverse=9, craniocaudal=9, at=(5.0, -6.0, 12.0))
    spine = Spine(discs=1, turn_degrees=turn, shift_mm=(-70.0, 20.0, 5.0)).with_fragment(piece)
    grid = Grid.around(
        spine.disc_frame().to_patient(np.array([-12.0, 0.0, 0.0])),
        in_plane_mm=0.9,
        slice_mm=4.4,
        extent_mm=(80.0, 80.0, 50.0),
    )
    anatomy = spine.anatomy(grid)
    images = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    anatomy = Anatomy(*(sitk.Flip(image, list(flips)) for image in images))
    (disc,) = find_discs(anatomy)
    frame, boundary = frame_at_posterior_margin(anatomy=anatomy, frame=disc.frame)
    seen, _ = fragment_alone(anatomy=anatomy, frame=frame, boundary=boundary)
    found = shape.migration(shape.whole_fragment(seen, seen.footprint), boundary=boundary)
    assert (found.craniocaudal, found.side) == ("cranial", "right")


@pytest.mark.parametrize(
    ("fragment", "percent"),
    [
        (box(depth=8, width=20, height=8), 50.0),
        (box(depth=4, width=10, height=8), 12.5),
        (box(depth=14, width=16, height=8), 70.0),
        # The worst plane counts, wherever it lies.
        (box(depth=8, width=20, height=8, at=(0.0, 0.0, 14.0)), 50.0),
    ],
)
def test_canal_compromise_of_a_box_in_a_box(fragment: Solid, percent: float) -> None:
    canal = box(depth=16, width=20, height=60)
    seen = material((fragment,), canal=canal)
    found = shape.canal_compromise_percent(material=seen, fragment=drawn(fragment))
    assert found == pytest.approx(percent, abs=2.5)


def test_canal_compromise_does_not_care_whether_the_sac_is_displaced() -> None:
    """The canal of an anatomy leaves out the fragment; one drawn over it must give the same."""
    fragment = box(depth=8, width=10, height=8)
    over = material((fragment,), canal=box(depth=16, width=20, height=60))
    beside = replace(over, canal=over.canal & ~over.joined)
    one, other = (
        shape.canal_compromise_percent(material=m, fragment=over.joined) for m in (over, beside)
    )
    assert one == other


def test_a_canal_that_is_not_seen_gives_no_figure() -> None:
    fragment = box(depth=8, width=14, height=8)
    seen = material((fragment,))
    assert shape.canal_compromise_percent(material=seen, fragment=drawn(fragment)) is None
