"""Real herniations of every patient, measured with weights that have not seen that patient.

    python -m benchmarks.unseen_pairs --data SPIDER_FOLDER --fold N ANATOMY CLOSE_UP [--fold ...]

Every disc that the experts' outlines show to be herniated by the definition, and not to reach the
slab's outermost slices: as it is, against the same with the herniation as it was, shrunk to a half
and gone, in a new pose and 4 mm slices, through DICOM (see `benchmarks.pairs`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from rich.progress import track

from benchmarks.anatomy.unseen import outlined
from benchmarks.implanted import fragment_alone, site
from benchmarks.pairs import LEVELS, Pair, Row, row, shrunk_pairs, table, write
from benchmarks.readers import Weights
from mri_resorb.comparison import compared
from mri_resorb.errors import GeometryError, InputError
from mri_resorb.io.studies import read_pair
from mri_resorb.measure.dates import measure_dates
from mri_resorb.measure.shared_frame import place_closely, share_frame
from mri_resorb.model import CaseResult, StudyInput
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.levels import locate_pair
from training.patients import LabelledVolume, anatomy_of_labels, fold, read_patient


def pairs(labelled: LabelledVolume) -> Iterator[Pair]:
    """Those of one patient, from the lowest disc up."""
    count = min(len(find_discs(anatomy_of_labels(labelled))), len(LEVELS))
    for index in range(count):
        if is_within(labelled, index=index):
            yield from shrunk_pairs(labelled, index=index)


def is_within(labelled: LabelledVolume, *, index: int) -> bool:
    """The experts' outlines show a herniation that does not reach the outermost slices."""
    try:
        anatomy, frame, boundary = site(labelled, index)
    except InputError:
        return False
    material, filled = fragment_alone(anatomy=anatomy, frame=frame, boundary=boundary)
    return material.is_herniated and not filled.touches_edge


def measure(pair: Pair, *, folder: Path, weights: Weights) -> CaseResult:
    """The main job from DICOM on, with other weights."""
    write(pair, folder=folder)
    scans = read_pair(StudyInput(folder / "baseline"), StudyInput(folder / "follow_up"))
    anatomies = [outlined(scan.image, weights.anatomy).anatomy for scan in scans]
    first, second = (find_discs(anatomy) for anatomy in anatomies)
    located = locate_pair(first, second, level=pair.level, disc_at_mm=pair.disc_at)
    dates = [
        place_closely(*of, weights=weights.close_up)
        for of in zip(scans, anatomies, located, strict=True)
    ]
    points, errors = measure_dates(*share_frame(*dates))
    return compared(pair.level, points[0], points[1], errors=(errors[0], errors[1]))


def main() -> None:
    """Read the command line, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--fold", nargs=3, action="append", required=True, metavar=("N", "ANATOMY", "CLOSE_UP")
    )
    parser.add_argument("--output", type=Path, default=Path("results/unseen-pairs.json"))
    chosen = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    rows: list[Row] = []
    unread = 0  # slabs so narrow that 4 mm slices leave but two
    for number, anatomy, closer in chosen.fold:
        weights = Weights(int(number), Path(anatomy), Path(closer))
        for name in track(sorted(fold(weights.fold), key=int), description=f"Fold {number}"):
            for pair in pairs(read_patient(chosen.data, name)):
                with tempfile.TemporaryDirectory() as folder:
                    try:
                        case = measure(pair, folder=Path(folder), weights=weights)
                    except GeometryError:
                        unread += 1
                        continue
                rows.append(row(pair, case))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    print(table(rows))
    measured = [one for one in rows if one.v0 and one.v1]
    print(f"pairs {len(rows)}, measured or absent at both dates {len(measured)}")
    print(f"not read, since 4 mm slices leave but two of the slab: {unread}")
    for verdict in ("decreased", "increased", "no_change_beyond_error"):
        unchanged = [one for one in measured if one.name.endswith("real-100")]
        print(f"no true change, {verdict}:", sum(one.verdict == verdict for one in unchanged))
    widths = [one.v0[2] - one.v0[1] for one in measured if one.v0]
    print("median width of V0's interval, cm3:", round(float(np.median(widths)), 2))


if __name__ == "__main__":
    main()
