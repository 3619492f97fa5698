"""The whole path on a real patient the network has not seen, with a herniation of known volume.

The herniation is implanted behind a disc that has none. Its truth is the definition applied to
the expert's labels and the implant's own occupancy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mri_resorb import follow_up
from mri_resorb.measure.material import find_material
from mri_resorb.measure.occupancy import fill
from mri_resorb.model import CaseResult, DiscFrame, Patient, Point, TimePoint
from mri_resorb.segment.discs import find_discs, without_other_discs
from mri_resorb.simulate.dicom_series import write_dicom_series
from mri_resorb.simulate.implant import implant_herniation
from mri_resorb.simulate.reslice import Pose, reslice, with_rician_noise
from training.patients import (
    anatomy_of_labels,
    labelled_scan,
    local_intensities,
    read_patient,
    sites,
)

pytestmark = pytest.mark.real_data

PATIENT, LEVEL, ABOVE_SACRUM = "5", "L2-L3", 3
PERSON = Patient(id="UNSEEN", sex="F", age_years=50)
DATES = (date(2024, 1, 10), date(2024, 6, 12))
SEMI_AXES_MM = np.array([7.0, 4.2, 5.0])
"""Depth, half width and half height of the herniation: a dome on the boundary."""
SIGNAL = 8
"""8-bit intensities to the 12 bits of a scanner."""


@dataclass(frozen=True)
class Herniated:
    """A patient before and after the implantation."""

    without: sitk.Image
    image: sitk.Image
    frame: DiscFrame
    truth_cm3: float
    """Behind the boundary, within the footprint of the herniation."""
    truth_without_cm3: float
    """What of the disc's own rim lies in the same footprint."""

    @property
    def in_disc(self) -> Point:
        """A point inside the disc, LPS mm."""
        x, y, z = (float(v) for v in self.frame.to_patient(np.array([-12.0, 0.0, 0.0])))
        return (x, y, z)


@pytest.fixture(scope="module")
def herniated(spider: Path) -> Herniated:
    patient = read_patient(spider, PATIENT)
    frame, boundary = sites(patient)[ABOVE_SACRUM]
    scan = labelled_scan(patient)
    disc, sac, _ = local_intensities(scan, frame)
    made = implant_herniation(
        scan=scan,
        frame=frame,
        boundary=boundary,
        shape=lambda points: np.square(points / SEMI_AXES_MM).sum(axis=-1) < 1,
        texture=lambda points: np.random.default_rng(2).normal(disc, disc / 8, points.shape[:-1]),
        fat_intensity=disc + 0.5 * (sac - disc),
    )

    def image(values: np.ndarray) -> sitk.Image:
        volume = sitk.GetImageFromArray(values.astype(np.float32))
        volume.CopyInformation(patient.volume)
        return volume

    before = anatomy_of_labels(patient)
    after = anatomy_of_labels(replace(patient, labels=made.scan.labels))
    own = sitk.GetArrayViewFromImage(before.disc)
    after = replace(after, disc=image(np.maximum(own, made.fragment)))
    anatomies = [without_other_discs(a, find_discs(a)[ABOVE_SACRUM]) for a in (after, before)]
    materials = [find_material(anatomy=a, frame=frame, boundary=boundary) for a in anatomies]
    with_it, without = (
        fill(
            anatomy=a,
            frame=frame,
            boundary=boundary,
            material=material,
            footprint=materials[0].footprint,
        ).volume_cm3
        for a, material in zip(anatomies, materials, strict=True)
    )
    assert not materials[1].is_herniated
    assert with_it - without == pytest.approx(made.volume_cm3, rel=0.15)  # the rim it covers
    return Herniated(image(scan.image), image(made.scan.image), frame, with_it, without)


