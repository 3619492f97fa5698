"""The document `mri-resorb/trajectory/1`, and the folder that several studies leave.

`python -m mri_resorb.io.trajectories` prints its JSON schema, which `docs/trajectory-schema.json`
holds.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, JsonValue
from pydantic_core import to_jsonable_python

from mri_resorb.errors import OutputError
from mri_resorb.io.result_folder import check_output, write_results
from mri_resorb.io.results import (
    ChangeDocument,
    DateDocument,
    Document,
    IntervalDocument,
    PatientDocument,
    document,
)
from mri_resorb.languages import Language
from mri_resorb.model import Level, Trajectory
from mri_resorb.outputs import Output, OutputName

SCHEMA = "mri-resorb/trajectory/1"
DOCUMENT_NAME = "trajectory.json"
TEXT_NAME = "trajectory.txt"
PAGE_NAME = "trajectory.html"
_PAIR_NAME = re.compile(r"\d{2,}-vs-\d{2,}")


class ComparisonDocument(Document):
    """Two of the studies compared; the numbers count from 1, the earliest study."""

    first: int
    second: int
    folder: str
    """Beside this file: what `mri-resorb run` leaves for two studies."""
    status: Literal["measured", "undetermined"]
    interval: IntervalDocument | None
    change: ChangeDocument


class TrajectoryDocument(Document):
    """Several studies of one person at one lumbar level, measured together."""

    model_config = ConfigDict(title=SCHEMA)

    schema_: Literal["mri-resorb/trajectory/1"] = Field(alias="schema")
    status: Literal["measured", "undetermined"]
    level: Level
    patient: PatientDocument
    studies: tuple[DateDocument, ...]
    """The earliest first; the masks' names lead into the comparisons' folders."""
    comparisons: tuple[ComparisonDocument, ...]
    """Each study with the first, and with the one before it."""
    provenance: dict[str, JsonValue]

    def to_json(self) -> str:
        """UTF-8 text, indented, with a final newline."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def trajectory_document(trajectory: Trajectory) -> TrajectoryDocument:
    """The trajectory as a document."""
    made = {pair: document(case) for pair, case in trajectory.comparisons.items()}
    # Every study after the first is compared with the one before it.
    dates = [_within(made[0, 1].baseline, _folder(0, 1))] + [
        _within(made[k - 1, k].follow_up, _folder(k - 1, k))
        for k in range(1, len(trajectory.points))
    ]
    return TrajectoryDocument(
        schema=SCHEMA,
        status=trajectory.status,
        level=trajectory.level,
        patient=made[0, 1].patient,
        studies=tuple(dates),
        comparisons=tuple(
            ComparisonDocument(
                first=one + 1,
                second=other + 1,
                folder=_folder(one, other),
                status=pair.status,
                interval=pair.interval,
                change=pair.change,
            )
            for (one, other), pair in made.items()
        ),
        provenance=to_jsonable_python(dict(trajectory.provenance)),
    )


def write_trajectory(
    trajectory: Trajectory,
    output: Path,
    *,
    outputs: Collection[OutputName | Output] = (),
    language: Language = Language.EN,
) -> None:
    """Write each comparison as `run` does, then the document and the text of them all.

    Where pages are asked for, one shows all the volumes over time. The document is the last to
    come, so that it never stands for comparisons that are not there.
    Comparisons that an earlier trajectory left and that this one does not have are removed.

    Raises:
        OutputError: the folder cannot be written to, or holds a foreign file of our names.
    """
    from mri_resorb.report.trajectory_text import trajectory_text

    check_trajectory_output(output)
    replaced = (output / DOCUMENT_NAME).exists()
    stale = _earlier_folders(output) - {_folder(*pair) for pair in trajectory.comparisons}
    for pair, case in trajectory.comparisons.items():
        write_results(case, output / _folder(*pair), outputs=outputs, language=language)
    texts = {TEXT_NAME: trajectory_text(trajectory, language=language)}
    if "html" in outputs:
        from mri_resorb.report.html.page import trajectory_report

        texts[PAGE_NAME] = trajectory_report(trajectory, language=language)
    texts[DOCUMENT_NAME] = trajectory_document(trajectory).to_json()
    try:
        for name, text in texts.items():
            unfinished = output / f".{name}.unfinished"
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(output / name)
    except OSError as error:
        raise OutputError(f"{output} cannot be written to: {error.strerror or error}.") from error
    if replaced and PAGE_NAME not in texts:
        (output / PAGE_NAME).unlink(missing_ok=True)
    for folder in stale:
        shutil.rmtree(output / folder, ignore_errors=True)


def check_trajectory_output(output: Path) -> None:
    """See, before the work, that a trajectory can be written to a folder.

    Raises:
        OutputError: as `mri_resorb.io.result_folder.check_output`; or a foreign `trajectory.json`.
    """
    check_output(output)
    if (output / DOCUMENT_NAME).exists() and _earlier(output) is None:
        raise OutputError(
            f"{output / DOCUMENT_NAME} is there and not from mri-resorb; move it, or give another "
            "folder for the results."
        )


def schema() -> str:
    """The document's JSON schema, as text."""
    made = TrajectoryDocument.model_json_schema(by_alias=True, mode="serialization")
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _folder(one: int, other: int) -> str:
    return f"{one + 1:02d}-vs-{other + 1:02d}"


def _within(date: DateDocument, folder: str) -> DateDocument:
    names = {"anatomy_mask": f"{folder}/{date.anatomy_mask}"}
    if date.fragment_mask is not None:
        names["fragment_mask"] = f"{folder}/{date.fragment_mask}"
    return date.model_copy(update=names)


def _earlier(output: Path) -> TrajectoryDocument | None:
    try:
        text = (output / DOCUMENT_NAME).read_text(encoding="utf-8")
        return TrajectoryDocument.model_validate_json(text)
    except (OSError, ValueError):
        return None


def _earlier_folders(output: Path) -> set[str]:
    earlier = _earlier(output)
    named = {comparison.folder for comparison in earlier.comparisons} if earlier else set()
    return {folder for folder in named if _PAIR_NAME.fullmatch(folder)}


if __name__ == "__main__":
    print(schema(), end="")
