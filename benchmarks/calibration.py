"""How large the errors really are, on training patients: what the interval's constants come from.

    python -m benchmarks.calibration --data SPIDER_FOLDER [--pairs 40]

Herniations of the scoring family are implanted in training patients (never in validation ones),
both dates measured, and each figure's error is divided by the standard deviation that
`mri_resorb.measure.uncertainty` gives it. Where the 95th percentile of that ratio is 1.96, the
intervals hold what they promise.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.pairs import KINDS, again, implanted_pair, row
from mri_resorb.case import compare
from mri_resorb.errors import NotLumbarSpineError
from mri_resorb.model import Scan
from training.patients import read_patient, validation_patients

SLICES_MM = (0.9, 3.0, 4.0)
LEFT_OUT = ("22", "52", "107", "162", "152", "241")
"""Slabs of less than 17 slices, into which nothing fits, and doubtful disc numbers."""


def normal_discs(data: Path) -> list[tuple[str, int]]:
    """Training patients' lumbar discs graded neither bulging nor herniated, from the lowest up.

    A disc that bulges as it is reaches the outermost slices of these narrow slabs, and is refused.
    """
    kept_out = {*validation_patients(), *LEFT_OUT}
    with (data / "radiological_gradings.csv").open() as file:
        return [
            (row["Patient"], int(row["IVD label"]) - 1)
            for row in csv.DictReader(file)
            if row["Patient"] not in kept_out
            and int(row["IVD label"]) <= 5
            and row["Disc herniation"] == row["Disc bulging"] == "0"
        ]


def main() -> None:
    """Make the pairs, measure them, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--first", type=int, default=0, help="number of the first pair")
    parser.add_argument("--output", type=Path, default=Path("results/calibration.json"))
    chosen = parser.parse_args()
    discs = normal_discs(chosen.data)
    found = []
    for number in range(chosen.first, chosen.first + chosen.pairs):
        patient, index = discs[number * 7 % len(discs)]
        labelled = read_patient(chosen.data, patient)
        try:
            pair = implanted_pair(labelled, index=index, kind=KINDS[number % 3], seed=1000 + number)
        except NotLumbarSpineError:  # no boundary at this disc
            continue
        slice_mm = SLICES_MM[number % len(SLICES_MM)]
        case = compare(
            Scan(sitk.Cast(pair.baseline, sitk.sitkFloat32), "PIL"),
            Scan(again(pair, slice_mm=slice_mm), "PIL"),
            level=pair.level,
            disc_at=pair.disc_at,
        )
        line = row(pair, case)
        ratios = {}
        for name, truth, point in (
            ("v0", line.truth_v0, case.baseline),
            ("v1", line.truth_v1, case.follow_up),
        ):
            if point.fragment:
                volume = point.fragment.volume_cm3
                sd = float(np.sqrt(sum(part**2 for part in volume.parts.values())))
                ratios[name] = (volume.value - truth) / sd
                ratios[f"{name}_parts"] = dict(volume.parts)
                ratios[f"{name}_cm3"] = [truth, volume.value]
        if line.percent:
            value, low, high = line.percent
            side = high - value if line.truth_percent > value else value - low
            ratios["percent"] = 1.96 * (line.truth_percent - value) / max(side, 1e-6)
        known = {"name": line.name, "slice_mm": slice_mm, "status": line.status}
        found.append({**known, "reasons": line.reasons, **ratios})
        print(found[-1], flush=True)
    for name in ("v0", "v1", "percent"):
        ratios = np.array([f[name] for f in found if name in f])
        print(
            f"{name}: {len(ratios)} figures, mean {ratios.mean():+.2f}, sd {ratios.std():.2f}, "
            f"95th percentile of the size {np.percentile(abs(ratios), 95):.2f} (aim 1.96)"
        )
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
