"""DICOM files: found by content, headers first, pixels only of what was chosen.

pydicom alone does this, not highdicom's `get_volume_from_series`: highdicom takes a second to
import, of the five that a pair has from files to report, and refuses files without Modality,
StudyDate or standard UIDs, which public lumbar sets ship. Its gate, that positions lie at one
distance along the normal, is applied in `mri_resorb.io.stacks`.

Messages name a file by its place in the order of names, never by its name: names of exported
files often hold the patient's.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from mri_resorb.errors import PixelDataError
from mri_resorb.io.attributes import text_of
from mri_resorb.io.frames import HEADER_KEYWORDS, Frame, frames_of
from mri_resorb.languages import Phrase
from mri_resorb.model import SourceFrame

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
"""SOP class MR Image Storage; those of Enhanced MR continue it."""

FUNCTIONAL_GROUPS = 0x5200
"""Group of what an Enhanced file says of its frames; those around it hold overlays and pixels."""

_VALUE_REPRESENTATIONS = frozenset(b"AE AS CS DA DS DT IS LO OB OW PN SH SQ TM UI UL US UN".split())


@dataclass(frozen=True)
class Finding:
    """All images below a folder, and what could not be read.

    Attributes:
        damaged: (SeriesInstanceUID or "", flaw) of each DICOM file that is cut off or broken.
    """

    frames: tuple[Frame, ...]
    damaged: tuple[tuple[str, Phrase], ...]


def find_frames(paths: Sequence[Path]) -> Finding:
    """Read the headers of all DICOM files among `paths`, recognised by content, not by name."""
    frames: list[Frame] = []
    damaged: list[tuple[str, Phrase]] = []
    for number, path in enumerate(paths, start=1):
        place = Phrase("flaws.place", {"number": number, "count": len(paths)})
        try:
            if not is_dicom(path):
                continue
            with quiet_pydicom(), path.open("rb") as file:
                dataset = pydicom.dcmread(
                    file, stop_before_pixels=True, force=True, specific_tags=HEADER_KEYWORDS
                )
                remaining = path.stat().st_size - file.tell()
                if _is_directory(dataset) or not _may_be_mri(dataset):
                    continue
                if _stored_whole(dataset, pixel_bytes=remaining):
                    frames += frames_of(dataset, path=path, place=place)
                else:
                    series = text_of(dataset, "SeriesInstanceUID")
                    damaged.append((series, Phrase("flaws.file-cut-off", {"place": place})))
        except Exception:  # pydicom raises whatever a broken file leads it to
            damaged.append(("", Phrase("flaws.file-damaged", {"place": place})))
    return Finding(tuple(frames), tuple(damaged))


def is_dicom(path: Path) -> bool:
    """Tell DICOM by content: the preamble's mark, or a first element as old files begin with."""
    with path.open("rb") as file:
        head = file.read(132)
    if head[128:] == b"DICM":
        return True
    if len(head) < 16:
        return False
    for order in ("little", "big"):
        group = int.from_bytes(head[:2], order)
        element = int.from_bytes(head[2:4], order)
        if group in {0x0002, 0x0008} and element <= 0x0070:
            implicit_length = int.from_bytes(head[4:8], order)
            return head[4:6] in _VALUE_REPRESENTATIONS or implicit_length <= 1024
    return False


def is_media_directory(path: Path) -> bool:
    """Whether the file is a DICOMDIR: an index of the files around it."""
    try:
        with quiet_pydicom():
            return _is_directory(pydicom.dcmread(path, specific_tags=["SOPClassUID"], force=True))
    except Exception:  # as above
        return False


@dataclass(frozen=True)
class Pixels:
    """What frames hold.

    Attributes:
        values: (frames, rows, columns) float32.
        sources: header and number of each frame, in the same order.
        sha256: of each file, sorted.
    """

    values: npt.NDArray[np.float32]
    sources: tuple[SourceFrame, ...]
    sha256: tuple[str, ...]


