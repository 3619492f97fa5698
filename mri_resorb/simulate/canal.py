"""The spinal canal of the phantom: epidural fat, ligaments, thecal sac, conus and cauda equina."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mri_resorb.simulate.field import Array, Field, Layer, layer
from mri_resorb.simulate.spine_shape import SpineShape

CANAL_DEPTH_MM = 17.0
"""Of the bony canal behind a body, for a spine of scale 1."""
_ARC_STEP_MM = 0.5
_DURA_AND_LIGAMENT_MM = 0.9
_ROOTS_A_SIDE_AND_LEVEL = 4


@dataclass(frozen=True)
class CanalShape:
    """The sac before any herniation, as functions of arc length up the posterior line, mm.

    Attributes:
        along_mm: arc lengths at which the others are given.
        front_mm, back_mm: of the sac in the middle, behind the posterior boundary.
        half_width_mm: of the sac.
        roof_mm: back of the epidural space in the middle; deeper between the laminae.
        conus_mm: arc length of the conus' tip.
        disc_mm: arc length of each disc, by the name of the body above.
    """

    along_mm: Array
    front_mm: Array
    back_mm: Array
    half_width_mm: Array
    roof_mm: Array
    conus_mm: float
    disc_mm: Mapping[str, float]

    def at(self, values: Array, along_mm: Array) -> Array:
        """One of the functions, at any arc lengths."""
        return np.interp(along_mm, self.along_mm, values).astype(np.float32)


def draw_canal(shape: SpineShape, rng: np.random.Generator) -> CanalShape:
    """Width of the sac, epidural fat and level of the conus of one person."""
    arc = np.arange(0, len(shape.curve.points) * 0.25, _ARC_STEP_MM)
    disc_mm = {name: shape.curve.position(disc.origin) for name, disc in shape.discs.items()}
    middle = {name: shape.curve.position(_wall(shape, name)) for name in shape.bodies}
    fat = float(rng.uniform(1.5, 6.0))
    stations = [middle[n] for n in ("S3", "S2", "S1")] + [
        disc_mm["L5"], middle["L5"], disc_mm["L4"], middle["L4"], disc_mm["L3"], disc_mm["L1"],
        disc_mm["T10"],
    ]  # fmt: skip
    front = np.interp(
        arc, stations, [fat + 4, fat + 3, 1.4 + fat, 1.2 + 0.6 * fat, 2.2, 1.2, 2.2, 1.2, 1.2, 1.2]
    )
    for name, at in middle.items():
        if name[0] == "L":  # veins and fat behind the middle of the bodies
            front += 0.7 * np.exp(-(((arc - at) / 5.0) ** 2))
    size = shape.scale * rng.normal(1, 0.07)
    depth = size * np.interp(
        arc, stations, [0.5, 6.5, 9.0, 11.5, 12.3, 12.8, 13.0, 13.2, 14.0, 14.0]
    )
    half_width = size * np.interp(arc, stations, [1.0, 4.5, 6.5, 8.5, 9.2, 9.6, 9.8, 9.8, 9.6, 9.2])
    roof = CANAL_DEPTH_MM * shape.scale * np.interp(arc, stations[:4], [0.5, 0.7, 0.92, 1.0])
    for name, at in disc_mm.items():
        if name[0] == "L":
            deep = {"L5": 5.5, "L4": 6.0, "L3": 6.0, "L2": 5.0, "L1": 4.0}[name]
            roof += deep * np.exp(-(((arc - at + 1.0) / 6.5) ** 2))
            depth -= 0.7 * np.exp(-(((arc - at) / 6.0) ** 2))
    smooth = 4.0 / _ARC_STEP_MM
    front, depth, half_width = (
        ndimage.gaussian_filter1d(v, smooth, mode="nearest") for v in (front, depth, half_width)
    )
    conus = middle["L1"] + float(rng.normal(0, 9))
    return CanalShape(
        arc.astype(np.float32),
        front.astype(np.float32),
        (front + depth).astype(np.float32),
        half_width.astype(np.float32),
        roof.astype(np.float32),
        conus,
        disc_mm,
    )


def _wall(shape: SpineShape, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    body = shape.bodies[name]
    return np.asarray((body.posterior_inferior + body.posterior_superior) / 2)


def epidural_layers(field: Field, shape: SpineShape, canal: CanalShape) -> list[Layer]:
    """Fat of the canal and the foramina, nerve roots in it, yellow and longitudinal ligaments."""
    region = field.region((field.behind_mm > -8) & (field.behind_mm < 30))
    assert region is not None
    behind, along = (a[region[1], region[2]] for a in (field.behind_mm, field.along_mm))
    transverse = np.abs(field.transverse_mm[:, region[1]])
    roof = canal.at(canal.roof_mm, along)
    # The yellow ligaments meet in the middle like a roof.
    lowest = np.minimum(roof, np.float32(CANAL_DEPTH_MM * shape.scale)) - 2
    roof3 = lowest + (roof - lowest) * np.clip(1.15 - transverse / 10.0, 0, 1)
    inside = np.maximum(np.maximum(-1.5 - behind, behind - roof3), transverse - 12.5)
    flavum = np.maximum(np.maximum(5.0 - behind, behind - roof3 - 3.4), transverse - 14.5)
    foramen_along = np.full_like(along, 1e3)
    for name, at in canal.disc_mm.items():
        if name[0] in "LT":
            foramen_along = np.minimum(foramen_along, np.abs(along - at - 4.0))
    foramen = np.maximum(
        np.hypot(foramen_along / np.float32(1.5), np.clip(behind - 5.5, -99, 99)) - 6.0,
        transverse - 24.0,
    )
    foramen = np.maximum(foramen, 9.0 - transverse)
    root = np.maximum(
        np.hypot(foramen_along - 2.0, behind - 4.0) - 2.4,
        np.maximum(11.0 - transverse, transverse - 26),
    )
    posterior = np.maximum(np.abs(behind - 0.3) - 0.75, transverse - 6.0)
    return [
        layer("ligament", region, field.fill(flavum)),
        layer("deep fat", region, field.fill(foramen)),
        layer("nerve root", region, field.fill(root)),
        layer("epidural fat", region, field.fill(inside)),
        layer("ligament", region, field.fill(posterior)),
    ]  # fmt: skip


def reach_map(field: Field, fragments: Array) -> Array:
    """How far behind the boundary displaced material goes, (slices, arc bins), mm; -99 for none."""
    bins = int(field.along_mm.max() / _ARC_STEP_MM) + 2
    reach = np.full((field.shape[0], bins), -99, np.float32)
    slices, rows, columns = np.nonzero(fragments > 0.35)
    behind, along = field.behind_mm, field.along_mm
    at = np.clip(np.rint(along[rows, columns] / _ARC_STEP_MM).astype(int), 0, bins - 1)
    np.maximum.at(reach, (slices, at), behind[rows, columns] + np.float32(field.spacing_mm[0] / 2))
    return reach


def sac_layers(
    field: Field, canal: CanalShape, reach: Array, fragments: Array, rng: np.random.Generator
) -> tuple[list[Layer], Layer]:
    """The sac behind whatever is displaced, with what swims in it.

    Args:
        reach: from `reach_map`.
        fragments: cover of displaced material, whole field: never painted over.

    Returns:
        layers from dura to roots; the whole sac's cover, as the canal's label.
    """
    near = (field.behind_mm > -4) & (field.behind_mm < 26)
    region = field.region(near)
    assert region is not None
    behind, along = (a[region[1], region[2]] for a in (field.behind_mm, field.along_mm))
    transverse = field.transverse_mm[:, region[1]]
    front, back = canal.at(canal.front_mm, along), canal.at(canal.back_mm, along)
    half_width = np.maximum(canal.at(canal.half_width_mm, along), 0.5)

    slices_mm = field.spacing_mm[2]
    draped = ndimage.grey_dilation(
        reach, size=(2 * round(1.0 / slices_mm) + 1, 2 * round(2.0 / _ARC_STEP_MM) + 1)
    )
    draped = ndimage.gaussian_filter(np.maximum(draped, -6), (1.2 / slices_mm, 1.5 / _ARC_STEP_MM))
    draped = np.maximum(draped, reach)
    bins = np.clip(np.rint(along / _ARC_STEP_MM).astype(int), 0, reach.shape[1] - 1)
    pushed = draped[:, bins] + np.float32(_DURA_AND_LIGAMENT_MM)

    chord = np.clip(1 - (np.abs(transverse) / half_width) ** 2.4, 0, 1) ** np.float32(1 / 2.4)
    middle, half_depth = (front + back) / 2, (back - front) / 2
    near_wall = np.maximum(middle - half_depth * chord, pushed)
    far_wall = middle + half_depth * chord
    # A sac that is pushed gives way to the back, a little.
    far_wall = far_wall + np.clip(0.25 * (pushed - front), 0, 1.5) * chord
    distance = np.maximum(
        np.maximum(near_wall - behind, behind - far_wall), np.abs(transverse) - half_width
    )
    free = 1 - fragments[region]
    sac = field.fill(distance) * free
    with_dura = field.fill(distance - 0.7) * free

    depth = np.maximum(far_wall - near_wall, 0.5)
    eta = (behind - near_wall) / depth * 2 - 1
    layers = [
        layer("dura", region, with_dura),
        layer("cerebrospinal fluid", region, sac),
    ]
    index = np.nonzero(sac > 0.02)
    place = _Place(
        xi=(transverse / half_width)[index],
        eta=eta[index],
        along=np.broadcast_to(along, sac.shape)[index],
        half_width=np.broadcast_to(half_width, sac.shape)[index],
        half_depth=depth[index] / 2,
    )
    for tissue, cover in (
        ("flow void", _flow_voids(place, canal, rng)),
        ("nerve root", _roots(place, canal, rng)),
        ("cord", _cord(place, canal)),
    ):
        spread = np.zeros(sac.shape, np.float32)
        spread[index] = cover * sac[index]
        layers.append(layer(tissue, region, spread))
    return layers, layer("cerebrospinal fluid", region, sac)


@dataclass(frozen=True)
class _Place:
    """Voxels in the sac, in coordinates that go with it when it is pushed: each (n,).

    Attributes:
        xi, eta: -1 to 1 from right to left and from front to back.
        half_width, half_depth: mm that a unit of xi and eta stand for.
    """

    xi: Array
    eta: Array
    along: Array
    half_width: Array
    half_depth: Array

    def distance(self, xi: Array, eta: Array) -> Array:
        """mm from a line given by its (xi, eta) at each voxel's height."""
        across, deep = (self.xi - xi) * self.half_width, (self.eta - eta) * self.half_depth
        return np.asarray(np.hypot(across, deep))


