"""Studies from disk: one series of each date, of the same kind, of one person."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mri_resorb.errors import (
    DateError,
    GeometryError,
    IdentityError,
    InputError,
    NoStudyError,
    PixelDataError,
    SeriesChoiceError,
)
from mri_resorb.io.archive import unpacked
from mri_resorb.io.choice import (
    MAX_OBLIQUITY_DEGREES,
    Candidate,
    Kind,
    choose,
    choose_pair,
    fitting,
    plane,
)
from mri_resorb.io.dicom import (
    find_frames,
    is_dicom,
    is_media_directory,
    list_files,
    read_pixels,
)
from mri_resorb.io.frames import Header
from mri_resorb.io.stacks import MIN_SLICES, check_spacing, stacks
from mri_resorb.io.volume_files import is_volume_file, read_volume_file
from mri_resorb.model import Patient, Remark, Scan, Sex

if TYPE_CHECKING:
    import SimpleITK as sitk

SAGITTAL_ORDER = "PIL"
ANISOTROPIC_RATIO = 1.2
"""Spacings of a volume file closer than this have no slice axis: isotropic."""
MAX_NON_FINITE = 0.001
"""Part of the voxels that may be NaN or infinite; they become 0."""


@dataclass(frozen=True)
class _Source:
    """An opened study: a volume file, or the series that fit."""

    volume_file: Path | None
    candidates: tuple[Candidate, ...]
    remarks: tuple[Remark, ...]


def read_study(path: Path, *, series: str | None = None, prefer_like: Scan | None = None) -> Scan:
    """Read the sagittal T2 of a study.

    Args:
        path: a folder, searched at any depth for DICOM files of any name, a zip of one, or a
            NIfTI, NRRD or MHA file.
        series: SeriesInstanceUID, series number or description; overrules the choice.
        prefer_like: the other date; of several fitting series the one of its kind is taken.

    Raises:
        NoStudyError: there is nothing readable.
        SeriesChoiceError: no series fits, or several do and none can be preferred.
        GeometryError: slices are missing, double, irregular or not parallel; or spacings absurd.
        PixelDataError: pixels are cut off, cannot be decoded, or are all the same.
        ArchiveError: the zip file is encrypted, damaged or unsafe.
    """
    like = None if prefer_like is None else _kind(prefer_like)
    with _opened(path, series=series) as source:
        chosen = choose(source.candidates, like=like)[0] if source.candidates else None
        return _read(source, chosen=chosen, like=like)[0]


def read_pair(
    baseline: Path,
    follow_up: Path,
    *,
    baseline_series: str | None = None,
    follow_up_series: str | None = None,
    baseline_date: date | None = None,
    follow_up_date: date | None = None,
    sex: Sex | None = None,
    age_years: int | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> tuple[Scan, Scan]:
    """Read two studies of one person, where possible the same kind of series of both.

    Dates, sex and age that are given overrule those of the files. A date that is missing is no
    error: the scan gets the warning `no-date`.

    Raises:
        DateError: the follow-up is earlier than the baseline, or both have one date.
        IdentityError: the studies are of different people.
        InputError: one of those that `read_study` raises; the message begins with the study.
    """
    with ExitStack() as stack:
        with _named("Baseline"):
            first = stack.enter_context(_opened(baseline, series=baseline_series))
        with _named("Follow-up"):
            second = stack.enter_context(_opened(follow_up, series=follow_up_series))
        one, other = None, None
        if first.candidates and second.candidates:
            one, other = choose_pair(first.candidates, second.candidates)
        elif first.candidates:
            one = choose(first.candidates)[0]
        elif second.candidates:
            other = choose(second.candidates)[0]
        with _named("Baseline"):
            scan0, header0 = _read(first, chosen=one, like=other.kind if other else None)
        with _named("Follow-up"):
            scan1, header1 = _read(second, chosen=other, like=one.kind if one else None)
    scan0 = _corrected(scan0, "--baseline-date", given=baseline_date, sex=sex, age_years=age_years)
    scan1 = _corrected(
        scan1, "--follow-up-date", given=follow_up_date, sex=sex, age_years=age_years
    )
    _check_dates(scan0.date, scan1.date, allow_same_date=allow_same_date)
    if not allow_different_patients:
        remarks = _check_identity(header0, header1)
        scan1 = replace(scan1, warnings=scan1.warnings + remarks)
    return scan0, scan1


@contextmanager
def _named(study: str) -> Iterator[None]:
    """Begin messages with the study that they are about."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{study}: {error}") from error


