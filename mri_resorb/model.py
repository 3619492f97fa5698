"""The nouns of the project, all frozen.

Coordinates are patient millimetres, LPS (x to the patient's left, y to the back, z up), everywhere
but in `mri_resorb.io`, which converts what comes and goes in RAS.

Inside the project every volume lies in *sagittal order*: a `SimpleITK.Image` whose index axes run
(to the back, downwards, to the left), so that its array view has the shape (slices, rows, columns)
with slices from right to left, rows from top to bottom, columns from front to back. Reaching it
takes only flips and swaps of axes, never interpolation, so voxels and their geometry stay those of
the series.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mri_resorb.errors import LevelNameError
from mri_resorb.languages import Language, Phrase, Value, say

if TYPE_CHECKING:
    import SimpleITK as sitk
    from pydicom.dataset import Dataset

Point = tuple[float, float, float]
FloatArray = npt.NDArray[np.float64]

DEFINITIONS_VERSION = 1


class Level(StrEnum):
    """A lumbar disc, named by the vertebrae above and below it."""

    L1_L2 = "L1-L2"
    L2_L3 = "L2-L3"
    L3_L4 = "L3-L4"
    L4_L5 = "L4-L5"
    L5_S1 = "L5-S1"

    @classmethod
    def parse(cls, text: str) -> Level:
        """Read `L4-L5`, `L4/5`, `L4–L5`, `l4l5` and the like.

        Raises:
            LevelNameError: the text names no lumbar level.
        """
        found = re.fullmatch(
            r"\s*L\s*(\d)\s*[-/\u2010-\u2015]?\s*(?:([LS])\s*)?(\d)\s*", text, re.I
        )
        if found:
            upper, region, lower = found.groups()
            region = (region or ("S" if (upper, lower) == ("5", "1") else "L")).upper()
            name = f"L{upper}-{region}{lower}"
            if name in {level.value for level in cls}:
                return cls(name)
        raise LevelNameError(f"'{text}' is not a lumbar level; give one of {', '.join(cls)}.")

    @property
    def discs_above_sacrum(self) -> int:
        """How many discs up from L5-S1: 0 for L5-S1, 4 for L1-L2."""
        return list(reversed(Level)).index(self)


class Structure(IntEnum):
    """The label values of an anatomy mask; 0 is background."""

    VERTEBRA = 1
    DISC = 2
    CANAL = 3
    SACRUM = 4


Sex = Literal["F", "M"]
LevelSource = Literal["counted", "point", "labels"]
Status = Literal["measured", "absent", "incomplete", "undetermined"]
HerniationType = Literal["none", "bulge", "protrusion", "extrusion", "sequestration"]
CraniocaudalMigration = Literal["none", "cranial", "caudal"]
Side = Literal["central", "left", "right"]
Verdict = Literal["decreased", "no_change_beyond_error", "increased", "undetermined"]
Band = Literal["complete", "50-100", "25-50", "under-25"]


@dataclass(frozen=True)
class Patient:
    """What the files say of the person; None where they say nothing."""

    id: str | None = None
    sex: Sex | None = None
    age_years: int | None = None


@dataclass(frozen=True)
class StudyInput:
    """Where one date's study lies, and what the user says of it.

    Attributes:
        path: a folder of DICOM files, a zip of one, or a NIfTI, NRRD or MHA file.
        series: SeriesInstanceUID, series number or description, to overrule the choice of series.
        date: instead of the files' date.
        fragment_mask: a fragment drawn by a person, measured instead of the automatic one.
        anatomy: label maps of another program, taken instead of the network's anatomy; two where
            one holds the structures and the other the names.
    """

    path: Path
    series: str | None = None
    date: date | None = None
    fragment_mask: Path | None = None
    anatomy: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SourceFrame:
    """One slice's image, as its DICOM file describes it.

    Attributes:
        header: the file without pixels and private attributes; frames of one Enhanced file share
            it. It may name the patient: it is for new DICOM objects of the same study alone.
        number: of the frame in its file, from 1.
    """

    header: Dataset = field(repr=False)
    number: int


@dataclass(frozen=True)
class Scan:
    """One sagittal series, ready to measure.

    Attributes:
        image: float32 intensities in sagittal order (see the module); slice distance is the
            centre-to-centre distance, not the slice thickness.
        native_orientation: three-letter axis code (as `SimpleITK.DICOMOrientImageFilter` names
            it) of the grid that the files hold, in which masks are written.
        date: acquisition, series or study date, the first that the files have.
        series_uid: SeriesInstanceUID, None for files that have none.
        chosen_because: which series was taken and why, a sentence.
        slice_thickness_mm: nominal thickness of a slice; None where not said.
        sha256: of each input file that was read, sorted.
        frames: where each slice came from, in the order of the image's slices; empty for volume
            files.
    """

    image: sitk.Image
    native_orientation: str
    date: date | None = None
    series_uid: str | None = None
    patient: Patient = field(default_factory=Patient)
    chosen_because: Phrase | None = None
    slice_thickness_mm: float | None = None
    field_strength_tesla: float | None = None
    scanner: str | None = None
    fat_suppressed: bool | None = None
    sha256: tuple[str, ...] = ()
    frames: tuple[SourceFrame, ...] = field(default=(), repr=False, compare=False)
    warnings: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A warning, or a reason why a figure is not given.

    Attributes:
        code: for programs; the words for people stand under it in the catalogues.
        values: what stands in those words.
    """

    code: str
    values: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def text(self, language: Language = Language.EN) -> str:
        """One sentence for people."""
        return say(f"remarks.{self.code}", language=language, **self.values)