def read_pixels(frames: Sequence[Frame]) -> Pixels:
    """Decode frames and apply what turns stored values into intensities.

    MONOCHROME1 is inverted within its stored range, so that bright is always much signal; then
    the frame's own rescale slope and intercept are applied. Frames stay in the order given.

    Raises:
        PixelDataError: a file is cut off, or its compression cannot be decoded.
    """
    shape = (frames[0].rows, frames[0].columns)
    images: dict[int, npt.NDArray[np.float32]] = {}
    headers: dict[Path, Dataset] = {}
    hashes = set()
    by_path: dict[Path, list[int]] = {}
    for i, frame in enumerate(frames):
        by_path.setdefault(frame.header.path, []).append(i)
    for path, places in by_path.items():
        content = path.read_bytes()
        hashes.add(hashlib.sha256(content).hexdigest())
        place = frames[places[0]].header.place
        stored, headers[path] = _decode(content, place=place)
        if stored.shape[1:] != shape or len(stored) <= max(frames[i].index for i in places):
            raise PixelDataError(
                f"{place} holds other pixels than its header says; copy the study again."
            )
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused later
            for i in places:
                slope, intercept = np.float32(frames[i].slope), np.float32(frames[i].intercept)
                images[i] = stored[frames[i].index] * slope + intercept
    return Pixels(
        values=np.stack([images[i] for i in range(len(frames))]),
        sources=tuple(SourceFrame(headers[f.header.path], f.index + 1) for f in frames),
        sha256=tuple(sorted(hashes)),
    )


def _public_header(dataset: Dataset) -> Dataset:
    """What a new object of the same study may copy: no pixels, overlays nor private attributes."""
    header = Dataset()
    implicit, little_endian = dataset.original_encoding
    header.set_original_encoding(implicit, little_endian, dataset.original_character_set)
    for tag in dataset.keys():  # noqa: SIM118 - iterating would convert, and stop at, odd values
        bulk = tag.group >= 0x5000 and tag.group != FUNCTIONAL_GROUPS
        if not (tag.is_private or bulk):
            header[tag] = dataset.get_item(tag)
    return header


def _decode(content: bytes, *, place: Phrase) -> tuple[npt.NDArray[np.float32], Dataset]:
    """All frames of a file, (frames, rows, columns), with much signal bright, before rescaling.

    And its public header.
    """
    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(io.BytesIO(content), force=True)
            stored = stored_pixels(dataset)
            if int(dataset.get("NumberOfFrames", 1) or 1) == 1:
                stored = stored[np.newaxis]
            values = stored.astype(np.float32)
            if dataset.PhotometricInterpretation == "MONOCHROME1":
                signed = dataset.PixelRepresentation == 1
                values = np.float32(-1 if signed else 2**dataset.BitsStored - 1) - values
            return values, _public_header(dataset)
    except Exception as error:  # each decoder, and each damaged element, has its own exceptions
        raise PixelDataError(
            f"{place}: its pixels are cut off or cannot be decoded; copy the study again, or "
            "export it without compression."
        ) from error


def stored_pixels(dataset: pydicom.FileDataset) -> npt.NDArray[np.generic]:
    """The stored values of all frames of a dataset that was read from a file; may raise anything.

    Where the file has no meta information, the dataset gets the transfer syntax that it was read
    by, which nothing else says.
    """
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = _read_syntax(dataset)
    return pixel_array(dataset, raw=True)


def _read_syntax(dataset: pydicom.FileDataset) -> UID:
    implicit, little_endian = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little_endian else ExplicitVRBigEndian


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's remarks on unusual values off the screen: what matters is checked here."""
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _is_directory(dataset: Dataset) -> bool:
    meta = getattr(dataset, "file_meta", None)
    return meta is not None and str(meta.get("MediaStorageSOPClassUID", "")) == MEDIA_DIRECTORY


def _may_be_mri(dataset: Dataset) -> bool:
    """Whether a file is, or was to be, an MR image; a file cut off may end within its class."""
    sop_class = text_of(dataset, "SOPClassUID")
    return sop_class.startswith(f"{MR_IMAGE}.") or MR_IMAGE.startswith(sop_class)


def _stored_whole(dataset: Dataset, *, pixel_bytes: int) -> bool:
    """Whether what follows the header is long enough for the pixels that it announces.

    Compressed pixels announce no length; those that are cut off fail to decode.
    """
    if not all(keyword in dataset for keyword in ("Rows", "Columns", "BitsAllocated")):
        return False
    meta = getattr(dataset, "file_meta", None)
    syntax = None if meta is None else meta.get("TransferSyntaxUID")
    if syntax is not None and (syntax.is_compressed or syntax.is_deflated):
        return syntax.is_deflated or pixel_bytes > 0
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    samples = int(dataset.get("SamplesPerPixel", 1) or 1)
    bits = dataset.Rows * dataset.Columns * frames * samples * dataset.BitsAllocated
    return bool(pixel_bytes >= bits // 8)


def list_files(folder: Path) -> list[Path]:
    """All files below a folder in the order of names; links to folders are not followed."""
    return sorted(
        path
        for root, _, names in os.walk(folder)
        for name in names
        if (path := Path(root, name)).is_file()
    )
