"""docs/method.md names every reason and warning that a user can meet, and the true thresholds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mri_resorb.measure import dates, fragment, uncertainty

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")


def codes_in_the_package() -> set[str]:
    found = set()
    for file in (ROOT / "mri_resorb").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("Remark", "LevelNotFoundError")
                and isinstance(node.args[0], ast.Constant)
            ):
                found.add(node.args[0].value)
    return found


def test_every_code_is_explained_and_no_other() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    explained = {code for cell in rows for code in re.findall(r"`([a-z0-9-]+)`", cell)}
    assert explained == codes_in_the_package()


def test_the_thresholds_are_those_of_the_method() -> None:
    for words in (
        f"**more than {fragment.HERNIATION_MM:g} mm**",
        f"connected area of more than {fragment.FOOTPRINT_MM:.1f} mm",
        f"({fragment.SMALLEST_PIECE_CM3:g} cm³ or more)",
        f"by less than {dates.BONE_DICE_LEAST:.2f} (Dice)",
        f"more than {dates.DISAGREEMENT_MOST_MM:g} mm apart",
        f"({dates.LATERAL_RECESS_MM:g} mm to both sides)",
        f"{dates.CENTRAL_MM:g} mm to both sides of the midline",
        f"| {uncertainty.OWN_BOUNDARY_MM:g} mm | {uncertainty.SHARED_BOUNDARY_MM:g} mm |",
        f"| {uncertainty.NETWORK_MM:g} mm | {uncertainty.SHARED_NETWORK_MM:g} mm |",
        f"| {uncertainty.DOUBT_PART:g} of it |",
        f"| {uncertainty.SAMPLING_PART:g} of it |",
        f"| {uncertainty.NOISE_FLOOR_CM3:g} cm³ |",
        f"| {uncertainty.DETECTION_CM3:g} cm³ |",
        f"{uncertainty.CUT_RIM_MM:g} mm of it |",
    ):
        assert words in " ".join(PAGE.split()), words