@dataclass(frozen=True)
class Anatomy:
    """How much of each voxel a structure fills: 0-1, float32, on the scan's grid.

    Attributes:
        hard: voxels are filled or not, which says nothing of partial volume and of doubt.
    """

    vertebra: sitk.Image
    disc: sitk.Image
    canal: sitk.Image
    sacrum: sitk.Image
    hard: bool = field(default=False, kw_only=True)


@dataclass(frozen=True)
class LabelledAnatomy:
    """What another program's label maps say of a scan.

    Attributes:
        tool: the program, for people.
        structures: how much of each voxel a structure fills, 0-1, float32, on the scan's grid;
            disc and vertebra always, canal and sacrum where the maps hold them.
        disc_at: for each level that the maps name, the middle of its disc, LPS mm.
        sha256: of each file.
    """

    tool: str
    structures: Mapping[Structure, sitk.Image]
    disc_at: Mapping[Level, Point]
    sha256: tuple[str, ...]
    warnings: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class LocatedDisc:
    """The disc that a level's name stands for in one scan.

    Attributes:
        centre_mm: centre of the disc, LPS.
        source: how it was found: counted up from the sacrum, a point, or a label map.
        remark: what was seen ("lowest mobile disc taken as L5-S1"), a sentence.
        certainty: that the name is right, 0-1, where it was counted (see `segment.lumbosacral`).
    """

    level: Level
    centre_mm: Point
    source: LevelSource
    remark: Phrase
    certainty: float | None = None


@dataclass(frozen=True)
class DiscFrame:
    """The disc's own axes: where sizes are measured and dates are compared.

    Frame coordinates are (ap, transverse, craniocaudal) in mm from `origin_mm`; ap grows to the
    back, transverse to the patient's left, craniocaudal upwards, normal to the disc's mid-plane
    (DEFINITIONS: level and frame).

    Attributes:
        origin_mm: middle of the disc's posterior margin in the mid-sagittal plane, LPS.
        axes: 3 x 3, rows are the unit vectors of ap, transverse and craniocaudal in LPS.
    """

    origin_mm: Point
    axes: FloatArray

    @classmethod
    def at(cls, origin_mm: FloatArray, axes: FloatArray) -> DiscFrame:
        """A frame from arrays: origin (3,) LPS mm, axes (3, 3)."""
        x, y, z = (float(value) for value in origin_mm)
        return cls((x, y, z), axes)

    def to_frame(self, points_mm: FloatArray) -> FloatArray:
        """LPS points (..., 3) to frame coordinates (..., 3), mm."""
        return np.asarray((np.asarray(points_mm, float) - np.array(self.origin_mm)) @ self.axes.T)

    def to_patient(self, points_mm: FloatArray) -> FloatArray:
        """Frame coordinates (..., 3) to LPS points (..., 3), mm."""
        return np.asarray(np.asarray(points_mm, float) @ self.axes + np.array(self.origin_mm))


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, and the standard deviations of its named parts."""

    value: float
    low: float
    high: float
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SizeMm:
    """Largest extents along the disc frame's axes, edge to edge, mm."""

    ap: float
    transverse: float
    craniocaudal: float


@dataclass(frozen=True)
class Migration:
    """Where the fragment's centroid lies from the disc and the midline."""

    craniocaudal: CraniocaudalMigration
    side: Side