def _cord(place: _Place, canal: CanalShape) -> Array:
    above = place.along - np.float32(canal.conus_mm)
    taper = np.sqrt(np.clip(above / 32.0, 0, 1))
    across = (place.xi * place.half_width) / (4.6 * taper + 0.01)
    deep = ((place.eta - 0.05) * place.half_depth) / (3.5 * taper + 0.01)
    distance = (np.hypot(across, deep) - 1) * 4.0 * taper
    return np.where(above > 0, np.clip(0.5 - distance / 0.7, 0, 1), 0).astype(np.float32)


def _roots(place: _Place, canal: CanalShape, rng: np.random.Generator) -> Array:
    cover = np.zeros(place.xi.shape, np.float32)
    end_mm = [canal.disc_mm[n] + 12 for n in ("L1", "L2", "L3", "L4", "L5")]
    end_mm += [end_mm[-1] - 22, end_mm[-1] - 40]
    for order in range(7):
        for side in (-1, 1):
            for strand in range(_ROOTS_A_SIDE_AND_LEVEL):
                leaves = end_mm[order] - rng.uniform(0, 4)
                begins = canal.conus_mm + 30 - 4 * order + rng.uniform(-3, 3)
                # Lower roots lie nearer to the middle and further back.
                home_xi = side * float(
                    np.clip(0.78 - 0.1 * order + rng.normal(0, 0.07), 0.06, 0.85)
                )
                home_eta = float(np.clip(0.2 + 0.08 * order + rng.normal(0, 0.2), -0.2, 0.82))
                share = (begins - place.along) / max(begins - leaves, 1.0)
                phase = rng.uniform(0, 6.3, 2)
                to_exit = np.clip((share - 0.72) / 0.28, 0, 1) ** 1.5
                from_conus = np.clip(1 - share / 0.25, 0, 1)
                xi = home_xi * (1 - 0.4 * from_conus) + (0.93 * side - home_xi) * to_exit
                xi = xi + 0.05 * np.sin(place.along / 13 + phase[0])
                eta = home_eta * (1 - from_conus) + (-0.15 - home_eta) * to_exit
                eta = eta + 0.08 * np.sin(place.along / 17 + phase[1]) + 0.02 * strand
                there = (share > 0) & (share < 1)
                radius = 0.55 if order > 4 else 0.68
                near = np.clip(0.5 - (place.distance(xi, eta) - radius) / 0.6, 0, 1)
                cover = np.maximum(cover, np.where(there, near, 0).astype(np.float32))
    return cover


def _flow_voids(place: _Place, canal: CanalShape, rng: np.random.Generator) -> Array:
    """Blotches where fluid moves, behind and beside the conus."""
    cover = np.zeros(place.xi.shape, np.float32)
    for _ in range(5):
        at = canal.conus_mm + rng.uniform(-35, 70)
        xi, eta = rng.uniform(-0.6, 0.6), rng.uniform(0.2, 0.7)
        far = np.hypot(
            place.distance(np.asarray(xi), np.asarray(eta)) / 2.5,
            (place.along - at) / rng.uniform(5, 14),
        )
        cover = np.maximum(cover, (0.55 * np.exp(-(far**2))).astype(np.float32))
    return cover
