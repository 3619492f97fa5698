"""Overlap and distance of two anatomies, class by class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.model import Anatomy

CLASSES = ("vertebra", "disc", "canal", "sacrum")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """One structure of one scan.

    Attributes:
        dice: overlap at half occupancy; 1 where both are empty.
        surface_mm: mean distance of the two surfaces, both ways; NaN where one is empty.
    """

    dice: float
    surface_mm: float


def dices(found: Anatomy, truth: Anatomy) -> dict[str, float]:
    """Dice of each class."""
    return {
        name: dice(*(filled(getattr(anatomy, name)) for anatomy in (found, truth)))
        for name in CLASSES
    }


def score(found: Anatomy, truth: Anatomy) -> dict[str, Score]:
    """Each class of two anatomies on one grid."""
    columns_mm, rows_mm, slices_mm = truth.disc.GetSpacing()
    scores = {}
    for name in CLASSES:
        first, second = (filled(getattr(anatomy, name)) for anatomy in (found, truth))
        scores[name] = Score(
            dice=dice(first, second),
            surface_mm=surface_distance_mm(first, second, (slices_mm, rows_mm, columns_mm)),
        )
    return scores


def filled(occupancy: sitk.Image) -> Mask:
    """Voxels that are at least half filled, (slices, rows, columns)."""
    return np.asarray(sitk.GetArrayViewFromImage(occupancy) >= 0.5)


def dice(first: Mask, second: Mask) -> float:
    """Overlap of two masks, 1 where both are empty."""
    total = int(first.sum() + second.sum())
    return 2 * int((first & second).sum()) / total if total else 1.0


def best_dice(found: sitk.Image, truth: sitk.Image) -> float:
    """The highest overlap of what is filled to any of nineteen occupancies."""
    occupancy, true = sitk.GetArrayViewFromImage(found), filled(truth)
    return max(dice(occupancy >= least, true) for least in np.arange(0.05, 0.96, 0.05))


def volume_ratio(found: sitk.Image, truth: sitk.Image) -> float:
    """Voxels at least half filled in the one over those in the other; NaN where there are none."""
    true = int(filled(truth).sum())
    return int(filled(found).sum()) / true if true else float("nan")


def surface_distance_mm(first: Mask, second: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """Mean distance from the voxels of either surface to the nearest of the other.

    The cut faces of a slab are no surface: they lie on each other by themselves and would make
    the mean too good. (The surface-distance library counts them.)

    Args:
        spacing_mm: slices, rows, columns.
    """
    surfaces = [mask & ~ndimage.binary_erosion(mask, border_value=1) for mask in (first, second)]
    if not all(surface.any() for surface in surfaces):
        return float("nan")
    box = ndimage.find_objects((surfaces[0] | surfaces[1]).astype(np.uint8))[0]
    one, other = (surface[box] for surface in surfaces)
    away = [ndimage.distance_transform_edt(~surface, spacing_mm) for surface in (one, other)]
    return float(np.concatenate([away[1][one], away[0][other]]).mean())


def mean_and_worst(values: Iterable[float], *, lowest_is_worst: bool = True) -> tuple[float, float]:
    """Mean and worst of what is a number."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not known.size:
        return float("nan"), float("nan")
    return float(known.mean()), float(known.min() if lowest_is_worst else known.max())
