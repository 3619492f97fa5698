"""What is installed with the package: bounded from below, consistent, and free to pass on.

Known vulnerabilities take a service on the network to look up, so they are not looked up here; the
lower bounds are what an audit is made against.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [
    Requirement(words)
    for group in (PROJECT["dependencies"], *EXTRAS.values())
    for words in group
    if not words.startswith("mri-resorb[")
]
SHIPPED = [
    *map(Requirement, PROJECT["dependencies"]),
    *(
        Requirement(words)
        for name in ("batch", "service")
        for words in EXTRAS.get(name, ())
        if not words.startswith("mri-resorb[")
    ),
]


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_a_requirement_has_a_lower_bound_that_is_met(requirement: Requirement) -> None:
    assert ">=" in {one.operator for one in requirement.specifier}
    found = _found(requirement.name)
    if found is None:
        pytest.skip(f"{requirement.name} is not installed")
    assert requirement.specifier.contains(found.version, prereleases=True)


def test_what_is_installed_fits_together() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_nothing_that_is_shipped_binds_who_passes_it_on() -> None:
    """No GPL or AGPL among what the package needs, and what that needs; LGPL binds itself alone."""
    binding = {}
    for name, found in _with_all_they_need(SHIPPED).items():
        licence = " ".join(
            (
                found.metadata.get("License-Expression") or found.metadata.get("License") or "",
                *(
                    line
                    for line in found.metadata.get_all("Classifier") or ()
                    if line.startswith("License")
                ),
            )
        )[:400]
        without_lesser = licence.replace("LGPL", "").replace("Lesser General Public", "")
        if "GPL" in without_lesser or "General Public License" in without_lesser:
            binding[name] = licence
    assert binding == {}


def _found(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _with_all_they_need(requirements: list[Requirement]) -> dict[str, Distribution]:
    """The distributions installed for requirements, and for those in turn."""
    seen: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = _found(requirement.name)
        if found is None or requirement.name in seen:
            continue
        seen[requirement.name] = found
        waiting += [Requirement(words) for words in found.requires or ()]
    return seen
