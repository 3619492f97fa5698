"""The shape of one person's lumbar spine in the mid-sagittal plane, drawn from a seed.

Plane coordinates are (y, z): y to the back, z up, mm; (0, 0) is the posterior-superior corner of
S1 until the phantom centres itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import make_interp_spline
from scipy.spatial import cKDTree

from mri_resorb.model import FloatArray, Level

VERTEBRAE = ("S5", "S4", "S3", "S2", "S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11", "T10", "T9")
_CURVE_STEP_MM = 0.25

# Means of an adult spine: (depth at the lower and upper endplate, posterior height, how much
# taller the front is, width). Depths, heights and widths follow Panjabi et al., Spine 17:299 (1992)
# and Zhou et al., Eur Spine J 9:242 (2000), rounded.
_BODIES = {
    "L5": (34.5, 34.5, 23.5, 4.5, 50.0),
    "L4": (34.5, 34.5, 25.5, 1.5, 48.0),
    "L3": (34.0, 34.5, 26.5, 0.5, 46.0),
    "L2": (33.5, 34.0, 27.0, -0.5, 44.0),
    "L1": (32.0, 33.0, 26.5, -1.5, 42.5),
    "T12": (30.5, 31.5, 25.0, -1.5, 41.0),
    "T11": (29.5, 30.0, 23.0, -1.5, 39.0),
    "T10": (29.0, 29.0, 22.0, -1.0, 37.0),
    "T9": (28.5, 28.5, 21.5, -1.0, 36.0),
}
# Posterior height of the disc below, and the angle between its endplates, degrees.
_DISCS_BELOW = {
    "L5": (6.8, 13.0),
    "L4": (7.3, 9.0),
    "L3": (7.3, 6.5),
    "L2": (6.8, 4.5),
    "L1": (6.0, 3.5),
    "T12": (5.0, 2.0),
    "T11": (4.4, 1.0),
    "T10": (4.0, 0.5),
    "T9": (3.8, 0.0),
}
# Depth at the upper and lower end, height, turn against the segment above (degrees), disc remnant.
_SACRUM = {
    "S1": (33.0, 22.0, 29.0, 0.0, 0.0),
    "S2": (20.5, 14.0, 24.0, 4.0, 3.0),
    "S3": (13.5, 10.5, 20.0, -6.0, 1.6),
    "S4": (10.0, 8.0, 17.0, -14.0, 1.2),
    "S5": (8.0, 6.0, 15.0, -18.0, 1.0),
}


@dataclass(frozen=True)
class Body:
    """A vertebral body: a quadrilateral in the mid-sagittal plane, corners (y, z) mm."""

    name: str
    posterior_inferior: FloatArray
    posterior_superior: FloatArray
    anterior_inferior: FloatArray
    anterior_superior: FloatArray
    width_mm: float

    @property
    def centre(self) -> FloatArray:
        """Mean of the corners."""
        corners = (
            self.posterior_inferior,
            self.posterior_superior,
            self.anterior_inferior,
            self.anterior_superior,
        )
        return np.asarray(np.mean(corners, axis=0))

    @property
    def axes(self) -> FloatArray:
        """2 x 2: unit vectors to the back and up, (y, z)."""
        back = (
            self.posterior_inferior
            + self.posterior_superior
            - self.anterior_inferior
            - self.anterior_superior
        )
        back = back / np.linalg.norm(back)
        return np.array([back, [-back[1], back[0]]])

    def local(self, points: FloatArray) -> FloatArray:
        """Plane points (..., 2) to (to the back, up) from the centre."""
        return np.asarray((points - self.centre) @ self.axes.T)


@dataclass(frozen=True)
class Disc:
    """A disc between two bodies: origin at the middle of its posterior margin."""

    upper: Body
    lower: Body
    degeneration: int
    """Pfirrmann grade, 1-5."""
    rim_mm: float
    """How far its margin stands behind the posterior boundary (negative: in front)."""

    @property
    def origin(self) -> FloatArray:
        """Middle of the posterior margin."""
        return np.asarray((self.upper.posterior_inferior + self.lower.posterior_superior) / 2)

    @property
    def axes(self) -> FloatArray:
        """2 x 2: unit vectors to the back in the disc's mid-plane, and up."""
        back = (
            self.upper.posterior_inferior
            - self.upper.anterior_inferior
            + self.lower.posterior_superior
            - self.lower.anterior_superior
        )
        back = back / np.linalg.norm(back)
        return np.array([back, [-back[1], back[0]]])

    @property
    def centre(self) -> FloatArray:
        """Between the middles of the posterior and the anterior margin."""
        front = (self.upper.anterior_inferior + self.lower.anterior_superior) / 2
        return np.asarray((self.origin + front) / 2)

    @property
    def posterior_height_mm(self) -> float:
        """Between the two bodies' posterior corners."""
        gap = self.upper.posterior_inferior - self.lower.posterior_superior
        return float(np.linalg.norm(gap))


