"""What the labels of other programs' spine segmentations mean.

Checked against the files of those projects that each table names; facts only, nothing is copied.
`docs/anatomy-from-elsewhere.md` is for users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mri_resorb.model import Level, Structure

LabelScheme = Literal["totalspineseg", "spineps", "totalsegmentator", "spider"]
Labels = frozenset[int]


def _labels(*parts: int | range) -> Labels:
    single = (part for part in parts if isinstance(part, int))
    ranges = (label for part in parts if isinstance(part, range) for label in part)
    return frozenset((*single, *ranges))


def _from(first: int, *, step: int) -> dict[Level, int]:
    """Labels of the discs L5-S1, L4-L5 ... L1-L2, `step` apart."""
    return {level: first + step * k for k, level in enumerate(reversed(Level))}


@dataclass(frozen=True)
class LabelTable:
    """One kind of label map.

    Attributes:
        scheme: the word of `--anatomy-labels`.
        tool: its name, for people.
        structures: the labels of each structure that it draws.
        proof: labels by which it is recognised: of each set at least one is there.
        others: further labels that it may hold.
        discs: the label of each disc that it names.
        vertebrae: the label of each vertebra (by the disc below it) where only these have names;
            the sacrum's is in `structures`.
        sixth_lumbar: the label of a vertebra L6; where it is there, no disc is L5-S1.
        goes_up: numbers grow upwards (True) or downwards (False), where two tables share labels.
    """

    scheme: LabelScheme
    tool: str
    structures: Mapping[Structure, Labels]
    proof: tuple[Labels, ...]
    others: Labels = frozenset()
    discs: Mapping[Level, int] = field(default_factory=dict)
    vertebrae: Mapping[Level, int] = field(default_factory=dict)
    sixth_lumbar: int | None = None
    goes_up: bool | None = None

    def may_hold(self, labels: Labels) -> bool:
        """Whether a map of this kind can hold these labels."""
        return labels <= self.others.union(*self.structures.values())

    def proven_by(self, labels: Labels) -> bool:
        """Whether these labels are such as no other kind of map has together."""
        return all(labels & part for part in self.proof)


# neuropoly/totalspineseg, totalspineseg/resources/labels_maps/tss_map.json and README.md.
_TOTALSPINESEG = LabelTable(
    scheme="totalspineseg",
    tool="TotalSpineSeg",
    structures={
        Structure.VERTEBRA: _labels(range(11, 18), range(21, 33), range(41, 48)),
        Structure.DISC: _labels(range(63, 68), range(71, 83), range(91, 101)),
        Structure.CANAL: _labels(1, 2),  # cord and canal: the canal is drawn around the cord
        Structure.SACRUM: _labels(50),
    },
    proof=(_labels(range(91, 101)), _labels(range(41, 48), 50)),
    discs={
        Level.L1_L2: 92,
        Level.L2_L3: 93,
        Level.L3_L4: 94,
        Level.L4_L5: 95,
        Level.L5_S1: 100,
    },
    sixth_lumbar=46,
)
# The same project before its labels changed, README.md of that time: those of TotalSegmentator 1
# for bones, and 200 upwards.
_TOTALSPINESEG_BEFORE_2025 = LabelTable(
    scheme="totalspineseg",
    tool="TotalSpineSeg",
    structures={
        Structure.VERTEBRA: _labels(range(18, 42)),
        Structure.DISC: _labels(range(202, 225)),
        Structure.CANAL: _labels(200, 201),
        Structure.SACRUM: _labels(92),
    },
    proof=(_labels(range(202, 225)), _labels(range(18, 42)), _labels(92, 200, 201)),
    discs=_from(202, step=1),
)
# Hendrik-code/TPTBox, TPTBox/core/vert_constants.py (Vertebra_Instance: a vertebra X has the disc
# 100 + X below it and the endplates 200 + X) and Hendrik-code/spineps, README.md.
_SPINEPS_INSTANCES = LabelTable(
    scheme="spineps",
    tool="SPINEPS",
    structures={
        Structure.VERTEBRA: _labels(range(1, 26), 28, range(201, 226), 228),
        Structure.DISC: _labels(range(101, 126), 128),
        Structure.SACRUM: _labels(26, 27, 226, 227),
    },
    proof=(_labels(range(101, 126)), _labels(range(1, 26))),
    others=_labels(126, 127),
    discs=_from(124, step=-1),
    sixth_lumbar=25,
)
# The same two, Location: vertebra subregions without names; it adds the canal.
_SPINEPS_SUBREGIONS = LabelTable(
    scheme="spineps",
    tool="SPINEPS",
    structures={
        Structure.VERTEBRA: _labels(range(41, 54), 62),
        Structure.DISC: _labels(100),
        Structure.CANAL: _labels(60, 61),
        Structure.SACRUM: _labels(26, range(70, 75)),
    },
    proof=(_labels(49), _labels(100)),
    others=_labels(80),
)
# wasserth/TotalSegmentator, totalsegmentator/map_to_binary.py, class map "total_mr". Its spinal
# cord (21) is no canal.
_TOTAL_MR = LabelTable(
    scheme="totalsegmentator",
    tool="TotalSegmentator",
    structures={
        Structure.VERTEBRA: _labels(19),
        Structure.DISC: _labels(20),
        Structure.SACRUM: _labels(18),
    },
    proof=(_labels(19), _labels(20)),
    others=_labels(range(1, 51)),
)
# The same file, class map "vertebrae_mr": names without discs.
_VERTEBRAE_MR = LabelTable(
    scheme="totalsegmentator",
    tool="TotalSegmentator",
    structures={Structure.VERTEBRA: _labels(range(2, 26)), Structure.SACRUM: _labels(1)},
    proof=(_labels(range(2, 7)),),
    vertebrae=_from(2, step=1),
)
# The published masks (doi 10.5281/zenodo.10159290) number from the bottom, L5 = 1, its disc 201:
# MHubAI/models, models/gc_spider_baseline. Partly visible vertebrae have 100 more.
_SPIDER_UPWARDS = LabelTable(
    scheme="spider",
    tool="SPIDER",
    structures={
        Structure.VERTEBRA: _labels(range(1, 26), range(101, 126)),
        Structure.DISC: _labels(range(201, 226)),
        Structure.CANAL: _labels(100),
    },
    proof=(_labels(100), _labels(range(201, 226)), _labels(range(1, 26))),
    discs=_from(201, step=1),
    goes_up=True,
)
# The challenge's own baseline numbers from the top, C1 = 1, L5 = 24, the disc below it 224:
# DIAGNijmegen/SPIDER-Baseline-IIS, devel/TestSpine.py (its rules for the last lumbar label).
_SPIDER_DOWNWARDS = LabelTable(
    scheme="spider",
    tool="SPIDER",
    structures=_SPIDER_UPWARDS.structures,
    proof=_SPIDER_UPWARDS.proof,
    discs=_from(224, step=-1),
    sixth_lumbar=25,
    goes_up=False,
)

TABLES: tuple[LabelTable, ...] = (
    _TOTALSPINESEG,
    _TOTALSPINESEG_BEFORE_2025,
    _SPINEPS_INSTANCES,
    _SPINEPS_SUBREGIONS,
    _TOTAL_MR,
    _VERTEBRAE_MR,
    _SPIDER_UPWARDS,
    _SPIDER_DOWNWARDS,
)


def fitting_tables(labels: Iterable[int], *, scheme: LabelScheme | None) -> list[LabelTable]:
    """The tables that a map of these labels may be of.

    Where the user names the scheme, its labels need no proof.
    """
    found = frozenset(labels)
    possible = [
        table for table in TABLES if scheme in (None, table.scheme) and table.may_hold(found)
    ]
    proven = [table for table in possible if table.proven_by(found)]
    return proven or (possible if scheme else [])
