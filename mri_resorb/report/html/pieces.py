"""The fragment piece by piece: what hangs together in the series' own voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.geometry import voxel_points
from mri_resorb.model import DiscFrame, Fragment

SMALLEST_CM3 = 0.02
"""Smaller specks are counted with the nearest piece."""


@dataclass(frozen=True)
class Piece:
    """One piece of a fragment.

    Attributes:
        volume_cm3: occupancy-weighted; the pieces' volumes add up to the fragment's.
        left_mm: of its centroid from the disc's middle, to the patient's left.
        above_mm: of its centroid from the disc's mid-plane.
    """

    volume_cm3: float
    left_mm: float
    above_mm: float


def find_pieces(fragment: Fragment, *, frame: DiscFrame) -> tuple[Piece, ...]:
    """The pieces, largest first.

    Voxels that are at least half filled and touch (by faces, edges or corners) are one piece;
    voxels filled less belong to the nearest.
    """
    image = fragment.occupancy
    whole = sitk.GetArrayViewFromImage(image)
    if not whole.max() > 0:
        return ()
    filled = [np.flatnonzero((whole > 0).any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    box = tuple(slice(places[0], places[-1] + 1) for places in filled)
    occupancy = whole[box]
    voxel_cm3 = float(np.prod(image.GetSpacing())) / 1000
    cores, count = ndimage.label(occupancy >= 0.5, structure=np.ones((3, 3, 3)))
    volumes = ndimage.sum(occupancy, cores, range(1, count + 1)) * voxel_cm3
    big = np.flatnonzero(volumes >= SMALLEST_CM3) + 1
    if big.size <= 1:
        owner = np.ones(occupancy.shape, int)
    else:
        _, nearest = ndimage.distance_transform_edt(
            ~np.isin(cores, big), sampling=image.GetSpacing()[::-1], return_indices=True
        )
        owner = cores[tuple(nearest)]
    pieces = []
    for label in np.unique(owner):
        index = np.argwhere((owner == label) & (occupancy > 0))
        amount = occupancy[tuple(index.T)].astype(float)
        corner = np.array([part.start for part in box])
        place = frame.to_frame(voxel_points(image, index + corner))
        _, left, above = (amount @ place) / amount.sum()
        pieces.append(Piece(float(amount.sum()) * voxel_cm3, float(left), float(above)))
    return tuple(sorted(pieces, key=lambda piece: -piece.volume_cm3))
