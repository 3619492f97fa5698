"""Herniations of the phantom: shapes of every type, grown until their volume is what was asked.

Coordinates of a shape: mm behind the posterior boundary, mm to the left of the spine's middle, mm
along the posterior line from the middle of the disc, upwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mri_resorb.model import CraniocaudalMigration, HerniationType
from mri_resorb.simulate.field import Array

FragmentSignal = Literal["dark", "iso", "bright"]
SignedDistance = Callable[[Array, Array, Array], Array]
"""(behind, transverse, craniocaudal) to about mm, negative inside."""

FOOTPRINT_REACH_MM = 1.0
"""DEFINITIONS 1: the footprint is where material reaches further behind the boundary than this."""
_SMALLEST_CM3, _LARGEST_CM3 = 0.05, 2.5
_CLEFT_MM = 2.5
_ROUGHNESS_MM = 0.14


@dataclass(frozen=True)
class Herniation:
    """One piece of displaced disc material, as it is asked of the phantom.

    Attributes:
        volume_cm3: what the finished piece holds behind the posterior boundary (DEFINITIONS 1).
        side_mm: centre of the piece, to the patient's left (negative: right).
        migration: of extrusions and sequesters only.
        signal: dark as annulus, in between, or bright as a young nucleus, on T2.
    """

    type: HerniationType
    volume_cm3: float
    side_mm: float = 0.0
    migration: CraniocaudalMigration = "none"
    signal: FragmentSignal = "iso"

    def __post_init__(self) -> None:
        if self.type == "none":
            raise ValueError("A herniation has a type; leave out what is not there.")
        if not _SMALLEST_CM3 <= self.volume_cm3 <= _LARGEST_CM3:
            raise ValueError(
                f"{self.volume_cm3} cm3 is outside {_SMALLEST_CM3}-{_LARGEST_CM3} cm3."
            )
        if self.migration != "none" and self.type not in ("extrusion", "sequestration"):
            raise ValueError(f"A {self.type} does not migrate.")

    @property
    def detached(self) -> bool:
        """Whether it has left the disc."""
        return self.type == "sequestration"


def grow(
    volume_cm3: Callable[[float], float], *, target_cm3: float, tolerance: float = 0.003
) -> float:
    """The size at which a shape has its volume, by bisection.

    Args:
        volume_cm3: grows with size.

    Raises:
        ValueError: no size between 0.2 and 4 gives the volume.
    """
    low, high = 0.2, 4.0
    if not volume_cm3(low) < target_cm3 < volume_cm3(high):
        raise ValueError(f"No shape of this type holds {target_cm3} cm3 here.")
    for _ in range(30):
        middle = (low + high) / 2
        found = volume_cm3(middle)
        if abs(found - target_cm3) <= tolerance * target_cm3:
            return middle
        low, high = (middle, high) if found < target_cm3 else (low, middle)
    raise ValueError(f"No size gives {target_cm3} cm3 within {100 * tolerance:g} %.")


def roughness(rng: np.random.Generator) -> SignedDistance:
    """Waves of a few mm that a smooth shape's surface is displaced by, mm."""
    waves = rng.normal(0, 0.45, (6, 3)).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, 6).astype(np.float32)

    def displacement(behind: Array, transverse: Array, craniocaudal: Array) -> Array:
        total = np.zeros(behind.shape, np.float32)
        for wave, phase in zip(waves, phases, strict=True):
            total += np.sin(
                wave[0] * behind + wave[1] * transverse + wave[2] * craniocaudal + phase
            )
        return total * np.float32(_ROUGHNESS_MM)

    return displacement


def solid(
    herniation: Herniation, *, size: float, disc_height_mm: float, rough: SignedDistance
) -> SignedDistance:
    """The piece's shape at a size, its surface displaced by `rough`."""
    build = {
        "bulge": _bulge,
        "protrusion": _protrusion,
        "extrusion": _extrusion,
        "sequestration": _sequester,
    }[herniation.type]
    direction = {"none": 0, "cranial": 1, "caudal": -1}[herniation.migration]
    smooth = build(size, disc_height_mm, direction)

    def distance(behind: Array, transverse: Array, craniocaudal: Array) -> Array:
        across = transverse - np.float32(herniation.side_mm)
        even = smooth(behind, across, craniocaudal)
        if herniation.type == "bulge":
            return even
        return np.asarray(even + rough(behind, across, craniocaudal), np.float32)

    return distance


