"""Zip files: unpacked into a temporary folder that is always removed, or refused.

Entries are stored under numbers, so no name in the archive can reach the disk: not a path that
leads out of the folder, nor a patient's name.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from mri_resorb.errors import ArchiveError

MAX_ENTRIES = 50_000
MAX_UNPACKED_BYTES = 8 * 2**30
MAX_EXPANSION = 200
"""Unpacked to packed; MR images shrink 2-4 times."""
SMALL_BYTES = 64 * 2**20


@contextmanager
def unpacked(path: Path, *, max_expansion: float = MAX_EXPANSION) -> Iterator[Path]:
    """A temporary folder with the files of a zip; gone when the block is left.

    Zips inside the zip stay packed.

    Args:
        max_expansion: unpacked to packed, for archives over `SMALL_BYTES`.

    Raises:
        ArchiveError: encrypted, damaged, too large, or with entries that a study has no use for:
            paths leading out of the folder, links, devices.
    """
    with tempfile.TemporaryDirectory(prefix="mri-resorb-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, folder=folder, max_expansion=max_expansion)
        except ArchiveError:
            raise
        except NotImplementedError as error:
            raise ArchiveError(
                "The zip file is packed in an unusual way; unpack it and give the folder."
            ) from error
        except Exception as error:  # zipfile lets through what zlib, struct and seeking raise
            raise ArchiveError(
                "The zip file is cut off or damaged; copy or download it again."
            ) from error
        yield folder


def _unpack(archive: zipfile.ZipFile, *, folder: Path, max_expansion: float) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    for number, entry in enumerate(entries, start=1):
        _check_entry(entry, number=number)
    _check_amount(entries, folder=folder, max_expansion=max_expansion)
    parents: dict[PurePosixPath, Path] = {}
    for number, entry in enumerate(sorted(entries, key=lambda entry: entry.filename)):
        inside = PurePosixPath(entry.filename)
        parent = parents.setdefault(inside.parent, folder / f"{len(parents):05d}")
        parent.mkdir(exist_ok=True)
        suffix = "".join(part for part in inside.suffixes[-2:] if part.isascii() and len(part) < 8)
        with (
            archive.open(entry) as packed,
            (parent / f"{number:06d}{suffix}").open("xb") as file,
        ):
            shutil.copyfileobj(packed, file, 2**20)


def _check_entry(entry: zipfile.ZipInfo, *, number: int) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    windows, posix = PureWindowsPath(entry.filename), PurePosixPath(entry.filename)
    if entry.flag_bits & 0x1:
        raise ArchiveError("The zip file is encrypted; unpack it and give the folder.")
    if ".." in windows.parts or windows.drive or windows.root or posix.is_absolute():
        raise ArchiveError(
            f"Entry {number} of the zip file has a path that leads out of it; the archive is "
            "damaged or hostile and was not unpacked."
        )
    if kind not in {0, stat.S_IFREG}:
        raise ArchiveError(
            f"Entry {number} of the zip file is a link or a device, not a file; the archive was "
            "not unpacked."
        )


def _check_amount(
    entries: Sequence[zipfile.ZipInfo], *, folder: Path, max_expansion: float
) -> None:
    total = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        raise ArchiveError(f"The zip file holds {len(entries)} files, more than any study does.")
    if total > MAX_UNPACKED_BYTES or (
        total > SMALL_BYTES and total > max_expansion * max(packed, 1)
    ):
        raise ArchiveError(
            f"The zip file would grow from {packed / 2**20:.0f} to {total / 2**20:.0f} MB, more "
            "than a study can; it was not unpacked."
        )
    if total > shutil.disk_usage(folder).free:
        raise ArchiveError(
            f"The temporary folder has no room for the {total / 2**20:.0f} MB of the zip file."
        )
