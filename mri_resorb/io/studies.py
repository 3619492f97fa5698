"""Studies from disk: one series of each date, of the same kind, of one person."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mri_resorb.errors import (
    DateError,
    InputError,
    NoStudyError,
    PixelDataError,
    SeriesChoiceError,
)
from mri_resorb.io.archive import unpacked
from mri_resorb.io.choice import (
    MAX_OBLIQUITY_DEGREES,
    Fitting,
    Kind,
    choose,
    choose_pair,
    fitting,
    plane,
    remarks,
)
from mri_resorb.io.dicom import (
    find_frames,
    is_dicom,
    is_media_directory,
    list_files,
    read_pixels,
)
from mri_resorb.io.frames import Header
from mri_resorb.io.pairing import check_dates, check_identity, compare_kinds
from mri_resorb.io.stacks import check_count, check_spacing, stacks
from mri_resorb.io.volume_files import is_volume_file, read_volume_file
from mri_resorb.languages import Phrase
from mri_resorb.model import Patient, Remark, Scan, Sex, StudyInput

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
    fitting: Fitting | None
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
        return _read(source, like=like)[0]


def read_pair(
    baseline: StudyInput,
    follow_up: StudyInput,
    *,
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
    scan0, scan1 = _read_all(
        (baseline, follow_up),
        names=("Baseline", "Follow-up"),
        date_options=("--baseline-date", "--follow-up-date"),
        sex=sex,
        age_years=age_years,
        allow_different_patients=allow_different_patients,
    )
    check_dates(scan0.date, scan1.date, allow_same_date=allow_same_date)
    return scan0, scan1


def read_studies(
    studies: Sequence[StudyInput],
    *,
    sex: Sex | None = None,
    age_years: int | None = None,
    allow_same_date: bool = False,
    allow_different_patients: bool = False,
) -> tuple[Scan, ...]:
    """Read several studies of one person, given in any order; see `read_pair`.

    Returns:
        The scans in the order of `studies`.

    Raises:
        DateError: two studies of one date, or a study without one.
        IdentityError, InputError: as `read_pair`.
    """
    count = len(studies)
    scans = _read_all(
        studies,
        names=[f"Study {k + 1}" for k in range(count)],
        date_options=["--dates"] * count,
        sex=sex,
        age_years=age_years,
        allow_different_patients=allow_different_patients,
    )
    dated = sorted(scan.date for scan in scans if scan.date)
    if len(dated) < count:
        raise DateError(
            f"{count - len(dated)} of {count} studies carry no date, so their order is not known; "
            "give all dates with --dates."
        )
    for earlier, later in pairwise(dated):
        check_dates(earlier, later, allow_same_date=allow_same_date)
    return scans


def _read_all(
    studies: Sequence[StudyInput],
    *,
    names: Sequence[str],
    date_options: Sequence[str],
    sex: Sex | None,
    age_years: int | None,
    allow_different_patients: bool,
) -> tuple[Scan, ...]:
    """The first two studies read to be of one kind, the others to be like the first."""
    scans: list[Scan] = []
    with ExitStack() as stack:
        sources = []
        for study, name in zip(studies, names, strict=True):
            with _named(name):
                sources.append(stack.enter_context(_opened(study.path, series=study.series)))
        kinds: list[Kind | None] = [None, None]
        if sources[0].fitting and sources[1].fitting:
            one, other = choose_pair(sources[0].fitting, sources[1].fitting)
            kinds = [other.kind, one.kind]
        first_header: Header | None = None
        for k, (study, source) in enumerate(zip(studies, sources, strict=True)):
            like = _kind(scans[0]) if k > 1 else kinds[k]
            with _named(names[k]):
                scan, header = _read(source, like=like)
            scan = _corrected(scan, date_options[k], given=study.date, sex=sex, age_years=age_years)
            if k == 0:
                first_header = header
            else:
                if not allow_different_patients:
                    scan = _warned(scan, check_identity(first_header, header))
                scan = _warned(scan, compare_kinds(scans[0], scan))
            scans.append(scan)
    return tuple(scans)


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
        yield _volume(path, series=series)
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
        return _volume(volumes[0], series=series)


def _volume(path: Path, *, series: str | None) -> _Source:
    if series is not None:
        raise SeriesChoiceError(f"There is no series '{series}': a volume file holds one series.")
    return _Source(path, None, ())


def _dicom(files: Sequence[Path], *, series: str | None) -> _Source:
    finding = find_frames(files)
    if not finding.frames:
        if finding.damaged:
            raise PixelDataError(
                f"{len(finding.damaged)} DICOM files were found, none of them whole. "
                f"{finding.damaged[0][1]}"
            )
        inside = any(zipfile.is_zipfile(path) for path in files)
        raise NoStudyError(
            f"None of {len(files)} file{'s' if len(files) > 1 else ''} is an MR image in DICOM."
            + (" A zip is among them: unpack it first." if inside else "")
        )
    found = stacks(finding)
    damaged = tuple(
        Remark("damaged-file", {"flaw": flaw}) for uid, flaw in finding.damaged if not uid
    )
    return _Source(None, fitting(found, series=series), damaged)


def _read(source: _Source, *, like: Kind | None) -> tuple[Scan, Header | None]:
    if source.volume_file is not None:
        return _read_volume(source.volume_file), None
    assert source.fitting is not None
    chosen, because = choose(source.fitting, like=like)
    stack = chosen.stack
    assert stack.grid is not None
    pixels = read_pixels(stack.frames)
    header, first = stack.header, stack.frames[0]
    image, orientation, repaired = _ready(stack.grid.image(pixels.values))
    leftward = orientation.endswith("L")  # the order of slices in the image
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
        sha256=pixels.sha256,
        frames=pixels.sources if leftward else pixels.sources[::-1],
        warnings=source.remarks + remarks(chosen, fitting=source.fitting) + repaired,
    ), header


def _read_volume(path: Path) -> Scan:
    volume, digest = read_volume_file(path)
    _check_sagittal(volume)
    image, orientation, repaired = _ready(volume)
    return Scan(
        image=image,
        native_orientation=orientation,
        chosen_because=Phrase("choice.volume-file"),
        sha256=(digest,),
        warnings=repaired,
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
    check_count(image.GetSize()[2])
    values = sitk.GetArrayFromImage(image)
    finite = np.isfinite(values)
    lost = values.size - int(np.count_nonzero(finite))
    repaired: tuple[Remark, ...] = ()
    if lost > MAX_NON_FINITE * values.size:
        raise PixelDataError(
            f"{100 * lost / values.size:.1f} % of the voxels are not numbers; save it again."
        )
    if lost:
        values = np.where(finite, values, np.float32(0))
        whole = sitk.GetImageFromArray(values)
        whole.CopyInformation(image)
        image = whole
        repaired = (Remark("non-finite", {"voxels": lost}),)
    if values.min() == values.max():
        raise PixelDataError("All voxels have the same value: there is no picture in the file.")
    return image, native, repaired


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
    return _warned(scan, (Remark("no-date", {"option": option}),))


def _warned(scan: Scan, remarks: tuple[Remark, ...]) -> Scan:
    return replace(scan, warnings=scan.warnings + remarks)
