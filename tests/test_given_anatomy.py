"""A sample case with its anatomy given as label maps: from files to the true change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mri_resorb import StudyInput, follow_up
from mri_resorb.errors import MaskError
from mri_resorb.io.studies import read_study
from mri_resorb.segment.discs import find_discs
from mri_resorb.segment.network import find_anatomy

SAMPLES = Path(__file__).parents[1] / "sample_data"
CASE = SAMPLES / "extrusion-halved"
DATES = ("baseline", "follow_up")
DISCS = (100, 95, 94, 93, 92, 91, 82, 81, 80)
"""TotalSpineSeg's labels from L5-S1 upwards."""


def label_map(study: Path, path: Path) -> Path:
    """What the network sees, in the labels of TotalSpineSeg."""
    image = read_study(study).image
    anatomy = find_anatomy(image)
    labels = np.zeros(image.GetSize()[::-1], np.int16)
    for part, label in ((anatomy.vertebra, 43), (anatomy.canal, 2), (anatomy.sacrum, 50)):
        labels[sitk.GetArrayViewFromImage(part) >= 0.5] = label
    for disc, label in zip(find_discs(anatomy), DISCS, strict=False):
        labels[sitk.GetArrayViewFromImage(disc.components) == disc.label] = label
    made = sitk.GetImageFromArray(labels)
    made.CopyInformation(image)
    sitk.WriteImage(made, str(path))
    return path


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("maps")
    return {which: label_map(CASE / which, folder / f"{which}.nii.gz") for which in DATES}


def test_the_true_change_lies_in_the_interval(maps: dict[str, Path]) -> None:
    truth = json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))
    truth = truth["cases"]["extrusion-halved"]
    case = follow_up(
        *(StudyInput(CASE / which, anatomy=(maps[which],)) for which in DATES),
        level=truth["level"],
    )
    assert (case.status, case.level_source) == ("measured", "labels")
    assert "anatomy-from-labels" in {warning.code for warning in case.warnings}
    volumes = [truth[which]["volume_cm3"] for which in DATES]
    for point, volume in zip((case.baseline, case.follow_up), volumes, strict=True):
        assert point.fragment is not None
        assert point.fragment.volume_cm3.low <= volume <= point.fragment.volume_cm3.high
    percent = case.change.resorption_percent
    assert percent is not None
    assert percent.low <= 100 * (1 - volumes[1] / volumes[0]) <= percent.high
    given = case.provenance["parameters"]
    assert isinstance(given, dict)
    assert given["baseline_anatomy"] is given["follow_up_anatomy"] is True


def test_the_other_dates_map_is_refused(maps: dict[str, Path]) -> None:
    with pytest.raises(MaskError, match=r"does not fit the scan|another scan"):
        follow_up(
            StudyInput(CASE / "baseline", anatomy=(maps["follow_up"],)),
            CASE / "follow_up",
            level="L4-L5",
        )
