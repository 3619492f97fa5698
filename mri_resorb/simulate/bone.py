"""Vertebrae, sacrum and discs of the phantom as signed distances, negative inside, mm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mri_resorb.model import FloatArray
from mri_resorb.simulate.canal import CANAL_DEPTH_MM
from mri_resorb.simulate.field import Array, Field, Region
from mri_resorb.simulate.spine_shape import Body, Disc

_OUTLINE_POWER = 2.5
_HOLLOW_MM = 1.6


def wall_profile(transverse: Array, *, depth_mm: float, width_mm: float) -> Array:
    """How far behind its middle a posterior wall stands: hollow, then turning forward.

    Args:
        transverse: mm from the middle.
        depth_mm, width_mm: of the body in the axial plane, a superellipse with a hollow back.
    """
    across = np.clip(np.abs(transverse) / np.float32(width_mm / 2), 0, 0.999)
    round_ = (1 - across**_OUTLINE_POWER) ** np.float32(1 / _OUTLINE_POWER)
    hollow = _HOLLOW_MM * (1 - np.exp(-((transverse / np.float32(10.0)) ** 2)))
    return np.asarray(depth_mm / 2 * (round_ - 1) + hollow, np.float32)


def _front_profile(transverse: Array, *, depth_mm: float, width_mm: float) -> Array:
    across = np.clip(np.abs(transverse) / np.float32(width_mm / 2), 0, 0.999)
    round_ = (1 - across**_OUTLINE_POWER) ** np.float32(1 / _OUTLINE_POWER)
    return np.asarray(depth_mm / 2 * (round_ - 1), np.float32)


def smooth_maximum(a: Array, b: Array, radius_mm: float | Array) -> Array:
    """Intersection with a rounded edge (polynomial smooth maximum, I. Quilez)."""
    h = np.maximum(radius_mm - np.abs(a - b), 0) / radius_mm
    return np.asarray(np.maximum(a, b) + h * h * radius_mm / 4, np.float32)


def local_plane(
    field: Field, region: Region, origin: FloatArray, axes: FloatArray
) -> tuple[Array, Array]:
    """(to the back, up) of the region's pixels in a tilted frame, (rows, columns) each."""
    points = field.plane_points()[region[1], region[2]]
    local = (points - origin) @ axes.T
    return local[..., 0].astype(np.float32), local[..., 1].astype(np.float32)


def near(
    field: Field,
    centre: FloatArray,
    axes: FloatArray,
    *,
    front: float,
    back: float,
    half: float,
) -> Region | None:
    """The block of the field around a point: mm to the front, to the back, and up or down."""
    local = (field.plane_points() - centre) @ axes.T
    inside = (local[..., 0] > -front) & (local[..., 0] < back) & (np.abs(local[..., 1]) < half)
    return field.region(inside)


def body_distance(field: Field, region: Region, body: Body, *, endplate_hollow_mm: float) -> Array:
    """A vertebral body: quadrilateral with hollow endplates, waisted walls and rounded edges."""
    to_back, up = local_plane(field, region, body.centre, body.axes)
    transverse = field.transverse_mm[:, region[1]]
    corner = {
        name: body.local(getattr(body, name))
        for name in (
            "posterior_inferior", "posterior_superior", "anterior_inferior", "anterior_superior",
        )
    }  # fmt: skip
    back = _through(up, corner["posterior_inferior"][::-1], corner["posterior_superior"][::-1])
    front = _through(up, corner["anterior_inferior"][::-1], corner["anterior_superior"][::-1])
    top = _through(to_back, corner["anterior_superior"], corner["posterior_superior"])
    bottom = _through(to_back, corner["anterior_inferior"], corner["posterior_inferior"])
    depth = float(np.mean(back - front))
    height = np.maximum(top - bottom, 1.0)
    waist = np.clip(1 - ((up - (top + bottom) / 2) / (height / 2)) ** 2, 0, 1)
    width = body.width_mm - 4.0 * waist
    across = np.clip(np.abs(transverse) / (width / 2), 0, 0.999)
    round_ = (1 - across**_OUTLINE_POWER) ** np.float32(1 / _OUTLINE_POWER)
    hollow = np.float32(_HOLLOW_MM) * (1 - np.exp(-((transverse / np.float32(10.0)) ** 2)))
    behind = to_back - back - depth / 2 * (round_ - 1) - hollow + 0.8 * waist
    before = front - to_back - depth / 2 * (round_ - 1) + 2.0 * waist
    # Distances from a wall seen at a slant are shorter than along the AP axis.
    slant = np.sqrt(1 + (depth / body.width_mm * across ** (_OUTLINE_POWER - 1) / round_**1.5) ** 2)
    middle = (to_back - (back + front) / 2) / np.maximum((back - front) / 2, 1.0)
    dish = np.clip(1 - np.abs(middle + 0.12) ** 2.2, 0, 1) * np.clip(1 - across**2, 0, 1)
    above = up - top + endplate_hollow_mm * dish
    below = bottom - up + endplate_hollow_mm * dish
    walls = np.maximum(np.maximum(behind, before) / slant, np.abs(transverse) - width / 2)
    ends = np.maximum(above, below)
    # Nearly sharp at the back: the posterior boundary runs from corner to corner.
    edge_mm = np.clip(1.3 - 0.8 * middle, 0.5, 2.0)
    return smooth_maximum(walls, ends, edge_mm).astype(np.float32)


