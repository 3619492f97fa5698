"""Real discs: our fragment against that of the expert masks, and against the radiologist's grades.

    python -m benchmarks.readers --data SPIDER_FOLDER [--fold N WEIGHTS] ...

Every disc between two labelled bodies, of patients that the weights have not seen; without --fold,
the validation patients and the shipped weights. The same definition on both anatomies gives volume
and AP extent; how well these tell the discs graded herniated from the others is the area under
the ROC curve, its interval from a bootstrap over patients.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from rich.progress import track
from scipy import stats

from benchmarks.anatomy.unseen import Body, LeftOut, bodies, outlined
from mri_resorb.cohort.agreement import bland_altman, intraclass_correlations
from mri_resorb.errors import InputError
from mri_resorb.measure.boundary import frame_at_posterior_margin
from mri_resorb.measure.fragment import fill, find_material
from mri_resorb.model import Anatomy, Estimate
from mri_resorb.segment.discs import Disc, find_discs, without_other_discs
from mri_resorb.segment.network import WEIGHTS
from training.patients import fold

SAME_DISC_MM = 8.0
"""Two outlines of one disc have their centres nearer than this."""
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Extent:
    """What lies behind the posterior boundary of one disc, within the slab.

    Attributes:
        volume_cm3: of the fragment; 0 where nothing reaches more than 2.5 mm back.
        ap_mm: how far disc material reaches behind the boundary.
    """

    volume_cm3: float
    ap_mm: float


@dataclass(frozen=True)
class Row:
    """One disc; `ours` is None where the network's outline gives no disc or boundary there."""

    patient: str
    disc: int
    herniation: bool
    bulging: bool
    expert: Extent
    ours: Extent | None


def rows(data: Path, left_out: Sequence[LeftOut]) -> list[Row]:
    """Every graded disc of the folds' patients that the expert masks give a boundary to."""
    patients = sum(len(fold(one.fold)) for one in left_out)
    found = []
    for body in track(bodies(data, left_out), total=patients, description="Patients"):
        ours = outlined(body.image, body.weights).anatomy
        found += _of_patient(body, ours, grades=_grades(data, body.patient.patient))
    return found


def _of_patient(body: Body, ours: Anatomy, *, grades: dict[int, dict[str, str]]) -> list[Row]:
    found, own = [], find_discs(ours)
    for number, disc in enumerate(find_discs(body.truth), start=1):
        expert = extent(body.truth, disc)
        if number not in grades or expert is None:
            continue
        same = _same_disc(own, disc)
        found.append(
            Row(
                patient=body.patient.patient,
                disc=number,
                herniation=grades[number]["Disc herniation"] == "1",
                bulging=grades[number]["Disc bulging"] == "1",
                expert=expert,
                ours=extent(ours, same) if same else None,
            )
        )
    return found


def _grades(data: Path, patient: str) -> dict[int, dict[str, str]]:
    """The radiologist's grades by disc, from the lowest up."""
    with (data / "radiological_gradings.csv").open() as file:
        return {
            int(row["IVD label"]): row for row in csv.DictReader(file) if row["Patient"] == patient
        }


def _same_disc(discs: Sequence[Disc], disc: Disc) -> Disc | None:
    def away_mm(other: Disc) -> float:
        return float(np.linalg.norm(np.subtract(other.centre_mm, disc.centre_mm)))

    nearest = min(discs, key=away_mm, default=None)
    return nearest if nearest and away_mm(nearest) < SAME_DISC_MM else None


def extent(anatomy: Anatomy, disc: Disc) -> Extent | None:
    """Volume and reach behind the boundary, one date by itself; None without a boundary."""
    alone = without_other_discs(anatomy, disc)
    try:
        frame, boundary = frame_at_posterior_margin(anatomy=alone, frame=disc.frame)
    except InputError:
        return None
    material = find_material(anatomy=alone, frame=frame, boundary=boundary)
    reach_mm = max(float(material.reach_mm.max()), material.detached_reach_mm)
    if not material.is_herniated:
        return Extent(0.0, reach_mm)
    filled = fill(
        anatomy=alone,
        frame=frame,
        boundary=boundary,
        material=material,
        footprint=material.footprint,
    )
    return Extent(filled.volume_cm3, reach_mm)


def figures(found: Sequence[Row]) -> dict[str, Any]:
    """Agreement with the experts' outlines, and areas under the ROC curve."""
    seen = [row for row in found if row.ours]
    graded = [row for row in found if row.herniation]
    return {
        "patients": len({row.patient for row in found}),
        "discs": len(found),
        "graded herniated": len(graded),
        "no outline or boundary of ours": len(found) - len(seen),
        "volume, cm3": _agreement(
            [row.ours.volume_cm3 for row in seen if row.ours],
            [row.expert.volume_cm3 for row in seen],
        ),
        "AP, mm": _agreement(
            [row.ours.ap_mm for row in seen if row.ours], [row.expert.ap_mm for row in seen]
        ),
        "AUC of our AP": _auc(found, lambda row: row.ours.ap_mm if row.ours else 0.0),
        "AUC of our volume": _auc(found, lambda row: row.ours.volume_cm3 if row.ours else 0.0),
        "AUC of the experts' AP": _auc(found, lambda row: row.expert.ap_mm),
        "AUC of the experts' volume": _auc(found, lambda row: row.expert.volume_cm3),
    }


def _agreement(ours: list[float], expert: list[float]) -> dict[str, Any]:
    agreement = bland_altman(ours, expert)
    icc = intraclass_correlations(np.column_stack([ours, expert]))
    return {
        "ICC(A,1)": _rounded(icc[0]) if icc else None,
        "bias": _rounded(agreement.bias),
        "limits": [round(agreement.lower_limit.value, 3), round(agreement.upper_limit.value, 3)],
    }


def _rounded(estimate: Estimate) -> list[float]:
    return [round(value, 3) for value in (estimate.value, estimate.low, estimate.high)]


def _auc(found: Sequence[Row], score: Any) -> list[float] | None:
    """Area under the ROC curve with its 95 % interval; discs of a patient stay together."""
    herniated = np.array([row.herniation for row in found])
    scores = np.array([score(row) for row in found])
    if herniated.all() or not herniated.any():
        return None
    patients = sorted({row.patient for row in found})
    members = [np.flatnonzero([row.patient == name for row in found]) for name in patients]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(BOOTSTRAPS):
        chosen = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        if herniated[chosen].any() and not herniated[chosen].all():
            drawn.append(_area(scores[chosen], herniated[chosen]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return [round(float(value), 3) for value in (_area(scores, herniated), low, high)]


def _area(scores: np.ndarray, herniated: np.ndarray) -> float:
    """Mann-Whitney's U over the product of the group sizes."""
    u = stats.mannwhitneyu(scores[herniated], scores[~herniated]).statistic
    return float(u) / float(herniated.sum() * (~herniated).sum())


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fold", nargs=2, action="append", metavar=("N", "WEIGHTS"))
    parser.add_argument("--output", type=Path, default=Path("results/readers.json"))
    chosen = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    given = chosen.fold or [("1", WEIGHTS)]
    found = rows(chosen.data, [LeftOut(int(number), Path(weights)) for number, weights in given])
    words = figures(found)
    print(json.dumps(words, indent=1))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(
        json.dumps({"figures": words, "discs": [asdict(row) for row in found]}, indent=1)
    )


if __name__ == "__main__":
    main()
