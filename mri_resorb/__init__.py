"""How much of a herniated lumbar disc fragment was resorbed between two MRI studies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mri_resorb.case import follow_up as follow_up
    from mri_resorb.case import trajectory as trajectory
    from mri_resorb.model import CaseResult as CaseResult
    from mri_resorb.model import Level as Level
    from mri_resorb.model import StudyInput as StudyInput

__version__ = "0.1.0"
__all__ = ["CaseResult", "Level", "StudyInput", "__version__", "follow_up", "trajectory"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that `mri-resorb --help` does not load the imaging libraries."""
    if name in ("follow_up", "trajectory"):
        import mri_resorb.case

        return getattr(mri_resorb.case, name)
    if name in ("CaseResult", "Level", "StudyInput"):
        import mri_resorb.model

        return getattr(mri_resorb.model, name)
    raise AttributeError(f"module 'mri_resorb' has no attribute '{name}'")
