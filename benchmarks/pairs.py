"""Pairs with known truth from real validation patients, measured through files.

    python -m benchmarks.pairs --data SPIDER_FOLDER [--output FILE] [--patients 146 209]

Three kinds: *real* herniations, drawn by experts, whose follow-up is the same volume with the
herniation shrunk by a known amount, or as it is; *implanted* ones of known volume (of another
shape family than the training's); and *unchanged* ones, implanted or as the patient is, measured
against themselves and against a copy in a new pose. Every other follow-up lies in a new pose too
and is resliced to 4 mm slices; both dates go through DICOM. Truth is the definition applied to the
expert labels on the original fine grid.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from benchmarks.implanted import (
    image_like,
    inside_disc,
    only_disc,
    room_mm,
    site,
    truth_cm3,
    with_fragment,
)
from benchmarks.scoring_herniations import Kind, draw_layers, draw_tube
from mri_resorb import follow_up
from mri_resorb.measure.material import find_material
from mri_resorb.model import CaseResult, Level, Patient, Point
from mri_resorb.simulate.dicom_series import write_dicom_series
from mri_resorb.simulate.implant import implant_herniation
from mri_resorb.simulate.reslice import Pose, reslice, with_rician_noise
from mri_resorb.simulate.shrink import shrink_herniation
from training.patients import (
    LabelledVolume,
    labelled_scan,
    local_intensities,
    read_patient,
)

LEVELS = list(reversed(Level))
REAL = (
    *(("146", 1), ("209", 0), ("78", 0), ("209", 1)),
    *(("146", 2), ("146", 0), ("5", 2), ("69", 0), ("69", 2), ("78", 1), ("177", 0), ("177", 2)),
)
"""Validation patients' discs from the lowest up: the graded herniations between two labelled bodies
first, then those graded bulging that the expert masks show to be herniated by the definition."""
IMPLANTED = tuple(
    2 * [("5", 3), ("5", 4), ("35", 4), ("69", 4), ("78", 3), ("78", 4), ("146", 3), ("209", 4)]
)
"""Their discs that neither bulge nor are herniated; twice each."""
KINDS: tuple[Kind, ...] = ("protrusion", "extrusion", "sequestration")
UNCHANGED = (
    *(("5", 3), ("35", 4), ("50", 3), ("69", 4), ("78", 3), ("146", 3), ("177", 3), ("209", 4)),
)
"""One disc of every validation patient."""
PARTS = (1.0, 0.5, 0.0)
THINNER_MM = (0.0, 0.8, 1.5)
FOLLOW_UP_SLICES_MM = 4.0
PERSON = Patient(id="VALIDATION", sex="F", age_years=50)


@dataclass(frozen=True)
class Pair:
    """Two volumes of one patient, and the truth."""

    name: str
    kind: str
    level: Level
    disc_at: Point
    baseline: sitk.Image
    follow_up: sitk.Image
    truth_cm3: tuple[float, float]


@dataclass(frozen=True)
class Row:
    """What came out of one pair."""

    name: str
    kind: str
    level: str
    truth_v0: float
    truth_v1: float
    truth_percent: float
    status: str
    reasons: str
    v0: tuple[float, float, float] | None
    v1: tuple[float, float, float] | None
    percent: tuple[float, float, float] | None
    verdict: str
    band: str | None

    def inside(self, figure: str) -> bool | None:
        """Whether the truth lies in the figure's interval."""
        interval = getattr(self, figure)
        if interval is None:
            return None
        return bool(interval[1] <= getattr(self, f"truth_{figure}") <= interval[2])


def real_pairs(data: Path, patients: set[str] | None) -> Iterator[Pair]:
    """Real herniations, shrunk."""
    for patient, index in REAL:
        if patients and patient not in patients:
            continue
        yield from shrunk_pairs(read_patient(data, patient), index=index)


def shrunk_pairs(labelled: LabelledVolume, *, index: int) -> Iterator[Pair]:
    """One disc, from the lowest up, with its herniation as it is, shrunk to a half and gone."""
    anatomy, frame, boundary = site(labelled, index)
    material = find_material(anatomy=anatomy, frame=frame, boundary=boundary)
    for part in PARTS:
        shrinking = shrink_herniation(frame=frame, boundary=boundary, material=material, part=part)
        shrunk = replace(
            anatomy,
            disc=shrinking.apply(anatomy.disc),
            canal=shrinking.apply(anatomy.canal),
        )
        yield Pair(
            name=f"{labelled.patient}-{LEVELS[index]}-real-{round(100 * part)}",
            kind="real",
            level=LEVELS[index],
            disc_at=inside_disc(frame),
            baseline=sitk.Cast(labelled.volume, sitk.sitkFloat32),
            follow_up=shrinking.apply(sitk.Cast(labelled.volume, sitk.sitkFloat32)),
            truth_cm3=truth_cm3((anatomy, shrunk), frame=frame, boundary=boundary),
        )


