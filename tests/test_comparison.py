"""What a pair's result says beside its two dates."""

from __future__ import annotations

import pytest
from case_results import blank, time_point

from mri_resorb.comparison import compared
from mri_resorb.languages import Language
from mri_resorb.measure.uncertainty import VolumeError
from mri_resorb.model import Level


@pytest.mark.parametrize(
    ("follow_up_mm", "codes"), [(4.0, []), (4.3, []), (3.0, ["different-slices"])]
)
def test_slices_that_lie_otherwise_at_the_other_date_are_said(
    follow_up_mm: float, codes: list[str]
) -> None:
    points = (
        time_point(image=blank(spacing_mm=(0.8, 0.8, distance_mm)))
        for distance_mm in (4.0, follow_up_mm)
    )
    error = VolumeError({"noise": 0.01}, {})
    case = compared(Level("L4-L5"), *points, errors=(error, error))
    assert [warning.code for warning in case.warnings] == codes
    for warning in case.warnings:
        for language in Language:
            assert {"4.0", "3.0"} <= set(warning.text(language).replace(",", ".").split())
