"""Inputs that are broken, ambiguous or meant to do harm, each with what the user must get."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import dicom_files
import nibabel as nib
import numpy as np
import SimpleITK as sitk
from dicom_files import AXIAL, Grid
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, JPEG2000Lossless, generate_uid

from mri_resorb import errors
from mri_resorb.io.studies import read_pair, read_study
from mri_resorb.model import Scan, StudyInput

GRID = Grid(slices=9)


@dataclass(frozen=True)
class HostileInput:
    """One way to go wrong.

    Attributes:
        what: the input, in words for the table.
        attempt: makes it in an empty folder and reads it.
        error: what reading raises; None where the study is read all the same.
        word: part of the message, or the code of the warning ("" for none).
    """

    what: str
    attempt: Callable[[Path], Scan | tuple[Scan, Scan]]
    error: type[errors.InputError] | None
    word: str


def all_inputs() -> Iterator[HostileInput]:
    """The whole table, in the order of the documentation."""
    yield from _FOLDERS
    yield from _SERIES
    yield from _FILES
    yield from _ARCHIVES
    yield from _VOLUMES
    yield from _PAIRS


def outcome(case: HostileInput, folder: Path) -> str:
    """What the user gets for a case that is tried in `folder`: the error, or the warnings."""
    try:
        got = case.attempt(folder)
    except errors.InputError as error:
        text = str(error).replace(str(folder), "FOLDER")
        return f"`{type(error).__name__}`: {text}"
    scans = got if isinstance(got, tuple) else (got,)
    remarks = [remark for scan in scans for remark in scan.warnings]
    return "Read." + "".join(f" Warning `{one.code}`: {one.text()}" for one in remarks)


def table_row(case: HostileInput, got: str) -> str:
    """A line of the table in `docs/hostile-inputs.md`."""
    return f"| {case.what} | {got} |"


def _read(folder: Path, datasets: list[Dataset]) -> Scan:
    dicom_files.write(datasets, folder)
    return read_study(folder)


def _changed(change: Callable[[list[Dataset]], object]) -> Callable[[Path], Scan]:
    """A series of nine slices after `change`."""

    def attempt(folder: Path) -> Scan:
        datasets = dicom_files.series(GRID)
        change(datasets)
        return _read(folder, datasets)

    return attempt


def _with(**attributes: object) -> Callable[[Path], Scan]:
    """A series with these attributes in each file."""
    return lambda folder: _read(folder, dicom_files.series(GRID, **attributes))


def _beside(name: str, content: bytes) -> Callable[[Path], Scan]:
    """A good series with a file beside it."""

    def attempt(folder: Path) -> Scan:
        (folder / name).write_bytes(content)
        return _read(folder, dicom_files.series(GRID))

    return attempt


def _file(name: str, content: bytes) -> Callable[[Path], Scan]:
    def attempt(folder: Path) -> Scan:
        (folder / name).write_bytes(content)
        return read_study(folder / name)

    return attempt


def _cut_off(*, share: float, **options: object) -> Callable[[Path], Scan]:
    """The last file of a series ends after this share of it."""

    def attempt(folder: Path) -> Scan:
        path = dicom_files.write(dicom_files.series(GRID), folder, **options)[-1]
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        return read_study(folder)

    return attempt


def _two(**attributes: object) -> Callable[[Path], Scan]:
    """Two series in one folder, the second with these attributes."""
    other = dicom_files.series(GRID, **{"SeriesNumber": 5, **attributes})
    return lambda folder: _read(folder, dicom_files.series(GRID) + other)


def _empty(folder: Path) -> Scan:
    return read_study(folder)


def _link_to_itself(folder: Path) -> Scan:
    (folder / "again").symlink_to(folder, target_is_directory=True)
    return _read(folder, dicom_files.series(GRID))


def _double(datasets: list[Dataset]) -> None:
    datasets.append(deepcopy(datasets[4]))
    datasets[-1].SOPInstanceUID = generate_uid()


def _move(dataset: Dataset, *offset_mm: float) -> None:
    dataset.ImagePositionPatient = [
        float(a + b) for a, b in zip(dataset.ImagePositionPatient, offset_mm, strict=True)
    ]


def _coloured(datasets: list[Dataset]) -> None:
    for dataset in datasets:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration, dataset.PixelData = 0, 3 * dataset.PixelData


def _tilt(dataset: Dataset) -> None:
    dataset.ImageOrientationPatient = [0.02, 0.9998, 0, 0, 0, -1]


_FOLDERS = (
    HostileInput(
        "a path where nothing is",
        lambda folder: read_study(folder / "gone"),
        errors.NoStudyError,
        "nothing at",
    ),
    HostileInput("an empty folder", _empty, errors.NoStudyError, "no files"),
    HostileInput(
        "a text file that is named .dcm",
        _file("image.dcm", b"not DICOM " * 40),
        errors.NoStudyError,
        "neither",
    ),
    HostileInput("a text file beside the series", _beside("notes.txt", b"0008 " * 90), None, ""),
    HostileInput("an empty file beside the series", _beside("empty", b""), None, ""),
    HostileInput(
        "random bytes after a DICOM mark beside the series",
        _beside("noise", bytes(128) + b"DICM" + np.random.default_rng(7).bytes(4000)),
        None,
        "damaged-file",
    ),
    HostileInput("a folder linked into itself", _link_to_itself, None, ""),
    HostileInput(
        "CT", _with(SOPClassUID=CTImageStorage, Modality="CT"), errors.NoStudyError, "MR image"
    ),
    HostileInput(
        "series of two patients", _two(PatientID="P-99"), errors.SeriesChoiceError, "patients"
    ),
    HostileInput(
        "series of two dates", _two(StudyDate="20190202"), errors.SeriesChoiceError, "studies"
    ),
)

_SERIES = (
    HostileInput(
        "only T1",
        _with(EchoTime=11.0, RepetitionTime=550.0),
        errors.SeriesChoiceError,
        "No sagittal T2",
    ),
    HostileInput(
        "only axial slices",
        lambda folder: _read(folder, dicom_files.series(Grid(orientation=AXIAL))),
        errors.SeriesChoiceError,
        "axial",
    ),
    HostileInput(
        "one slice",
        _changed(lambda d: d.__delitem__(slice(1, None))),
        errors.GeometryError,
        "One slice",
    ),
    HostileInput(
        "two slices", _changed(lambda d: d.__delitem__(slice(2, None))), errors.GeometryError, "2"
    ),
    HostileInput(
        "a slice missing", _changed(lambda d: d.pop(4)), errors.GeometryError, "missing at"
    ),
    HostileInput("a slice twice", _changed(_double), errors.GeometryError, "same slice position"),
    HostileInput("a file stored twice", _changed(lambda d: d.append(deepcopy(d[4]))), None, ""),
    HostileInput(
        "a slice 1 mm out of step",
        _changed(lambda d: _move(d[4], 1, 0, 0)),
        errors.GeometryError,
        "mm apart",
    ),
    HostileInput(
        "a slice shifted sideways",
        _changed(lambda d: _move(d[4], 0, 2, 0)),
        errors.GeometryError,
        "sideways",
    ),
    HostileInput(
        "a slice tilted by one degree",
        _changed(lambda d: _tilt(d[4])),
        errors.GeometryError,
        "not parallel",
    ),
    HostileInput(
        "pixel spacing zero", _with(PixelSpacing=[0.0, 0.0]), errors.GeometryError, "spacing of 0"
    ),
    HostileInput(
        "pixel spacing that is no number", _with(PixelSpacing=None), errors.GeometryError, "spacing"
    ),
    HostileInput(
        "all slices at one place",
        _with(ImagePositionPatient=[0.0, 0.0, 0.0]),
        errors.GeometryError,
        "same slice position",
    ),
    HostileInput(
        "an image without position",
        _changed(lambda d: d[4].__delattr__("ImagePositionPatient")),
        errors.GeometryError,
        "where its image lies",
    ),
    HostileInput(
        "dates and ages that cannot be read",
        _with(StudyDate="31/12/2018", PatientAge="forty", PatientBirthDate="unknown"),
        None,
        "",
    ),
)

_FILES = (
    HostileInput(
        "a file cut off in its pixels", _cut_off(share=0.9), errors.PixelDataError, "File 9 of 9"
    ),
    HostileInput(
        "a file cut off before its series is named", _cut_off(share=0.2), None, "damaged-file"
    ),
    HostileInput(
        "a compressed file cut off",
        _cut_off(share=0.85, syntax=JPEG2000Lossless),
        errors.PixelDataError,
        "File 9 of 9",
    ),
    HostileInput(
        "more rows in the header than pixels",
        _with(Rows=60000),
        errors.PixelDataError,
        "cut off",
    ),
    HostileInput(
        "all pixels black",
        _changed(lambda d: [s.__setattr__("PixelData", bytes(len(s.PixelData))) for s in d]),
        errors.PixelDataError,
        "same value",
    ),
    HostileInput("nothing but screenshots", _changed(_coloured), errors.NoStudyError, "MR image"),
)


def _zip(path: Path, entries: dict[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _zipped(name: str, content: bytes = b"x", *, attributes: int = 0) -> Callable[[Path], Scan]:
    """A zip with one entry of this name beside a good series."""

    def attempt(folder: Path) -> Scan:
        files = dicom_files.write(dicom_files.series(GRID), folder / "loose")
        entry = zipfile.ZipInfo(name)
        entry.external_attr = attributes << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        entries = {path.name: path.read_bytes() for path in files} | {entry: content}
        return read_study(_zip(folder / "study.zip", entries))

    return attempt


def _encrypted(folder: Path) -> Scan:
    path = _zip(folder / "study.zip", {"IM1": b"secret"})
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    return read_study(path)


def _zip_cut_off(folder: Path) -> Scan:
    path = _zip(folder / "study.zip", {"IM1": bytes(1000)})
    path.write_bytes(path.read_bytes()[:-30])
    return read_study(path)


def _zip_in_zip(folder: Path) -> Scan:
    inner = _zip(folder / "inner.zip", {"IM1": b"x"}).read_bytes()
    return read_study(_zip(folder / "outer.zip", {"inner.zip": inner}))


_ARCHIVES = (
    HostileInput("an encrypted zip", _encrypted, errors.ArchiveError, "encrypted"),
    HostileInput("a zip cut off", _zip_cut_off, errors.ArchiveError, "cut off"),
    HostileInput(
        "an empty zip", lambda f: read_study(_zip(f / "a.zip", {})), errors.NoStudyError, "no files"
    ),
    HostileInput("a zip with `..` in a path", _zipped("../x"), errors.ArchiveError, "leads out"),
    HostileInput(
        "a zip with an absolute path", _zipped("/tmp/x"), errors.ArchiveError, "leads out"
    ),
    HostileInput(
        "a zip with a link",
        _zipped("x", b"/etc/passwd", attributes=0o120777),
        errors.ArchiveError,
        "link",
    ),
    HostileInput(
        "a zip that grows a thousandfold",
        _zipped("zeros", bytes(70 * 2**20)),
        errors.ArchiveError,
        "would grow",
    ),
    HostileInput("a zip in a zip", _zip_in_zip, errors.NoStudyError, "unpack it"),
)


def _volume(change: Callable[[nib.Nifti1Image], nib.Nifti1Image]) -> Callable[[Path], Scan]:
    """A sagittal NIfTI after `change`."""

    def attempt(folder: Path) -> Scan:
        affine = np.diag([-1.0, -1, 1, 1]) @ np.block(
            [[(GRID.steps_mm[:, None] * GRID.directions).T, GRID.origin_mm[:, None]], [0, 0, 0, 1]]
        )
        image = nib.Nifti1Image(GRID.values().transpose(2, 1, 0).astype(np.float32), affine)
        image.set_qform(affine, code=1)
        nib.save(change(image), folder / "volume.nii.gz")
        return read_study(folder / "volume.nii.gz")

    return attempt


def _moved(image: nib.Nifti1Image) -> nib.Nifti1Image:
    image.set_qform(image.affine + np.outer([0, 0, 7, 0], [0, 0, 0, 1]), code=1)
    return image


def _formless(image: nib.Nifti1Image) -> nib.Nifti1Image:
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    return image


def _of(values: Callable[[np.ndarray], np.ndarray]) -> Callable[[nib.Nifti1Image], nib.Nifti1Image]:
    return lambda image: nib.Nifti1Image(values(np.asarray(image.dataobj)), image.affine)


def _huge_nifti() -> bytes:
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((4000, 4000, 4000))
    header["magic"] = b"n+1"
    return bytes(header.binaryblock) + bytes(1000)


def _nifti_cut_off(folder: Path) -> Scan:
    _volume(lambda image: image)(folder)
    path = folder / "volume.nii.gz"
    path.write_bytes(path.read_bytes()[:-500])
    return read_study(path)


def _spaceless_nrrd(folder: Path) -> Scan:
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 5 5 5\nencoding: raw\n\n"
    return _file("volume.nrrd", header + bytes(range(125)))(folder)


def _colours(folder: Path) -> Scan:
    image = sitk.GetImageFromArray(np.zeros((5, 5, 5, 3), np.uint8), isVector=True)
    sitk.WriteImage(image, str(folder / "volume.mha"))
    return read_study(folder / "volume.mha")


_VOLUMES = (
    HostileInput(
        "NIfTI whose sform and qform disagree", _volume(_moved), errors.GeometryError, "7.0 mm"
    ),
    HostileInput(
        "NIfTI with neither sform nor qform", _volume(_formless), errors.GeometryError, "neither"
    ),
    HostileInput(
        "NIfTI with two volumes",
        _volume(_of(lambda values: np.stack([values, values], axis=-1))),
        errors.PixelDataError,
        "2 volumes",
    ),
    HostileInput(
        "NIfTI that announces 60 thousand million voxels",
        _file("volume.nii", _huge_nifti()),
        errors.PixelDataError,
        "more than an MRI has",
    ),
    HostileInput(
        "NIfTI with one slice",
        _volume(_of(lambda values: values[:, :, :1])),
        errors.GeometryError,
        "no volume",
    ),
    HostileInput(
        "NIfTI full of values that are not numbers",
        _volume(_of(lambda values: values * np.nan)),
        errors.PixelDataError,
        "not numbers",
    ),
    HostileInput("NIfTI cut off", _nifti_cut_off, errors.PixelDataError, "cut off"),
    HostileInput(
        "a text file that is named .nii",
        _file("volume.nii", b"text " * 200),
        errors.PixelDataError,
        "not of its kind",
    ),
    HostileInput("NRRD without a space", _spaceless_nrrd, errors.GeometryError, "space"),
    HostileInput("MHA with colours", _colours, errors.PixelDataError, "colours"),
)


def _pair(**second: object) -> Callable[[Path], tuple[Scan, Scan]]:
    """A good baseline, and a follow-up with these attributes."""

    def attempt(folder: Path) -> tuple[Scan, Scan]:
        dicom_files.write(dicom_files.series(GRID), folder / "a")
        attributes = {"StudyDate": "20190202", **second}
        dicom_files.write(dicom_files.series(GRID, **attributes), folder / "b")
        return read_pair(StudyInput(folder / "a"), StudyInput(folder / "b"))

    return attempt


_PAIRS = (
    HostileInput(
        "follow-up before baseline", _pair(StudyDate="20180101"), errors.DateError, "swap the two"
    ),
    HostileInput(
        "one date for both", _pair(StudyDate="20181105"), errors.DateError, "--allow-same-date"
    ),
    HostileInput("no date at follow-up", _pair(StudyDate=None), None, "no-date"),
    HostileInput(
        "two patients",
        _pair(PatientID="P-99", PatientName="Roe^Richard"),
        errors.IdentityError,
        "--allow-different-patients",
    ),
    HostileInput(
        "one patient ID, two birth dates",
        _pair(PatientBirthDate="19500101"),
        errors.IdentityError,
        "birth date",
    ),
)
