"""Bones and discs of the phantom as layers of tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mri_resorb.simulate.bone import (
    body_distance,
    capsule,
    disc_distance,
    disc_width_mm,
    local_plane,
    near,
    posterior_element_distance,
)
from mri_resorb.simulate.canal import CanalShape
from mri_resorb.simulate.field import Array, Field, Layer, Region, layer
from mri_resorb.simulate.soft_tissue import Textures
from mri_resorb.simulate.spine_shape import Body, SpineShape

_CORTEX_MM = 0.9
_S1_HALF_WIDTH_MM = 25.0


@dataclass(frozen=True)
class BoneLayers:
    """What to paint, and which of it is vertebra, body of S1, or other bone."""

    layers: list[Layer]
    vertebra: list[Layer]
    sacrum: list[Layer]
    rest: list[Layer]


@dataclass(frozen=True)
class DiscLayers:
    """What to paint, and each disc's whole cover."""

    layers: list[Layer]
    cover: list[Layer]


def body_layers(
    field: Field, shape: SpineShape, textures: Textures, rng: np.random.Generator
) -> BoneLayers:
    """Vertebral bodies and the sacrum's: dark cortex, marrow, basivertebral veins."""
    made = BoneLayers([], [], [], [])
    fatness = rng.uniform(0.05, 0.3)
    for body in shape.bodies.values():
        hollow = float(rng.uniform(1.0, 2.4)) if body.name[0] in "LT" else 0.3
        region = near(field, body.centre, body.axes, front=32, back=32, half=24)
        if region is None:
            continue
        distance = body_distance(field, region, body, endplate_hollow_mm=hollow)
        if body.name == "S1":
            to_side = np.abs(field.transverse_mm[:, region[1]])
            distance = np.maximum(distance, to_side - np.float32(_S1_HALF_WIDTH_MM))
        cortex = layer("cortical bone", region, field.fill(distance))
        marrow = field.fill(distance + _CORTEX_MM)
        fatty = np.clip(fatness * textures.clouds[region], 0, 0.4)
        made.layers.extend(
            [
                cortex,
                layer("marrow", region, marrow, texture=textures.marrow, amount=0.13),
                layer("deep fat", region, marrow * fatty),
            ]
        )
        if body.name[0] in "LT":
            made.vertebra.append(cortex)
            made.layers.append(_vein(field, region, body, marrow))
        elif body.name == "S1":
            made.sacrum.append(cortex)
        else:
            made.rest.append(cortex)
    return made


def _vein(field: Field, region: Region, body: Body, marrow: Array) -> Layer:
    to_back, up = local_plane(field, region, body.centre, body.axes)
    wall = float((body.local(body.posterior_inferior) + body.local(body.posterior_superior))[0] / 2)
    inward = np.clip((wall - to_back) / 11.0, 0, 1)
    transverse = field.transverse_mm[:, region[1]]
    distance = np.hypot(up / (1.9 - 1.3 * inward), transverse / (6.0 - 3 * inward))
    cover = np.clip(1.4 - distance, 0, 1) * (inward < 1) * (0.8 - 0.5 * inward)
    return layer("basivertebral vein", region, cover * marrow)


def disc_layers(
    field: Field, shape: SpineShape, textures: Textures, rng: np.random.Generator
) -> DiscLayers:
    """Dark annulus and a nucleus as bright as its grade lets it be."""
    made = DiscLayers([], [])
    for disc in shape.discs.values():
        depth = 2 * float(np.linalg.norm(disc.centre - disc.origin))
        region = near(field, disc.origin, disc.axes, front=depth + 8, back=8, half=16)
        cleft, squeeze = rng.uniform(0.1, 0.6), rng.uniform(0.9, 1.1)
        if region is None:
            continue
        distance, share, up = disc_distance(field, region, disc)
        cover = layer(
            "outer annulus", region, field.fill(distance), texture=textures.grain, amount=0.1
        )
        across = field.transverse_mm[:, region[1]] / np.float32(0.36 * disc_width_mm(disc))
        height = (0.5 * disc.posterior_height_mm + 2.6) * squeeze
        radius = np.sqrt(((share + 0.03) / 0.64) ** 2 + across**2 + (up / height) ** 2)
        nucleus = ((radius - 1) * 7).astype(np.float32)
        bright = field.fill(nucleus, softness_mm=4.5)
        inner = field.fill(distance + 4.0, softness_mm=4.0)
        grade = f"nucleus {disc.degeneration}"
        made.cover.append(cover)
        made.layers.extend(
            [
                cover,
                layer("inner annulus", region, inner),
                layer(grade, region, bright, texture=textures.mottle, amount=0.12),
            ]
        )
        if disc.degeneration in (2, 3):
            band = np.clip(1 - np.abs(up) / 1.3, 0, 1) * np.float32(cleft)
            made.layers.append(layer("inner annulus", region, band * bright))
    return made