def nifti(volume: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(sitk.Cast(sitk.Round(volume * SIGNAL), sitk.sitkInt16), path)
    return path


def dicom(volume: sitk.Image, folder: Path, *, when: date) -> Path:
    write_dicom_series(
        sitk.Clamp(volume * SIGNAL, sitk.sitkFloat32, 0, 4095),
        folder,
        patient=PERSON,
        study_date=when,
        uid_seed=folder.name,
    )
    return folder


def examined_again(volume: sitk.Image, pose: Pose) -> sitk.Image:
    """In another pose, slices of 3 mm, pixels of 0.6 mm, with noise."""
    (taken,) = reslice(
        [volume], slice_distance_mm=3.0, slice_thickness_mm=3.0, pixel_mm=0.6, pose=pose
    )
    bright = float(np.percentile(sitk.GetArrayViewFromImage(taken), 99))
    return with_rician_noise(taken, sigma=0.015 * bright, seed=4)


def pose(about: Point) -> Pose:
    return Pose(
        rotation_degrees=(5.0, 1.0, -1.0), translation_mm=(2.0, -6.0, 11.0), centre_mm=about
    )


def assert_no_figures(date_: TimePoint) -> None:
    assert date_.fragment is None
    assert date_.reason is not None


def assert_no_change(case: CaseResult) -> None:
    assert case.status == "measured"
    assert case.change.verdict == "no_change_beyond_error"
    assert case.change.band is None
    percent = case.change.resorption_percent
    assert percent is not None
    assert percent.low < 0 < percent.high


def test_a_study_against_itself_shows_no_change(herniated: Herniated, tmp_path: Path) -> None:
    path = nifti(herniated.image, tmp_path / "study.nii.gz")
    case = follow_up(path, path, level=LEVEL)
    assert_no_change(case)
    assert case.change.resorption_percent is not None
    assert case.change.resorption_percent.value == pytest.approx(0, abs=1)
    assert case.level_source == "counted"
    assert case.interval_days is None
    assert case.change.percent_per_day is None
    assert {"no-date", "identity-unverified"} <= {warning.code for warning in case.warnings}
    for point in (case.baseline, case.follow_up):
        assert point.fragment is not None
        assert (
            point.fragment.volume_cm3.low <= herniated.truth_cm3 <= point.fragment.volume_cm3.high
        )


def test_another_pose_is_no_change(herniated: Herniated, tmp_path: Path) -> None:
    again = examined_again(herniated.image, pose(herniated.in_disc))
    case = follow_up(
        dicom(herniated.image, tmp_path / "first", when=DATES[0]),
        dicom(again, tmp_path / "second", when=DATES[1]),
        level=LEVEL,
    )
    assert_no_change(case)
    assert case.interval_days == 154
    assert case.patient == PERSON


def test_a_herniation_that_is_gone_is_complete_resorption(
    herniated: Herniated, tmp_path: Path
) -> None:
    gone = examined_again(herniated.without, pose(herniated.in_disc))
    case = follow_up(
        dicom(herniated.image, tmp_path / "before", when=DATES[0]),
        dicom(gone, tmp_path / "after", when=DATES[1]),
        level=LEVEL,
    )
    assert (case.baseline.status, case.follow_up.status) == ("measured", "absent")
    assert (case.change.verdict, case.change.band) == ("decreased", "complete")
    assert case.baseline.fragment is not None
    volume = case.baseline.fragment.volume_cm3
    assert volume.low <= herniated.truth_cm3 <= volume.high
    percent, a_day = case.change.resorption_percent, case.change.percent_per_day
    assert percent is not None
    truth = 100 * (1 - herniated.truth_without_cm3 / herniated.truth_cm3)
    assert 0 < percent.low <= truth <= percent.high
    assert a_day == pytest.approx(percent.value / 154)


def test_without_the_sacrum_only_a_point_tells_the_disc(
    herniated: Herniated, tmp_path: Path
) -> None:
    """Counting is refused, not guessed; the point finds the disc at both dates, in any pose."""
    to_row = herniated.image.TransformPhysicalPointToIndex(
        herniated.frame.to_patient(np.array([0.0, 0.0, -90.0])).tolist()
    )[1]
    cropped = herniated.image[:, :to_row, :]
    moved = pose(herniated.in_disc)
    baseline = nifti(cropped, tmp_path / "baseline.nii.gz")
    second = nifti(examined_again(cropped, moved), tmp_path / "follow_up.nii.gz")

    counted = follow_up(baseline, second, level=LEVEL)
    assert counted.status == "undetermined"
    assert {reason.code for reason in counted.reasons} == {"sacrum-not-seen"}
    for point in (counted.baseline, counted.follow_up):
        assert point.status == "undetermined"
        assert_no_figures(point)
    assert counted.change.resorption_percent is None
    assert counted.change.verdict == "undetermined"
    assert counted.change.band is None

    pointed = follow_up(baseline, second, level=LEVEL, disc_at=herniated.in_disc)
    assert pointed.level_source == "point"
    expected = (herniated.in_disc, moved.moved(herniated.in_disc))
    for point, at in zip((pointed.baseline, pointed.follow_up), expected, strict=True):
        assert point.disc is not None
        assert np.linalg.norm(np.subtract(point.disc.centre_mm, at)) < 10
    assert_no_change(pointed)


def test_slices_that_cut_the_fragment_make_a_date_incomplete(
    herniated: Herniated, tmp_path: Path
) -> None:
    middle = herniated.image.TransformPhysicalPointToIndex(herniated.frame.origin_mm)[2]
    case = follow_up(
        nifti(herniated.image, tmp_path / "whole.nii.gz"),
        nifti(herniated.image[:, :, : middle + 2], tmp_path / "cut.nii.gz"),
        level=LEVEL,
    )
    assert case.status == "undetermined"
    assert case.follow_up.status == "incomplete"
    assert {reason.code for reason in case.reasons} == {"fragment-at-edge"}
    assert_no_figures(case.follow_up)
    assert case.change.resorption_percent is None
    assert case.change.verdict == "undetermined"
    assert case.change.band is None
