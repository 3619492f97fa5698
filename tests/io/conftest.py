"""A small scan, and a fragment drawn on it."""

from __future__ import annotations

import pytest
import SimpleITK as sitk
from case_results import blank, ellipsoid, time_point

from mri_resorb.model import Scan


@pytest.fixture
def scan() -> Scan:
    return time_point(image=blank(shape=(7, 40, 30))).scan


@pytest.fixture
def drawn(scan: Scan) -> sitk.Image:
    return ellipsoid(scan.image, centre=(-3.0, 43.0, -15.0), radii_mm=(8.0, 5.0, 6.0))
