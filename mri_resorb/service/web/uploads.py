"""Studies that are uploaded: every file in a request goes the one way of all instances.

Nothing of a request's file names is used: files are taken by their content, under names of our own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Literal

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from mri_resorb.errors import RefusedInstanceError
from mri_resorb.io.archive import unpacked
from mri_resorb.service.reception import Deidentify, Received, receive
from mri_resorb.service.store import Store, new_id
from mri_resorb.service.web.problems import Problem

MOST_INSTANCE_BYTES = 2**29
MOST_PARTS = 50_000
_PIECE_BYTES = 2**20
_TOO_LARGE = f"It is larger than {MOST_INSTANCE_BYTES // 2**20} MB."


@dataclass(frozen=True)
class Uploaded:
    """What became of a request's files.

    Attributes:
        refused: how many, by why.
        studies: ids of those that files belong to.
    """

    stored: int
    already_there: int
    refused: dict[str, int]
    studies: tuple[str, ...]


def take_upload(
    store: Store,
    body: Path,
    *,
    kind: Literal["file", "multipart"],
    boundary: bytes = b"",
    sender: str,
    max_expansion: float,
    deidentify: Deidentify | None,
) -> Uploaded:
    """Take every instance of a request's body.

    Args:
        body: the body as it came, in a file.
        kind: one DICOM file or zip, or several in parts between `boundary`.

    Raises:
        ArchiveError: a zip that must not be unpacked.
        Problem: 400, the parts cannot be told apart.
        OSError: the disk refused; what was stored before stays.
    """
    stored = already_there = 0
    refused: Counter[str] = Counter()
    studies: dict[str, None] = {}
    files = iter([body]) if kind == "file" else _parts(body, boundary, store.folder / "incoming")
    for file in (one for each in files for one in _unpacked(each, max_expansion=max_expansion)):
        try:
            taken = _take(store, file, sender=sender, deidentify=deidentify)
        except RefusedInstanceError as error:
            refused[str(error)] += 1
            continue
        studies[taken.study] = None
        if taken.new:
            stored += 1
        else:
            already_there += 1
    return Uploaded(stored, already_there, dict(refused), tuple(studies))


def _take(store: Store, file: Path, *, sender: str, deidentify: Deidentify | None) -> Received:
    if file.stat().st_size > MOST_INSTANCE_BYTES:
        raise RefusedInstanceError(_TOO_LARGE)
    return receive(
        store, file.read_bytes(), sender=sender, origin="uploaded", deidentify=deidentify
    )


def _unpacked(file: Path, *, max_expansion: float) -> Iterator[Path]:
    """The files of a zip, or the file itself."""
    with file.open("rb") as opened:
        is_zip = opened.read(4) == b"PK\x03\x04"
    if not is_zip:
        yield file
        return
    with unpacked(file, max_expansion=max_expansion) as folder:
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _parts(body: Path, boundary: bytes, folder: Path) -> Iterator[Path]:
    """Each part's content as a file, which is gone when the next is asked for."""
    parts = _Parts(folder)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": parts.begin,
                "on_part_data": parts.write,
                "on_part_end": parts.end,
                "on_end": parts.finish,
            },
        )
        with body.open("rb") as opened:
            while piece := opened.read(_PIECE_BYTES):
                parser.write(piece)
                yield from parts.pop_whole()
        if not parts.is_finished:
            raise _malformed()
    except FormParserError as error:
        raise _malformed() from error
    finally:
        parts.discard()


@dataclass
class _Parts:
    """What a parser of multipart bodies tells, written to files one after the other."""

    folder: Path
    count: int = 0
    is_finished: bool = False
    _open: BinaryIO | None = None
    _whole: list[Path] = field(default_factory=list)

    def begin(self) -> None:
        self.count += 1
        if self.count > MOST_PARTS:
            raise FormParserError
        path = self.folder / f"{new_id()}.part"
        self._whole.append(path)
        self._open = path.open("xb")

    def write(self, data: bytes, start: int, end: int) -> None:
        if self._open is not None:
            self._open.write(data[start:end])

    def end(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def finish(self) -> None:
        self.is_finished = True

    def pop_whole(self) -> Iterator[Path]:
        while self._whole and (len(self._whole) > 1 or self._open is None):
            path = self._whole.pop(0)
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)

    def discard(self) -> None:
        self.end()
        for path in self._whole:
            path.unlink(missing_ok=True)


def _malformed() -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST, "malformed", "The parts of the request cannot be told apart."
    )
