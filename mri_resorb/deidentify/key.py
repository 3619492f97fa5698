"""The secret by which a patient always becomes the same pseudonym.

Pseudonyms, new UIDs and the days by which a patient's dates are moved follow from it (HMAC-SHA256,
RFC 2104): whoever has it can tell whether a known patient is among the de-identified ones, and
nobody else can. It stays with those who know the patients.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pydicom.uid import UID

from mri_resorb.errors import KeyFileError

LEAST_DAYS, MOST_DAYS = 31, 3650
"""Dates are moved back by a number of days between."""


@dataclass(frozen=True)
class Key:
    """32 random bytes."""

    secret: bytes = field(repr=False)

    @classmethod
    def made(cls) -> Key:
        """A new one, from the operating system's randomness."""
        return cls(secrets.token_bytes(32))

    def pseudonym(self, patient: str) -> str:
        """What stands for a patient: `P-` and 16 letters and digits."""
        return "P-" + base64.b32encode(self._digest("patient", patient)).decode()[:16]

    def moved_by(self, patient: str) -> timedelta:
        """By how much a patient's dates are moved: whole days into the past, the same for all."""
        drawn = int.from_bytes(self._digest("dates", patient))
        return -timedelta(days=LEAST_DAYS + drawn % (MOST_DAYS - LEAST_DAYS + 1))

    def uid(self, uid: str) -> UID:
        """What stands for a UID, under the root for UUIDs, 2.25 (PS3.5 B.2)."""
        return UID(f"2.25.{uuid.UUID(bytes=self._digest('uid', uid)[:16], version=4).int}")

    def _digest(self, *what: str) -> bytes:
        return hmac.new(self.secret, "\0".join(what).encode(), hashlib.sha256).digest()


def read_key(path: Path) -> Key:
    """The key that a file holds; a new one, written there for its owner alone, if there is none.

    Raises:
        KeyFileError: the file holds something else, or cannot be read or written.
    """
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return _written(path)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path) from error
    if not re.fullmatch(r"[0-9a-f]{64}\n?", text):
        raise _unreadable(path)
    return Key(bytes.fromhex(text.strip()))


def _written(path: Path) -> Key:
    key = Key.made()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{key.secret.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror or error}.") from error
    return key


def _unreadable(path: Path) -> KeyFileError:
    return KeyFileError(
        f"{path} is no key of mri-resorb (64 hexadecimal digits); give the file that an earlier "
        "de-identification left, or a name where there is none yet."
    )
