"""What a run leaves: each output's files, and how they are written.

A new output is one entry here; a pipeline file names those that it wants. Libraries that only one
output needs are imported when it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mri_resorb.io.results import Which, anatomy_mask_name, document, fragment_mask_name
from mri_resorb.model import CaseResult, TimePoint

RESULT_NAME = "result.json"
CASE_TEXT_NAME = "case.txt"
OVERLAY_NAME = "overlay.png"

OutputName = Literal["picture"]


@dataclass(frozen=True)
class Output:
    """One kind of output.

    Attributes:
        description: what it is, for people, without a full stop.
        files: the names that it may write in the result folder.
        write: makes them from a case, in a folder that is there.
    """

    description: str
    files: tuple[str, ...]
    write: Callable[[CaseResult, Path], None]


def _write_document(case: CaseResult, folder: Path) -> None:
    (folder / RESULT_NAME).write_text(document(case).to_json(), encoding="utf-8")


def _write_text(case: CaseResult, folder: Path) -> None:
    from mri_resorb.report.case_text import case_text

    (folder / CASE_TEXT_NAME).write_text(case_text(case), encoding="utf-8")


def _write_masks(case: CaseResult, folder: Path) -> None:
    from mri_resorb.io.masks import write_labels, write_occupancy

    dates: tuple[tuple[TimePoint, Which], ...] = (
        (case.baseline, "baseline"),
        (case.follow_up, "follow_up"),
    )
    for point, which in dates:
        native = point.scan.native_orientation
        write_labels(point.anatomy, folder / anatomy_mask_name(which), native_orientation=native)
        if point.fragment is not None:
            write_occupancy(
                point.fragment.occupancy,
                folder / fragment_mask_name(which),
                native_orientation=native,
            )


def _write_picture(case: CaseResult, folder: Path) -> None:
    from mri_resorb.report.figures import overlay_figure

    overlay_figure(case).savefig(folder / OVERLAY_NAME)


ALWAYS: tuple[Output, ...] = (
    Output("the result for programs", (RESULT_NAME,), _write_document),
    Output("the case in a few lines", (CASE_TEXT_NAME,), _write_text),
    Output(
        "masks, NIfTI in the series' own grid",
        (
            fragment_mask_name("baseline"),
            anatomy_mask_name("baseline"),
            fragment_mask_name("follow_up"),
            anatomy_mask_name("follow_up"),
        ),
        _write_masks,
    ),
)
"""What every run leaves; `result.json` is the first file, see `mri_resorb.io.result_folder`."""

CHOSEN: dict[OutputName, Output] = {
    "picture": Output("both dates side by side", (OVERLAY_NAME,), _write_picture),
}
"""What a pipeline may ask for besides."""

OWN_NAMES: tuple[str, ...] = tuple(
    name for output in (*ALWAYS, *CHOSEN.values()) for name in output.files
)
"""Every file name that a run may leave, `result.json` first."""
