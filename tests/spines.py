"""Lumbar spines built of prisms, with herniations whose volume is known by arithmetic.

In the sagittal plane every body is a quadrilateral, every disc the quadrilateral between two
bodies, so that the line between the two posterior corners is at once the disc's posterior margin
and the posterior boundary of DEFINITIONS. Herniations are solids in the coordinates of a disc's
frame: ap behind that line, transverse to the left, craniocaudal upwards.

Occupancies are soft: the part of each voxel that a solid fills, by counting sub-voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.measure.change import find_change
from mri_resorb.measure.dates import measure_dates
from mri_resorb.measure.shared_frame import Placed, Refused, place, share_frame
from mri_resorb.measure.uncertainty import VolumeError
from mri_resorb.model import (
    Anatomy,
    Change,
    DiscFrame,
    FloatArray,
    Level,
    Point,
    Remark,
    Scan,
    TimePoint,
)
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.levels import Found, locate_pair

BODY_AP_MM = 34.0
BODY_HEIGHT_MM = 27.0
HALF_WIDTH_MM = 22.0
DISC_HEIGHT_MM = 10.0
CANAL_AP_MM = 16.0
CANAL_HALF_WIDTH_MM = 11.0
LORDOSIS_DEGREES = (36.0, 22.0, 11.0, 3.0, -3.0, -8.0)
"""How far the bodies S1, L5, ... L1 lean forwards in a whole lordosis."""
SUB_VOXELS = (0.5 + np.arange(1, 97)[:, None] * 1.2207440846 ** -np.arange(1.0, 4.0)) % 1 - 0.5
"""Points within a voxel, no two at one height along any axis (the R3 sequence of M. Roberts)."""
SAGITTAL = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

Inside = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Solid:
    """A body in frame coordinates (ap, transverse, craniocaudal), mm.

    Attributes:
        inside: greater than 0 within; changes by no more than 1 a mm.
        low, high: corners of a box around it.
        volume_cm3: by arithmetic; NaN where nobody asks.
    """

    inside: Inside
    low: Point
    high: Point
    volume_cm3: float = float("nan")


def box(
    *, depth: float, width: float, height: float, at: Point = (0.0, 0.0, 0.0), gap: float = 0.0
) -> Solid:
    """A box that stands on the boundary (or `gap` mm behind it)."""
    low = (at[0] + gap, at[1] - width / 2, at[2] - height / 2)
    high = (at[0] + gap + depth, at[1] + width / 2, at[2] + height / 2)

    def inside(ap: FloatArray, transverse: FloatArray, craniocaudal: FloatArray) -> FloatArray:
        return np.minimum.reduce(
            [
                np.minimum(c - a, b - c)
                for c, a, b in zip((ap, transverse, craniocaudal), low, high, strict=True)
            ]
        )

    return Solid(inside, low, high, depth * width * height / 1000)


def ellipsoid(*, ap: float, transverse: float, craniocaudal: float, at: Point) -> Solid:
    """An ellipsoid by its full axes, its centre at `at`."""
    semi = np.array([ap, transverse, craniocaudal]) / 2

    def inside(*points: FloatArray) -> FloatArray:
        scaled = [(p - c) / s for p, c, s in zip(points, at, semi, strict=True)]
        return np.asarray((1 - np.sqrt(sum(s**2 for s in scaled))) * semi.min())

    low, high = (tuple(np.array(at) + sign * semi) for sign in (-1, 1))
    return Solid(inside, low, high, float(4 / 3 * np.pi * semi.prod()) / 1000)  # type: ignore[arg-type]


def dome(*, depth: float, width: float, height: float, at: Point = (0.0, 0.0, 0.0)) -> Solid:
    """Half an ellipsoid that stands on the boundary."""
    whole = ellipsoid(ap=2 * depth, transverse=width, craniocaudal=height, at=(0.0, at[1], at[2]))
    return Solid(
        lambda ap, transverse, craniocaudal: np.minimum(
            whole.inside(ap, transverse, craniocaudal), ap
        ),
        (0.0, *whole.low[1:]),
        whole.high,
        whole.volume_cm3 / 2,
    )


@dataclass(frozen=True)
class Grid:
    """A sagittal grid of voxels.

    Attributes:
        spacing_mm: columns, rows, centre to centre of slices.
        size: columns, rows, slices.
        centre_mm: of the grid, LPS.
        turn_degrees: rotation vector by which the grid leaves the patient's planes.
        offset_mm: by which it is shifted along its own axes.
    """

    spacing_mm: Point
    size: tuple[int, int, int]
    centre_mm: Point = (0.0, 0.0, 0.0)
    turn_degrees: Point = (0.0, 0.0, 0.0)
    offset_mm: Point = (0.0, 0.0, 0.0)

    @classmethod
    def around(
        cls,
        centre_mm: FloatArray,
        *,
        in_plane_mm: float = 0.6,
        slice_mm: float = 4.0,
        extent_mm: Point = (84.0, 84.0, 52.0),
        turn_degrees: Point = (0.0, 0.0, 0.0),
        offset_mm: Point = (0.0, 0.0, 0.0),
    ) -> Grid:
        """The grid that covers an extent to the back, downwards and to the left."""
        spacing = (in_plane_mm, in_plane_mm, slice_mm)
        columns, rows, slices = (round(e / s) for e, s in zip(extent_mm, spacing, strict=True))
        x, y, z = (float(c) for c in centre_mm)
        return cls(spacing, (columns, rows, slices), (x, y, z), turn_degrees, offset_mm)

    @property
    def direction(self) -> FloatArray:
        turn = Rotation.from_rotvec(self.turn_degrees, degrees=True).as_matrix()
        return np.asarray(turn @ SAGITTAL)

    @property
    def origin_mm(self) -> FloatArray:
        middle = (np.array(self.size) - 1) / 2 * np.array(self.spacing_mm)
        return np.array(self.centre_mm) + self.direction @ (np.array(self.offset_mm) - middle)

    def image(self, values: FloatArray) -> sitk.Image:
        """Values (slices, rows, columns) as an image on this grid."""
        image = sitk.GetImageFromArray(values.astype(np.float32))
        image.SetSpacing(self.spacing_mm)
        image.SetOrigin(self.origin_mm)
        image.SetDirection(self.direction.ravel())
        return image

    def occupancy(self, solid: Solid, frame: DiscFrame) -> FloatArray:
        """The part of each voxel, 0-1, that a solid in a frame's coordinates fills."""
        values = np.zeros(self.size[::-1])
        matrix = self.direction * np.array(self.spacing_mm)
        corners = np.stack(np.meshgrid(*zip(solid.low, solid.high, strict=True)), -1).reshape(-1, 3)
        index = (frame.to_patient(corners) - self.origin_mm) @ np.linalg.inv(matrix).T
        low = np.clip(np.floor(index.min(axis=0)).astype(int) - 1, 0, self.size)
        high = np.clip(np.ceil(index.max(axis=0)).astype(int) + 2, 0, self.size)
        if np.any(high <= low):
            return values
        to_frame = frame.axes @ matrix
        start = frame.to_frame(self.origin_mm)
        ranges = [np.arange(low[axis], high[axis]) for axis in (2, 1, 0)]
        k, j, i = np.meshgrid(*ranges, indexing="ij")
        centre = [s + t[0] * i + t[1] * j + t[2] * k for s, t in zip(start, to_frame, strict=True)]
        level = solid.inside(*centre)
        part = (level > 0).astype(float)
        shell = np.abs(level) <= np.linalg.norm(self.spacing_mm) / 2
        at = [c[shell] for c in centre]
        filled = np.zeros(len(at[0]))
        for offset in SUB_VOXELS:
            moved = to_frame @ offset
            filled += solid.inside(*(c + m for c, m in zip(at, moved, strict=True))) > 0
        part[shell] = filled / len(SUB_VOXELS)
        values[low[2] : high[2], low[1] : high[1], low[0] : high[0]] = part
        return values