@dataclass(frozen=True)
class PosteriorCurve:
    """The line along the posterior walls and across the discs, from below upwards.

    Attributes:
        points: smooth curve (n, 2), a step of `_CURVE_STEP_MM`.
        normals: to the back, (n, 2).
        offset_mm: (n,) how far behind the smooth curve the straight line from corner to corner is.
    """

    points: FloatArray
    normals: FloatArray
    offset_mm: FloatArray

    def along_and_behind(self, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Plane points (..., 2) to arc length from below and mm behind the straight line."""
        flat = points.reshape(-1, 2)
        _, nearest = cKDTree(self.points).query(flat)
        away = flat - self.points[nearest]
        behind = (away * self.normals[nearest]).sum(axis=1)
        tangents = np.stack([-self.normals[nearest, 1], self.normals[nearest, 0]], axis=1)
        along = nearest * _CURVE_STEP_MM + (away * tangents).sum(axis=1)
        behind -= np.interp(along, np.arange(len(self.points)) * _CURVE_STEP_MM, self.offset_mm)
        return along.reshape(points.shape[:-1]), behind.reshape(points.shape[:-1])

    def position(self, point: FloatArray) -> float:
        """Arc length of one plane point."""
        return float(self.along_and_behind(np.asarray(point, float)[None])[0][0])


@dataclass(frozen=True)
class SpineShape:
    """One person's spine: what stays the same between two dates."""

    bodies: Mapping[str, Body]
    discs: Mapping[str, Disc]
    """By the name of the body above: "L5" is L5-S1."""
    curve: PosteriorCurve
    scale: float

    def disc(self, level: Level) -> Disc:
        """The disc of a level."""
        return self.discs[level.value[:2]]


def draw_spine_shape(rng: np.random.Generator) -> SpineShape:
    """Size, lordosis, disc heights and degeneration of one person."""
    scale = float(rng.uniform(0.92, 1.07))
    slope = np.radians(np.clip(rng.normal(38, 5), 27, 50))
    # A steeper sacrum goes with more lordosis, so that the trunk stays upright.
    lordosis = np.degrees(slope) / 38 * rng.normal(1.0, 0.07)
    grades = _degeneration(rng)
    bodies: dict[str, Body] = {}
    _stack_sacrum(bodies, slope=slope, scale=scale, rng=rng)
    discs: dict[str, Disc] = {}
    tilt, corner = slope, bodies["S1"].posterior_superior
    below = "S1"
    for name, (depth_low, depth_high, height, wedge, width) in _BODIES.items():
        gap, angle = _DISCS_BELOW[name]
        grade = grades[name]
        gap *= scale * rng.normal(1, 0.08) * (1.0, 1.0, 0.95, 0.8, 0.58)[grade - 1]
        angle = np.radians(angle * lordosis + rng.normal(0, 0.8)) * (0.6 if grade == 5 else 1.0)
        depth_low, depth_high = (d * scale * rng.normal(1, 0.015) for d in (depth_low, depth_high))
        height *= scale * rng.normal(1, 0.025)
        up = _up(tilt - angle / 2)
        corner = corner + gap * up
        tilt = tilt - angle
        low_back = corner
        low_front = low_back - depth_low * _back(tilt)
        wall = _up(tilt - np.arctan2(wedge * scale, depth_low) / 2)
        high_back = low_back + height * wall
        tilt = tilt - np.arctan2(wedge * scale, (depth_low + depth_high) / 2)
        high_front = high_back - depth_high * _back(tilt)
        bodies[name] = Body(name, low_back, high_back, low_front, high_front, width * scale)
        rim = float(rng.uniform(-1.2, 0.0) + (0.1 * grade if grade > 2 else 0.0))
        discs[name] = Disc(bodies[name], bodies[below], grade, rim)
        corner, below = high_back, name
    return SpineShape(bodies, discs, _posterior_curve(bodies), scale)


def _up(tilt: float) -> FloatArray:
    return np.array([-np.sin(tilt), np.cos(tilt)])


def _back(tilt: float) -> FloatArray:
    return np.array([np.cos(tilt), np.sin(tilt)])


def _degeneration(rng: np.random.Generator) -> dict[str, int]:
    """Lower discs degenerate first."""
    age = rng.uniform(0, 1)
    low = {"L5": 2.6, "L4": 2.5, "L3": 1.9, "L2": 1.6, "L1": 1.6}
    return {
        name: int(np.clip(round(low.get(name, 1.5) + 1.6 * (age - 0.4) + rng.normal(0, 0.6)), 1, 5))
        for name in _BODIES
    }


def _stack_sacrum(
    bodies: dict[str, Body], *, slope: float, scale: float, rng: np.random.Generator
) -> None:
    corner = np.zeros(2)
    tilt = slope
    for name, (depth_high, depth_low, height, turn, gap) in _SACRUM.items():
        tilt = tilt + np.radians(turn + (rng.normal(0, 1.5) if turn else 0.0))
        down = -_up(tilt)
        corner = corner + gap * scale * down
        lower = corner + height * scale * down
        taper = np.radians(3.0)
        bodies[name] = Body(
            name,
            posterior_inferior=lower,
            posterior_superior=corner,
            anterior_inferior=lower - depth_low * scale * _back(tilt + taper),
            anterior_superior=corner - depth_high * scale * _back(tilt),
            width_mm=(52.0 if name == "S1" else 40.0) * scale,
        )
        corner = lower


def _posterior_curve(bodies: Mapping[str, Body]) -> PosteriorCurve:
    corners = []
    for name in VERTEBRAE:
        corners += [bodies[name].posterior_inferior, bodies[name].posterior_superior]
    line = np.array(corners)
    line = np.vstack([2 * line[0] - line[1], line, 3 * line[-1] - 2 * line[-2]])
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.arange(0, length[-1], _CURVE_STEP_MM)
    straight = np.stack([np.interp(at, length, line[:, k]) for k in (0, 1)], axis=1)
    smooth = ndimage.gaussian_filter1d(straight, 8.0 / _CURVE_STEP_MM, axis=0, mode="nearest")
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    spline = make_interp_spline(arc, smooth, k=1)
    points = spline(np.arange(0, arc[-1], _CURVE_STEP_MM))
    tangents = np.gradient(points, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    tangents = ndimage.gaussian_filter1d(tangents, 4.0 / _CURVE_STEP_MM, axis=0, mode="nearest")
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    normals = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
    _, nearest = cKDTree(points).query(straight)
    behind = ((straight - points[nearest]) * normals[nearest]).sum(axis=1)
    grid = np.arange(len(points)) * _CURVE_STEP_MM
    order = np.argsort(nearest, kind="stable")
    offset = np.interp(grid, nearest[order] * _CURVE_STEP_MM, behind[order])
    return PosteriorCurve(points, normals, offset)