def implanted_pairs(data: Path, patients: set[str] | None) -> Iterator[Pair]:
    """Implanted herniations that lose a layer, vanish or stay."""
    for number, (patient, index) in enumerate(IMPLANTED):
        if patients and patient not in patients:
            continue
        yield implanted_pair(
            read_patient(data, patient), index=index, kind=KINDS[number % 3], seed=number
        )


def unchanged_pairs(data: Path, patients: set[str] | None) -> Iterator[Pair]:
    """Every validation patient twice: with an implanted herniation that stays, and as he is."""
    for number, (patient, index) in enumerate(UNCHANGED):
        if patients and patient not in patients:
            continue
        labelled = read_patient(data, patient)
        pair = implanted_pair(
            labelled, index=index, kind=KINDS[number % 3], seed=100 + number, thinner_mm=(0.0,)
        )
        yield replace(pair, kind="unchanged")
        anatomy, frame, boundary = site(labelled, index)
        image = sitk.Cast(labelled.volume, sitk.sitkFloat32)
        yield Pair(
            name=f"{patient}-{LEVELS[index]}-as-is",
            kind="unchanged",
            level=LEVELS[index],
            disc_at=inside_disc(frame),
            baseline=image,
            follow_up=image,
            truth_cm3=truth_cm3((anatomy, anatomy), frame=frame, boundary=boundary),
        )


def implanted_pair(
    labelled: LabelledVolume,
    *,
    index: int,
    kind: Kind,
    seed: int,
    thinner_mm: tuple[float, ...] = THINNER_MM,
) -> Pair:
    """A herniation behind one disc that has lost a layer all around by the follow-up.

    Args:
        index: of the disc, from the lowest up.
        thinner_mm: of these one is drawn.
    """
    _, frame, boundary = site(labelled, index)
    scan = labelled_scan(labelled)
    disc, sac, _ = local_intensities(scan, frame)
    rng = np.random.default_rng([7, seed])
    tube = draw_tube(rng=rng, kind=kind, disc_height_mm=boundary.disc_height_mm())
    tube = tube.within(room_mm(labelled, frame, slice_mm=FOLLOW_UP_SLICES_MM))
    layers = draw_layers(rng=rng, tube=tube, disc=disc, sac=sac)
    thinness = float(rng.choice(thinner_mm))
    scans, anatomies = [], []
    for thin in (0.0, thinness):
        left = tube.thinner(thin)
        made = implant_herniation(
            scan=scan,
            frame=frame,
            boundary=boundary,
            shape=left,
            texture=replace(layers, tube=left, seed=layers.seed + int(10 * thin)),
            fat_intensity=disc + 0.5 * (sac - disc),
        )
        scans.append(image_like(made.scan.image, labelled))
        occupied = replace(labelled, labels=made.scan.labels)
        anatomies.append(only_disc(with_fragment(occupied, made.fragment), index))
    return Pair(
        name=f"{labelled.patient}-{LEVELS[index]}-{kind}-{thinness:g}",
        kind="implanted",
        level=LEVELS[index],
        disc_at=inside_disc(frame),
        baseline=scans[0],
        follow_up=scans[1],
        truth_cm3=truth_cm3((anatomies[0], anatomies[1]), frame=frame, boundary=boundary),
    )


def measure(pair: Pair, *, folder: Path) -> CaseResult:
    """Write both dates as DICOM and run the main job."""
    write(pair, folder=folder)
    return follow_up(
        folder / "baseline", folder / "follow_up", level=pair.level, disc_at=pair.disc_at
    )


def write(pair: Pair, *, folder: Path) -> None:
    """Both dates as DICOM, the follow-up posed and resliced."""
    image = again(pair, slice_mm=FOLLOW_UP_SLICES_MM)
    dates = (date(2024, 1, 10), date(2024, 6, 12))
    for name, volume, when in zip(
        ("baseline", "follow_up"), (pair.baseline, image), dates, strict=True
    ):
        write_dicom_series(
            sitk.Clamp(volume * 8, sitk.sitkFloat32, 0, 4095),
            folder / name,
            patient=PERSON,
            study_date=when,
            uid_seed=f"{pair.name}-{name}",
        )


