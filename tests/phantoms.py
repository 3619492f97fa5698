"""Two people in coarse voxels, with pieces of every kind; seeds 5000-8999 are for tests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from mri_resorb.model import Level
from mri_resorb.simulate.herniation import Herniation
from mri_resorb.simulate.phantom import Phantom, lumbar_phantom

Pieces = Mapping[Level, tuple[Herniation, ...]]

ANN: Pieces = {
    Level.L1_L2: (Herniation("protrusion", 0.15, side_mm=-5.0),),
    Level.L2_L3: (Herniation("extrusion", 0.5, migration="caudal"),),
    Level.L3_L4: (Herniation("bulge", 0.8),),
    Level.L4_L5: (Herniation("extrusion", 0.9, side_mm=2.0, migration="cranial"),),
    Level.L5_S1: (
        Herniation("protrusion", 0.3, side_mm=5.0),
        Herniation("sequestration", 0.6, migration="caudal"),
    ),
}
BOB: Pieces = {
    Level.L1_L2: (Herniation("sequestration", 0.1, migration="caudal"),),
    Level.L2_L3: (Herniation("protrusion", 0.6),),
    Level.L4_L5: (Herniation("sequestration", 1.5, migration="cranial"),),
    Level.L5_S1: (Herniation("extrusion", 2.5),),
}


@cache
def ann() -> Phantom:
    return coarse_phantom(seed=5000, herniations=ANN)


@cache
def ann_healthy() -> Phantom:
    return coarse_phantom(seed=5000)


@cache
def bob() -> Phantom:
    return coarse_phantom(seed=5001, herniations=BOB)


def coarse_phantom(
    *, seed: int, herniations: Pieces | None = None, width_mm: float = 44.0
) -> Phantom:
    return lumbar_phantom(
        seed=seed, herniations=herniations, width_mm=width_mm, in_plane_mm=1.0, across_mm=2.0
    )


def array(image: sitk.Image) -> npt.NDArray[np.float64]:
    return sitk.GetArrayFromImage(image).astype(float)


def centroid_mm(occupancy: sitk.Image) -> npt.NDArray[np.float64]:
    """Centre of mass of an image, LPS."""
    values = array(occupancy)
    index = [np.average(i, weights=values) for i in np.indices(values.shape)]
    return np.array(
        occupancy.TransformContinuousIndexToPhysicalPoint([float(i) for i in index[::-1]])
    )
