"""Herniations to score with: tapered tubes along a bent line, layered inside.

Another shape family and another texture model than the lumps of ellipsoids that the network is
trained on (`training/herniations.py`), so that a score does not say only that it knows its teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mri_resorb.model import FloatArray

Kind = Literal["protrusion", "extrusion", "sequestration"]


@dataclass(frozen=True)
class Tube:
    """A tube of changing radius along a polyline.

    Attributes:
        nodes_mm: (n, 3) behind the boundary, transverse, craniocaudal.
        radii_mm: (n,).
        broad: the cross-section is this much wider across than deep.
        thinness_mm: taken off every radius: a fragment that has shrunk.
    """

    nodes_mm: FloatArray
    radii_mm: FloatArray
    broad: float
    thinness_mm: float = 0.0

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Distance to the surface, negative inside, at points (..., 3)."""
        metric = np.array([1.0, 1.0 / self.broad, 1.0])
        scaled, nodes = points * metric, self.nodes_mm * metric
        best = np.full(points.shape[:-1], np.inf)
        for a, b, ra, rb in zip(
            nodes[:-1], nodes[1:], self.radii_mm[:-1], self.radii_mm[1:], strict=True
        ):
            along = b - a
            part = np.clip((scaled - a) @ along / max(float(along @ along), 1e-9), 0, 1)
            away = np.linalg.norm(scaled - (a + part[..., None] * along), axis=-1)
            best = np.minimum(best, away - (ra + part * (rb - ra)))
        return best + self.thinness_mm

    def __call__(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points (..., 3) are inside."""
        return np.asarray(self.distance_mm(points) < 0)

    def within(self, half_width_mm: float) -> Tube:
        """The same, made narrower across where it would not fit between two planes."""
        nodes = self.nodes_mm.copy()
        widest = float((np.abs(nodes[:, 1]) + self.broad * self.radii_mm).max())
        part = min(1.0, half_width_mm / widest)
        nodes[:, 1] *= part
        return replace(self, nodes_mm=nodes, broad=self.broad * part)

    def thinner(self, thinness_mm: float) -> Tube:
        """The same after it has lost a layer."""
        return replace(self, thinness_mm=thinness_mm)


def draw_tube(*, rng: np.random.Generator, kind: Kind, disc_height_mm: float) -> Tube:
    """A random herniation of a kind, 0.1-2 cm3."""
    side = rng.uniform(-3.5, 3.5)
    way = rng.choice([-1.0, 1.0])
    size = rng.uniform(0.8, 1.35)
    if kind == "protrusion":
        nodes = [(-2.0, side, 0.0), (rng.uniform(1.0, 3.5) * size, side, rng.normal(0, 0.7))]
        radii = [disc_height_mm * 0.55, rng.uniform(2.5, 3.8) * size]
        return Tube(np.array(nodes), np.array(radii), broad=rng.uniform(1.4, 2.0))
    climb = way * rng.uniform(6.0, 11.0) * size
    tip = (rng.uniform(3.0, 4.5) * size, side + rng.uniform(-2, 2), climb)
    if kind == "extrusion":
        nodes = [(-1.0, side, 0.0), (3.2 * size, side, way * 1.5), tip]
        radii = [min(2.4, disc_height_mm / 2), 2.6 * size, rng.uniform(2.6, 4.0) * size]
    else:
        start = way * (disc_height_mm / 2 + 5.0 * size)
        nodes = [(3.3 * size, side, start), (tip[0], tip[1], start + way * rng.uniform(3, 7))]
        radii = [rng.uniform(2.2, 3.2) * size, rng.uniform(2.4, 3.8) * size]
    return Tube(np.array(nodes, float), np.array(radii, float), broad=rng.uniform(1.1, 1.6))


@dataclass(frozen=True)
class Layered:
    """Core and shell of different signal, with multiplicative speckle."""

    tube: Tube
    core: float
    shell: float
    speckle: float
    seed: int

    def __call__(self, points: FloatArray) -> FloatArray:
        """Intensities at points (..., 3)."""
        rng = np.random.default_rng(self.seed)
        inwards = np.clip(-self.tube.distance_mm(points) / 2.5, 0, 1)
        signal = self.shell + inwards * (self.core - self.shell)
        grain = rng.gamma(1 / self.speckle**2, self.speckle**2, points.shape[:-1])
        return np.asarray(signal * ndimage.gaussian_filter(grain, (0, 0.7, 0.7), truncate=2))


def draw_layers(*, rng: np.random.Generator, tube: Tube, disc: float, sac: float) -> Layered:
    """A texture between the disc's signal and half of the sac's."""
    core = disc * rng.uniform(0.7, 1.3) + (sac - disc) * rng.choice([0.0, 0.15, 0.35])
    return Layered(tube, core, disc * rng.uniform(0.6, 1.1), 0.25, int(rng.integers(2**31)))