@dataclass(frozen=True)
class _Body:
    """Corners in the mid-sagittal plane, (back, up) mm: posterior and anterior, top and bottom."""

    top: tuple[FloatArray, FloatArray]
    bottom: tuple[FloatArray, FloatArray]
    sacral: bool


@dataclass(frozen=True)
class Spine:
    """Vertebral bodies and discs from the sacrum upwards.

    Attributes:
        discs: how many, from the lowest upwards.
        lordosis: 0 straight, 1 a usual lordosis.
        rounding_mm: radius of the bodies' corners in the sagittal plane.
        sacral_bodies: bodies labelled sacrum, each but the lowest with a disc below it; 0 leaves
            the lowest body a vertebra, as if the sacrum were below the picture.
        without_disc: number of a disc (from the lowest, 0) that is not seen.
        turn_degrees, shift_mm: pose of the whole spine in the patient's coordinates.
        fragments: (disc number, solid in that disc's frame) each.
    """

    discs: int = 2
    lordosis: float = 0.0
    rounding_mm: float = 0.0
    sacral_bodies: int = 1
    without_disc: int | None = None
    body_height_mm: float = BODY_HEIGHT_MM
    turn_degrees: Point = (0.0, 0.0, 0.0)
    shift_mm: Point = (0.0, 0.0, 0.0)
    fragments: tuple[tuple[int, Solid], ...] = ()

    def with_fragment(self, *solids: Solid, disc: int = 0) -> Spine:
        """The same spine with these solids at a disc, and no others."""
        return replace(self, fragments=tuple((disc, solid) for solid in solids))

    def posed(self, *, turn_degrees: Point, shift_mm: Point) -> Spine:
        """The same spine in another pose."""
        return replace(self, turn_degrees=turn_degrees, shift_mm=shift_mm)

    @property
    def frame(self) -> DiscFrame:
        """The spine's own axes, origin at the posterior-superior corner of the lowest body."""
        turn = Rotation.from_rotvec(self.turn_degrees, degrees=True).as_matrix()
        back_left_up = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        return DiscFrame.at(np.array(self.shift_mm), back_left_up @ turn.T)

    def disc_frame(self, disc: int = 0) -> DiscFrame:
        """The true frame of a disc: origin at the middle of its posterior margin."""
        lower, upper = self._bodies[disc : disc + 2]
        top, bottom = (np.subtract(*ends) for ends in (lower.top, upper.bottom))
        back = top + bottom
        back = back / np.linalg.norm(back)
        y, z = (lower.top[0] + upper.bottom[0]) / 2
        axes = np.array([[back[0], 0, back[1]], [0, 1, 0], [-back[1], 0, back[0]]])
        return DiscFrame.at(self.frame.to_patient(np.array([y, 0.0, z])), axes @ self.frame.axes)

    def wall_mm(self, body: int) -> FloatArray:
        """(2, 3) LPS: lower and upper end of a body's posterior wall in the mid-sagittal plane."""
        ends = (self._bodies[body].bottom[0], self._bodies[body].top[0])
        return self.frame.to_patient(np.array([[back, 0.0, up] for back, up in ends]))

    def boundary(self, disc: int = 0) -> PosteriorBoundary:
        """The true boundary of a disc in its true frame, in a spine without lordosis."""
        assert self.lordosis == 0
        half = DISC_HEIGHT_MM / 2
        corners = np.zeros((2, 2, 3))
        corners[:, 1, 0] = half, -half
        return PosteriorBoundary(corners, np.zeros((2, 3)), (-18.0, 18.0), 0.0)

    def anatomy(self, grid: Grid) -> Anatomy:
        """The soft occupancies on a grid."""
        parts = {name: np.zeros(grid.size[::-1]) for name in ("vertebra", "disc", "sacrum")}
        bodies = self._bodies
        for body in bodies:
            solid = _prism([*body.top, *body.bottom[::-1]], rounding_mm=self.rounding_mm)
            parts["sacrum" if body.sacral else "vertebra"] += grid.occupancy(solid, self.frame)
        for number, (lower, upper) in enumerate(pairwise(bodies)):
            if number != self.without_disc:
                solid = _prism([*upper.bottom, *lower.top[::-1]])
                parts["disc"] += grid.occupancy(solid, self.frame)
        canal = grid.occupancy(self._canal, self.frame)
        for disc, solid in self.fragments:
            fragment = grid.occupancy(solid, self.disc_frame(disc))
            parts["disc"] += fragment
            canal -= fragment
        images = {name: grid.image(np.clip(part, 0, 1)) for name, part in parts.items()}
        return Anatomy(**images, canal=grid.image(np.clip(canal, 0, 1)))

    @property
    def _bodies(self) -> list[_Body]:
        lean = np.radians(LORDOSIS_DEGREES) * self.lordosis
        extra = max(self.sacral_bodies - 1, 0)
        bodies: list[_Body] = []
        corner = np.zeros(2)
        for number in range(self.discs + 1):
            angle = lean[max(0, number - extra)]
            if bodies:
                below = lean[max(0, number - 1 - extra)]
                middle = (angle + below) / 2
                corner = bodies[-1].top[0] + DISC_HEIGHT_MM * _up(middle)
            else:
                corner = -self.body_height_mm * _up(angle)
            front = -BODY_AP_MM * np.array([np.cos(angle), np.sin(angle)])
            top = corner + self.body_height_mm * _up(angle)
            bodies.append(
                _Body((top, top + front), (corner, corner + front), number < self.sacral_bodies)
            )
        return bodies

    @property
    def _canal(self) -> Solid:
        wall = np.array([p for body in self._bodies for p in (body.bottom[0], body.top[0])])

        def inside(back: FloatArray, left: FloatArray, up: FloatArray) -> FloatArray:
            behind = (back - np.interp(up, wall[:, 1], wall[:, 0])) * 0.7
            sides = np.minimum(CANAL_HALF_WIDTH_MM - np.abs(left), CANAL_AP_MM * 0.7 - behind)
            ends = np.minimum(up - wall[0, 1], wall[-1, 1] - up)
            return np.asarray(np.minimum(np.minimum(behind, sides), ends))

        low = (wall[:, 0].min(), -CANAL_HALF_WIDTH_MM, wall[0, 1])
        return Solid(inside, low, (wall[:, 0].max() + CANAL_AP_MM, -low[1], wall[-1, 1]))


