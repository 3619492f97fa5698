"""All pairs made and measured, in several processes.

In a module of its own: a spawned process does not find what stands in a package's `__main__`.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from rich.progress import track

from benchmarks.accuracy.implants import implant_scene
from benchmarks.accuracy.measure import Row, measure
from benchmarks.accuracy.phantoms import phantom_scene
from benchmarks.accuracy.scenes import Side, is_kept, load, save, scene_name
from mri_resorb.segment.close_up import WEIGHTS as CLOSE_UP_WEIGHTS
from mri_resorb.segment.network import WEIGHTS
from mri_resorb.side_by_side import THREADS_VARIABLE

LEVELS_A_PHANTOM = 5


def accuracy(
    *,
    pairs: int,
    side: Side,
    data: Path,
    cache: Path,
    processes: int,
    weights: Path = WEIGHTS,
    close_up_weights: Path = CLOSE_UP_WEIGHTS,
) -> list[Row]:
    """Half of the pairs from implants, the others from phantoms.

    Fewer than asked for where levels of a phantom are left out (`phantom_scene`).
    """
    phantoms = -(-pairs // 2 // LEVELS_A_PHANTOM)
    names = [
        *(scene_name(side, "phantom", number) for number in range(phantoms)),
        *(scene_name(side, "implant", number) for number in range(pairs // 2)),
    ]
    _in_processes(partial(make, data=data, cache=cache), names, processes, "Making the scans")
    measuring = partial(measured, cache=cache, weights=weights, close_up_weights=close_up_weights)
    found = _in_processes(measuring, names, processes, "Measuring")
    return [row for rows in found for row in rows]


def make(name: str, *, data: Path, cache: Path) -> None:
    """Make a scene, unless it is kept."""
    if is_kept(name, cache):
        return
    word, family, number = name.split("-")
    side = cast(Side, word)
    if family == "implant":
        save(implant_scene(int(number), side=side, data=data), cache)
    else:
        save(phantom_scene(int(number), side=side), cache)


def measured(name: str, *, cache: Path, weights: Path, close_up_weights: Path) -> list[Row]:
    """The rows of a kept scene."""
    return measure(load(name, cache), weights=weights, close_up_weights=close_up_weights)


def _in_processes(
    function: Callable[[str], Any], names: Sequence[str], processes: int, words: str
) -> list[Any]:
    os.environ.update({THREADS_VARIABLE: "1", "OMP_NUM_THREADS": "1"})
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return list(track(pool.imap(function, names), total=len(names), description=words))
