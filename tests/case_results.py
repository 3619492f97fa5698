"""Small case results made by hand: two dates of a drawn spine with an ellipsoid for a fragment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import SimpleITK as sitk

from mri_resorb.languages import Phrase
from mri_resorb.model import (
    Anatomy,
    Band,
    CaseResult,
    Change,
    DiscFrame,
    Estimate,
    Fragment,
    HerniationType,
    Level,
    LocatedDisc,
    Migration,
    Patient,
    Point,
    Remark,
    Scan,
    SizeMm,
    TimePoint,
    Verdict,
)

SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
SPACING_MM = (0.9, 0.8, 4.4)
SHAPE = (7, 120, 100)
DISC_CENTRE = (-3.0, 20.0, -15.0)
BACK_OF_DISC = (-3.0, 38.0, -15.0)

BASELINE_DATE = date(2018, 11, 5)
FOLLOW_UP_DATE = date(2019, 2, 2)


def blank(
    *,
    shape: tuple[int, int, int] = SHAPE,
    spacing_mm: tuple[float, float, float] = SPACING_MM,
    direction: tuple[float, ...] = SAGITTAL,
    middle: Point = (0.0, 40.0, -15.0),
) -> sitk.Image:
    """An empty float32 volume whose middle voxel lies at `middle` (LPS, mm)."""
    image = sitk.GetImageFromArray(np.zeros(shape, np.float32))
    image.SetSpacing(spacing_mm)
    image.SetDirection(direction)
    halfway = image.TransformContinuousIndexToPhysicalPoint(
        [(count - 1) / 2 for count in image.GetSize()]
    )
    image.SetOrigin((np.asarray(middle) - np.asarray(halfway)).tolist())
    return image


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    """The array as a volume on the image's grid."""
    made = sitk.GetImageFromArray(np.asarray(array, np.float32))
    made.CopyInformation(image)
    return made


def points_mm(image: sitk.Image) -> np.ndarray:
    """LPS coordinates of every voxel's centre, (slices, rows, columns, 3)."""
    k, j, i = np.indices(image.GetSize()[::-1])
    axes = np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())
    return np.stack([i, j, k], axis=-1) @ axes.T + np.asarray(image.GetOrigin())


def ellipsoid(image: sitk.Image, *, centre: Point, radii_mm: Point) -> sitk.Image:
    """Occupancy of an ellipsoid, with an edge about a millimetre soft."""
    distance = np.linalg.norm((points_mm(image) - centre) / np.asarray(radii_mm), axis=-1)
    return like(np.clip(0.5 + (1 - distance) * min(radii_mm), 0, 1), image)


def hard(occupancy: sitk.Image) -> sitk.Image:
    """1 in each voxel that is filled to more than a half, 0 elsewhere."""
    return sitk.Cast(occupancy > 0.5, sitk.sitkUInt8)


def anatomy(image: sitk.Image) -> Anatomy:
    """Blocks: bodies and discs in front, the canal behind, the sacrum below."""
    _, y, z = np.moveaxis(points_mm(image), -1, 0)
    front = (y > 5) & (y < 38)
    disc = front & (np.abs((z + 15 + 20) % 40 - 20) < 5) & (z > -40)
    canal = (y >= 40) & (y < 56)
    sacrum = front & (z < -22)
    vertebra = front & ~disc & ~sacrum
    return Anatomy(*(like(part, image) for part in (vertebra, disc, canal, sacrum)))


