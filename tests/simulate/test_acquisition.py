"""Scanning keeps volumes and geometry, and does what scanners do."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import ann, array, centroid_mm

from mri_resorb.model import Level
from mri_resorb.simulate.acquisition import Acquisition, Pose, acquire
from mri_resorb.simulate.tissue import SpinEcho

TURNED = Pose((5.0, -4.0, 6.0), (12.0, -30.0, 7.0))


def _scan(**changes: object) -> Acquisition:
    settings: dict[str, object] = {
        "noise_seed": 5000,
        "slices": 9,
        "pixel_mm": 1.6,
        "matrix": (168, 128),
    }
    return acquire(ann(), **(settings | changes))  # type: ignore[arg-type]


def _volume_cm3(occupancy: sitk.Image) -> float:
    return float(array(occupancy).sum() * np.prod(occupancy.GetSpacing())) / 1000


@pytest.mark.parametrize(("distance_mm", "pose"), [(3.0, TURNED), (4.0, Pose()), (5.0, TURNED)])
def test_slices_without_gap_keep_the_fragment_volume(distance_mm: float, pose: Pose) -> None:
    scan = _scan(slice_distance_mm=distance_mm, slice_thickness_mm=distance_mm, pose=pose)
    truth = ann().fragments[Level.L4_L5].volume_cm3
    assert _volume_cm3(scan.fragments[Level.L4_L5]) == pytest.approx(truth, rel=0.015)


def test_a_gap_is_not_seen_but_counted_by_the_slice_distance() -> None:
    scan = _scan(slice_distance_mm=4.4, slice_thickness_mm=4.0)
    truth = ann().fragments[Level.L4_L5].volume_cm3
    assert scan.image.GetSpacing()[2] == pytest.approx(4.4)
    assert _volume_cm3(scan.fragments[Level.L4_L5]) == pytest.approx(truth, rel=0.05)


def test_truth_moves_with_the_person() -> None:
    still, turned = _scan(slice_thickness_mm=4.4), _scan(slice_thickness_mm=4.4, pose=TURNED)
    for scan in (still, turned):
        place = scan.frames[Level.L4_L5].to_frame(centroid_mm(scan.fragments[Level.L4_L5]))
        assert place == pytest.approx([4.0, 2.0, 7.0], abs=3.5)
        index = scan.anatomy.disc.TransformPhysicalPointToIndex(scan.disc_centres_mm[Level.L3_L4])
        assert scan.anatomy.disc[index] > 0.8
    moved = [TURNED.transform().TransformPoint(point) for point in still.disc_centres_mm.values()]
    np.testing.assert_allclose(moved, list(turned.disc_centres_mm.values()), atol=1e-9)
    expected = TURNED.transform().TransformPoint(centroid_mm(still.fragments[Level.L4_L5]).tolist())
    found = centroid_mm(turned.fragments[Level.L4_L5])
    np.testing.assert_allclose(found, expected, atol=0.6)


def test_oblique_planes_keep_place_and_volume() -> None:
    straight = _scan(slice_thickness_mm=4.4)
    oblique = _scan(slice_thickness_mm=4.4, plane_rotation_degrees=(2.0, 5.0, -8.0))
    truth, found = (centroid_mm(s.fragments[Level.L4_L5]) for s in (straight, oblique))
    np.testing.assert_allclose(found, truth, atol=0.6)
    assert _volume_cm3(oblique.fragments[Level.L4_L5]) == pytest.approx(
        _volume_cm3(straight.fragments[Level.L4_L5]), rel=0.02
    )


def test_noise_differs_between_dates_and_repeats_with_its_seed() -> None:
    first, again, other = (array(_scan(noise_seed=n, slices=3).image) for n in (5000, 5000, 5001))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 5


def test_noise_in_air_is_rayleigh() -> None:
    """Mean of magnitude noise is sigma sqrt(pi / 2) (Gudbjartsson and Patz 1995)."""
    scan = _scan(signal_to_noise=10.0, coil_depth_mm=np.inf)
    air = array(scan.image)[:, 40:60, -6:]
    assert air.mean() == pytest.approx(25.0 * np.sqrt(np.pi / 2), rel=0.05)


def test_fat_suppression_darkens_fat_and_spares_fluid() -> None:
    plain = _scan(signal_to_noise=np.inf)
    suppressed = _scan(signal_to_noise=np.inf, sequence=SpinEcho(fat_suppressed=True))
    canal = array(plain.anatomy.canal) > 0.99
    skin_fat = array(plain.image) > 900
    skin_fat &= array(plain.anatomy.canal) == 0
    before, after = array(plain.image), array(suppressed.image)
    relative = after / np.median(after[canal]) / np.maximum(before / np.median(before[canal]), 1e-3)
    assert np.median(relative[skin_fat]) < 0.4