@contextmanager
def _opened(path: Path, *, series: str | None) -> Iterator[_Source]:
    if not path.exists():
        raise NoStudyError(f"There is nothing at {path}.")
    if path.is_dir():
        yield _folder(path, series=series)
    elif is_volume_file(path):
        yield _Source(path, (), ())
    elif zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
        with unpacked(path) as folder:
            yield _folder(folder, series=series)
    elif is_dicom(path) and is_media_directory(path):
        yield _folder(path.parent, series=series)
    elif is_dicom(path):
        yield _dicom([path], series=series)
    else:
        raise NoStudyError(f"{path} is neither a folder, a zip, a DICOM, NIfTI, NRRD nor MHA file.")


def _folder(folder: Path, *, series: str | None) -> _Source:
    files = list_files(folder)
    if not files:
        raise NoStudyError("The folder holds no files.")
    try:
        return _dicom(files, series=series)
    except NoStudyError:
        volumes = [path for path in files if is_volume_file(path)]
        if len(volumes) > 1:
            raise NoStudyError(
                f"The folder holds {len(volumes)} volume files and no DICOM; name the one to read."
            ) from None
        if not volumes:
            raise
        return _Source(volumes[0], (), ())


def _dicom(files: Sequence[Path], *, series: str | None) -> _Source:
    finding = find_frames(files)
    if not finding.frames:
        if finding.damaged:
            raise PixelDataError(
                f"{len(finding.damaged)} DICOM files were found and none is whole: "
                f"{finding.damaged[0][1]}"
            )
        raise NoStudyError(f"None of the {len(files)} files is a DICOM image.")
    found = stacks(finding)
    remarks = tuple(
        Remark("damaged-file", f"Left out: {sentence}")
        for uid, sentence in finding.damaged
        if not uid
    )
    return _Source(None, tuple(fitting(found, series=series)), remarks)


def _read(
    source: _Source, *, chosen: Candidate | None, like: Kind | None
) -> tuple[Scan, Header | None]:
    if chosen is None:
        assert source.volume_file is not None
        return _read_volume(source), None
    stack = chosen.stack
    assert stack.grid is not None
    pixels, sha256 = read_pixels(stack.frames)
    header, first = stack.header, stack.frames[0]
    because = choose(source.candidates, like=like)[1]
    image, orientation, remarks = _ready(stack.grid.image(pixels))
    return Scan(
        image=image,
        native_orientation=orientation,
        date=header.acquired,
        series_uid=header.series or None,
        patient=Patient(id=header.patient_id or None, sex=header.sex, age_years=header.age_years),
        chosen_because=because,
        slice_thickness_mm=first.thickness_mm,
        field_strength_tesla=header.field_strength_tesla,
        scanner=header.scanner,
        fat_suppressed=chosen.fat_suppressed,
        sha256=sha256,
        warnings=source.remarks + remarks,
    ), header


def _read_volume(source: _Source) -> Scan:
    assert source.volume_file is not None
    volume, digest = read_volume_file(source.volume_file)
    _check_sagittal(volume)
    image, orientation, remarks = _ready(volume)
    return Scan(
        image=image,
        native_orientation=orientation,
        chosen_because="The volume file that was given.",
        sha256=(digest,),
        warnings=source.remarks + remarks,
    )


def _check_sagittal(volume: sitk.Image) -> None:
    """Refuse volumes sliced in another plane; where spacings are alike there is no plane."""
    spacing = np.array(volume.GetSpacing())
    order = np.argsort(spacing)
    if spacing[order[2]] < ANISOTROPIC_RATIO * spacing[order[1]]:
        return
    through = np.reshape(volume.GetDirection(), (3, 3))[:, order[2]]
    found = plane(through)
    if found != "sagittal":
        raise SeriesChoiceError(
            f"The volume's slices are {found}, not sagittal (within {MAX_OBLIQUITY_DEGREES:g} "
            "degrees); give the sagittal T2 series."
        )


