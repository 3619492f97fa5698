"""Turns labelled volumes into the close-ups of single discs that the second network is trained on.

A close-up is what `mri_resorb.segment.close_up` cuts out of a scan: the posterior half of one disc
and the canal behind it, turned into the disc's own frame. Here the frame is off by what it is off
in scans, and everything else varies as in `training.samples`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import DiscFrame, Structure
from mri_resorb.segment.close_up import (
    BEHIND_MM,
    PIXEL_MM,
    SHAPE,
    TRANSVERSE_UNIT_MM,
    slices_shown,
)
from mri_resorb.simulate.implant import LabelledScan
from training.patients import LabelledVolume, labelled_scan, sites
from training.samples import (
    FRAGMENT,
    THICKEST_MM,
    FloatImage,
    Pose,
    augment,
    end_of_view,
    nearest,
    smooth_lookup,
    soft_classes,
    source_of,
)

_NEAR_MM = 18.0
"""Up or down from a disc, within which an implanted fragment is its own."""


@dataclass(frozen=True)
class Frame:
    """Where a disc's frame lies in the slices.

    Attributes:
        centre: slice of the midline, row, column of the posterior margin's middle.
        angle: by which the disc's own axes are turned in the slice, radians.
    """

    centre: tuple[float, float, float]
    angle: float


Frames = tuple[Frame, ...]


@dataclass(frozen=True)
class Site:
    """A disc of a volume.

    Attributes:
        herniated: slices that show a fragment implanted there.
        voxels: of that fragment.
    """

    frame: Frame
    herniated: npt.NDArray[np.intp]
    voxels: int


@dataclass(frozen=True)
class CloseUpVolume:
    """(slices, rows, columns) uint8 arrays, perhaps memory-mapped; spacing in mm, same order."""

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    frames: Frames
    fragment_weight: float = 1.0

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The discs with what is implanted behind them."""
        fragment = np.argwhere(self.labels == FRAGMENT)
        found = []
        for frame in self.frames:
            apart_mm = np.abs(fragment - np.array(frame.centre)) * np.array(self.spacing_mm)
            near = (apart_mm[:, 1:] < _NEAR_MM).all(axis=1)
            found.append(Site(frame, np.unique(fragment[near, 0]), int(near.sum())))
        return tuple(found)


def frames_of(patient: LabelledVolume) -> Frames:
    """Where the patient's discs lie in the slices."""
    scan = labelled_scan(patient)
    return tuple(_in_slices(frame, scan) for frame, _ in sites(patient))


def phantom_frames(labels: npt.NDArray[np.uint8], spacing_mm: tuple[float, float, float]) -> Frames:
    """Where a phantom's discs lie in the slices of its labels."""
    slices_mm, rows_mm, columns_mm = spacing_mm
    labels = np.where(labels == FRAGMENT, Structure.DISC, labels)
    volume = sitk.GetImageFromArray(labels)
    volume.SetSpacing((columns_mm, rows_mm, slices_mm))
    volume.SetDirection((0, 0, 1, 1, 0, 0, 0, -1, 0))  # to the back, downwards, to the left
    return frames_of(LabelledVolume("phantom", labels, labels, spacing_mm, volume))


def _in_slices(frame: DiscFrame, scan: LabelledScan) -> Frame:
    inverse = np.linalg.inv(scan.to_patient[:, :3])
    centre = inverse @ (np.array(frame.origin_mm) - scan.to_patient[:, 3])
    steps = scan.to_patient[:, :3] / np.linalg.norm(scan.to_patient[:, :3], axis=0)
    down = -frame.axes[2] @ steps
    angle = float(np.arctan2(down[2], down[1]))
    return Frame((float(centre[0]), float(centre[1]), float(centre[2])), angle)


