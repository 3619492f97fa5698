"""Try every hostile input and print `docs/hostile-inputs.md`.

python benchmarks/hostile_inputs.py > docs/hostile-inputs.md
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from hostile_inputs import all_inputs, outcome, table_row

INTRODUCTION = """\
# Hostile inputs

What the user gets for input that is broken, ambiguous or meant to do harm. Printed by
`python benchmarks/hostile_inputs.py`; `tests/io/test_hostile_inputs.py` tries the same, and damages
files at random besides. An error ends the run with exit code 1 and this one line; what is read
with a warning carries it into the result.

| input | what the user gets |
| --- | --- |"""


def main() -> None:
    """Run the table."""
    print(INTRODUCTION)
    for case in all_inputs():
        with TemporaryDirectory() as folder:
            print(table_row(case, outcome(case, Path(folder))))


if __name__ == "__main__":
    main()
