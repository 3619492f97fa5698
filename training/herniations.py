"""Herniations to train on: lumps of ellipsoids with correlated-noise texture.

Kept apart from the herniations that score the network (`benchmarks/`), which are of another shape
family and texture model, so that a good score is not a network that knows its teacher.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mri_resorb.model import FloatArray

KINDS = ("protrusion", "extrusion", "migrated", "sequester", "bulge")


@dataclass(frozen=True)
class Lumps:
    """A union of ellipsoids; radii and centres in mm, (depth, transverse, craniocaudal)."""

    centres: FloatArray
    radii: FloatArray
    tilt: FloatArray
    """Shear of depth by height and of transverse by height, a lump each."""
    roughness: FloatArray
    """(waves, 5): amplitude, phase and wave vector of the surface's unevenness."""

    def __call__(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points (..., 3) are inside."""
        uneven = np.zeros(points.shape[:-1])
        for amplitude, phase, *wave in self.roughness:
            uneven += amplitude * np.sin(points @ np.array(wave) + phase)
        inside = np.zeros(points.shape[:-1], bool)
        for centre, radii, tilt in zip(self.centres, self.radii, self.tilt, strict=True):
            away = points - centre
            away[..., :2] -= away[..., 2:] * tilt
            inside |= np.square(away / radii).sum(-1) < 1 + uneven
        return inside


def draw_herniation(*, rng: np.random.Generator, disc_height_mm: float, kind: str) -> Lumps:
    """A random herniation of a kind."""
    side = float(rng.choice([0, rng.uniform(-6, 6)]))
    half = max(disc_height_mm / 2, 2.0)
    size = np.exp(rng.uniform(np.log(0.6), np.log(2.0)))
    centres, radii = [], []
    if kind == "bulge":
        centres.append((0.0, 0.0, 0.0))
        radii.append((rng.uniform(2, 4.5), rng.uniform(11, 20), half * rng.uniform(0.8, 1.3)))
    elif kind == "protrusion":
        centres.append((rng.uniform(-1, 1), side, rng.normal(0, 0.8)))
        radii.append(
            (rng.uniform(3, 7.5) * size, rng.uniform(4.5, 9) * size, half * rng.uniform(0.8, 1.4))
        )
    else:
        way = rng.choice([-1.0, 1.0])
        depth, across, high = np.array([3.2, 5.0, 5.0]) * size * rng.uniform(0.75, 1.35, 3)
        offset = {"extrusion": rng.uniform(0, 5), "migrated": rng.uniform(5, 14)}.get(
            kind, half + high + rng.uniform(-1.0, 6.0)
        )
        stand_off = rng.uniform(0.2, 1.5) if kind == "sequester" else rng.uniform(-0.5, 1.0)
        drift = side + rng.normal(0, 1.5)
        centres.append((depth + stand_off, drift, way * offset))
        radii.append((depth, across, high))
        if kind != "sequester" or rng.random() < 0.3:  # the part joined to the disc
            centres.append((0.0, side, 0.0))
            radii.append((rng.uniform(2, 4.5), rng.uniform(2, 6), half * rng.uniform(0.5, 1.0)))
        if kind in ("extrusion", "migrated"):  # and the neck between them
            part = rng.uniform(0.35, 0.65)
            centres.append((depth * 0.7, side * (1 - part) + drift * part, way * offset * part))
            radii.append((depth * 0.7, across * rng.uniform(0.4, 0.9), max(offset * 0.6, half)))
        if rng.random() < 0.4:  # another lobe
            centres.append(np.array(centres[0]) + rng.normal(0, 0.5, 3) * radii[0])
            radii.append(np.array(radii[0]) * rng.uniform(0.5, 0.9, 3))
    waves = rng.normal(0, 0.8, (4, 3))
    roughness = np.column_stack([rng.uniform(0, 0.12, 4), rng.uniform(0, 6.28, 4), waves])
    tilt = rng.normal(0, 0.15, (len(centres), 2))
    return Lumps(np.array(centres, float), np.array(radii, float), tilt, roughness)


@dataclass(frozen=True)
class Mottled:
    """A base intensity with correlated noise, grain and perhaps a darker or brighter core."""

    base: float
    grain: float
    mottle: float
    core: float
    seed: int

    def __call__(self, points: FloatArray) -> FloatArray:
        """Intensities at points (..., 3)."""
        rng = np.random.default_rng(self.seed)
        shape = points.shape[:-1]
        slow = ndimage.gaussian_filter(
            rng.standard_normal(shape, dtype=np.float32), (0.8, 2.5, 2.5), truncate=2
        )
        slow /= max(float(slow.std()), 1e-6)
        deep = np.clip(points[..., 0] / 8, 0, 1)
        value = self.base * (1 + self.mottle * slow + self.core * deep)
        fine = rng.standard_normal(shape, dtype=np.float32)
        fine = ndimage.gaussian_filter(fine, (0, 0.5, 0.5), truncate=2) * 2
        return np.clip(value + self.grain * fine, 0, None)


def draw_texture(
    *, rng: np.random.Generator, disc: float, sac: float, grain: float
) -> tuple[Mottled, float]:
    """A texture and the fat beside it, from the intensities of this disc and sac.

    Dark old, iso and bright acute herniations, a third each.
    """
    disc, sac = max(disc, 2.0), max(sac, 10.0)
    base = float(
        rng.choice(
            [
                disc * rng.uniform(0.4, 1.0),
                disc * rng.uniform(0.9, 1.6),
                disc + (sac - disc) * rng.uniform(0.1, 0.6),
            ]
        )
    )
    texture = Mottled(
        base=base,
        grain=grain * rng.uniform(0.5, 1.3),
        mottle=rng.uniform(0, 0.25),
        core=rng.normal(0, 0.25),
        seed=int(rng.integers(2**31)),
    )
    fat = float(
        rng.choice([disc * rng.uniform(0.3, 1.0), disc + (sac - disc) * rng.uniform(0.2, 0.9)])
    )
    return texture, fat