def _up(angle: float) -> FloatArray:
    """(back, up) of a body that leans forwards by an angle in radians."""
    return np.array([-np.sin(angle), np.cos(angle)])


def _prism(corners: Sequence[FloatArray], *, rounding_mm: float = 0.0) -> Solid:
    """A convex polygon in (back, up), drawn out across the spine."""
    polygon = np.array(corners)
    edges = np.roll(polygon, -1, axis=0) - polygon
    inward = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    inward *= np.sign(((polygon.mean(axis=0) - polygon) * inward).sum(axis=1, keepdims=True))

    def inside(back: FloatArray, left: FloatArray, up: FloatArray) -> FloatArray:
        distances = [
            (back - corner[0]) * normal[0] + (up - corner[1]) * normal[1] - rounding_mm
            for corner, normal in zip(polygon, inward, strict=True)
        ]
        plane = np.minimum.reduce(distances) + rounding_mm
        if rounding_mm:  # beyond two edges of the shrunken rectangle at once: round the corner
            outside = [np.minimum(d, 0) for d in distances]
            corner = rounding_mm - np.sqrt(sum(o**2 for o in outside))
            plane = np.where(np.minimum.reduce(distances) < 0, corner, plane)
        return np.asarray(np.minimum(plane, HALF_WIDTH_MM - np.abs(left)))

    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return Solid(inside, (low[0], -HALF_WIDTH_MM, low[1]), (high[0], HALF_WIDTH_MM, high[1]))


@dataclass(frozen=True)
class Comparison:
    """Two dates from anatomy to change."""

    baseline: TimePoint
    follow_up: TimePoint
    errors: tuple[VolumeError | None, VolumeError | None]
    change: Change


def compare(
    baseline: Anatomy,
    follow_up: Anatomy,
    *,
    level: Level = Level.L5_S1,
    disc_at_mm: Point | None = None,
    masks: tuple[sitk.Image | None, sitk.Image | None] = (None, None),
    interval_days: int | None = 100,
    placed: Callable[[Scan, Anatomy, Found | Remark], Placed | Refused] = place,
) -> Comparison:
    """The package's own way from two anatomies to the change, the network left out."""
    anatomies = (baseline, follow_up)
    located = locate_pair(*(find_discs(a) for a in anatomies), level=level, disc_at_mm=disc_at_mm)
    dates = [
        placed(Scan(image=anatomy.disc, native_orientation="PIL"), anatomy, found)
        for anatomy, found in zip(anatomies, located, strict=True)
    ]
    points, errors = measure_dates(*share_frame(*dates), masks=masks)
    change = find_change(*points, errors=errors, interval_days=interval_days)
    return Comparison(*points, errors, change)
