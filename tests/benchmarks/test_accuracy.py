"""The accuracy benchmark: its figures on rows of known error, its scenes, and a small real run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from benchmarks.accuracy.all_pairs import accuracy
from benchmarks.accuracy.measure import DateRow, Row
from benchmarks.accuracy.scenes import Protocol, Scene, Site, Taken, Truth, load, save
from benchmarks.accuracy.sizes import size_mm
from benchmarks.accuracy.summary import figures, summarise
from benchmarks.accuracy.tables import aims, groups
from mri_resorb.model import Anatomy, DiscFrame, Level, SizeMm


def date(truth_cm3: float, found_cm3: float | None, *, half: float = 0.1) -> DateRow:
    known = found_cm3 is not None
    return DateRow(
        slice_mm=4.0,
        truth_cm3=truth_cm3,
        found_cm3=(found_cm3, max(0.0, found_cm3 - half), found_cm3 + half)
        if found_cm3 is not None
        else None,
        parts={},
        oracle_cm3=truth_cm3 * 1.01,
        status="measured" if known else "incomplete",
        reason=None if known else "fragment-at-edge",
        true_type="extrusion",
        type="extrusion" if known else None,
        oracle_type="protrusion",
        true_sizes_mm=(5.0, 10.0, 12.0),
        sizes_mm=(6.0, 10.0, 12.0) if known else None,
        oracle_sizes_mm=(5.0, 11.0, 12.0),
        dice=0.9,
        surface_mm=0.3,
    )


def row(v0: float, v1: float, *, found: tuple[float | None, float | None]) -> Row:
    percent = 100 * (v0 - v1) / v0
    both = found[0] is not None and found[1] is not None
    return Row(
        name="a",
        family="phantom",
        level="L4-L5",
        fate="shrinks" if v1 < v0 else "stays",
        baseline=date(v0, found[0]),
        follow_up=date(v1, found[1]),
        true_percent=percent,
        percent=(percent + 4, percent - 10, percent + 10) if both else None,
        oracle_percent=percent,
        verdict="decreased" if both and v1 < v0 else "no_change_beyond_error",
    )


def test_figures_of_known_errors() -> None:
    volumes = np.linspace(0.5, 2.0, 12)
    rows = [row(v, v / 2, found=(v + 0.05, v / 2 + 0.05)) for v in volumes]
    found = figures(rows)
    assert found["volume"]["bias, mm3"] == 50
    assert found["volume"]["limits of agreement, mm3"] == [50, 50]
    assert found["volume"]["mean absolute error, mm3"] == 50
    assert found["volume interval"]["V0"]["percent"] == 100
    assert found["resorption"]["their mean absolute error, points"] == 4
    assert found["verdict"] == {"loss of 50 % and more": {"decreased": 12}}
    assert found["size error, mm"]["ap"] == 1.0
    assert found["size error by perfect contours, mm"]["transverse"] == 1.0
    assert found["type"]["percent"] == 100
    assert found["type by perfect contours"]["percent"] == 0


def test_a_truth_outside_the_interval_and_a_refusal_are_counted() -> None:
    rows = [
        row(1.0, 1.0, found=(1.0, 1.0)),
        row(1.0, 1.0, found=(1.2, 1.0)),
        row(1.0, 1.0, found=(None, 1.0)),
    ]
    found = figures(rows)
    assert found["volume interval"]["V0"] == {
        "inside": 1,
        "of": 2,
        "percent": 50.0,
        "median width": 0.2,
    }
    assert found["refused for"] == {"fragment-at-edge": 1}
    assert found["measured at both dates"] == 2


def test_a_fragment_that_is_called_absent_is_listed() -> None:
    missed = row(1.0, 0.4, found=(1.0, 0.0))
    missed = replace(missed, follow_up=replace(missed.follow_up, status="absent"))
    found = figures([missed])
    assert found["absent where there are 0.1 cm3 or more"] == ["0.40 cm3"]
    assert found["called absent, by true volume"]["over 0.3"] == "1 of 2"


def test_aims_are_compared_with_what_was_reached() -> None:
    volumes = np.linspace(0.5, 2.0, 12)
    lines = aims([row(v, v / 2, found=(v + 0.01, v / 2 + 0.01)) for v in volumes]).splitlines()
    assert "| true loss of 50 % and more called | ≥ 95 % | 100.0 % (12 of 12) | met |" in lines
    ap = "| ap size, mean absolute error | ≤ 0.7 mm | 1.0 mm; perfect contours 0.0 | **missed** |"
    assert ap in lines
    assert any("'increased' with no true change" in line and "none" in line for line in lines)


def test_each_group_has_a_line_of_its_own() -> None:
    rows = [row(v, v / 2, found=(v, v / 2)) for v in (0.3, 0.35, 0.5, 0.6, 1.5)]
    lines = groups(summarise(rows)).splitlines()
    pairs = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in lines[2:]}
    assert pairs["all"] == "5, 5"
    assert pairs["volume: 0.2-0.4 cm3"] == "2, 2"
    assert pairs["volume: 1 cm3 and more"] == "1, 1"


def image(values: np.ndarray) -> sitk.Image:
    made = sitk.GetImageFromArray(values.astype(np.float32))
    made.SetSpacing((0.5, 0.5, 2.0))
    made.SetOrigin((3.0, -4.0, 5.0))
    return made


def test_size_of_a_box_along_the_axes_of_a_frame() -> None:
    values = np.zeros((6, 30, 40))
    values[1:4, 5:15, 10:30] = 1.0  # 3 x 2.0, 10 x 0.5, 20 x 0.5 mm
    axes = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    size = size_mm(image(values), DiscFrame((0.0, 0.0, 0.0), axes))
    assert size == SizeMm(ap=10.0, transverse=6.0, craniocaudal=5.0)
    assert size_mm(image(0 * values), DiscFrame((0.0, 0.0, 0.0), axes)) is None


def test_a_scene_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((4, 6, 5))
    part = image(np.rint(255 * values) / 255)
    taken = Taken(image(100 * values), Anatomy(part, part, part, part), {Level.L4_L5: part})
    truth = Truth(0.5, "extrusion", SizeMm(5.0, 6.0, 7.0))
    site = Site(Level.L4_L5, "vanishes", (1.0, 2.0, 3.0), truth, Truth(0.0, "none", None))
    protocol = Protocol(2.0, 2.0, 0.5, 0.01)
    save(Scene("s", "phantom", (site,), (protocol, protocol), (taken, taken)), tmp_path)
    back = load("s", tmp_path)
    assert back.sites == (site,)
    assert back.protocols == (protocol, protocol)
    kept = back.dates[0]
    assert kept.image.GetOrigin() == part.GetOrigin()
    assert np.array_equal(sitk.GetArrayViewFromImage(kept.image), (100 * values).astype("f4"))
    for one in (kept.anatomy.disc, kept.fragments[Level.L4_L5]):
        assert np.allclose(sitk.GetArrayViewFromImage(one), sitk.GetArrayViewFromImage(part))


@pytest.mark.real_data
def test_twenty_pairs_of_known_truth(spider: Path, tmp_path: Path) -> None:
    """No change that is none, no herniation unseen, and intervals that hold the truth."""
    rows = accuracy(pairs=20, side="validation", data=spider, cache=tmp_path, processes=2)
    found = figures(rows)
    assert len(rows) >= 15  # levels beside a neighbour's piece are left out
    assert found["measured at both dates"] >= 8
    unchanged = found["verdict"]["none"]
    assert unchanged.keys() <= {"no_change_beyond_error", "undetermined"}
    for volume in ("V0", "V1"):
        assert found["volume interval"][volume]["percent"] >= 80
    assert found["resorption"]["percent"] >= 80