def _through(
    at: Array, first: Sequence[float] | FloatArray, second: Sequence[float] | FloatArray
) -> Array:
    """The straight line through two (at, value) points, beyond them too."""
    slope = (second[1] - first[1]) / (second[0] - first[0])
    return np.asarray(first[1] + slope * (at - first[0]), np.float32)


def disc_width_mm(disc: Disc) -> float:
    """Width of the disc, right to left; the sacrum's is not a body's."""
    if disc.lower.name == "S1":
        return disc.upper.width_mm
    return (disc.upper.width_mm + disc.lower.width_mm) / 2


def disc_distance(field: Field, region: Region, disc: Disc) -> tuple[Array, Array, Array]:
    """A disc, reaching a little into its neighbours (which are painted over it).

    Returns:
        distance; share of the way from front (-1) to back (1); mm from the mid-plane (2-D).
    """
    to_back, up = local_plane(field, region, disc.origin, disc.axes)
    transverse = field.transverse_mm[:, region[1]]
    depth = 2 * float(np.linalg.norm(disc.centre - disc.origin))
    width = disc_width_mm(disc)
    profile = wall_profile(transverse, depth_mm=depth, width_mm=width)
    behind = field.behind_mm[region[1], region[2]] - profile - np.float32(disc.rim_mm)
    front = _front_profile(transverse, depth_mm=depth, width_mm=width)
    before = -depth - to_back - front - np.float32(0.8 + 0.3 * disc.degeneration)
    lateral = np.abs(transverse) - np.float32(width / 2)
    walls = np.maximum(np.maximum(behind, before), lateral)
    front_gap = disc.upper.anterior_inferior - disc.lower.anterior_superior
    front_height = float(np.linalg.norm(front_gap))
    share = (to_back + depth / 2) / np.float32(depth / 2)
    height = _through(share, (-1, front_height), (1, disc.posterior_height_mm))
    # Into the endplates' hollows in the middle, flush with the bodies' edges outside.
    ends = np.abs(up) - height / 2 - 3.5 * np.clip(1 - share**4, 0, 1) - 0.6
    inside = smooth_maximum(walls, np.broadcast_to(ends, walls.shape), 1.0)
    return inside, np.asarray(share, np.float32), np.asarray(up, np.float32)


def capsule(
    point: tuple[Array, Array, Array],
    *,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radius_mm: float,
    stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Array:
    """A rounded rod between two points, stretched along the axes about its middle line."""
    s = np.array(stretch, np.float32)
    a, b = np.array(start, np.float32) / s, np.array(end, np.float32) / s
    line = b - a
    scaled = [p / k for p, k in zip(point, s, strict=True)]
    share = sum((p - o) * d for p, o, d in zip(scaled, a, line, strict=True)) / (line @ line)
    share = np.clip(share, 0, 1)
    squared = sum((p - o - share * d) ** 2 for p, o, d in zip(scaled, a, line, strict=True))
    return np.asarray(np.sqrt(squared) - np.float32(radius_mm), np.float32)


def posterior_element_distance(
    field: Field, region: Region, body: Body, *, scale: float, rng: np.random.Generator
) -> Array:
    """Pedicles, articular and transverse processes, laminae and the spinous process."""
    to_back, up = local_plane(field, region, body.centre, body.axes)
    transverse = field.transverse_mm[:, region[1]]
    point = (to_back[None], up[None], np.abs(transverse))
    wall = float(body.local(body.posterior_inferior)[0])
    height = float(np.linalg.norm(body.posterior_superior - body.posterior_inferior))
    canal = CANAL_DEPTH_MM * scale
    thoracic = body.name.startswith("T")
    pedicle = capsule(
        point,
        start=(wall - 9, 0.22 * height, 15.0),
        end=(wall + 0.85 * canal, 0.12 * height, 16.0),
        radius_mm=3.6,
        stretch=(1, 1.75, 1),
    )
    articular = capsule(
        point,
        start=(wall + 0.75 * canal, 0.6 * height, 18.5),
        end=(wall + canal + 3, -0.62 * height, 15.5),
        radius_mm=5.4,
    )
    lamina = capsule(
        point,
        start=(wall + canal + 1.0, 0.0, 14.0),
        end=(wall + canal + 5.0, -0.24 * height, 1.5),
        radius_mm=2.7,
        stretch=(1, 2.7, 1),
    )
    transverse_process = capsule(
        point,
        start=(wall + 0.7 * canal, 0.12 * height, 18.0),
        end=(wall + 0.4 * canal, 0.15 * height, 40.0),
        radius_mm=3.6,
    )
    drop = (0.75 if thoracic else 0.46) + rng.normal(0, 0.05)
    tip = (wall + canal + 25.0 * scale + rng.normal(0, 1.5), -drop * height, 0.0)
    spinous = capsule(
        (to_back[None], up[None], transverse),
        start=(wall + canal + 6.0, -0.24 * height, 0.0),
        end=tip,
        radius_mm=2.7,
        stretch=(1.3, 1.9 if thoracic else 2.5 + rng.normal(0, 0.15), 1.0),
    )
    # The hatchet's edge: taller towards the tip, and lower.
    edge = capsule(
        (to_back[None], up[None], transverse),
        start=(tip[0] - 9.0, tip[1] + 1.0, 0.0),
        end=(tip[0] - 1.5, tip[1] - (1.0 if thoracic else 3.5), 0.0),
        radius_mm=3.1,
        stretch=(1.2, 1.8 if thoracic else 2.8, 1.0),
    )
    distance = np.minimum(spinous, edge)
    for rod in (pedicle, articular, lamina, transverse_process):
        distance = np.minimum(distance, rod)
    return distance
