"""Expert masks are read with what they leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mri_resorb.model import Structure
from training.patients import UNKNOWN, LabelledVolume, read_patient

ROWS, TOP, BODY, DISC = 200, 10, 40, 12
PIXEL_MM = 0.5


def spine(*, outlined_from: int = 0) -> np.ndarray:
    """Boxes for three bodies and the discs under them, processes that slope down, and the canal."""
    labels = np.zeros((12, ROWS, 120), np.uint8)
    for top in [TOP + k * (BODY + DISC) for k in range(outlined_from, 3)]:
        labels[:, top : top + BODY, 20:60] = Structure.VERTEBRA
        labels[:, top + BODY : top + BODY + DISC, 20:60] = Structure.DISC
        labels[4:8, top + 15 : top + BODY + DISC + 10, 90:110] = Structure.VERTEBRA
    labels[:, :, 63:80] = Structure.CANAL
    return labels


def read(labels: np.ndarray, folder: Path) -> LabelledVolume:
    for name, values in (("image", np.zeros_like(labels)), ("mask", labels)):
        image = sitk.GetImageFromArray(values)
        image.SetSpacing((PIXEL_MM, PIXEL_MM, 0.9))
        image.SetDirection((0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
        sitk.WriteImage(image, folder / f"1_{name}.nii.gz")
    return read_patient(folder, "1")


def test_a_vertebra_that_the_experts_left_out_is_unknown_and_so_is_its_process(
    tmp_path: Path,
) -> None:
    whole, outlined = spine(), spine(outlined_from=1)
    known = read(outlined, tmp_path).labels
    assert np.array_equal(known[outlined > 0], outlined[outlined > 0])
    uppermost = TOP + BODY + DISC
    left_out = (whole != outlined) & (outlined == 0)
    left_out[:, uppermost - round(1 / PIXEL_MM) : uppermost, :60] = False  # its endplate
    assert (known[left_out] == UNKNOWN).all()
    in_front_of_it = known[:, uppermost : uppermost + BODY + DISC, :20]
    assert not (in_front_of_it == UNKNOWN).any()


def test_where_the_uppermost_outline_is_cut_by_the_view_all_in_front_is_known(
    tmp_path: Path,
) -> None:
    labels = read(spine()[:, 25:], tmp_path).labels
    in_front_of_the_canal = labels[:, : 2 * BODY, :63]
    assert not (in_front_of_the_canal == UNKNOWN).any()


@pytest.mark.real_data
def test_a_disc_that_a_patient_s_experts_left_out_is_unknown(spider: Path) -> None:
    """Patient 41: a whole disc and part of a body are seen above the uppermost outline."""
    labels = read_patient(spider, "41").labels
    outlined = (labels == Structure.DISC) | (labels == Structure.VERTEBRA)
    first = int(np.flatnonzero(outlined[4, :, :400].any(axis=1))[0])
    assert first * 0.469 > 2
    assert (labels[4, : first - 4, 350:420] == UNKNOWN).mean() > 0.8
