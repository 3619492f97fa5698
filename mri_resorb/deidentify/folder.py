"""A folder of studies without the people: what goes in, what comes out, and what is left out."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset

from mri_resorb.deidentify.instance import deidentified
from mri_resorb.deidentify.key import Key
from mri_resorb.errors import BurnedInError, NoStudyError, NotDeidentifiableError, OutputError
from mri_resorb.io.archive import unpacked
from mri_resorb.io.attributes import text_of
from mri_resorb.io.dicom import is_dicom, list_files, quiet_pydicom

_WORK_NAME = ".mri-resorb-unfinished"


@dataclass(frozen=True)
class LeftOut:
    """A file of which nothing was kept.

    Attributes:
        number: its place among all files, in the order of names, from 1; names may tell the person.
    """

    number: int
    reason: str


@dataclass(frozen=True)
class Deidentified:
    """What came of a folder.

    Attributes:
        patients: pseudonyms, which are the names of the folders; `unknown-<study>` for each study
            of which nothing tells the patient.
        left_out: in the order of names.
    """

    files: int
    kept: int
    patients: tuple[str, ...]
    studies: int
    left_out: tuple[LeftOut, ...]

    @property
    def reasons(self) -> Counter[str]:
        """How many files were left out for which reason."""
        return Counter(one.reason for one in self.left_out)


def deidentify(source: Path, output: Path, *, key: Key) -> Deidentified:
    """Write studies without the people: `output/<pseudonym>/<study>/<instance>.dcm`.

    With the same key the same file always becomes the same one, so that later studies of a patient
    come beside the earlier ones. A file of the same name that is there is replaced.

    Args:
        source: a folder, searched at any depth; a zip of one; or a DICOM file.

    Raises:
        NoStudyError: there is nothing to read, or nothing of it can be kept.
        OutputError: the output lies in the source, or cannot be written to.
        ArchiveError: the zip is encrypted, damaged or unsafe.
    """
    _check_output(output, source=source)
    work = output / _WORK_NAME
    made_here = not output.exists()
    try:
        work.mkdir(parents=True)
        with _files_of(source) as files:
            made = _written(files, work, key=key)
        for file in list_files(work):
            place = output / file.relative_to(work)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
    except OSError as error:
        raise OutputError(f"{output} cannot be written to: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made_here and output.is_dir() and not any(output.iterdir()):
            output.rmdir()
    return made


def _check_output(output: Path, *, source: Path) -> None:
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file; give a folder for the de-identified studies.")
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise OutputError(f"{output} lies in {source}; give a folder outside of it.")
    if (output / _WORK_NAME).exists():
        shutil.rmtree(output / _WORK_NAME)  # of a run that was killed


@contextmanager
def _files_of(source: Path) -> Iterator[list[Path]]:
    if not source.exists():
        raise NoStudyError(f"There is nothing at {source}.")
    if source.is_dir():
        yield list_files(source)
    elif zipfile.is_zipfile(source):
        with unpacked(source) as folder:
            yield list_files(folder)
    else:
        yield [source]


def _written(files: list[Path], work: Path, *, key: Key) -> Deidentified:
    left_out: list[LeftOut] = []
    written: list[tuple[int, str, Path]] = []
    burned_in = set()
    for number, path in enumerate(files, start=1):
        series = ""
        try:
            instance = _read(path)
            series = text_of(instance, "SeriesInstanceUID")
            made = deidentified(instance, key=key)
        except NotDeidentifiableError as error:
            left_out.append(LeftOut(number, str(error)))
            if isinstance(error, BurnedInError):
                burned_in.add(series)
            continue
        except Exception:  # pydicom raises whatever a malformed element leads it to
            left_out.append(LeftOut(number, "damaged"))
            continue
        patient = str(made.PatientID) or f"unknown-{made.StudyInstanceUID}"
        place = work / patient / made.StudyInstanceUID / f"{made.SOPInstanceUID}.dcm"
        place.parent.mkdir(parents=True, exist_ok=True)
        made.save_as(place, enforce_file_format=True)
        written.append((number, series, place))
    for number, series, place in written:
        if series in burned_in:
            place.unlink(missing_ok=True)
            left_out.append(LeftOut(number, "of a series with such a picture"))
    kept = {place for _, series, place in written if series not in burned_in}
    if not kept:
        raise NoStudyError(_nothing_kept(left_out))
    return Deidentified(
        files=len(files),
        kept=len(kept),
        patients=tuple(sorted({place.parent.parent.name for place in kept})),
        studies=len({place.parent for place in kept}),
        left_out=tuple(sorted(left_out, key=lambda one: one.number)),
    )


def _read(path: Path) -> FileDataset:
    """The file as it was written; not its name."""
    try:
        if not is_dicom(path):
            raise NotDeidentifiableError("no DICOM")
        with quiet_pydicom():
            return pydicom.dcmread(path, force=True)
    except NotDeidentifiableError:
        raise
    except Exception as error:  # pydicom raises whatever a broken file leads it to
        raise NotDeidentifiableError("damaged") from error


def _nothing_kept(left_out: list[LeftOut]) -> str:
    if not left_out:
        return "The folder holds no files."
    reason, count = Counter(one.reason for one in left_out).most_common(1)[0]
    return f"Of {len(left_out)} files none can be de-identified; {count} of them: {reason}."
