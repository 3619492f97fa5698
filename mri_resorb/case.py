"""The story: two or more studies in, one result out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import SimpleITK as sitk

from mri_resorb.comparison import compared, digests_of, label_maps_of, place_dates, provenance_of
from mri_resorb.errors import NoStudyError
from mri_resorb.io.label_tables import LabelScheme
from mri_resorb.io.masks import read_fragment_mask
from mri_resorb.io.studies import read_pair, read_studies
from mri_resorb.measure.dates import find_materials, measure_dates
from mri_resorb.measure.material import Material
from mri_resorb.measure.shared_frame import Placed, Refused
from mri_resorb.model import (
    CaseResult,
    LabelledAnatomy,
    Level,
    Point,
    Remark,
    Scan,
    Sex,
    StudyInput,
    TimePoint,
    Trajectory,
)

Masks = tuple[sitk.Image | None, sitk.Image | None]
"""Fragments that a person drew at the two dates, if any."""

NAMES = ("baseline", "follow_up")
"""What the two studies are called in the provenance."""

DRAWN = ("baseline-drawn", "follow-up-drawn")
"""Codes of what is said where the mask of a person was measured."""


def follow_up(
    baseline: StudyInput | Path | str,
    follow_up: StudyInput | Path | str,
    *,
    level: Level | str,
    disc_at: Point | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    anatomy_labels: LabelScheme | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> CaseResult:
    """Compare the herniated fragment at one level between two studies of one person.

    Args:
        baseline, follow_up: a folder of DICOM files, a zip of one, or a NIfTI, NRRD or MHA file;
            or a `StudyInput`, to overrule its series or date, or to give a fragment mask or
            another program's anatomy.
        level: `L1-L2` ... `L5-S1`, in any usual spelling.
        disc_at: a point inside the disc in the baseline, patient mm (LPS).
        sex, age_years: instead of the files'; the age is that at baseline.
        anatomy_labels: whose labels an anatomy has, where they do not tell.
        allow_same_date, allow_different_patients: overrule the refusal of such pairs.

    Raises:
        InputError: an input that cannot be used; its subclasses and message say why.
    """
    read = read_case(
        _study(baseline),
        _study(follow_up),
        level=Level.parse(level),
        disc_at=disc_at,
        sex=sex,
        age_years=age_years,
        anatomy_labels=anatomy_labels,
        allow_same_date=allow_same_date,
        allow_different_patients=allow_different_patients,
    )
    masks = read_masks(read, *(study.fragment_mask for study in read.inputs))
    return measure_masks(place_case(read), masks=masks)


def trajectory(
    studies: Sequence[StudyInput | Path | str],
    *,
    level: Level | str,
    disc_at: Point | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    anatomy_labels: LabelScheme | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> Trajectory:
    """Measure three or more studies of one person together, in the order of their dates.

    All dates share one disc frame, one boundary and one footprint, so their volumes can be set side
    by side; figures may differ a little from those of two studies compared alone.

    Args:
        studies: as those of `follow_up`, in any order; their dates order them.
        disc_at: a point inside the disc in the earliest study, patient mm (LPS).

    Raises:
        InputError: an input that cannot be used; its subclasses and message say why.
    """
    level = Level.parse(level)
    began = time.perf_counter()
    given = [_study(study) for study in studies]
    if len(given) < 2:
        raise NoStudyError("A trajectory needs two studies at least.")
    read = read_studies(
        given,
        sex=sex,
        age_years=age_years,
        allow_same_date=allow_same_date,
        allow_different_patients=allow_different_patients,
    )
    order = sorted(range(len(read)), key=lambda k: str(read[k].date))
    scans, ordered = [read[k] for k in order], [given[k] for k in order]
    labelled = label_maps_of(ordered, scans, scheme=anatomy_labels)
    masks = [_mask(study.fragment_mask, scan) for study, scan in zip(ordered, scans, strict=True)]
    dates = place_dates(scans, level=level, disc_at=disc_at, labelled=labelled)
    points, errors = measure_dates(*dates, masks=masks)
    provenance = provenance_of(
        time.perf_counter() - began,
        parameters={"level": str(level), "disc_at": disc_at},
        inputs={f"study_{k + 1}": digests for k, digests in enumerate(digests_of(scans, labelled))},
    )
    later = range(1, len(scans))
    pairs = sorted({(0, k) for k in later} | {(k - 1, k) for k in later})
    return Trajectory(
        level=level,
        patient=scans[0].patient,
        points=points,
        comparisons={
            (one, other): replace(
                compared(level, points[one], points[other], errors=(errors[one], errors[other])),
                provenance=provenance,
            )
            for one, other in pairs
        },
        provenance=provenance,
    )


@dataclass(frozen=True)
class ReadCase:
    """Two studies of one person as they were read, and what is asked of them.

    Attributes:
        inputs: where the studies lie; the earlier one first, here as everywhere.
        labelled: another program's label maps, on the scans' grids.
        allowed: which refusals are overruled.
        seconds: how long the reading took.
    """

    inputs: tuple[StudyInput, StudyInput]
    scans: tuple[Scan, Scan]
    labelled: tuple[LabelledAnatomy | None, LabelledAnatomy | None]
    level: Level
    disc_at: Point | None
    anatomy_labels: LabelScheme | None
    allowed: Mapping[str, bool]
    seconds: float

    @property
    def sha256(self) -> dict[str, list[str]]:
        """Of the files of each study and its label maps."""
        return dict(zip(NAMES, digests_of(self.scans, self.labelled), strict=True))


@dataclass(frozen=True)
class PlacedCase:
    """A case whose disc is found at both dates: all of it that no mask of the fragment changes.

    Attributes:
        dates: in one disc frame, each with its scan and anatomy; or refused, whatever the mask.
        materials: the disc material that is found at each.
        automatic: what is measured without the masks of a person.
        seconds: how long it took from the beginning of the reading.
    """

    read: ReadCase
    dates: tuple[Placed | Refused, Placed | Refused]
    materials: tuple[Material | None, ...]
    automatic: CaseResult
    seconds: float


def read_case(
    baseline: StudyInput,
    follow_up: StudyInput,
    *,
    level: Level,
    disc_at: Point | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    anatomy_labels: LabelScheme | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> ReadCase:
    """Read two studies, but not their masks; arguments and errors are those of `follow_up`."""
    began = time.perf_counter()
    allowed = {
        "allow_same_date": allow_same_date,
        "allow_different_patients": allow_different_patients,
    }
    scans = read_pair(baseline, follow_up, sex=sex, age_years=age_years, **allowed)
    first, second = label_maps_of((baseline, follow_up), scans, scheme=anatomy_labels)
    return ReadCase(
        inputs=(baseline, follow_up),
        scans=scans,
        labelled=(first, second),
        level=level,
        disc_at=disc_at,
        anatomy_labels=anatomy_labels,
        allowed=allowed,
        seconds=time.perf_counter() - began,
    )


def read_masks(read: ReadCase, baseline: Path | None, follow_up: Path | None) -> Masks:
    """Read the fragments that a person drew; None where there is no file.

    Raises:
        MaskError: see `mri_resorb.io.masks.read_fragment_mask`.
    """
    return _mask(baseline, read.scans[0]), _mask(follow_up, read.scans[1])


def place_case(read: ReadCase) -> PlacedCase:
    """Find the disc at both dates, and measure the fragment that is found without a person.

    Raises:
        NotLumbarSpineError: a study shows no lumbar spine.
    """
    began = time.perf_counter()
    dates = place_dates(read.scans, level=read.level, disc_at=read.disc_at, labelled=read.labelled)
    materials = find_materials(*dates)
    points, errors = measure_dates(*dates, found=materials)
    return PlacedCase(
        read=read,
        dates=(dates[0], dates[1]),
        materials=materials,
        automatic=compared(read.level, points[0], points[1], errors=(errors[0], errors[1])),
        seconds=read.seconds + time.perf_counter() - began,
    )


def measure_masks(placed: PlacedCase, *, masks: Masks = (None, None)) -> CaseResult:
    """Measure fragments that a person drew; a date without one keeps the automatic fragment.

    Args:
        masks: of both dates, 0-1, float32, on the scans' grids.

    Returns:
        The result; with masks it holds what is found without them as well, in `automatic`.
    """
    began = time.perf_counter()
    case = placed.automatic
    if any(masks):
        points, errors = measure_dates(*placed.dates, found=placed.materials, masks=masks)
        first, second = (_drawn(*of) for of in zip(points, masks, DRAWN, strict=True))
        case = compared(placed.read.level, first, second, errors=(errors[0], errors[1]))
        case = replace(case, automatic=placed.automatic)
    given = {
        f"{name}_{what}": value is not None
        for what, values in (("mask", masks), ("anatomy", placed.read.labelled))
        for name, value in zip(NAMES, values, strict=True)
    }
    return replace(
        case,
        inputs=placed.read.inputs,
        provenance=provenance_of(
            placed.seconds + time.perf_counter() - began,
            parameters={
                "level": str(placed.read.level),
                "disc_at": placed.read.disc_at,
                **given,
                "anatomy_labels": placed.read.anatomy_labels,
                **placed.read.allowed,
            },
            inputs=placed.read.sha256,
        ),
    )


def _drawn(point: TimePoint, mask: sitk.Image | None, code: str) -> TimePoint:
    """The date with the mask of a person that was measured, if any, and that said."""
    if mask is None:
        return point
    return replace(point, drawn=mask, warnings=(*point.warnings, Remark(code)))


def _study(given: StudyInput | Path | str) -> StudyInput:
    return given if isinstance(given, StudyInput) else StudyInput(Path(given))


def _mask(path: Path | None, scan: Scan) -> sitk.Image | None:
    return None if path is None else read_fragment_mask(path, scan=scan)
