"""DICOM files as accident and malice would have them, the same ones every time."""

from __future__ import annotations

import random
import re
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from functools import cache
from io import BytesIO
from itertools import count
from pathlib import Path
from unittest.mock import patch

import dicom_files
import pydicom
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
from service_studies import as_file, study

DAY = date(2020, 5, 17)
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)
_VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OW PN SH SL SQ SS ST TM UI UL UN US UT".split()
_VR = re.compile(b"|".join(_VRS))
_HEADER = 144
"""From here on there is more than the preamble and the mark."""

Mutation = Callable[[random.Random, bytearray], bytes]


@cache
def seeds() -> tuple[bytes, ...]:
    """Whole files, one of each kind."""
    grid = dicom_files.Grid(slices=1, rows=8, columns=8)
    uids = (f"1.2.826.0.1.3680043.8.498.{number:038d}" for number in count(10**37))
    with (
        patch.object(dicom_files, "generate_uid", lambda: next(uids)),
        tempfile.TemporaryDirectory() as folder,
    ):
        kinds = [as_file(study(DAY, patient="FUZZ")[0]), as_file(dicom_files.enhanced(grid))]
        for number, syntax in enumerate(SYNTAXES):
            written = dicom_files.write(
                dicom_files.series(grid), Path(folder) / str(number), syntax=syntax
            )
            kinds += [path.read_bytes() for path in written]
    return tuple(kinds)


def mutated(number: int, *, seed: int) -> Iterator[bytes]:
    """So many files, each one changed in one to three ways."""
    chance = random.Random(seed)
    for _ in range(number):
        content = bytes(chance.choice(seeds()))
        for _ in range(chance.choice((1, 1, 2, 3))):
            content = chance.choice(MUTATIONS)(chance, bytearray(content))
        yield content


def deflated_bomb(*, megabytes: int) -> bytes:
    """A small file of a picture with a private attribute of that size, once it is inflated."""
    picture = study(DAY, patient="FUZZ")[0]
    whole = as_file(picture)
    data_set = whole[_meta_end(whole) :]
    picture.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    deflated = as_file(picture)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    head = struct.pack("<HH2sHI", 0x7FE1, 0x1001, b"OB", 0, megabytes << 20)
    packed = [packer.compress(data_set + head)]
    packed += [packer.compress(bytes(1 << 20)) for _ in range(megabytes)]
    return deflated[: _meta_end(deflated)] + b"".join(packed) + packer.flush()


def _meta_end(file: bytes) -> int:
    return 144 + int.from_bytes(file[140:144], "little")


def _flip(chance: random.Random, content: bytearray) -> bytes:
    for _ in range(chance.randint(1, 12)):
        if content:
            content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _cut(chance: random.Random, content: bytearray) -> bytes:
    return bytes(content[: chance.randrange(len(content) + 1)])


def _without_part(chance: random.Random, content: bytearray) -> bytes:
    start = chance.randrange(len(content) + 1)
    del content[start : start + chance.randint(1, 64)]
    return bytes(content)


def _doubled_part(chance: random.Random, content: bytearray) -> bytes:
    start = chance.randrange(len(content) + 1)
    part = content[start : start + chance.randint(1, 200)]
    return bytes(content[:start] + part * chance.randint(1, 20) + content[start:])


def _rubbish(chance: random.Random, content: bytearray) -> bytes:
    start = chance.randrange(len(content) + 1)
    return bytes(content[:start] + chance.randbytes(chance.randint(1, 400)) + content[start:])


def _element_places(content: bytearray) -> list[int]:
    """Where a two-letter value representation stands: an element's, or what looks like one."""
    return [found.start() for found in _VR.finditer(content, _HEADER, len(content) - 8)]


def _wrong_length(chance: random.Random, content: bytearray) -> bytes:
    places = _element_places(content)
    if places:
        place = chance.choice(places) + chance.choice((2, 4))
        width = chance.choice((2, 4))
        lie = chance.choice(
            (0, 1, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFE, chance.getrandbits(32))
        )
        content[place : place + width] = (lie & (256**width - 1)).to_bytes(width, "little")
    return bytes(content)


def _wrong_kind(chance: random.Random, content: bytearray) -> bytes:
    places = _element_places(content)
    if places:
        place = chance.choice(places)
        content[place : place + 2] = chance.choice([*_VRS, b"??", b"\0\0"])
    return bytes(content)