def _ready(volume: sitk.Image) -> tuple[sitk.Image, str, tuple[Remark, ...]]:
    """The volume in sagittal order with finite values, its own orientation, and remarks."""
    import SimpleITK as sitk

    native = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(volume.GetDirection())
    image = sitk.DICOMOrient(volume, SAGITTAL_ORDER)
    between_columns, between_rows, distance = image.GetSpacing()
    check_spacing(in_plane_mm=(between_columns, between_rows), slice_distance_mm=distance)
    if image.GetSize()[2] < MIN_SLICES:
        raise GeometryError(f"{image.GetSize()[2]} sagittal slices are no volume.")
    values = sitk.GetArrayFromImage(image)
    finite = np.isfinite(values)
    lost = values.size - int(np.count_nonzero(finite))
    remarks: tuple[Remark, ...] = ()
    if lost > MAX_NON_FINITE * values.size:
        raise PixelDataError(
            f"{100 * lost / values.size:.1f} % of the voxels are not numbers; save it again."
        )
    if lost:
        values = np.where(finite, values, np.float32(0))
        repaired = sitk.GetImageFromArray(values)
        repaired.CopyInformation(image)
        image = repaired
        remarks = (Remark("non-finite", f"{lost} voxels were not numbers and were set to 0."),)
    if values.min() == values.max():
        raise PixelDataError("All voxels have the same value: there is no picture in the file.")
    return image, native, remarks


def _kind(scan: Scan) -> Kind:
    spacing = scan.image.GetSpacing()
    return Kind(scan.fat_suppressed, float(np.sqrt(spacing[0] * spacing[1])), spacing[2])


def _corrected(
    scan: Scan, option: str, *, given: date | None, sex: Sex | None, age_years: int | None
) -> Scan:
    patient = replace(
        scan.patient,
        sex=sex or scan.patient.sex,
        age_years=scan.patient.age_years if age_years is None else age_years,
    )
    scan = replace(scan, date=given or scan.date, patient=patient)
    if scan.date is not None:
        return scan
    remark = Remark("no-date", f"The files carry no date; without {option} there is no interval.")
    return replace(scan, warnings=(*scan.warnings, remark))


def _check_dates(baseline: date | None, follow_up: date | None, *, allow_same_date: bool) -> None:
    if baseline is None or follow_up is None:
        return
    if follow_up < baseline:
        raise DateError(
            f"The follow-up ({follow_up}) is earlier than the baseline ({baseline}): swap the two, "
            "or correct a date with --baseline-date or --follow-up-date."
        )
    if follow_up == baseline and not allow_same_date:
        raise DateError(
            f"Both studies are of {baseline}: if that is meant, say so with --allow-same-date; "
            "else correct a date with --baseline-date or --follow-up-date."
        )


def _check_identity(one: Header | None, other: Header | None) -> tuple[Remark, ...]:
    """Compare who the studies are of.

    Different birth dates or sexes are different people, whatever the IDs. Different IDs are, too,
    unless name and birth date agree: hospitals number the same person differently.

    Raises:
        IdentityError: they are different people.
    """
    unknown = Remark(
        "identity-unverified",
        "The files do not both carry a patient ID or birth date: nothing shows that they are of "
        "one person.",
    )
    if one is None or other is None:
        return (unknown,)
    differs = [
        word
        for word, first, second in (
            ("birth date", one.birth_date, other.birth_date),
            ("sex", one.sex, other.sex),
        )
        if first and second and first != second
    ]
    same_name = bool(one.patient_name) and one.patient_name == other.patient_name
    same_birth = one.birth_date is not None and one.birth_date == other.birth_date
    ids = one.patient_id.casefold(), other.patient_id.casefold()
    if all(ids) and ids[0] != ids[1] and not (same_name and same_birth):
        differs.insert(0, "patient ID")
    if differs:
        raise IdentityError(
            f"The studies are of different people: {' and '.join(differs)} differ. If they are of "
            "one person after all, say so with --allow-different-patients."
        )
    if all(ids) or same_birth:
        return ()
    return (unknown,)
