"""One pair from files to report: seconds and peak memory.

    python -m benchmarks.speed BASELINE FOLLOW_UP --level L4-L5 [--runs 5]

Each run is a whole process, `mri-resorb run`, timed from outside.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def whole_runs(arguments: list[str], *, runs: int) -> list[float]:
    """Wall seconds of each of several runs of the command line, after one warm-up."""
    seconds = []
    for _ in range(runs + 1):
        with tempfile.TemporaryDirectory() as output:
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "mri_resorb.cli", "run", *arguments, "--output", output],
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            seconds.append(time.perf_counter() - began)
    return seconds[1:]


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("baseline", type=Path)
    parser.add_argument("follow_up", type=Path)
    parser.add_argument("--level", required=True)
    parser.add_argument("--disc-at")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("results/speed.json"))
    chosen = parser.parse_args()
    arguments = [str(chosen.baseline), str(chosen.follow_up), "--level", chosen.level]
    if chosen.disc_at:
        arguments += ["--disc-at", chosen.disc_at]
    seconds = whole_runs(arguments, runs=chosen.runs)
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"cores {os.cpu_count()}")
    print(f"seconds, median of {len(seconds)}: {statistics.median(seconds):.2f}")
    print(f"seconds, least and most: {min(seconds):.2f} {max(seconds):.2f}")
    print(f"peak memory, MB: {peak_mb:.0f}")
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    figures = {"seconds": seconds, "peak_mb": peak_mb, "cores": os.cpu_count()}
    chosen.output.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