def posterior_element_layers(
    field: Field,
    shape: SpineShape,
    canal: CanalShape,
    textures: Textures,
    rng: np.random.Generator,
) -> BoneLayers:
    """Posterior elements, the sacrum's wings and crest, and what joins its segments."""
    made = BoneLayers([], [], [], [])
    sacrum = shape.bodies["S1"]
    wings = near(field, sacrum.centre, sacrum.axes, front=34, back=34, half=50)
    if wings is not None:
        _add_bone(made, made.rest, field, wings, _wing_distance(field, wings, sacrum), textures)
    for name in ("S1", "S2", "S3", "S4", "S5"):
        body = shape.bodies[name]
        region = near(field, body.centre, body.axes, front=34, back=34, half=26)
        if region is not None:
            # Remnants of discs, and cortex, show between the segments' marrow.
            grown = body_distance(field, region, body, endplate_hollow_mm=0.0) - 1.6
            made.layers.append(layer("inner annulus", region, field.fill(grown)))
    below = field.along_mm < canal.disc_mm["L5"]
    crest = field.region((field.behind_mm > 0) & (field.behind_mm < 40) & below)
    if crest is not None:
        _add_bone(made, made.rest, field, crest, _crest_distance(field, crest, canal), textures)
    for name, body in shape.bodies.items():
        region = near(field, body.centre, body.axes, front=24, back=72, half=46)
        if name[0] in "LT" and region is not None:
            distance = posterior_element_distance(field, region, body, scale=shape.scale, rng=rng)
            distance += 0.2 * textures.mottle[region] + 0.45 * textures.clouds[region]
            _add_bone(made, made.vertebra, field, region, distance, textures)
    return made


def _add_bone(
    made: BoneLayers,
    kind: list[Layer],
    field: Field,
    region: Region,
    distance: Array,
    textures: Textures,
) -> None:
    """Cortex around fatty marrow."""
    cortex = layer("cortical bone", region, field.fill(distance))
    marrow = field.fill(distance + 1.2)
    kind.append(cortex)
    made.layers.extend(
        [
            cortex,
            layer("marrow", region, marrow, texture=textures.marrow, amount=0.15),
            layer("deep fat", region, 0.35 * field.fill(distance + 1.8)),
        ]
    )


def _wing_distance(field: Field, region: Region, body: Body) -> Array:
    """The sacrum's lateral masses: from the body's sides down and outwards."""
    to_back, up = local_plane(field, region, body.centre, body.axes)
    return capsule(
        (to_back[None], up[None], np.abs(field.transverse_mm[:, region[1]])),
        start=(2, 2, 30),
        end=(4, -38, 34),
        radius_mm=10.0,
        stretch=(1.2, 1.0, 1.4),
    )


def _crest_distance(field: Field, region: Region, canal: CanalShape) -> Array:
    """The fused roof of the sacral canal, with a bump a segment."""
    behind, along = (a[region[1], region[2]] for a in (field.behind_mm, field.along_mm))
    top = canal.disc_mm["L5"] - 8.0
    bumps = 0.5 + 0.5 * np.cos((top - 10 - along) * 2 * np.pi / 27.0)
    roof = canal.at(canal.roof_mm, along)
    transverse = np.abs(field.transverse_mm[:, region[1]])
    thick = 3.5 + 7.0 * bumps * np.clip(1 - transverse / 8.0, 0, 1)
    across = np.maximum(transverse - 17.0, along - top)
    return np.asarray(np.maximum(np.maximum(roof - behind, behind - roof - thick), across))
