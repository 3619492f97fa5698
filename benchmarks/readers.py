"""Real discs: our fragment against that of the expert masks, and against the radiologist's grades.

    python -m benchmarks.readers --data SPIDER_FOLDER [--fold N ANATOMY CLOSE_UP] ...

Every disc between two labelled bodies, of patients that neither network has seen; without --fold,
the validation patients and the shipped weights. The same definition on both anatomies gives volume
and AP extent, within the slab, whether a study would be refused for it or not; how often the
experts' volume lies in our interval is counted. How well the figures tell the discs graded
herniated from the others is the area under the ROC curve, its interval from a bootstrap over
patients.
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
from benchmarks.implanted import fragment_alone
from mri_resorb.cohort.agreement import bland_altman, intraclass_correlations
from mri_resorb.errors import InputError
from mri_resorb.measure.boundary import PosteriorBoundary, frame_at_posterior_margin
from mri_resorb.measure.material import hardly_herniated
from mri_resorb.measure.uncertainty import volume_error, volume_estimate
from mri_resorb.model import Anatomy, DiscFrame, Estimate
from mri_resorb.segment import close_up, network
from mri_resorb.segment.discs import Disc, find_discs, without_other_discs
from training.patients import fold

SAME_DISC_MM = 8.0
"""Two outlines of one disc have their centres nearer than this."""
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class Extent:
    """What lies behind the posterior boundary of one disc, within the slab.

    Attributes:
        volume_cm3: of the fragment; 0 where nothing reaches more than 2.5 mm back.
        low_cm3, high_cm3: the interval that a report would give it.
        parts: its standard deviations by name, cm3.
        ap_mm: how far disc material reaches behind the boundary.
    """

    volume_cm3: float
    low_cm3: float
    high_cm3: float
    parts: dict[str, float]
    ap_mm: float


@dataclass(frozen=True)
class Row:
    """One disc; `ours` is None where the networks' outline gives no disc or boundary there."""

    patient: str
    disc: int
    herniation: bool
    bulging: bool
    expert: Extent
    ours: Extent | None

    @property
    def inside(self) -> bool | None:
        """Whether the experts' volume lies in the interval of ours."""
        if self.ours is None:
            return None
        return self.ours.low_cm3 <= self.expert.volume_cm3 <= self.ours.high_cm3


@dataclass(frozen=True)
class Weights:
    """A fold's, of both networks."""

    fold: int
    anatomy: Path
    close_up: Path


def rows(data: Path, given: Sequence[Weights]) -> list[Row]:
    """Every graded disc of the folds' patients that the expert masks give a boundary to."""
    closer = {name: weights.close_up for weights in given for name in fold(weights.fold)}
    unseen = bodies(data, [LeftOut(weights.fold, weights.anatomy) for weights in given])
    found = []
    for body in track(unseen, total=len(closer), description="Patients"):
        name = body.patient.patient
        found += _of_patient(body, closer[name], grades=_grades(data, name))
    return found


def _of_patient(body: Body, closer: Path, *, grades: dict[int, dict[str, str]]) -> list[Row]:
    ours = outlined(body.image, body.weights).anatomy
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
                ours=extent(ours, same, image=body.image, closer=closer) if same else None,
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


def extent(
    anatomy: Anatomy, disc: Disc, *, image: sitk.Image | None = None, closer: Path | None = None
) -> Extent | None:
    """Volume and reach behind the boundary, one date by itself; None without a boundary.

    Args:
        image, closer: for a closer look, the intensities and the second network's weights.
    """
    placed = _placed(without_other_discs(anatomy, disc), disc.frame)
    if placed and image and closer:
        seen = close_up.look_closely(anatomy, image=image, frame=placed[1], weights=closer)
        placed = _placed(without_other_discs(seen, disc), disc.frame)
    if placed is None:
        return None
    alone, frame, boundary = placed
    material, filled = fragment_alone(anatomy=alone, frame=frame, boundary=boundary)
    error = volume_error(
        filled,
        boundary_disagreement_mm=None,
        absent=not material.is_herniated,
        nothing_measured=not material.is_herniated,
        almost_herniated_cm3=material.almost_herniated_cm3(material.footprint),
        hardly_herniated_part=material.part_behind(
            hardly_herniated(material.footprint, material.reach_mm), of=material.footprint
        ),
    )
    volume = volume_estimate(filled.volume_cm3, error)
    return Extent(
        volume_cm3=volume.value if material.is_herniated else 0.0,
        low_cm3=volume.low,
        high_cm3=volume.high,
        parts=dict(volume.parts),
        ap_mm=max(float(material.reach_mm.max()), material.detached_reach_mm),
    )


def _placed(
    alone: Anatomy, frame: DiscFrame
) -> tuple[Anatomy, DiscFrame, PosteriorBoundary] | None:
    try:
        return alone, *frame_at_posterior_margin(anatomy=alone, frame=frame)
    except InputError:
        return None


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
        "experts' volume in our interval": _coverage(seen),
        "the same, herniated by the experts or by us": _coverage(
            [row for row in seen if row.expert.volume_cm3 or (row.ours and row.ours.volume_cm3)]
        ),
        "the same, lowest disc": _coverage([row for row in seen if row.disc == 1]),
        "AUC of our AP": _auc(found, lambda row: row.ours.ap_mm if row.ours else 0.0),
        "AUC of our volume": _auc(found, lambda row: row.ours.volume_cm3 if row.ours else 0.0),
        "AUC of the experts' AP": _auc(found, lambda row: row.expert.ap_mm),
        "AUC of the experts' volume": _auc(found, lambda row: row.expert.volume_cm3),
    }


def _coverage(found: Sequence[Row]) -> str:
    return f"{sum(row.inside is True for row in found)} of {len(found)}"


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
    parser.add_argument("--fold", nargs=3, action="append", metavar=("N", "ANATOMY", "CLOSE_UP"))
    parser.add_argument("--output", type=Path, default=Path("results/readers.json"))
    chosen = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    given = chosen.fold or [("1", network.WEIGHTS, close_up.WEIGHTS)]
    found = rows(
        chosen.data, [Weights(int(n), Path(first), Path(then)) for n, first, then in given]
    )
    words = figures(found)
    print(json.dumps(words, indent=1))
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(
        json.dumps({"figures": words, "discs": [asdict(row) for row in found]}, indent=1)
    )


if __name__ == "__main__":
    main()
