"""Make the sample pairs: six simulated studies of three people who do not exist, with truth.

    python sample_data/make.py [FOLDER]

Everything follows from the numbers below: a second run writes the same files. FOLDER is this
script's own where not given; case folders that are there already are replaced.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from mri_resorb.model import Level, Patient
from mri_resorb.simulate.acquisition import Acquisition, Pose, acquire
from mri_resorb.simulate.dicom_series import write_dicom_series
from mri_resorb.simulate.herniation import Herniation
from mri_resorb.simulate.phantom import Phantom, lumbar_phantom
from mri_resorb.simulate.tissue import SpinEcho

T1 = SpinEcho(repetition_time_ms=600.0, echo_time_ms=12.0)


@dataclass(frozen=True)
class Study:
    """One date: what is displaced, and how it was scanned."""

    date: date
    herniations: tuple[Herniation, ...]
    pose: Pose
    slice_distance_mm: float
    slice_thickness_mm: float
    sequence: SpinEcho
    noise_seed: int
    plane_rotation_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0)
    with_t1: bool = False


@dataclass(frozen=True)
class Case:
    """One person; phantom seeds of 9000 and above are kept for these samples."""

    name: str
    seed: int
    level: Level
    patient: Patient
    patient_name: str
    baseline: Study
    follow_up: Study


CASES = (
    Case(
        name="sequester-gone",
        seed=9001,
        level=Level.L5_S1,
        patient=Patient(id="PHANTOM-1", sex="F", age_years=40),
        patient_name="Phantom^One",
        baseline=Study(
            date=date(2021, 3, 15),
            herniations=(
                Herniation("protrusion", 0.30, side_mm=2.0),
                Herniation("sequestration", 0.80, side_mm=3.0, migration="caudal"),
            ),
            pose=Pose((2.0, 1.0, -2.0), (3.0, -20.0, 12.0)),
            slice_distance_mm=4.4,
            slice_thickness_mm=4.0,
            sequence=SpinEcho(3500.0, 102.0, 1.5),
            noise_seed=9101,
        ),
        follow_up=Study(
            date=date(2021, 10, 4),
            herniations=(Herniation("protrusion", 0.30, side_mm=2.0),),
            pose=Pose((-1.0, -1.5, 1.0), (-4.0, 6.0, -8.0)),
            slice_distance_mm=4.4,
            slice_thickness_mm=4.0,
            sequence=SpinEcho(3600.0, 98.0, 1.5),
            noise_seed=9102,
        ),
    ),
    Case(
        name="extrusion-halved",
        seed=9002,
        level=Level.L4_L5,
        patient=Patient(id="PHANTOM-2", sex="M", age_years=50),
        patient_name="Phantom^Two",
        baseline=Study(
            date=date(2020, 9, 8),
            herniations=(Herniation("extrusion", 1.20, side_mm=-3.0, migration="caudal"),),
            pose=Pose((0.0, 2.0, 1.5), (0.0, -12.0, 30.0)),
            slice_distance_mm=4.4,
            slice_thickness_mm=4.0,
            sequence=SpinEcho(3200.0, 105.0, 1.5),
            noise_seed=9201,
            with_t1=True,
        ),
        follow_up=Study(
            date=date(2021, 3, 22),
            herniations=(Herniation("extrusion", 0.60, side_mm=-3.0, migration="caudal"),),
            pose=Pose((3.0, 0.0, -2.0), (5.0, 3.0, -14.0)),
            slice_distance_mm=3.85,
            slice_thickness_mm=3.5,
            sequence=SpinEcho(3800.0, 95.0, 3.0),
            noise_seed=9202,
            plane_rotation_degrees=(0.0, 0.0, -3.0),
        ),
    ),
    Case(
        name="extrusion-unchanged",
        seed=9003,
        level=Level.L4_L5,
        patient=Patient(id="PHANTOM-3", sex="M", age_years=37),
        patient_name="Phantom^Three",
        baseline=Study(
            date=date(2022, 2, 22),
            herniations=(Herniation("extrusion", 0.70, side_mm=1.0, signal="dark"),),
            pose=Pose((1.0, -1.0, 2.0), (-2.0, -5.0, 20.0)),
            slice_distance_mm=4.4,
            slice_thickness_mm=4.0,
            sequence=SpinEcho(3500.0, 100.0, 1.5),
            noise_seed=9301,
        ),
        follow_up=Study(
            date=date(2022, 9, 26),
            herniations=(Herniation("extrusion", 0.70, side_mm=1.0, signal="dark"),),
            pose=Pose((-2.0, 1.5, -1.0), (4.0, 8.0, -5.0)),
            slice_distance_mm=4.4,
            slice_thickness_mm=4.0,
            sequence=SpinEcho(3500.0, 100.0, 1.5),
            noise_seed=9302,
        ),
    ),
)


def main(folder: Path) -> None:
    """Write every case and `truth.json`."""
    truth = {"definitions": 1, "cases": {case.name: make_case(case, folder) for case in CASES}}
    (folder / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


def make_case(case: Case, folder: Path) -> dict[str, object]:
    """Write a case's two studies; what is true of them."""
    target = folder / case.name
    shutil.rmtree(target, ignore_errors=True)
    dates: dict[str, dict[str, Any]] = {}
    for name, study in (("baseline", case.baseline), ("follow_up", case.follow_up)):
        phantom = lumbar_phantom(
            seed=case.seed, herniations={case.level: study.herniations}, width_mm=66.0
        )
        scan = _scan(phantom, study, study.sequence)
        _write(scan, target / name / "t2_sagittal", case, study, name, series_number=2)
        if study.with_t1:
            t1 = _scan(phantom, study, T1, noise_seed=study.noise_seed + 50)
            _write(t1, target / name / "t1_sagittal", case, study, name, series_number=3)
        dates[name] = _truth(phantom, scan, case.level, study)
    start, end = (dates[name]["volume_cm3"] for name in ("baseline", "follow_up"))
    return {
        "level": case.level.value,
        "phantom_seed": case.seed,
        **dates,
        "resorption_percent": round(100 * (1 - end / start), 2),
        "interval_days": (case.follow_up.date - case.baseline.date).days,
    }