def within_footprint(shape: SignedDistance) -> SignedDistance:
    """What of a joined shape DEFINITIONS counts: only where it reaches more than 1 mm back."""

    def distance(behind: Array, transverse: Array, craniocaudal: Array) -> Array:
        here = shape(behind, transverse, craniocaudal)
        further = shape(
            np.maximum(behind, np.float32(FOOTPRINT_REACH_MM)), transverse, craniocaudal
        )
        return np.maximum(here, further)

    return distance


def _ellipsoid(centre: tuple[float, ...], radii: tuple[float, ...]) -> SignedDistance:
    c, r = np.array(centre, np.float32), np.array(radii, np.float32)

    def distance(*point: Array) -> Array:
        scaled = sum(((p - a) / b) ** 2 for p, a, b in zip(point, c, r, strict=True))
        gradient = sum(((p - a) / b**2) ** 2 for p, a, b in zip(point, c, r, strict=True))
        norm = np.sqrt(scaled)
        return np.asarray(norm * (norm - 1) / np.sqrt(gradient + np.float32(1e-9)), np.float32)

    return distance


def _joined(first: SignedDistance, second: SignedDistance) -> SignedDistance:
    """Union with a rounded seam (polynomial smooth minimum, I. Quilez)."""
    blend = np.float32(1.5)

    def distance(*point: Array) -> Array:
        a, b = first(*point), second(*point)
        h = np.maximum(blend - np.abs(a - b), 0) / blend
        return np.asarray(np.minimum(a, b) - h * h * blend / 4, np.float32)

    return distance


def _bulge(size: float, height: float, direction: int) -> SignedDistance:
    del direction
    half_width, half_height = np.float32(19.0), np.float32(0.47 * height)
    reach = np.float32(3.6 * size)

    def distance(behind: Array, transverse: Array, craniocaudal: Array) -> Array:
        flat = np.clip(1 - (np.abs(transverse) / half_width) ** 4, 0, None)
        dome = np.clip(1 - (np.abs(craniocaudal) / half_height) ** 4, 0, None)
        return np.asarray(
            np.maximum(behind - reach * np.sqrt(flat * dome), np.abs(craniocaudal) - half_height),
            np.float32,
        )

    return distance


def _protrusion(size: float, height: float, direction: int) -> SignedDistance:
    del direction
    return _ellipsoid((0.0, 0.0, 0.0), (5.6 * size, 8.5 * size, 0.5 * height))


def _extrusion(size: float, height: float, direction: int) -> SignedDistance:
    if direction:
        depth, width, tall = 3.9 * size, 6.2 * size, 7.4 * size
        centre = (0.72 * depth, 0.0, direction * (height / 2 + 0.7 * tall))
    else:
        depth, width, tall = 4.6 * size, 6.6 * size, max(5.8 * size, 0.62 * height)
        centre = (0.85 * depth, 0.0, 0.0)
    head = _ellipsoid(centre, (depth, width, tall))
    # The neck leaves through the disc's posterior margin, narrower than the head.
    neck_width, neck_height = 0.55 * width, min(0.36 * height, 0.6 * tall)
    if not direction:
        return _joined(head, _ellipsoid((0.0, 0.0, 0.0), (depth, neck_width, neck_height)))
    bridge = _ellipsoid(
        (0.35 * depth, 0.0, centre[2] / 2),
        (0.6 * depth + 1.0, neck_width, abs(centre[2]) / 2 + neck_height),
    )
    return _joined(
        head, _joined(bridge, _ellipsoid((0.0, 0.0, 0.0), (depth, neck_width, neck_height)))
    )


def _sequester(size: float, height: float, direction: int) -> SignedDistance:
    depth, width, tall = 3.7 * size, 5.6 * size, 6.6 * size
    if direction:
        centre = (depth + 0.6, 0.0, direction * (height / 2 + _CLEFT_MM + tall))
    else:
        centre = (depth + _CLEFT_MM, 0.0, 0.0)
    return _ellipsoid(centre, (depth, width, tall))
