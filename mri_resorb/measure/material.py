"""The disc material behind the posterior boundary, and what of it is fragment.

Source: DEFINITIONS, "Herniated fragment" (convention, version 1). Which material belongs is decided
on one grid in the disc frame that both dates share; how much there is of it is summed in each
series' own grid (`mri_resorb.measure.occupancy`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.geometry import frame_grid, sample, sample_each
from mri_resorb.measure.boundary import PosteriorBoundary
from mri_resorb.model import Anatomy, DiscFrame, FloatArray

HERNIATION_MM = 2.5
"""A herniation is where material reaches further than this behind the boundary."""
FOOTPRINT_MM = 1.0
"""Its footprint is the connected area that reaches further than this."""
REACH_ERROR_MM = 1.5
"""By which a reach near that may be wrong: that of nine in ten real discs, each unseen, lies within
this of what it is by the experts' outlines (`benchmarks/readers.py`)."""
LARGEST_FRAGMENT_CM3 = 5.0
"""Convention: twice the largest herniation that the method is tried with. What is outlined beyond
it is no fragment, but a wrong outline."""
TIP_OCCUPANCY = 0.3
"""A rounded tip fills but a part of its voxels in a thick slice. Where less is filled than this,
the fragment has ended (chosen on training-side pairs, `docs/validation.md`)."""
SMALLEST_PIECE_CM3 = 0.02
"""Smaller detached specks are not taken for material."""

TRANSVERSE_STEP_MM = 1.0
HEIGHT_STEP_MM = 0.5
DEPTH_STEP_MM = 0.25
GRID_VOXEL_CM3 = TRANSVERSE_STEP_MM * HEIGHT_STEP_MM * DEPTH_STEP_MM / 1000
TRANSVERSE_MM = np.arange(-24.0, 24.5, TRANSVERSE_STEP_MM)
HEIGHT_MM = np.arange(-32.0, 32.25, HEIGHT_STEP_MM)
DEPTH_MM = np.arange(-3.0, 24.0, DEPTH_STEP_MM)
_RECESS_MM = 4.0
"""How far the lateral recess goes beyond the sac's side."""
_HALF_BODY_MM = 13.5
"""From a disc's edge to the middle of a lumbar body (about 27 mm high)."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """Disc material of one date on the shared grid (transverse, craniocaudal, depth).

    Attributes:
        joined: material behind the boundary that hangs together with the disc.
        detached: pieces that do not.
        canal: the sac.
        covered: (transverse,) planes that lie within the scan's slices.
        reach_mm: (transverse, craniocaudal) how far `joined` goes behind the boundary.
        broad: (transverse,) planes where disc material reaches more than 1.0 mm behind the
            boundary at the disc's height, beyond the lateral recesses too: a bulge's breadth.
        tips: what is filled to `TIP_OCCUPANCY` at least, a half or not: where pieces may end.
    """

    joined: BoolArray
    detached: BoolArray
    canal: BoolArray
    covered: BoolArray
    reach_mm: FloatArray
    broad: BoolArray
    tips: BoolArray

    @property
    def footprint(self) -> BoolArray:
        """(transverse, craniocaudal): where this date alone has a herniation."""
        return areas_reaching(self.reach_mm, HERNIATION_MM)

    def almost_herniated_cm3(self, footprint: BoolArray) -> float:
        """Volume, beside a footprint, of what falls short of a herniation by less than its error.

        Args:
            footprint: (transverse, craniocaudal), united over the dates.
        """
        almost = areas_reaching(self.reach_mm, HERNIATION_MM - REACH_ERROR_MM) & ~footprint
        return float(self.reach_mm[almost].sum()) * TRANSVERSE_STEP_MM * HEIGHT_STEP_MM / 1000

    def part_behind(self, area: BoolArray, *, of: BoolArray) -> float:
        """What part of what is joined behind an area of the boundary lies behind a part of it.

        Args:
            area, of: (transverse, craniocaudal), the one within the other.
        """
        whole_mm = float(self.reach_mm[of].sum())
        if whole_mm == 0:
            return float(area.sum()) / max(int(of.sum()), 1)
        return float(self.reach_mm[area].sum()) / whole_mm

    @property
    def fragment_cm3(self) -> float:
        """Volume, on the shared grid, of what this date alone has as fragment."""
        fragment = (self.joined & self.footprint[..., None]) | self.detached
        return float(fragment.sum()) * GRID_VOXEL_CM3

    @property
    def is_implausible(self) -> bool:
        """The outline is wrong: larger than a fragment can be, or run into the next disc's."""
        return self.fragment_cm3 > LARGEST_FRAGMENT_CM3 or bool(self.joined[:, [0, -1]].any())

    @property
    def detached_reach_mm(self) -> float:
        """How far detached pieces go behind the boundary."""
        deep = np.flatnonzero(self.detached.any(axis=(0, 1)))
        return float(DEPTH_MM[deep[-1]] + DEPTH_STEP_MM / 2) if deep.size else 0.0

    @property
    def is_herniated(self) -> bool:
        """Something reaches more than 2.5 mm behind the boundary, joined or detached."""
        return bool(self.footprint.any()) or self.detached_reach_mm > HERNIATION_MM


def areas_reaching(reach_mm: FloatArray, least_mm: float) -> BoolArray:
    """(transverse, craniocaudal): connected areas of more than 1.0 mm that reach further."""
    areas, _ = ndimage.label(reach_mm > FOOTPRINT_MM, structure=np.ones((3, 3)))
    deep = np.unique(areas[reach_mm > least_mm])
    return np.asarray(np.isin(areas, deep[deep > 0]))


