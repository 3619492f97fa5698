"""Fixtures for every test: where the real MRI is, and what its absence means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples every time: a check that fails by chance is not believed when it is right.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


@pytest.fixture(scope="session")
def spider() -> Path:
    """Folder of the 28 SPIDER patients (CC BY 4.0, doi 10.5281/zenodo.10159290).

    `MRI_RESORB_SPIDER` names it. Without it, tests that need it are skipped, but fail where
    `CI=true`: a check that silently tests less is no check.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "spider"
    folder = Path(os.environ.get("MRI_RESORB_SPIDER", beside))
    if (folder / "radiological_gradings.csv").is_file():
        return folder
    reason = "no SPIDER patients: set MRI_RESORB_SPIDER to the folder that holds them"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