def against_itself(pair: Pair, *, folder: Path) -> Row:
    """The pair's baseline as both dates; its truth is no change."""
    case = follow_up(
        folder / "baseline",
        folder / "baseline",
        level=pair.level,
        disc_at=pair.disc_at,
        allow_same_date=True,
    )
    first = pair.truth_cm3[0]
    same = replace(pair, name=f"{pair.name}-itself", kind="itself", truth_cm3=(first, first))
    return row(same, case)


def again(pair: Pair, *, slice_mm: float) -> sitk.Image:
    """The follow-up in a new pose, resliced, with noise.

    Slices are centred on the spine at either date, within half of a slice, as technologists plan
    them; in the plane it may lie anywhere.
    """
    rng = np.random.default_rng(_seed(pair.name))
    pose = Pose(
        rotation_degrees=(float(rng.uniform(-6, 6)), *(float(a) for a in rng.uniform(-2, 2, 2))),
        translation_mm=(
            float(rng.uniform(-slice_mm / 2, slice_mm / 2)),
            *(float(a) for a in rng.uniform(-4, 4, 2)),
        ),
        centre_mm=pair.disc_at,
    )
    (image,) = reslice(
        [pair.follow_up],
        slice_distance_mm=slice_mm,
        slice_thickness_mm=slice_mm,
        pixel_mm=0.6,
        pose=pose,
    )
    bright = float(np.percentile(sitk.GetArrayViewFromImage(image), 99))
    return with_rician_noise(image, sigma=0.015 * bright, seed=_seed(pair.name))


def _seed(name: str) -> int:
    return int.from_bytes(name.encode()[-8:], "big") % 2**32


def row(pair: Pair, case: CaseResult) -> Row:
    """One line of the table."""

    def triple(estimate: object) -> tuple[float, float, float] | None:
        if estimate is None:
            return None
        return (estimate.value, estimate.low, estimate.high)  # type: ignore[attr-defined]

    volumes = [
        d.fragment.volume_cm3 if d.fragment else None for d in (case.baseline, case.follow_up)
    ]
    reasons = {r.code for r in case.reasons}
    v0, v1 = pair.truth_cm3
    return Row(
        name=pair.name,
        kind=pair.kind,
        level=str(pair.level),
        truth_v0=v0,
        truth_v1=v1,
        truth_percent=100 * (v0 - v1) / v0 if v0 else 0.0,
        status=f"{case.baseline.status} / {case.follow_up.status}",
        reasons=", ".join(sorted(reasons)),
        v0=triple(volumes[0]),
        v1=triple(volumes[1]),
        percent=triple(case.change.resorption_percent),
        verdict=case.change.verdict,
        band=case.change.band,
    )


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""

    def figure(row: Row, name: str, digits: int) -> str:
        value = getattr(row, name)
        truth = getattr(row, f"truth_{name}")
        if value is None:
            return f"{truth:.{digits}f} → –"
        found, low, high = (f"{number:.{digits}f}" for number in value)
        mark = "" if row.inside(name) else " **outside**"
        return f"{truth:.{digits}f} → {found} ({low} to {high}){mark}"

    lines = [
        "| pair | status | V0, cm3 | V1, cm3 | resorption, % | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        status = r.status if not r.reasons else f"{r.status}: {r.reasons}"
        cells = [figure(r, "v0", 2), figure(r, "v1", 2), figure(r, "percent", 0)]
        lines.append(f"| {r.name} | {status} | {' | '.join(cells)} | {r.verdict} |")
    for name in ("v0", "v1", "percent"):
        known = [r.inside(name) for r in rows if r.inside(name) is not None]
        lines.append(f"\ntruth in the interval of {name}: {sum(known)} of {len(known)}")
    return "\n".join(lines)


MAKERS = {"real": real_pairs, "implanted": implanted_pairs, "unchanged": unchanged_pairs}


def main() -> None:
    """Make, measure and table the pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("results/pairs.json"))
    parser.add_argument("--patients", nargs="*")
    parser.add_argument("--kinds", nargs="*", choices=list(MAKERS), default=list(MAKERS))
    parser.add_argument("--keep", type=Path, help="keep the DICOM files here")
    chosen = parser.parse_args()
    patients = set(chosen.patients) if chosen.patients else None
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for kind in chosen.kinds:
            for pair in MAKERS[kind](chosen.data, patients):
                folder = (chosen.keep or Path(temporary)) / pair.kind / pair.name
                rows.append(row(pair, measure(pair, folder=folder)))
                if pair.kind == "unchanged" or pair.name.endswith("real-100"):
                    rows.append(against_itself(pair, folder=folder))
                print(table(rows[-1:]).splitlines()[2], flush=True)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps([asdict(r) for r in rows], indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
