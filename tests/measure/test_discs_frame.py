"""The frame at the posterior margin, against the true one of prism spines."""

from __future__ import annotations

import numpy as np
import pytest
from spines import DISC_HEIGHT_MM, Grid, Spine, dome

from mri_resorb.measure.boundary import frame_at_posterior_margin
from mri_resorb.model import Point
from mri_resorb.segment.discs import find_discs

CASES = [
    # in-plane mm, slice mm, lordosis, pose of the spine in the grid (degrees), offset (voxels)
    (0.5, 2.0, 0.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    (0.6, 4.4, 0.0, (7.0, 6.0, 0.0), (0.3, -0.4, 0.5)),
    (0.9, 3.3, 1.0, (-9.0, -6.0, 0.0), (0.5, 0.2, -0.3)),
    (0.6, 4.4, 1.0, (12.0, 4.0, 0.0), (-0.2, 0.1, 0.25)),
    (0.9, 5.0, 1.0, (0.0, -3.0, 0.0), (0.4, 0.4, 0.4)),
]


@pytest.mark.parametrize(("in_plane_mm", "slice_mm", "lordosis", "turn", "offset"), CASES)
def test_origin_and_axes_are_the_true_ones(
    in_plane_mm: float,
    slice_mm: float,
    lordosis: float,
    turn: Point,
    offset: Point,
) -> None:
    spine = Spine(discs=1, lordosis=lordosis, turn_degrees=turn, shift_mm=(20.0, -30.0, 70.0))
    spine = spine.with_fragment(dome(depth=7, width=16, height=9))
    truth = spine.disc_frame()
    grid = Grid.around(
        truth.to_patient(np.array([-10.0, 0.0, 0.0])),
        in_plane_mm=in_plane_mm,
        slice_mm=slice_mm,
        extent_mm=(72.0, 80.0, 52.0),
        offset_mm=(
            offset[0] * in_plane_mm,
            offset[1] * in_plane_mm,
            offset[2] * slice_mm,
        ),
    )
    anatomy = spine.anatomy(grid)
    (disc,) = find_discs(anatomy)
    frame, boundary = frame_at_posterior_margin(anatomy=anatomy, frame=disc.frame)

    ap, transverse, craniocaudal = truth.to_frame(np.array(frame.origin_mm))
    # A sampled corner is blunt, so the margin is found up to half a millimetre in front of it.
    assert -0.6 < ap < 0.2
    assert abs(transverse) < 0.9
    assert abs(craniocaudal) < 0.3
    tilt = np.degrees(np.arccos(np.clip(frame.axes[2] @ truth.axes[2], -1, 1)))
    assert tilt < 2.0
    assert np.linalg.det(frame.axes) == pytest.approx(np.linalg.det(truth.axes))
    assert boundary.disc_height_mm() == pytest.approx(DISC_HEIGHT_MM, abs=1.0)
    assert boundary.ap_mm(np.array(0.0), np.array(0.0)) == pytest.approx(0, abs=0.2)
