"""A lumbar spine phantom with herniations of known volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import DiscFrame, Level, Point, Structure
from mri_resorb.simulate.canal import draw_canal, epidural_layers, reach_map, sac_layers
from mri_resorb.simulate.field import Array, Field, Layer, Region, cover_of, make_field, paint
from mri_resorb.simulate.herniation import Herniation
from mri_resorb.simulate.placement import place_herniations
from mri_resorb.simulate.skeleton import body_layers, disc_layers, posterior_element_layers
from mri_resorb.simulate.soft_tissue import draw_textures, surrounding_layers
from mri_resorb.simulate.spine_shape import Disc, draw_spine_shape
from mri_resorb.simulate.tissue import SpinEcho


@dataclass(frozen=True)
class PhantomFragment:
    """The true fragment of one level.

    Attributes:
        occupancy: 0-1, float32, on the phantom's fine grid (sagittal order, LPS).
        volume_cm3: its integral: joined and detached pieces behind the posterior boundary, without
            what the footprint rule leaves out (DEFINITIONS 1).
        joined_cm3, detached_cm3: its parts.
    """

    occupancy: sitk.Image
    volume_cm3: float
    joined_cm3: float
    detached_cm3: float


@dataclass(frozen=True)
class Phantom:
    """One person at one date, on a fine grid, before any scanner has seen it.

    Sagittal order, LPS, the origin at the posterior-superior corner of S1.

    Attributes:
        field: the fine grid.
        layers: tissues painted one over the other, back to front.
        structures: occupancy 0-255 (uint8) on the fine grid. VERTEBRA has body and posterior
            elements, DISC displaced and detached material too, CANAL is the thecal sac, SACRUM
            the body of S1.
        fragments: by level, only where herniations were asked for.
        frames: the true disc frame by level.
        disc_centres_mm: by level, LPS.
        degeneration: Pfirrmann grade by level.
    """

    field: Field
    layers: tuple[Layer, ...]
    structures: Mapping[Structure, sitk.Image]
    fragments: Mapping[Level, PhantomFragment]
    frames: Mapping[Level, DiscFrame]
    disc_centres_mm: Mapping[Level, Point]
    degeneration: Mapping[Level, int]

    def signal(self, sequence: SpinEcho, *, flow_voids: bool = True) -> sitk.Image:
        """Noise-free signal on the fine grid, float32, proton density of fluid being 1."""
        layers = [item for item in self.layers if flow_voids or item.tissue != "flow void"]
        return self.field.image(paint(layers, field=self.field, sequence=sequence))


def lumbar_phantom(
    *,
    seed: int,
    herniations: Mapping[Level, Sequence[Herniation]] | None = None,
    width_mm: float = 60.0,
    in_plane_mm: float = 0.5,
    across_mm: float = 1.0,
) -> Phantom:
    """Make a spine from a seed, S5 up to T9 as far as the field goes, with herniations.

    The same seed is the same person: only the herniations, and what they push aside, differ.
    Seeds below 5000 are for training, 5000-8999 for tests and validation, 9000 and above for the
    samples that are shipped.

    Args:
        herniations: pieces by level; two at a level are a hernia and its sequester.
        width_mm: how much of the body, from right to left; 60 shows the lateral recesses.
        in_plane_mm, across_mm: fine grid, within the sagittal plane and from slice to slice.

    Raises:
        ValueError: a herniation that its level has no room for, or pieces that touch.
    """
    shape = draw_spine_shape(np.random.default_rng([seed, 1]))
    canal = draw_canal(shape, np.random.default_rng([seed, 2]))
    field = make_field(
        shape.curve,
        np.random.default_rng([seed, 0]),
        width_mm=width_mm,
        in_plane_mm=in_plane_mm,
        across_mm=across_mm,
    )
    textures = draw_textures(field, np.random.default_rng([seed, 3]))
    behind = posterior_element_layers(
        field, shape, canal, textures, np.random.default_rng([seed, 9])
    )
    discs = disc_layers(field, shape, textures, np.random.default_rng([seed, 7]))
    bodies = body_layers(field, shape, textures, np.random.default_rng([seed, 8]))
    bodies_cover = cover_of([bodies.vertebra, bodies.sacrum, bodies.rest], field)
    placed = {
        level: place_herniations(
            field, shape, level, pieces, bodies=bodies_cover, textures=textures, seed=seed
        )
        for level, pieces in (herniations or {}).items()
        if pieces
    }
    displaced = np.zeros(field.shape, np.float32)
    disc = cover_of([discs.cover], field)
    for found in placed.values():
        np.maximum(displaced[found.region], found.behind, out=displaced[found.region])
        np.maximum(disc[found.region], found.material, out=disc[found.region])
    sac, sac_cover = sac_layers(
        field,
        canal,
        reach_map(field, displaced),
        displaced,
        np.random.default_rng([seed, 5]),
    )
    layers = (
        surrounding_layers(field, shape, textures, np.random.default_rng([seed, 4]))
        + epidural_layers(field, shape, canal)
        + behind.layers
        + discs.layers
        + [item for found in placed.values() for item in found.layers]
        + bodies.layers
        + sac
    )
    vertebra = cover_of([bodies.vertebra, behind.vertebra], field)
    disc *= 1 - np.maximum(bodies_cover, vertebra)
    structures = {
        Structure.VERTEBRA: vertebra,
        Structure.DISC: disc,
        Structure.CANAL: cover_of([[sac_cover]], field) * (1 - vertebra),
        Structure.SACRUM: cover_of([bodies.sacrum], field),
    }
    return Phantom(
        field=field,
        layers=tuple(layers),
        structures={s: field.image(_bytes(cover)) for s, cover in structures.items()},
        fragments={
            level: _fragment(field, found.region, found.joined, found.detached)
            for level, found in placed.items()
        },
        frames={level: _frame(field, shape.disc(level)) for level in Level},
        disc_centres_mm={level: _in_space(field, shape.disc(level).centre) for level in Level},
        degeneration={level: shape.disc(level).degeneration for level in Level},
    )


def _bytes(cover: Array) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(cover * np.float32(255)), np.uint8)


def _fragment(field: Field, region: Region, joined: Array, detached: Array) -> PhantomFragment:
    occupancy = np.zeros(field.shape, np.float32)
    occupancy[region] = joined + detached
    joined_cm3, detached_cm3 = (
        float(part.sum(dtype=float)) * field.voxel_cm3 for part in (joined, detached)
    )
    return PhantomFragment(
        field.image(occupancy), joined_cm3 + detached_cm3, joined_cm3, detached_cm3
    )


def _in_space(field: Field, plane_point: npt.NDArray[np.float64]) -> Point:
    y, z = (float(v) for v in plane_point)
    return field.middle_mm(z), y, z


def _frame(field: Field, disc: Disc) -> DiscFrame:
    (back_y, back_z), (up_y, up_z) = disc.axes
    # The middle of the spine bends a little: the transverse axis stays at right angles to the rest.
    axes = np.array([[0.0, back_y, back_z], [1.0, 0.0, 0.0], [0.0, up_y, up_z]])
    return DiscFrame(origin_mm=_in_space(field, disc.origin), axes=axes)
