"""The font of pictures and documents.

DejaVu Sans has the Cyrillic letters of Russian and Kazakh. It comes with matplotlib, which need not
be imported for it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def _matplotlib_fonts() -> Path:
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("matplotlib, whose fonts the reports use, is not installed")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


REGULAR = _matplotlib_fonts() / "DejaVuSans.ttf"
BOLD = _matplotlib_fonts() / "DejaVuSans-Bold.ttf"
