"""Puts herniations into the phantom's canal, with their true volume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from mri_resorb.model import Level
from mri_resorb.simulate.bone import disc_width_mm, near, wall_profile
from mri_resorb.simulate.field import Array, Field, Layer, Region, layer
from mri_resorb.simulate.herniation import (
    Herniation,
    SignedDistance,
    grow,
    roughness,
    solid,
    within_footprint,
)
from mri_resorb.simulate.soft_tissue import Textures
from mri_resorb.simulate.spine_shape import SpineShape

_TYPES = ("bulge", "protrusion", "extrusion", "sequestration")
_RIM_MM = 0.8
_REACH_ALONG_MM = 42.0
_REACH_ACROSS_MM = 26.0


@dataclass(frozen=True)
class PlacedHerniations:
    """The pieces of one level on the fine grid; arrays cover `region`.

    Attributes:
        joined, detached: true occupancy, 0-1, behind the boundary and outside of the bodies.
        material: all displaced material, also what the footprint rule leaves out, and its root in
            the disc.
        behind: `material` behind the boundary: what pushes the sac.
    """

    region: Region
    layers: list[Layer]
    joined: Array
    detached: Array
    material: Array
    behind: Array


def place_herniations(
    field: Field,
    shape: SpineShape,
    level: Level,
    pieces: Sequence[Herniation],
    *,
    bodies: Array,
    textures: Textures,
    seed: int,
) -> PlacedHerniations:
    """Grow each piece to its volume, joined ones first.

    Args:
        bodies: cover of the vertebral bodies over the whole field; they yield to nothing.

    Raises:
        ValueError: no room for a volume, or a sequester that touches what is joined.
    """
    disc = shape.disc(level)
    region = near(field, disc.origin, disc.axes, front=10.0, back=32.0, half=_REACH_ALONG_MM)
    if region is None:
        raise ValueError(f"{level} is outside of the phantom.")
    part = (region[1], region[2])
    height = disc.posterior_height_mm
    transverse = field.transverse_mm[:, region[1]]
    depth = 2 * float(np.linalg.norm(disc.centre - disc.origin))
    profile = wall_profile(transverse, depth_mm=depth, width_mm=disc_width_mm(disc))
    behind = field.behind_mm[part] - profile
    up = np.broadcast_to(
        field.along_mm[part] - np.float32(shape.curve.position(disc.origin)), behind.shape
    )
    transverse = np.broadcast_to(transverse, behind.shape)
    pixel = np.float32(field.spacing_mm[0])
    past_line = np.clip(0.5 + behind / pixel, 0, 1)
    counted = np.where(np.abs(up) <= height / 2, past_line, behind > -3.0).astype(np.float32)
    counted *= 1 - bodies[region]

    # Shapes are grown on the voxels that can be fragment, as flat arrays.
    within = (
        (counted > 0) & (np.abs(transverse) < _REACH_ACROSS_MM) & (np.abs(up) < _REACH_ALONG_MM)
    )
    place = (behind[within], transverse[within], up[within])
    free = counted[within]
    joined, detached, material = (np.zeros(behind.shape, np.float32) for _ in range(3))
    layers: list[Layer] = []
    for piece in sorted(pieces, key=lambda p: p.detached):
        key = [seed, 6, list(Level).index(level), _TYPES.index(piece.type)]
        rough = roughness(np.random.default_rng(key))
        occupancy = partial(_occupancy, piece, height, rough, field, place, free)
        size = grow(partial(_volume_cm3, occupancy, field), target_cm3=piece.volume_cm3)
        true = np.zeros(behind.shape, np.float32)
        true[within] = occupancy(size)
        distance = solid(piece, size=size, disc_height_mm=height, rough=rough)(
            behind, transverse, up
        )
        cover = field.fill(distance)
        root: Array = np.ones(1, np.float32)
        if piece.detached:
            if (ndimage.binary_dilation(joined > 0.05) & (cover > 0.05)).any():
                raise ValueError(f"The sequester at {level} touches what is joined to the disc.")
            detached = np.maximum(detached, true)
        else:
            joined = np.maximum(joined, true)
            root = np.clip((behind + 2.5) / 2.0, 0, 1)
        free = free * (1 - true[within])
        material = np.maximum(material, cover * root)
        core = field.fill(distance + _RIM_MM, softness_mm=1.0) * root
        layers += [
            layer("outer annulus", region, cover * root),
            layer(f"{piece.signal} fragment", region, core, texture=textures.mottle, amount=0.12),
        ]
    return PlacedHerniations(region, layers, joined, detached, material, material * counted)


def _occupancy(
    piece: Herniation,
    disc_height_mm: float,
    rough: SignedDistance,
    field: Field,
    place: tuple[Array, Array, Array],
    free: Array,
    size: float,
) -> Array:
    """What a piece of a size takes of the places that are free, as DEFINITIONS count it."""
    whole = solid(piece, size=size, disc_height_mm=disc_height_mm, rough=rough)
    counted = whole if piece.detached else within_footprint(whole)
    return field.fill(counted(*place)) * free


def _volume_cm3(occupancy: Callable[[float], Array], field: Field, size: float) -> float:
    return float(occupancy(size).sum(dtype=float)) * field.voxel_cm3
