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
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from mri_resorb.geometry import frame_grid, sample
from mri_resorb.model import Anatomy, DiscFrame, FloatArray
from mri_resorb.side_by_side import for_each_date

_AP_MM = np.arange(-34.0, 22.0, 1.6)
_TRANSVERSE_MM = np.arange(-11.0, 11.5, 2.2)
_HEIGHT_MM = np.arange(-30.0, 30.5, 1.6)
_PRIOR_SD = np.array([6.0, 6.0, 6.0, 0.15, 0.15, 0.15])
"""mm and radians; weak, so that what the scans do not show stays as the discs say."""


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
    bones = [_smoothed_bone(anatomy) for anatomy in (baseline, follow_up)]
    grid = frame_grid(_AP_MM, _TRANSVERSE_MM, _HEIGHT_MM).reshape(-1, 3)
    own = (baseline_frame, follow_up_frame)
    covered = _covered(baseline.vertebra, own[0], grid) & _covered(follow_up.vertebra, own[1], grid)
    grid = grid[covered]

    def seen(halves: FloatArray) -> tuple[FloatArray, FloatArray]:
        first = sample(bones[0], moved(own[0], -halves / 2).to_patient(grid))
        second = sample(bones[1], moved(own[1], halves / 2).to_patient(grid))
        return first, second

    def disagreement(parameters: FloatArray) -> FloatArray:
        first, second = seen(parameters)
        prior = parameters / _PRIOR_SD
        return np.concatenate([(first - second) / np.sqrt(len(grid)) * 30, prior * 0.3])

    scale = np.array([1.0, 1.0, 1.0, 0.05, 0.05, 0.05])
    found = least_squares(
        disagreement,
        np.zeros(6),
        x_scale=scale,
        diff_step=0.02,
        loss="soft_l1",
        ftol=1e-4,  # in the samples within 0.002 mm of what further steps lead to
        xtol=1e-4,
        max_nfev=25,
    )
    first, second = (values >= 0.5 for values in seen(found.x))
    dice = 2 * (first & second).sum() / max(int(first.sum() + second.sum()), 1)
    return Alignment(moved(own[0], -found.x / 2), moved(own[1], found.x / 2), float(dice))


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
    turns = Rotation.from_matrix(np.stack([f.axes @ frames[0].axes.T for f in in_first]))
    middle = DiscFrame.at(origin, turns.mean().as_matrix() @ frames[0].axes)
    others = (carried(middle, pair.baseline, pair.follow_up) for pair in pairs)
    return CommonAlignment((middle, *others), overlaps)


def carried(frame: DiscFrame, here: DiscFrame, there: DiscFrame) -> DiscFrame:
    """A frame in one scan as it lies in another, `here` and `there` being one frame in both."""
    origin = there.to_patient(here.to_frame(np.array(frame.origin_mm)))
    return DiscFrame.at(origin, frame.axes @ here.axes.T @ there.axes)


def moved(frame: DiscFrame, parameters: FloatArray) -> DiscFrame:
    """The frame moved along its own axes (mm) and turned about them (rotation vector, radians)."""
    origin = frame.to_patient(parameters[:3])
    turn = Rotation.from_rotvec(parameters[3:]).as_matrix()
    return DiscFrame.at(origin, turn @ frame.axes)


def _smoothed_bone(anatomy: Anatomy) -> sitk.Image:
    """Bone occupancy, a little blurred in-plane, so that overlap changes smoothly."""
    bone = anatomy.vertebra + anatomy.sacrum
    return sitk.DiscreteGaussian(bone, [0.8, 0.8, 0.0])


def _covered(image: sitk.Image, frame: DiscFrame, grid: FloatArray) -> npt.NDArray[np.bool_]:
    """Which grid points lie inside the image, first to last slice centre."""
    ones = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    ones.CopyInformation(image)
    return np.asarray(sample(ones, frame.to_patient(grid)) > 0.99)
