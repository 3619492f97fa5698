"""Label maps of a scanned phantom, numbered as other programs number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from case_results import points_mm

from mri_resorb.model import Level, Structure
from mri_resorb.simulate.acquisition import Acquisition

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Instances:
    """The phantom's true structures, voxel by voxel, with vertebrae and discs told apart.

    Attributes:
        structure: values of `Structure`, 0 where nothing fills half of a voxel.
        number: of a vertebra or disc, L5 and L5-S1 being 0, counting up.
    """

    image: sitk.Image
    structure: Ints
    number: Ints


def instances(acquisition: Acquisition) -> Instances:
    anatomy = acquisition.anatomy
    parts = (anatomy.vertebra, anatomy.disc, anatomy.canal, anatomy.sacrum)
    structure = np.zeros(anatomy.disc.GetSize()[::-1], np.int32)
    for value, part in zip(Structure, parts, strict=True):
        structure[sitk.GetArrayViewFromImage(part) >= 0.5] = value
    points = points_mm(anatomy.disc)
    heights = [acquisition.frames[level].to_frame(points)[..., 2] for level in reversed(Level)]
    vertebra = np.sum([height > 0 for height in heights[1:]], axis=0)
    vertebra += heights[-1] > 34  # beyond L1
    # Displaced material lies nearer to its own disc than to any other.
    middles = [np.linalg.norm(points - acquisition.disc_centres_mm[k], axis=-1) for k in Level][
        ::-1
    ]
    disc = np.argmin(middles, axis=0)
    disc[heights[-1] > 20] = len(heights)
    number = np.where(structure == Structure.DISC, disc, vertebra)
    return Instances(anatomy.disc, structure, number.astype(np.int32))


def _numbered(
    vertebra: Callable[[Ints], Ints], disc: Callable[[Ints], Ints], canal: int, sacrum: int
) -> Callable[[Instances], Ints]:
    def labels(seen: Instances) -> Ints:
        choices = [vertebra(seen.number), disc(seen.number), canal, sacrum]
        return np.select([seen.structure == value for value in Structure], choices, 0)

    return labels


def _listed(*labels: int) -> Callable[[Ints], Ints]:
    return lambda number: np.array(labels)[np.minimum(number, len(labels) - 1)]


def _counting(first: int, step: int) -> Callable[[Ints], Ints]:
    return lambda number: first + step * number


def _with_cord(labels: Ints, canal: int, cord: int) -> Ints:
    """The middle of the canal becomes cord."""
    inside = labels == canal
    core = inside & np.roll(inside, 3, axis=2) & np.roll(inside, -3, axis=2)
    return np.where(core, cord, labels)


def _with_endplates(labels: Ints) -> Ints:
    """Bone beside a disc becomes the endplate of its vertebra."""
    disc = (labels > 100) & (labels < 126)
    beside = np.roll(disc, 1, axis=1) | np.roll(disc, -1, axis=1)
    return np.where(beside & (labels > 0) & (labels < 26), labels + 200, labels)


totalspineseg = _numbered(
    _listed(45, 44, 43, 42, 41, 32), _listed(100, 95, 94, 93, 92, 91), canal=2, sacrum=50
)
totalspineseg_before = _numbered(_counting(18, 1), _counting(202, 1), canal=201, sacrum=92)
spineps_instances = _numbered(_counting(24, -1), _counting(124, -1), canal=0, sacrum=26)
spineps_subregions = _numbered(_listed(49), _listed(100), canal=61, sacrum=26)
total_mr = _numbered(_listed(19), _listed(20), canal=0, sacrum=18)
vertebrae_mr = _numbered(_counting(2, 1), _listed(0), canal=0, sacrum=1)
spider_upwards = _numbered(_counting(1, 1), _counting(201, 1), canal=100, sacrum=0)
spider_downwards = _numbered(_counting(24, -1), _counting(224, -1), canal=100, sacrum=0)

SCHEMES: Mapping[str, tuple[Callable[[Instances], Ints], ...]] = {
    "TotalSpineSeg": (lambda seen: _with_cord(totalspineseg(seen), 2, 1),),
    "TotalSpineSeg before": (lambda seen: _with_cord(totalspineseg_before(seen), 201, 200),),
    "SPINEPS": (lambda seen: _with_endplates(spineps_instances(seen)),),
    "SPINEPS both": (spineps_subregions, spineps_instances),
    "TotalSegmentator": (vertebrae_mr, total_mr),
    "SPIDER upwards": (spider_upwards,),
    "SPIDER downwards": (spider_downwards,),
}
"""What each program's files hold; the last is the one with the discs."""


def write(labels: Ints, path: Path, *, like: sitk.Image, orientation: str = "RPI") -> Path:
    image = sitk.GetImageFromArray(labels.astype(np.int16))
    image.CopyInformation(like)
    sitk.WriteImage(sitk.DICOMOrient(image, orientation), str(path))
    return path


def write_scheme(
    name: str, acquisition: Acquisition, folder: Path, *, suffix: str = ".nii.gz"
) -> tuple[Path, ...]:
    seen = instances(acquisition)
    return tuple(
        write(labels(seen), folder / f"map-{k}{suffix}", like=seen.image)
        for k, labels in enumerate(SCHEMES[name])
    )