@dataclass(frozen=True)
class Fragment:
    """The herniated fragment of one date.

    Attributes:
        occupancy: 0-1, float32, on the scan's grid: the part of each voxel that is fragment.
        volume_cm3: joined and detached pieces together; `joined_cm3` and `detached_cm3` apart.
        size: None where there is no fragment; so are type and migration then.
        reach_mm: how far behind the posterior boundary it goes.
        canal_compromise_percent: largest part of the canal's area taken, in a plane parallel to
            the disc.
    """

    occupancy: sitk.Image
    volume_cm3: Estimate
    joined_cm3: float
    detached_cm3: float
    reach_mm: float
    size: SizeMm | None
    type: HerniationType
    migration: Migration | None
    canal_compromise_percent: float | None


@dataclass(frozen=True)
class TimePoint:
    """One date, measured or refused.

    Attributes:
        fragment: for status "measured" and "absent"; None otherwise, and then `reason` says why.
        frame: the disc frame that both dates share, placed in this scan.
        boundary_mm: the posterior boundary in each slice, (slices, points, 3) LPS, for pictures.
        drawn: the mask of a person that was measured, as given, on the scan's grid.
    """

    scan: Scan
    status: Status
    anatomy: Anatomy
    disc: LocatedDisc | None = None
    frame: DiscFrame | None = None
    fragment: Fragment | None = None
    boundary_mm: FloatArray | None = None
    reason: Remark | None = None
    warnings: tuple[Remark, ...] = ()
    drawn: sitk.Image | None = None


@dataclass(frozen=True)
class Change:
    """What happened between the dates; None where a date keeps a figure from being true.

    Attributes:
        smallest_detectable_percent: a change of the baseline's volume smaller than this could not
            have been told from none on these scans; over 100 not even a complete loss.
    """

    resorption_percent: Estimate | None
    absolute_cm3: Estimate | None
    percent_per_day: float | None
    verdict: Verdict
    band: Band | None
    smallest_detectable_percent: float | None = None


@dataclass(frozen=True)
class Review:
    """Who corrected the masks, where that is told, and when it was measured."""

    by: str | None
    at: datetime


@dataclass(frozen=True)
class Signature:
    """Who accepted the result as a reader, by the name that stands on the report, and when."""

    name: str
    at: datetime


@dataclass(frozen=True)
class CaseResult:
    """Two studies of one person compared: all that reports and files are made from.

    Attributes:
        automatic: where masks of a person were measured, the same without them.
        inputs: where the studies lay. Folders may be named after patients: for no output but the
            one that `remeasure` reads.
    """

    level: Level
    level_source: LevelSource
    patient: Patient
    interval_days: int | None
    baseline: TimePoint
    follow_up: TimePoint
    change: Change
    reasons: tuple[Remark, ...] = ()
    warnings: tuple[Remark, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    automatic: CaseResult | None = None
    review: Review | None = None
    signature: Signature | None = None
    inputs: tuple[StudyInput, StudyInput] | None = field(default=None, repr=False)

    @property
    def status(self) -> Literal["measured", "undetermined"]:
        """ "undetermined" when either date is incomplete or undetermined (CONTRACT)."""
        known = {"measured", "absent"}
        whole = self.baseline.status in known and self.follow_up.status in known
        return "measured" if whole and not self.reasons else "undetermined"

    @property
    def interval_months(self) -> float | None:
        """Days over 30.4375 (CONTRACT); None where a date is missing."""
        return None if self.interval_days is None else self.interval_days / 30.4375


@dataclass(frozen=True)
class Trajectory:
    """Several studies of one person at one level, measured together: one frame, one footprint.

    Attributes:
        points: one a study, the earliest first.
        comparisons: by the places of two studies in `points`: each study with the first, and with
            the one before it.
    """

    level: Level
    patient: Patient
    points: tuple[TimePoint, ...]
    comparisons: Mapping[tuple[int, int], CaseResult]
    provenance: Mapping[str, object] = field(default_factory=dict)

    @property
    def volumes_cm3(self) -> tuple[tuple[date | None, Estimate | None], ...]:
        """Date and volume of each study; None where none is given."""
        return tuple(
            (point.scan.date, point.fragment.volume_cm3 if point.fragment else None)
            for point in self.points
        )

    @property
    def status(self) -> Literal["measured", "undetermined"]:
        """ "undetermined" when any comparison is."""
        known = all(case.status == "measured" for case in self.comparisons.values())
        return "measured" if known else "undetermined"
