"""Codes of the standard's vocabularies for what is segmented and measured.

Source: PS3.16 of DICOM, whose context groups list them, and SNOMED CT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mri_resorb.model import Level


class Code(NamedTuple):
    """A coded concept, as DICOM writes it."""

    value: str
    scheme_designator: str
    meaning: str


ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
HERNIATED_STRUCTURE = Code("414403008", "SCT", "Herniated structure")
DISC: Mapping[Level, Code] = {
    Level.L1_L2: Code("80064006", "SCT", "L1/L2 disc"),
    Level.L2_L3: Code("67459009", "SCT", "L2/L3 disc"),
    Level.L3_L4: Code("62551000", "SCT", "L3/L4 disc"),
    Level.L4_L5: Code("84020006", "SCT", "L4/L5 disc"),
    Level.L5_S1: Code("715056000", "SCT", "L5/S1 disc"),
}
