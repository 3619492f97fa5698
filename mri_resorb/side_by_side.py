"""Does the same to every date of a case, side by side on the machine's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

THREADS = 2
"""As many as a case usually has dates; the array libraries let go of the interpreter's lock."""

THREADS_VARIABLE = "MRI_RESORB_THREADS"
"""Environment variable that overrules it: 1 where other cases keep the cores busy."""


def for_each_date(function: Callable[..., Result], *arguments: Iterable[Any]) -> list[Result]:
    """`function` called with the first of each of the arguments, the second and so on.

    Raises what the first call that fails raises.
    """
    count = int(os.environ.get(THREADS_VARIABLE, THREADS))
    with ThreadPoolExecutor(max_workers=count) as threads:
        return list(threads.map(function, *arguments))