def _huge(chance: random.Random, content: bytearray) -> bytes:
    """Dimensions that no picture has."""
    names = [b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x02\x00", b"\x28\x00\x00\x01"]
    for name in chance.sample(names, chance.randint(1, 4)):
        place = content.find(name)
        if place > 0:
            content[place + 8 : place + 10] = chance.choice((b"\xff\xff", b"\x00\x00", b"\x01\x00"))
    if chance.random() < 0.5:
        frames = b"\x28\x00\x08\x00IS" + struct.pack("<H", 10) + b"2147483647"
        place = content.find(b"\x28\x00\x10\x00")
        content[place:place] = frames
    return bytes(content)


def _nested(chance: random.Random, content: bytearray) -> bytes:
    """A sequence within a sequence, and so on, which may not end."""
    depth = chance.choice((3, 50, 400, 3000))
    start = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    place = content.find(b"\x10\x00\x10\x00")
    place = len(content) if place < 0 else place
    nest = start * depth + end * chance.choice((depth, depth - 1, 0))
    return bytes(content[:place] + nest + content[place:])


def _strange_text(chance: random.Random, content: bytearray) -> bytes:
    place = content.find(b"\x08\x00\x08\x00")
    text = chance.choice(
        (b"ISO_IR 192", b"\\ISO 2022 IR 87", b"GB18030", b"\xff" * 40, b"\\" * 400)
    )
    text += b" " * (len(text) % 2)
    return bytes(
        content[:place]
        + b"\x08\x00\x05\x00CS"
        + struct.pack("<H", len(text))
        + text
        + content[place:]
    )


def _nothing(chance: random.Random, _: bytearray) -> bytes:
    return chance.choice((b"", b"\0" * 132, b"\0" * 128 + b"DICM", chance.randbytes(2000)))


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _flip,
    _cut,
    _without_part,
    _doubled_part,
    _rubbish,
    _wrong_length,
    _wrong_length,
    _wrong_kind,
    _huge,
    _nested,
    _strange_text,
    _nothing,
)


def conversation(file: bytes) -> tuple[bytes, bytes]:
    """What a sender says to a node: the association it asks for, and C-STORE.

    Source of the forms: PS3.8 9.3 (PDUs), PS3.7 9.3.1 and E.1 (C-STORE-RQ).
    """
    read = pydicom.dcmread(BytesIO(file), stop_before_pixels=True)
    sop_class, sop_instance = read.SOPClassUID.encode(), read.SOPInstanceUID.encode()

    def item(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(content)) + content

    def pdu(kind: int, content: bytes) -> bytes:
        return struct.pack(">BxI", kind, len(content)) + content

    def fragment(control: int, content: bytes) -> bytes:
        return pdu(4, struct.pack(">IBB", len(content) + 2, 1, control) + content)

    def element(low: int, value: bytes) -> bytes:
        return struct.pack("<HHI", 0, low, len(value)) + value

    def uid(value: bytes) -> bytes:
        return value + b"\0" * (len(value) % 2)

    contexts = item(0x30, sop_class) + item(0x40, read.file_meta.TransferSyntaxUID.encode())
    asked = struct.pack(">H2x", 1) + b"MRI_RESORB".ljust(16) + b"MR1".ljust(16) + bytes(32)
    asked += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, b"\1\0\0\0" + contexts)
    asked += item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.826.0.1"))
    command = (
        element(0x0002, uid(sop_class))
        + element(0x0100, b"\1\0")
        + element(0x0110, b"\1\0")
        + element(0x0700, b"\0\0")
        + element(0x0800, b"\0\0")
        + element(0x1000, uid(sop_instance))
    )
    command = element(0x0000, struct.pack("<I", len(command))) + command
    return pdu(1, asked), fragment(3, command) + fragment(2, file[_meta_end(file) :])


def disturbed(content: bytes, count: int, *, seed: int) -> Iterator[bytes]:
    """The same bytes so many times, each time flipped, cut, lengthened or shortened somewhere."""
    chance = random.Random(seed)
    for _ in range(count):
        made = content
        for _ in range(chance.randint(1, 3)):
            made = chance.choice((_flip, _flip, _cut, _without_part, _doubled_part, _rubbish))(
                chance, bytearray(made)
            )
        yield made