def hardly_herniated(footprint: BoolArray, reach_mm: FloatArray) -> BoolArray:
    """What of a footprint exceeds a rim's depth by less than the error of its reach.

    Args:
        footprint: (transverse, craniocaudal), united over the dates.
        reach_mm: the same axes; how far material goes behind the boundary, the most of all dates.
    """
    return footprint & ~areas_reaching(reach_mm, HERNIATION_MM + REACH_ERROR_MM)


def find_material(*, anatomy: Anatomy, frame: DiscFrame, boundary: PosteriorBoundary) -> Material:
    """Sort the disc material around one disc into joined and detached.

    Args:
        frame: the shared frame, placed in this date's scan.
        boundary: the shared boundary, in that frame.
    """
    points = _shared_grid(frame, boundary)
    filled, sac = sample_each(anatomy.disc, anatomy.canal, points_mm=points)
    disc, canal = filled >= 0.5, sac >= 0.5
    upper, lower = boundary.corner_heights_mm(TRANSVERSE_MM)
    between = (HEIGHT_MM < upper[:, None]) & (HEIGHT_MM > lower[:, None])
    near = (HEIGHT_MM < upper[:, None] + _HALF_BODY_MM) & (
        HEIGHT_MM > lower[:, None] - _HALF_BODY_MM
    )

    behind = DEPTH_MM >= 0
    disc &= behind | between[..., None]  # in front of the boundary only this disc itself
    pieces, count = ndimage.label(disc, structure=np.ones((3, 3, 3)))
    of_disc = np.zeros(count + 1, bool)
    of_disc[np.unique(pieces[..., DEPTH_MM < -1.5])] = True
    in_reach = np.zeros(count + 1, bool)
    in_reach[np.unique(pieces[near])] = True
    voxel_cm3 = TRANSVERSE_STEP_MM * HEIGHT_STEP_MM * DEPTH_STEP_MM / 1000
    big_enough = np.bincount(pieces.ravel(), minlength=count + 1) * voxel_cm3 >= SMALLEST_PIECE_CM3
    of_disc[0] = in_reach[0] = False

    sideways = np.abs(TRANSVERSE_MM) <= _canal_half_width_mm(canal) + _RECESS_MM
    in_canal = sideways[:, None, None] & behind
    joined = of_disc[pieces] & in_canal
    detached = (in_reach & ~of_disc & big_enough)[pieces] & in_canal
    reach = np.where(joined, DEPTH_MM + DEPTH_STEP_MM / 2, 0.0).max(axis=-1)
    covered = _covered_planes(anatomy.disc, frame)
    broad = _broad(of_disc[pieces] & between[..., None])
    tips = (filled >= TIP_OCCUPANCY) & in_canal
    return Material(joined, detached, canal, covered, reach, broad, tips)


def _shared_grid(frame: DiscFrame, boundary: PosteriorBoundary) -> FloatArray:
    """LPS points (transverse, craniocaudal, depth, 3) of the grid that the dates share."""
    grid = frame_grid(DEPTH_MM, TRANSVERSE_MM, HEIGHT_MM)
    grid[..., 0] += boundary.ap_mm(TRANSVERSE_MM[:, None], HEIGHT_MM)[..., None]
    return frame.to_patient(grid)


def _broad(at_disc_height: BoolArray) -> BoolArray:
    return np.asarray(at_disc_height[..., DEPTH_MM > FOOTPRINT_MM].any(axis=(1, 2)))


def _canal_half_width_mm(canal: BoolArray) -> float:
    """From the sac's width around the disc; 11 mm where it is not seen on both sides."""
    central = np.abs(HEIGHT_MM) < 12
    wide = canal[:, central].any(axis=-1).mean(axis=1) > 0.25
    if not wide.any():
        return 11.0
    seen = TRANSVERSE_MM[wide]
    return float(np.clip(max(-seen.min(), seen.max()), 8.0, 15.0))


def _covered_planes(image: sitk.Image, frame: DiscFrame) -> BoolArray:
    """Sagittal planes of the grid that lie in the slices, from the first to the last."""
    at_disc = frame.to_patient(np.stack([0 * TRANSVERSE_MM, TRANSVERSE_MM, 0 * TRANSVERSE_MM], -1))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    position = (at_disc - np.array(image.GetOrigin())) @ direction[:, 2] / image.GetSpacing()[2]
    return np.asarray((position >= -0.5) & (position <= image.GetSize()[2] - 0.5))


def material_of_mask(
    mask: sitk.Image, *, frame: DiscFrame, boundary: PosteriorBoundary, automatic: Material
) -> Material:
    """A fragment drawn by a person, as material on the shared grid.

    All of it is fragment, wherever it lies; pieces that come within 1 mm of the boundary at the
    disc's height count as joined, others as detached.

    Args:
        mask: 0-1, on the scan's grid.
        automatic: what was found without it; gives the canal and what is covered.
    """
    filled = sample(mask, _shared_grid(frame, boundary))
    drawn = filled >= 0.5
    upper, lower = boundary.corner_heights_mm(TRANSVERSE_MM)
    between = (HEIGHT_MM < upper[:, None]) & (HEIGHT_MM > lower[:, None])
    pieces, count = ndimage.label(drawn, structure=np.ones((3, 3, 3)))
    at_disc = np.zeros(count + 1, bool)
    at_disc[np.unique(pieces[between[..., None] & (DEPTH_MM < 1.0)])] = True
    at_disc[0] = False
    joined = at_disc[pieces]
    reach = np.where(joined, DEPTH_MM + DEPTH_STEP_MM / 2, 0.0).max(axis=-1)
    canal = automatic.canal & ~drawn
    broad = _broad(joined & between[..., None])
    tips = filled >= TIP_OCCUPANCY
    return Material(joined, drawn & ~joined, canal, automatic.covered, reach, broad, tips)