def time_point(
    *,
    day: date | None = BASELINE_DATE,
    volume_cm3: Estimate | None = None,
    detached_cm3: float = 0.0,
    type_: HerniationType = "extrusion",
    migration: Migration | None = None,
    size: SizeMm | None = None,
    compromise_percent: float | None = 20.0,
    radii_mm: Point = (7.0, 5.0, 7.0),
    image: sitk.Image | None = None,
) -> TimePoint:
    """A measured date."""
    volume_cm3 = volume_cm3 or Estimate(1.2, 1.0, 1.45, {"boundary": 0.1, "noise": 0.02})
    image = blank() if image is None else image
    parts = anatomy(image)
    occupancy = ellipsoid(image, centre=(-3.0, 38 + radii_mm[1], -15.0), radii_mm=radii_mm)
    intensity = (
        60 * sitk.GetArrayFromImage(parts.vertebra)
        + 60 * sitk.GetArrayFromImage(parts.sacrum)
        + 35 * sitk.GetArrayFromImage(parts.disc)
        + 150 * sitk.GetArrayFromImage(parts.canal) * (1 - sitk.GetArrayFromImage(occupancy))
        + 40 * sitk.GetArrayFromImage(occupancy)
    )
    slices = np.arange(image.GetSize()[2])
    boundary = np.array(
        [
            [(image.TransformIndexToPhysicalPoint((0, 0, int(k)))[0], 38.0, z) for z in (5, -35)]
            for k in slices
        ]
    )
    return TimePoint(
        scan=Scan(
            image=like(intensity, image),
            native_orientation="LPS",
            date=day,
            series_uid="1.2.826.0.1.3680043.8.498.1",
            patient=Patient(id="P1", sex="M", age_years=50),
            chosen_because=Phrase("choice.volume-file"),
        ),
        status="measured",
        anatomy=parts,
        disc=LocatedDisc(
            Level.L3_L4,
            DISC_CENTRE,
            "counted",
            Phrase("disc.counted", {"discs": 5, "level": Level.L3_L4, "percent": 93.0}),
            0.93,
        ),
        frame=DiscFrame(BACK_OF_DISC, np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])),
        fragment=Fragment(
            occupancy=occupancy,
            volume_cm3=volume_cm3,
            joined_cm3=volume_cm3.value - detached_cm3,
            detached_cm3=detached_cm3,
            reach_mm=2 * radii_mm[1],
            size=size or SizeMm(ap=12.0, transverse=14.0, craniocaudal=23.0),
            type=type_,
            migration=migration or Migration("none", "central"),
            canal_compromise_percent=compromise_percent,
        ),
        boundary_mm=boundary,
    )


def absent(*, day: date | None = FOLLOW_UP_DATE, volume_cm3: float = 0.04) -> TimePoint:
    """A date at which nothing reaches far enough behind the boundary."""
    point = time_point(day=day)
    assert point.fragment is not None
    nothing = like(np.zeros(SHAPE), point.scan.image)
    fragment = Fragment(
        occupancy=nothing,
        volume_cm3=Estimate(volume_cm3, 0.0, volume_cm3 + 0.05),
        joined_cm3=volume_cm3,
        detached_cm3=0.0,
        reach_mm=1.1,
        size=None,
        type="none",
        migration=None,
        canal_compromise_percent=None,
    )
    return replace(point, status="absent", fragment=fragment)


def refused(*, day: date | None = FOLLOW_UP_DATE, found: bool = False) -> TimePoint:
    """A date that gave no figure, with or without its disc found."""
    point = replace(time_point(day=day), fragment=None, boundary_mm=None, frame=None)
    if found:
        return replace(point, status="incomplete")
    return replace(point, status="undetermined", disc=None)


def changed(
    percent: tuple[float, float, float] | None = (50.0, 35.0, 62.0),
    *,
    absolute_cm3: tuple[float, float, float] = (0.6, 0.45, 0.75),
    verdict: Verdict = "decreased",
    band: Band | None = "50-100",
) -> Change:
    return Change(
        resorption_percent=Estimate(*percent) if percent else None,
        absolute_cm3=Estimate(*absolute_cm3),
        percent_per_day=percent[0] / 89 if percent else None,
        verdict=verdict,
        band=band,
    )


UNKNOWN = Change(None, None, None, "undetermined", None)


def case_result(
    *,
    baseline: TimePoint | None = None,
    follow_up: TimePoint | None = None,
    change: Change | None = None,
    level: Level = Level.L3_L4,
    patient: Patient = Patient(id="P1", sex="M", age_years=50),  # noqa: B008 - frozen
    reasons: tuple[Remark, ...] = (),
    warnings: tuple[Remark, ...] = (),
) -> CaseResult:
    """An extrusion at L3-L4 that lost half of its volume in 89 days, unless told otherwise."""
    baseline = baseline or time_point()
    follow_up = follow_up or time_point(
        day=FOLLOW_UP_DATE, volume_cm3=Estimate(0.6, 0.5, 0.75), radii_mm=(5.0, 3.5, 5.0)
    )
    dates = (baseline.scan.date, follow_up.scan.date)
    days = (dates[1] - dates[0]).days if dates[0] and dates[1] else None
    return CaseResult(
        level=level,
        level_source="counted",
        patient=patient,
        interval_days=days,
        baseline=baseline,
        follow_up=follow_up,
        change=change or changed(),
        reasons=reasons,
        warnings=warnings,
        provenance={"mri_resorb": "0.1.0", "seconds": 3.2, "parameters": {"reach_mm": 2.5}},
    )