def draw_close_up(
    volume: CloseUpVolume, *, rng: np.random.Generator
) -> tuple[FloatImage, FloatImage, FloatImage]:
    """One training close-up.

    Returns:
        planes (6, rows, columns): five slices' normalised intensities and how far the middle one
        is from the midline; classes (5, rows, columns) soft labels, and weight (rows, columns), 0
        where unlabelled and `volume.fragment_weight` on fragments.
    """
    slices = volume.image.shape[0]
    slice_mm = volume.spacing_mm[0]
    averaged = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.2, 0.1, 0.15, 0.2, 0.2, 0.15]))
    averaged = min(averaged, slices, max(1, int(THICKEST_MM / slice_mm)))
    distance = averaged + int(rng.integers(0, 2)) if averaged > 1 else 1
    herniated = [site for site in volume.sites if site.herniated.size]
    if herniated and rng.random() < 0.85:
        size = np.sqrt([site.voxels for site in herniated])  # large ones were drawn too small
        site = herniated[rng.choice(len(herniated), p=size / size.sum())]
    else:
        site = volume.sites[rng.integers(len(volume.sites))]
    kind = rng.choice(["within", "at an end", "anywhere"], p=[0.4, 0.35, 0.25])
    if kind == "anywhere" or not site.herniated.size:
        middle = rng.integers(slices)
    elif kind == "within":
        middle = rng.choice(site.herniated)
    else:  # which it fills in part: there, too little was seen of large fragments
        middle = rng.choice(site.herniated[[0, -1]]) + rng.integers(-averaged, averaged + 1) // 2
    start = int(np.clip(middle - averaged // 2, 0, slices - averaged))

    row, column = source_of(
        _pose(site.frame, rng), site.frame.centre, volume.spacing_mm, shape=SHAPE, rng=rng
    )
    first, count = start % distance, (slices - averaged - start % distance) // distance + 1
    shown = slices_shown(start // distance, count, distance_mm=distance * slice_mm)
    seen = {
        k: _taken(volume, first + k * distance, averaged, row, column, whole=k == start // distance)
        for k in set(shown)
    }
    image, classes_shown, fragment_shown = (
        np.stack([seen[k][part] for k in shown], axis=axis)
        for part, axis in ((0, 0), (1, 1), (2, 0))
    )
    _, classes, fragment, known = seen[start // distance]
    end_of_view(image, classes, rng=rng)
    image = augment(image, classes=classes_shown, fragment=fragment_shown, rng=rng)
    transverse_mm = (start + (averaged - 1) / 2 - site.frame.centre[0]) * slice_mm + rng.normal(
        0, 1.0
    )
    if rng.random() < 0.5:  # in-plane left-right is the slice order: mirror the stack
        image = image[::-1]
    aside = np.full((1, *SHAPE), abs(transverse_mm) / TRANSVERSE_UNIT_MM, np.float32)
    weight = known * (1.0 + (volume.fragment_weight - 1.0) * fragment)
    return np.concatenate([image, aside]), classes, weight.astype(np.float32)


def _taken(
    volume: CloseUpVolume,
    first: int,
    averaged: int,
    row: FloatImage,
    column: FloatImage,
    *,
    whole: bool,
) -> tuple[FloatImage, FloatImage, FloatImage, FloatImage]:
    """One thick slice: intensities, classes, fragment and known pixels.

    Args:
        whole: its classes from all that is averaged; else from the middle, which is enough for
            contrasts.
    """
    thick = volume.image[first : first + averaged].mean(axis=0, dtype=np.float32)
    labelled = range(first, first + averaged) if whole else [first + averaged // 2]
    planes = np.stack([nearest(volume.labels[k], row, column) for k in labelled])
    classes, known, fragment = soft_classes(planes)
    return smooth_lookup(thick, row, column), classes, fragment, known


def _pose(frame: Frame, rng: np.random.Generator) -> Pose:
    """The frame as it may be found: a little turned and moved."""
    angle = frame.angle + np.deg2rad(rng.normal(0, 5))
    behind, down = BEHIND_MM + rng.normal(0, 1.5), rng.normal(0, 1.5)
    cosine, sine = np.cos(angle), np.sin(angle)
    return Pose(
        pixel_mm=PIXEL_MM * float(np.exp(rng.normal(0, 0.1))),
        angle=float(angle),
        stretch=float(np.exp(rng.normal(0, 0.05))),
        shift_mm=(float(cosine * down - sine * behind), float(sine * down + cosine * behind)),
    )