def _scan(
    phantom: Phantom, study: Study, sequence: SpinEcho, noise_seed: int | None = None
) -> Acquisition:
    return acquire(
        phantom,
        noise_seed=study.noise_seed if noise_seed is None else noise_seed,
        slice_distance_mm=study.slice_distance_mm,
        slice_thickness_mm=study.slice_thickness_mm,
        slices=13,
        pixel_mm=0.8,
        matrix=(320, 216),
        sequence=sequence,
        pose=study.pose,
        plane_rotation_degrees=study.plane_rotation_degrees,
    )


def _write(
    scan: Acquisition, folder: Path, case: Case, study: Study, name: str, *, series_number: int
) -> None:
    t1 = series_number == 3
    sequence = T1 if t1 else study.sequence
    write_dicom_series(
        scan.image,
        folder,
        patient=case.patient,
        patient_name=case.patient_name,
        study_date=study.date,
        uid_seed=f"mri_resorb sample {case.name} {name}",
        series_number=series_number,
        series_description="SAG T1 TSE" if t1 else "SAG T2 TSE",
        slice_thickness_mm=scan.slice_thickness_mm,
        repetition_time_ms=sequence.repetition_time_ms,
        echo_time_ms=sequence.echo_time_ms,
        echo_train_length=3 if t1 else 15,
        field_strength_tesla=sequence.field_strength_tesla,
    )


def _truth(phantom: Phantom, scan: Acquisition, level: Level, study: Study) -> dict[str, Any]:
    fragment = phantom.fragments[level]
    return {
        "date": study.date.isoformat(),
        "volume_cm3": round(fragment.volume_cm3, 4),
        "joined_cm3": round(fragment.joined_cm3, 4),
        "detached_cm3": round(fragment.detached_cm3, 4),
        "pieces": [
            {"type": h.type, "migration": h.migration, "to_the_left_mm": h.side_mm}
            for h in study.herniations
        ],
        "disc_at": [round(v, 2) for v in scan.disc_centres_mm[level]],
    }


if __name__ == "__main__":
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
