"""Scans that cannot be measured are refused, each for its own reason; those that can are not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from mri_resorb.errors import InputError, UnsuitableScanError
from mri_resorb.io.studies import read_study
from mri_resorb.segment.network import find_anatomy
from mri_resorb.segment.scan_check import check_scan, measure_scan

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data" / "extrusion-halved" / "baseline"
SPACING_MM = (4.4, 0.7, 0.7)


@cache
def sample(series: str = "2") -> sitk.Image:
    """Five middle slices of the sample's T2 (series 2) or T1 (series 3)."""
    return read_study(SAMPLE, series=series).image[:, :, 4:9]


def changed(image: sitk.Image, values: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(values.astype(np.float32))
    made.CopyInformation(image)
    return made


def test_the_sample_is_not_refused() -> None:
    assert sitk.GetArrayViewFromImage(find_anatomy(sample()).disc).max() > 0.9


def test_t1_in_a_file_that_does_not_say_so_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sample("3"), tmp_path / "spine.nii.gz")
    image = read_study(tmp_path / "spine.nii.gz").image
    with pytest.raises(UnsuitableScanError, match="fluid in the spinal canal is not bright"):
        find_anatomy(image)


def test_a_blurred_scan_is_refused() -> None:
    values = sitk.GetArrayFromImage(sample())
    blurred = ndimage.gaussian_filter(values, (0, 3.2, 3.2))  # 2.6 mm
    with pytest.raises(UnsuitableScanError, match="not sharp"):
        find_anatomy(changed(sample(), blurred))


def test_a_scan_of_someone_who_moved_is_refused() -> None:
    """To and fro by 5 mm, twelve times while the lines of k-space were taken."""
    lines = np.fft.fft2(sitk.GetArrayFromImage(sample()))
    taken = np.fft.fftshift(np.arange(lines.shape[1])) / lines.shape[1]
    moved_mm = 5 * np.sin(2 * np.pi * 12 * taken)[None, :, None]
    columns = np.fft.fftfreq(lines.shape[2])
    moved = np.abs(np.fft.ifft2(lines * np.exp(-2j * np.pi * columns * moved_mm / 0.8)))
    with pytest.raises(InputError, match=r"not sharp|not surely"):
        find_anatomy(changed(sample(), moved))


def boxes(
    *, edge_mm: float, fluid: float = 1.0, bone: float = 0.3, disc: float = 0.2
) -> tuple[np.ndarray, np.ndarray]:
    """Bodies and discs above each other in front of a canal whose front is a ramp."""
    classes = np.zeros((4, 6, 240, 140), np.float32)
    for top in range(0, 240, 60):
        classes[0, :, top : top + 46, 20:68] = 1
        classes[1, :, top + 46 : top + 60, 20:68] = 1
    classes[2, :, :, 75:97] = 1
    image = bone * classes[0] + disc * classes[1]
    ramp = np.clip((np.arange(140) + 0.5 - 75) * 0.7 / edge_mm + 0.5, 0, 1)
    ramp[86:] = 1
    ramp[97:] = 0
    image[:, :, 68:] = 0
    return np.maximum(image, fluid * ramp), classes


@pytest.mark.parametrize("edge_mm", [1.4, 2.8, 4.9])
def test_the_width_of_an_edge_is_found(edge_mm: float) -> None:
    slices, classes = boxes(edge_mm=edge_mm)
    seen = measure_scan(slices, classes, spacing_mm=SPACING_MM)
    assert seen.edge_mm == pytest.approx(edge_mm, abs=0.75)


def test_noise_is_not_taken_for_sharpness_nor_for_blur() -> None:
    slices, classes = boxes(edge_mm=2.8)
    noisy = slices + np.random.default_rng(0).normal(0, 0.15, slices.shape).astype(np.float32)
    seen = measure_scan(noisy, classes, spacing_mm=SPACING_MM)
    assert seen.edge_mm == pytest.approx(2.8, abs=0.8)


@pytest.mark.parametrize(
    ("fluid", "bone", "disc"),
    [
        (1.0, 0.9, 0.2),  # marrow full of fat
        (1.0, 0.3, 0.8),  # young discs
        (0.6, 0.1, 0.5),  # fat suppressed
    ],
)
def test_fluid_needs_to_outshine_bone_or_disc_only(fluid: float, bone: float, disc: float) -> None:
    slices, classes = boxes(edge_mm=1.4, fluid=fluid, bone=bone, disc=disc)
    check_scan(slices, classes, spacing_mm=SPACING_MM)


def test_dark_fluid_is_no_t2() -> None:
    slices, classes = boxes(edge_mm=1.4, fluid=0.3, bone=0.7, disc=0.4)
    with pytest.raises(UnsuitableScanError, match=r"0.4 times that of bone and 0.7 times"):
        check_scan(slices, classes, spacing_mm=SPACING_MM)


def test_marrow_as_dark_as_discs_is_refused() -> None:
    slices, classes = boxes(edge_mm=1.4, fluid=0.6, bone=0.04, disc=0.05)
    with pytest.raises(UnsuitableScanError, match="too dark to be told from the discs"):
        check_scan(slices, classes, spacing_mm=SPACING_MM)
