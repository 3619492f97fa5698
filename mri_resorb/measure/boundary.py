"""The posterior boundary: what lies behind it is herniated.

In each sagittal plane it is the straight line from the posterior-inferior corner of the upper
vertebral body to the posterior-superior corner of the lower one; above and below it follows the
posterior walls of the bodies. Source: DEFINITIONS, "Herniated fragment" (convention, version 1).

A corner is rounded, and each plane shows it with noise of its own; so corners and walls are fitted
over all planes at once, as low polynomials across the spine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from mri_resorb.errors import NotLumbarSpineError
from mri_resorb.geometry import frame_grid, sample, sample_grid
from mri_resorb.model import Anatomy, DiscFrame, FloatArray

_AP_MM = np.arange(-20.0, 18.25, 0.25)
_HEIGHT_MM = np.arange(0.0, 26.5, 0.5)
_TRANSVERSE_MM = np.arange(-15.0, 15.5, 1.5)
_CORNER_SEARCH_MM = 14.0
_WALL_FURTHEST_MM = 13.0
"""A body that seems to go on beyond this runs into a pedicle: no wall there."""
_WALL_LIMIT_MM = 22.0


class BoundaryNotSeenError(NotLumbarSpineError):
    """Too little of the two vertebral bodies is seen to draw the posterior boundary."""


@dataclass(frozen=True)
class PosteriorBoundary:
    """A surface ap = f(transverse, craniocaudal) in disc frame coordinates, mm.

    Attributes:
        corners: (2 bodies, 2, 3): upper and lower body; ap and craniocaudal coordinate of the
            corner as polynomials (constant, linear, square) of transverse / 10 mm.
        walls: (2 bodies, 3): how the wall leaves the straight continuation: coefficients of
            s, s^2 and s * transverse / 10 mm, where s is the distance from the corner / 10 mm.
        transverse_range_mm: where corners were seen; the surface is constant outside of it.
        scatter_mm: standard deviation of single planes' corners about the fit.
    """

    corners: FloatArray
    walls: FloatArray
    transverse_range_mm: tuple[float, float]
    scatter_mm: float

    def ap_mm(self, transverse_mm: FloatArray, craniocaudal_mm: FloatArray) -> FloatArray:
        """The boundary's ap coordinate at frame coordinates that broadcast together, mm."""
        across = np.clip(transverse_mm, *self.transverse_range_mm) / 10
        powers = np.stack([np.ones_like(across), across, across**2], axis=-1)
        upper_ap, upper_height = (powers @ c for c in self.corners[0])
        lower_ap, lower_height = (powers @ c for c in self.corners[1])
        part = (craniocaudal_mm - lower_height) / np.maximum(upper_height - lower_height, 0.5)
        line = lower_ap + np.clip(part, 0, 1) * (upper_ap - lower_ap)
        for walls, beyond in (
            (self.walls[0], craniocaudal_mm - upper_height),
            (self.walls[1], lower_height - craniocaudal_mm),
        ):
            s = np.clip(beyond, 0, _WALL_LIMIT_MM) / 10
            line = line + walls[0] * s + walls[1] * s**2 + walls[2] * s * across
        return np.asarray(line)

    def disc_height_mm(self) -> float:
        """Distance between the two corners in the mid-sagittal plane."""
        return float(self.corners[0, 1, 0] - self.corners[1, 1, 0])

    def corner_heights_mm(self, transverse_mm: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Craniocaudal coordinates of the upper and the lower corner."""
        across = np.clip(transverse_mm, *self.transverse_range_mm) / 10
        powers = np.stack([np.ones_like(across), across, across**2], axis=-1)
        return powers @ self.corners[0, 1], powers @ self.corners[1, 1]


def average_boundaries(*boundaries: PosteriorBoundary) -> PosteriorBoundary:
    """The boundary midway between the dates' boundaries in one frame."""
    lows, highs = zip(*(boundary.transverse_range_mm for boundary in boundaries), strict=True)
    scatter = np.array([boundary.scatter_mm for boundary in boundaries])
    return PosteriorBoundary(
        corners=np.mean([boundary.corners for boundary in boundaries], axis=0),
        walls=np.mean([boundary.walls for boundary in boundaries], axis=0),
        transverse_range_mm=(max(lows), min(highs)),
        scatter_mm=float(np.linalg.norm(scatter) / len(boundaries)),
    )


def fit_posterior_boundary(anatomy: Anatomy, frame: DiscFrame) -> PosteriorBoundary:
    """Fit the boundary to the two vertebral bodies next to the frame's disc.

    Raises:
        BoundaryNotSeenError: fewer than three sagittal planes show both corners.
    """
    bone = anatomy.vertebra + anatomy.sacrum
    corners, walls, scatter = [], [], []
    ranges = []
    for upwards in (1.0, -1.0):
        seen = _body_outline(bone, frame=frame, upwards=upwards)
        if len(seen.transverse_mm) < 3:
            which = "upper" if upwards > 0 else "lower"
            raise BoundaryNotSeenError(
                f"The posterior wall of the {which} vertebral body at this level is seen in fewer "
                "than three sagittal planes, so there is nothing to measure the herniation from."
            )
        fit, spread = _fit_corner(seen)
        corners.append(fit)
        walls.append(_fit_wall(seen, corner=fit, upwards=upwards))
        scatter.append(spread)
        ranges.append((seen.transverse_mm.min(), seen.transverse_mm.max()))
    return PosteriorBoundary(
        corners=np.stack(corners),
        walls=np.stack(walls),
        transverse_range_mm=(
            float(max(low for low, _ in ranges)),
            float(min(high for _, high in ranges)),
        ),
        scatter_mm=float(np.sqrt(np.mean(np.square(scatter)))),
    )


def frame_at_posterior_margin(
    *, anatomy: Anatomy, frame: DiscFrame
) -> tuple[DiscFrame, PosteriorBoundary]:
    """The frame with its origin moved to the middle of the disc's posterior margin.

    Args:
        frame: with its origin at the disc's centre, as `measure.frame.fit_disc_frame` gives it.

    Raises:
        BoundaryNotSeenError: as `fit_posterior_boundary`.
    """
    depth = _median_wall_ap_mm(anatomy.vertebra + anatomy.sacrum, frame=frame)
    coarse = _shifted(frame, ap=depth, craniocaudal=0.0)
    boundary = fit_posterior_boundary(anatomy=anatomy, frame=coarse)
    middle = float(boundary.corners[:, 1, 0].mean())
    ap = float(boundary.ap_mm(np.array(0.0), np.array(middle)))
    frame = _shifted(coarse, ap=ap, craniocaudal=middle)
    return frame, fit_posterior_boundary(anatomy=anatomy, frame=frame)


def _shifted(frame: DiscFrame, *, ap: float, craniocaudal: float) -> DiscFrame:
    return DiscFrame.at(frame.to_patient(np.array([ap, 0.0, craniocaudal])), frame.axes)


def _median_wall_ap_mm(bone: sitk.Image, *, frame: DiscFrame) -> float:
    """Where the bodies next to the disc end towards the back, seen from the disc's centre, mm."""
    ap = np.arange(0.0, 36.0, 0.5)
    heights = np.concatenate([np.arange(-16.0, -5.0), np.arange(6.0, 17.0)])
    across = np.arange(-6.0, 7.0, 3.0)
    plane = sample(bone, frame.to_patient(frame_grid(ap, across, heights)))
    ends = _last_inside(plane.reshape(-1, len(ap)), start=0) * 0.5
    ends = ends[np.isfinite(ends) & (ends > 5) & (ends < 30)]
    if len(ends) < 12:
        raise BoundaryNotSeenError(
            "The vertebral bodies next to the disc are not seen well enough to draw the posterior "
            "boundary."
        )
    return float(np.median(ends))


@dataclass(frozen=True)
class _BodyOutline:
    transverse_mm: FloatArray
    corner_mm: FloatArray
    """(planes, 2): ap and craniocaudal."""
    wall_mm: FloatArray
    """(points, 3): transverse, craniocaudal, ap of the posterior wall."""


def _body_outline(bone: sitk.Image, *, frame: DiscFrame, upwards: float) -> _BodyOutline:
    """Posterior wall and corner of one body, plane by plane, in frame coordinates.

    Works with heights above the disc's mid-plane for the upper body, below it for the lower.
    """
    heights = _HEIGHT_MM * upwards
    filled = sample_grid(
        bone, frame, ap_mm=_AP_MM, transverse_mm=_TRANSVERSE_MM, craniocaudal_mm=heights
    )
    step = _AP_MM[1] - _AP_MM[0]
    planes, corners, wall_points = [], [], []
    for plane, transverse in zip(filled, _TRANSVERSE_MM, strict=True):
        wall = _run_end(plane, reaching=int(np.argmin(abs(_AP_MM)))) * step + _AP_MM[0]
        wall[wall > _WALL_FURTHEST_MM] = np.nan
        edge = _first_inside(plane) * 0.5  # endplate height a column
        rows = np.isfinite(wall) & (_HEIGHT_MM < _CORNER_SEARCH_MM)
        columns = np.isfinite(edge) & (edge < _CORNER_SEARCH_MM) & (_AP_MM > -9) & (_AP_MM < 8)
        if columns.any():  # rows before the endplate belong to the other body
            rows &= np.nanmin(edge[columns]) - 0.5 <= _HEIGHT_MM
        if rows.sum() < 8 or columns.sum() < 12:
            continue
        # A column counts up to the wall only: behind it lie pedicles and processes.
        columns &= np.nanmax(wall[rows]) + 0.5 >= _AP_MM
        outline = np.concatenate(
            [
                np.stack([wall[rows], _HEIGHT_MM[rows]], axis=1),
                np.stack([_AP_MM[columns], edge[columns]], axis=1),
            ]
        )
        towards_corner = outline @ np.array([1.0, -1.0]) / np.sqrt(2)
        corner = outline[towards_corner >= towards_corner.max() - 0.3].mean(axis=0)
        if corner[1] > _CORNER_SEARCH_MM - 2:
            continue
        planes.append(transverse)
        corners.append([corner[0], corner[1] * upwards])
        beyond = np.isfinite(wall) & (_HEIGHT_MM > corner[1] + 2) & (_HEIGHT_MM < corner[1] + 20)
        wall_points += [
            [transverse, h * upwards, a]
            for h, a in zip(_HEIGHT_MM[beyond], wall[beyond], strict=True)
        ]
    return _BodyOutline(
        np.array(planes), np.array(corners).reshape(-1, 2), np.array(wall_points).reshape(-1, 3)
    )


def _last_inside(plane: FloatArray, *, start: int) -> FloatArray:
    """Per row, the sub-sample column where the filled run that holds `start` ends; NaN if none."""
    inside = plane[:, start:] >= 0.5
    ends = np.argmax(~inside, axis=1)
    found = inside[:, 0] & (ends > 0)
    rows = np.arange(len(plane))
    before, after = plane[rows, start + ends - 1], plane[rows, start + ends]
    part = (before - 0.5) / np.maximum(before - after, 1e-6)
    return np.asarray(np.where(found, start + ends - 1 + part, np.nan))


def _run_end(plane: FloatArray, *, reaching: int) -> FloatArray:
    """Per row, the sub-sample column where the last run begun by `reaching` ends; NaN if none.

    A wedge-shaped body may begin anywhere along the row; what matters is where it ends.
    """
    inside = plane >= 0.5
    begun = inside[:, : reaching + 1]
    last = reaching - np.argmax(begun[:, ::-1], axis=1)
    columns = np.arange(plane.shape[1])
    ends = np.argmax(~inside & (columns > last[:, None]), axis=1)
    found = begun.any(axis=1) & (ends > 0)
    rows = np.arange(len(plane))
    before, after = plane[rows, ends - 1], plane[rows, ends]
    part = (before - 0.5) / np.maximum(before - after, 1e-6)
    return np.asarray(np.where(found, ends - 1 + part, np.nan))


def _first_inside(plane: FloatArray) -> FloatArray:
    """Per column, the sub-sample row where filling first rises past 0.5; NaN if it never does.

    A column may begin inside the other body, where the disc is a wedge: that is not the endplate.
    """
    rises = (plane[1:] >= 0.5) & (plane[:-1] < 0.5)
    first = np.argmax(rises, axis=0) + 1
    found = rises.any(axis=0)
    columns = np.arange(plane.shape[1])
    after, before = plane[first, columns], plane[first - 1, columns]
    part = (after - 0.5) / np.maximum(after - before, 1e-6)
    return np.asarray(np.where(found, first - part, np.nan))


def _fit_corner(seen: _BodyOutline) -> tuple[FloatArray, float]:
    """Robust polynomial of the corner across the spine: (2, 3) coefficients and the scatter."""
    across = seen.transverse_mm / 10
    degree = 2 if len(across) >= 6 else 1
    terms = np.stack([across**k for k in range(degree + 1)], axis=1)
    fits, residuals = [], []
    for values in seen.corner_mm.T:
        coefficients = _robust_fit(terms, values, scale=0.5)
        residuals.append(values - terms @ coefficients)
        fits.append(np.pad(coefficients, (0, 2 - degree)))
    spread = 1.4826 * np.median(np.abs(residuals[0] - np.median(residuals[0])))
    return np.stack(fits), float(spread)


def _fit_wall(seen: _BodyOutline, *, corner: FloatArray, upwards: float) -> FloatArray:
    if len(seen.wall_mm) < 12:
        return np.zeros(3)
    transverse, height, ap = seen.wall_mm.T
    across = transverse / 10
    powers = np.stack([np.ones_like(across), across, across**2], axis=1)
    s = (height - powers @ corner[1]) * upwards / 10
    terms = np.stack([s, s**2, s * across], axis=1)
    return _robust_fit(terms, ap - powers @ corner[0], scale=0.7)


def _robust_fit(terms: FloatArray, values: FloatArray, *, scale: float) -> FloatArray:
    """Least squares in which points further off than `scale` (mm) count less and less (Huber)."""
    weight = np.ones(len(values))
    for _ in range(8):
        root = np.sqrt(weight)
        fit, *_ = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)
        weight = 1 / np.maximum(1.0, np.abs(values - terms @ fit) / scale)
    return np.asarray(fit)
