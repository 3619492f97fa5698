"""Make, measure, summarise; see the package."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from benchmarks.accuracy.all_pairs import accuracy
from benchmarks.accuracy.plots import plot
from benchmarks.accuracy.scenes import Side
from benchmarks.accuracy.summary import summarise
from benchmarks.accuracy.tables import aims, groups
from mri_resorb.segment.close_up import WEIGHTS as CLOSE_UP_WEIGHTS
from mri_resorb.segment.network import WEIGHTS


def main() -> None:
    """Read the command line, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--side", choices=get_args(Side), default="validation")
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="ONNX, not the shipped")
    parser.add_argument("--close-up", type=Path, default=CLOSE_UP_WEIGHTS, help="the same")
    parser.add_argument("--cache", type=Path, default=Path("results/accuracy-scans"))
    parser.add_argument("--output", type=Path, default=Path("results"))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    rows = accuracy(
        pairs=chosen.pairs,
        side=chosen.side,
        data=chosen.data,
        cache=chosen.cache,
        processes=chosen.processes,
        weights=chosen.weights,
        close_up_weights=chosen.close_up,
    )
    figures = summarise(rows)
    print(json.dumps(figures["all"], indent=1))
    print(aims(rows))
    print(groups(figures))
    chosen.output.mkdir(parents=True, exist_ok=True)
    words = {"figures": figures, "rows": [asdict(row) for row in rows]}
    (chosen.output / f"accuracy-{chosen.side}.json").write_text(json.dumps(words, indent=1))
    plot(rows, chosen.output / f"accuracy-{chosen.side}.png")


if __name__ == "__main__":
    main()
