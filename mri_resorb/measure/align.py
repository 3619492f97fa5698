"""Brings two dates into one disc frame by the two vertebrae next to the disc.

Neither date is the reference: both frames are moved, each by half, until the bones seen through
them agree (an unbiased mid-space, as in FreeSurfer's longitudinal stream; Reuter et al. 2012,
doi 10.1016/j.neuroimage.2012.02.084). A pair that does not align well enough is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.geometry import box_around, frame_grid, sample
from mri_resorb.model import Anatomy, DiscFrame, FloatArray
from mri_resorb.side_by_side import for_each_date

_AP_MM = np.arange(-34.0, 22.0, 1.6)
_TRANSVERSE_MM = np.arange(-11.0, 11.5, 2.2)
_HEIGHT_MM = np.arange(-30.0, 30.5, 1.6)
_REACH_MM = 50.0
"""Of these from the frame's origin, and some more for what is moved."""
_PRIOR_SD = np.array([6.0, 6.0, 6.0, 0.15, 0.15, 0.15])
"""mm and radians; weak, so that what the scans do not show stays as the discs say."""
_WEIGHT = 1e4
"""Of the mean square disagreement of the bones, beside the squares of what is moved in such SDs."""
_SLOPE_MM = 0.25
"""To each side, for the bone's slopes: less than a pixel, since it is interpolated linearly."""
_MOST_STEPS = 25
_MOST_DAMPING = 1000.0
_STILL = 0.998
"""A step that leaves more than this of the cost is the last."""


@dataclass(frozen=True)
class Alignment:
    """One frame in two scans.

    Attributes:
        baseline, follow_up: the same disc frame, placed in each scan's patient coordinates.
        bone_dice: overlap of the two vertebrae seen through the frames, 0-1.
    """

    baseline: DiscFrame
    follow_up: DiscFrame
    bone_dice: float


def align(
    *,
    baseline: Anatomy,
    follow_up: Anatomy,
    baseline_frame: DiscFrame,
    follow_up_frame: DiscFrame,
) -> Alignment:
    """Find the shared frame.

    Args:
        baseline_frame, follow_up_frame: of the same disc, each date's own, origin at the posterior
            margin.
    """
    grid = frame_grid(_AP_MM, _TRANSVERSE_MM, _HEIGHT_MM).reshape(-1, 3)
    own = (baseline_frame, follow_up_frame)
    covered = _covered(baseline.vertebra, own[0], grid) & _covered(follow_up.vertebra, own[1], grid)
    grid = grid[covered]
    bones = [
        _Bone.of(anatomy, frame) for anatomy, frame in zip((baseline, follow_up), own, strict=True)
    ]
    parameters = _least_disagreement(*bones, grid=grid)
    frames = moved(own[0], -parameters / 2), moved(own[1], parameters / 2)
    first, second = (
        sample(bone.image, frame.to_patient(grid)) >= 0.5
        for bone, frame in zip(bones, frames, strict=True)
    )
    dice = 2 * (first & second).sum() / max(int(first.sum() + second.sum()), 1)
    return Alignment(*frames, float(dice))


@dataclass(frozen=True)
class CommonAlignment:
    """One frame in several scans.

    Attributes:
        frames: the same disc frame, placed in each scan's patient coordinates.
        bone_dice: overlap of each later scan's vertebrae with the first's, 0-1.
    """

    frames: tuple[DiscFrame, ...]
    bone_dice: tuple[float, ...]


def align_all(*, anatomies: Sequence[Anatomy], frames: Sequence[DiscFrame]) -> CommonAlignment:
    """Find the frame that two or more dates share.

    Each is aligned with the first. Of more than two, the shared frame is the mean of all dates' own
    frames as they lie in the first, so that no date is the reference.

    Args:
        frames: of the same disc, each date's own, origin at the posterior margin.
    """
    pairs = for_each_date(
        lambda anatomy, frame: align(
            baseline=anatomies[0],
            follow_up=anatomy,
            baseline_frame=frames[0],
            follow_up_frame=frame,
        ),
        anatomies[1:],
        frames[1:],
    )
    overlaps = tuple(pair.bone_dice for pair in pairs)
    if len(pairs) == 1:
        return CommonAlignment((pairs[0].baseline, pairs[0].follow_up), overlaps)
    in_first = [
        frames[0],
        *(
            carried(frame, pair.follow_up, pair.baseline)
            for frame, pair in zip(frames[1:], pairs, strict=True)
        ),
    ]
    origin = np.mean([frame.origin_mm for frame in in_first], axis=0)
    middle = DiscFrame.at(origin, _mean_axes([frame.axes for frame in in_first]))
    others = (carried(middle, pair.baseline, pair.follow_up) for pair in pairs)
    return CommonAlignment((middle, *others), overlaps)


