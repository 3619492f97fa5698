"""Spin-echo signal of the tissues of a lumbar MRI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """What a voxel's signal comes from.

    Attributes:
        proton_density: relative to cerebrospinal fluid.
        t1_ms: at 1.5 T and at 3 T.
        t2_ms: as a turbo spin echo sees it.
        fat_fraction: part of the signal that fat suppression removes.
    """

    proton_density: float
    t1_ms: tuple[float, float]
    t2_ms: float
    fat_fraction: float = 0.0


@dataclass(frozen=True)
class SpinEcho:
    """A (turbo) spin-echo sequence; a turbo factor enters only through fat's long effective T2."""

    repetition_time_ms: float = 3500.0
    echo_time_ms: float = 100.0
    field_strength_tesla: float = 1.5
    fat_suppressed: bool = False

    def signal(self, tissue: Tissue) -> float:
        """PD (1 - exp(-TR/T1)) exp(-TE/T2); T1 linear in field between 1.5 and 3 T."""
        share = float(np.clip((self.field_strength_tesla - 1.5) / 1.5, 0, 1))
        t1_ms = (1 - share) * tissue.t1_ms[0] + share * tissue.t1_ms[1]
        recovered = 1 - np.exp(-self.repetition_time_ms / t1_ms)
        left = np.exp(-self.echo_time_ms / tissue.t2_ms)
        kept = 1 - 0.92 * tissue.fat_fraction if self.fat_suppressed else 1.0
        return float(tissue.proton_density * recovered * left * kept)


_FAT_T1_MS = (343.0, 382.0)

TISSUES: Mapping[str, Tissue] = MappingProxyType(
    {
        "air": Tissue(0.0, (1000.0, 1000.0), 10.0),
        # T1 of fat, marrow and muscle: de Bazelaire et al., Radiology 230:652 (2004). In a turbo
        # spin echo fat is far brighter than its T2 of 58 ms says (Henkelman et al., JMRI 4:533,
        # 1994): hence the effective values.
        "fat": Tissue(0.95, _FAT_T1_MS, 125.0, 0.95),
        "epidural fat": Tissue(0.9, _FAT_T1_MS, 108.0, 0.92),
        "deep fat": Tissue(0.85, _FAT_T1_MS, 95.0, 0.9),
        "marrow": Tissue(0.62, (549.0, 586.0), 75.0, 0.5),
        "muscle": Tissue(0.75, (856.0, 898.0), 38.0),
        "bowel": Tissue(0.7, (1000.0, 1150.0), 60.0),
        # Stanisz et al., Magn Reson Med 54:507 (2005).
        "cord": Tissue(0.8, (745.0, 993.0), 76.0),
        "nerve root": Tissue(0.75, (745.0, 993.0), 72.0),
        # Free fluid; the T2 is lowered for pulsation.
        "cerebrospinal fluid": Tissue(1.0, (2800.0, 3000.0), 700.0),
        "flow void": Tissue(0.6, (2800.0, 3000.0), 150.0),
        "basivertebral vein": Tissue(0.8, (1000.0, 1200.0), 130.0),
        # Nucleus by Pfirrmann grade: Marinelli et al., AJNR 31:1278 (2010), 108 ms in grade II to
        # 53 ms in grade IV; ends and annulus continued by the same trend.
        "nucleus 1": Tissue(0.9, (1150.0, 1350.0), 135.0),
        "nucleus 2": Tissue(0.88, (1100.0, 1300.0), 108.0),
        "nucleus 3": Tissue(0.82, (1000.0, 1200.0), 72.0),
        "nucleus 4": Tissue(0.72, (900.0, 1100.0), 50.0),
        "nucleus 5": Tissue(0.62, (850.0, 1000.0), 40.0),
        "inner annulus": Tissue(0.65, (850.0, 1000.0), 46.0),
        "outer annulus": Tissue(0.42, (800.0, 950.0), 30.0),
        "dark fragment": Tissue(0.55, (850.0, 1000.0), 42.0),
        "iso fragment": Tissue(0.75, (950.0, 1100.0), 62.0),
        "bright fragment": Tissue(0.85, (1150.0, 1350.0), 105.0),
        # Next to no signal at these echo times; chosen by eye.
        "ligament": Tissue(0.4, (800.0, 900.0), 30.0),
        "interspinous": Tissue(0.6, (500.0, 550.0), 60.0, 0.5),
        "cortical bone": Tissue(0.25, (700.0, 800.0), 25.0),
        "dura": Tissue(0.45, (800.0, 900.0), 35.0),
        "flowing blood": Tissue(0.12, (1441.0, 1932.0), 60.0),
        "skin": Tissue(0.5, (900.0, 1000.0), 45.0),
    }
)
"""Tissues by name, with where their figures come from."""
