"""How well the anatomy is found on patients that the weights have not seen.

    python -m benchmarks.anatomy --data SPIDER_FOLDER
    python -m benchmarks.anatomy --data SPIDER_FOLDER \\
        --fold 1 --weights mri_resorb/segment/weights/anatomy.onnx \\
        --fold 2 --weights fold2.onnx --fold 3 --weights fold3.onnx

Each fold of `training/folds.txt` is measured with the weights that were trained without it; without
these options, the first with the shipped weights. Tables are printed, figures go to JSON, pictures
into a folder. `--part` does some of it alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from benchmarks.anatomy import corners, cost, levels, outlines, reliability, robustness, worst
from benchmarks.anatomy.unseen import Body, LeftOut, bodies
from mri_resorb.segment.network import WEIGHTS

MEASURES: dict[str, Callable[[Body], Any]] = {
    "outlines": outlines.score_outlines,
    "levels": levels.name_levels,
    "corners": corners.measure_corners,
    "reliability": reliability.measure_reliability,
    "worst": worst.cases_of,
    "robustness": robustness.measure_robustness,
}
PARTS = (*MEASURES, "cost")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fold", type=int, action="append", choices=(1, 2, 3))
    parser.add_argument("--weights", type=Path, action="append", help="of the --fold before it")
    parser.add_argument("--output", type=Path, default=Path("results/anatomy"))
    parser.add_argument("--pictures", type=Path, default=Path("docs/anatomy"))
    parser.add_argument("--part", choices=PARTS, action="append")
    chosen = parser.parse_args()
    folds, weights = chosen.fold or [1], chosen.weights or [WEIGHTS]
    if len(folds) != len(weights):
        parser.error("give --weights once for each --fold")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    for folder in (chosen.output, chosen.pictures):
        folder.mkdir(parents=True, exist_ok=True)
    asked = chosen.part or PARTS
    measured: dict[str, list[Any]] = {part: [] for part in asked if part in MEASURES}
    left_out = [LeftOut(*one) for one in zip(folds, weights, strict=True)]
    for body in bodies(chosen.data, left_out) if measured else ():
        for part, of_patients in measured.items():
            of_patients.append(MEASURES[part](body))
        print(body.patient.patient, flush=True)
    for part in asked:
        of_patients = measured.get(part, [])
        text, document = report(part, of_patients, chosen.data, chosen.pictures)
        print(f"\n{part}, {len(of_patients)} patients\n\n{text}\n", flush=True)
        (chosen.output / f"{part}.json").write_text(json.dumps(document, indent=1) + "\n")


def report(part: str, of_patients: Sequence[Any], data: Path, pictures: Path) -> tuple[str, object]:
    """A part's table and what goes to JSON; its pictures are drawn."""
    if part == "cost":
        measured = cost.measure_cost(data)
        return json.dumps(measured), measured
    if part == "reliability":
        sums = reliability.added(of_patients)
        reliability.draw(sums, pictures / "reliability.png")
        return reliability.table(sums), reliability.document(sums)
    rows = [row for of_patient in of_patients for row in of_patient]
    if part == "worst":
        cases = worst.worst_cases(rows)
        for number, case in enumerate(cases, start=1):
            worst.draw(case, pictures / f"worst-{number:02d}.png")
        told = [worst.caption(case) for case in cases]
        return "\n".join(str(one) for one in told), told
    if part == "robustness":
        robustness.draw(rows, pictures / "degradations.png")
    tables: dict[str, Callable[[Sequence[Any]], str]] = {
        "outlines": outlines.table,
        "levels": levels.table,
        "corners": lambda errors: corners.table(errors, corners.readings_apart_mm(data)),
        "robustness": robustness.table,
    }
    return tables[part](rows), [asdict(row) for row in rows]


if __name__ == "__main__":
    main()