def _mean_axes(axes: Sequence[FloatArray]) -> FloatArray:
    """The orthogonal axes nearest to all given ones."""
    left, _, right = np.linalg.svd(np.sum(axes, axis=0))
    return np.asarray(left @ right)


def carried(frame: DiscFrame, here: DiscFrame, there: DiscFrame) -> DiscFrame:
    """A frame in one scan as it lies in another, `here` and `there` being one frame in both."""
    origin = there.to_patient(here.to_frame(np.array(frame.origin_mm)))
    return DiscFrame.at(origin, frame.axes @ here.axes.T @ there.axes)


def moved(frame: DiscFrame, parameters: FloatArray) -> DiscFrame:
    """The frame moved along its own axes (mm) and turned about them (rotation vector, radians)."""
    origin = frame.to_patient(parameters[:3])
    angle = float(np.linalg.norm(parameters[3:]))
    axis = parameters[3:] / angle if angle else np.array([0.0, 0.0, 1.0])
    turn = np.reshape(sitk.VersorTransform(axis.tolist(), angle).GetMatrix(), (3, 3))
    return DiscFrame.at(origin, turn @ frame.axes)


def _least_disagreement(first: _Bone, second: _Bone, *, grid: FloatArray) -> FloatArray:
    """By how much the second frame is to be moved, and the first the other way, each by half.

    Damped least squares (Levenberg 1944, Marquardt 1963), by the slopes of the bone.

    Returns:
        Parameters of `moved`, (6,): mm and radians.
    """
    parameters, damping = np.zeros(6), 0.01
    weight = _WEIGHT / max(len(grid), 1)
    cost = _cost(first, second, parameters, grid=grid)
    for _ in range(_MOST_STEPS):
        slope = -(first.slopes(grid, -parameters / 2) + second.slopes(grid, parameters / 2)) / 2
        apart = first.seen(grid, -parameters / 2) - second.seen(grid, parameters / 2)
        curvature = weight * slope.T @ slope + np.diag(_PRIOR_SD**-2)
        pull = weight * slope.T @ apart + parameters / _PRIOR_SD**2
        before = cost
        while damping < _MOST_DAMPING:
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), -pull)
            cost = _cost(first, second, parameters + step, grid=grid)
            if cost < before:
                parameters, damping = parameters + step, damping / 10
                break
            damping *= 10
        if cost > before * _STILL:
            break
    return parameters


def _cost(first: _Bone, second: _Bone, parameters: FloatArray, *, grid: FloatArray) -> float:
    apart = first.seen(grid, -parameters / 2) - second.seen(grid, parameters / 2)
    weight = _WEIGHT / max(len(grid), 1)
    return float(weight * np.sum(np.square(apart)) + np.sum(np.square(parameters / _PRIOR_SD)))


@dataclass(frozen=True)
class _Bone:
    """Bone occupancy of a date, a little blurred in-plane, so that overlap changes smoothly.

    Attributes:
        frame: the date's own, which is moved.
    """

    image: sitk.Image
    frame: DiscFrame

    @classmethod
    def of(cls, anatomy: Anatomy, frame: DiscFrame) -> _Bone:
        """The bone seen in an anatomy."""
        bone = _around(anatomy.vertebra, frame) + _around(anatomy.sacrum, frame)
        return cls(sitk.DiscreteGaussian(bone, [0.8, 0.8, 0.0]), frame)

    def seen(self, grid: FloatArray, parameters: FloatArray) -> FloatArray:
        """Occupancy (n,) at the moved frame's grid (n, 3)."""
        return sample(self.image, moved(self.frame, parameters).to_patient(grid))

    def slopes(self, grid: FloatArray, parameters: FloatArray) -> FloatArray:
        """How that changes with each parameter, (n, 6)."""
        places = self.frame.to_frame(moved(self.frame, parameters).to_patient(grid))
        shifts = np.concatenate([_SLOPE_MM * np.eye(3), -_SLOPE_MM * np.eye(3)])
        values = sample(self.image, self.frame.to_patient(places + shifts[:, None]))
        along = (values[:3] - values[3:]).T / (2 * _SLOPE_MM)
        return np.concatenate([along, np.cross(along, places - parameters[:3])], axis=1)


def _around(image: sitk.Image, frame: DiscFrame) -> sitk.Image:
    """The image's voxels within reach of the frame."""
    ends = np.array([-_REACH_MM, _REACH_MM])
    corners = frame.to_patient(frame_grid(ends, ends, ends).reshape(-1, 3))
    box = box_around(image, corners)[::-1]
    near: sitk.Image = sitk.RegionOfInterest(
        image, [part.stop - part.start for part in box], [part.start for part in box]
    )
    return near


def _covered(image: sitk.Image, frame: DiscFrame, grid: FloatArray) -> npt.NDArray[np.bool_]:
    """Which grid points lie inside the image, first to last slice centre."""
    ones = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(image)
    return np.asarray(sample(ones, frame.to_patient(grid)) > 0.99)
