"""docs/method.md names every reason and warning that a user can meet, and the true thresholds."""

from __future__ import annotations

import re
from pathlib import Path

from mri_resorb.languages import Language, catalogue
from mri_resorb.measure import dates, material, shared_frame, uncertainty

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")


def test_every_code_is_explained_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    explained = {code for cell in rows for code in re.findall(r"`([a-z0-9-]+)`", cell)}
    sentences = (name.partition(".") for name in catalogue(Language.EN))
    assert explained == {code for section, _, code in sentences if section == "remarks"}


def test_the_thresholds_are_those_of_the_method() -> None:
    for words in (
        f"**more than {material.HERNIATION_MM:g} mm**",
        f"connected area of more than {material.FOOTPRINT_MM:.1f} mm",
        f"({material.SMALLEST_PIECE_CM3:g} cm³ or more)",
        f"by less than {shared_frame.BONE_DICE_LEAST:.2f} (Dice)",
        f"more than {shared_frame.DISAGREEMENT_MOST_MM:g} mm apart",
        f"({dates.LATERAL_RECESS_MM:g} mm to both sides)",
        f"{dates.CENTRAL_MM:g} mm to both sides of the midline",
        f"| {uncertainty.OWN_BOUNDARY_MM:g} mm | {uncertainty.SHARED_BOUNDARY_MM:g} mm |",
        f"| {uncertainty.NETWORK_MM:g} mm | {uncertainty.SHARED_NETWORK_MM:g} mm |",
        f"| {uncertainty.DOUBT_PART:g} of it | {uncertainty.SHARED_DOUBT_PART:g} of it |",
        f"| {uncertainty.SAMPLING_PART:g} of it |",
        f"| {uncertainty.NOISE_FLOOR_CM3:g} cm³ |",
        f"| {uncertainty.DETECTION_CM3:g} cm³; {uncertainty.NOTHING_CM3:g} cm³ where no date",
        f"at no date by more than {material.REACH_ERROR_MM:g} mm",
        f"ours differ by up to {material.REACH_ERROR_MM:g} mm there",
        f"ends where less than {material.TIP_OCCUPANCY:g} of it is filled",
        f"{uncertainty.CUT_RIM_MM:g} mm of it |",
    ):
        assert words in " ".join(PAGE.split()), words
