"""Damaged DICOM through the service's reception: what becomes of it, and what memory it takes.

    python -m benchmarks.fuzz [--count 100000] [--seed 100]

`tests/service/test_fuzz.py` does the same with fewer; a file that leads to anything but "kept" or
"refused" is written to `results/fuzz/`.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mutations import mutated

from mri_resorb.errors import RefusedInstanceError
from mri_resorb.service.reception import receive
from mri_resorb.service.store import open_store


def main() -> None:
    """Send, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--output", type=Path, default=Path("results/fuzz"))
    chosen = parser.parse_args()
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "service")
        for number, content in enumerate(mutated(chosen.count, seed=chosen.seed)):
            try:
                taken = receive(store, content, sender="FUZZ", origin="received")
                outcomes["kept" if taken.new else "there already"] += 1
            except RefusedInstanceError as error:
                outcomes[f"refused: {error}"] += 1
            except Exception as error:
                outcomes[f"FAULT: {type(error).__name__}"] += 1
                chosen.output.mkdir(parents=True, exist_ok=True)
                (chosen.output / f"{chosen.seed}-{number}.dcm").write_bytes(content)
        store.close()
    for outcome, count in outcomes.most_common():
        print(f"{count:8d}  {outcome}")
    print(f"peak memory, MB: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")


if __name__ == "__main__":
    main()
