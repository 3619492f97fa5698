"""Values of DICOM attributes, where malformed ones count as missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydicom.dataset import Dataset


def text_of(dataset: Dataset, keyword: str) -> str:
    """An attribute as text without padding, "" where missing."""
    return str(dataset.get(keyword) or "").strip(" \0")


def plain_values(dataset: Dataset) -> dict[str, Any]:
    """Attributes by keyword; sequences, and what is empty or cannot be read, left out."""
    values = {}
    tags = dataset.keys()  # iterating over the dataset itself would convert, and stop at, values
    for tag in tags:
        try:
            element = dataset[tag]
        except Exception:  # pydicom's converters raise whatever a malformed value leads them to
            continue
        if element.VR != "SQ" and element.value is not None and element.value != "":
            values[element.keyword] = element.value
    return values


def group_values(groups: Dataset) -> dict[str, Any]:
    """Attributes of all functional groups of a frame."""
    values = {}
    for group in groups:
        if group.VR == "SQ" and len(group.value):
            values.update(plain_values(group.value[0]))
    return values


@dataclass(frozen=True)
class Values:
    """Attributes by keyword, read as one type or another; None where missing or malformed."""

    by_keyword: Mapping[str, Any]

    def text(self, keyword: str) -> str:
        """Without padding; "" where missing."""
        return str(self.by_keyword.get(keyword, "")).strip(" \0")

    def number(self, keyword: str) -> float | None:
        """A finite number; the first of several."""
        found = self.by_keyword.get(keyword)
        if isinstance(found, Sequence) and not isinstance(found, str):
            found = found[0] if len(found) else None
        return _number(found)

    def numbers(self, keyword: str, *, count: int) -> tuple[float, ...] | None:
        """Exactly `count` finite numbers."""
        found = self.by_keyword.get(keyword)
        if not isinstance(found, Sequence) or len(found) != count:
            return None
        values = tuple(number for value in found if (number := _number(value)) is not None)
        return values if len(values) == count else None

    def words(self, *keywords: str) -> frozenset[str]:
        """All values of these attributes, upper case."""
        words = set()
        for keyword in keywords:
            found = self.by_keyword.get(keyword, ())
            parts = [found] if isinstance(found, str) else found
            words |= {str(part).strip().upper() for part in parts}
        return frozenset(words)

    def date(self, keyword: str) -> date | None:
        """YYYYMMDD..., or the YYYY.MM.DD and YYYY-MM-DD of old files."""
        text = self.text(keyword).replace(".", "").replace("-", "")[:8]
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:])) if text.isdigit() else None
        except ValueError:
            return None


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
