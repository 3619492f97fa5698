"""What the network sees far from the spine is none of it; what is unusual beside it stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mri_resorb.segment.one_spine import one_spine

SPACING_MM = (4.4, 0.7, 0.7)
VERTEBRA, DISC, CANAL, SACRUM = range(4)


def spine() -> np.ndarray:
    """Bodies, one without its disc, and a canal that is interrupted."""
    classes = np.zeros((4, 7, 300, 301), np.float32)
    for top in (40, 90, 150, 200):  # the second has no disc: 14 mm to the next
        classes[VERTEBRA, :, top : top + 40, 120:170] = 0.9
    for top in (80, 190):
        classes[DISC, :, top : top + 10, 120:170] = 0.8
    classes[SACRUM, :, 245:290, 130:170] = 0.9
    classes[CANAL, 2:5, 20:120, 180:200] = 0.9
    classes[CANAL, 2:5, 145:280, 180:200] = 0.9
    classes[CANAL, 3, 130, 185] = 0.3  # doubt
    return classes


@pytest.mark.parametrize("structure", range(4))
def test_a_piece_far_from_the_spine_goes_and_nothing_else(structure: int) -> None:
    classes = spine()
    classes[structure, 2:4, 100:140, 20:60] = 0.95
    np.testing.assert_array_equal(one_spine(classes, spacing_mm=SPACING_MM), spine())


@given(
    row=st.integers(0, 290),
    column=st.integers(0, 290),
    slice_=st.integers(0, 6),
    structure=st.integers(0, 3),
)
def test_what_lies_within_ten_millimetres_of_the_spine_stays(
    row: int, column: int, slice_: int, structure: int
) -> None:
    classes = spine()
    seen = classes[:, slice_].sum(axis=0) >= 0.5
    near = seen[max(0, row - 14) : row + 15, max(0, column - 14) : column + 15].any()
    classes[structure, slice_, row : row + 3, column : column + 3] = 0.7
    left = one_spine(classes, spacing_mm=SPACING_MM)
    if near:
        np.testing.assert_array_equal(left, classes)
    else:
        kept = left[structure, slice_, row : row + 3, column : column + 3]
        assert np.isin(kept, [0, np.float32(0.7)]).all()


def test_of_nothing_nothing_is_left() -> None:
    nothing = np.zeros((4, 3, 40, 40), np.float32)
    np.testing.assert_array_equal(one_spine(nothing, spacing_mm=SPACING_MM), nothing)
