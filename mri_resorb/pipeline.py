"""A way of working, read from a TOML file: `pipelines/` holds those that are shipped."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mri_resorb.errors import PipelineError
from mri_resorb.languages import Language
from mri_resorb.model import Level
from mri_resorb.outputs import Layout, Output, OutputName, bids


class Slurm(BaseModel):
    """How `batch --cluster slurm` asks for its jobs, each of one core; see dask-jobqueue.

    Attributes:
        memory: of a job, as `2GB`.
        queue: the partition.
        walltime: after which SLURM ends a job, as `08:00:00`.
        interface: network interface by which the jobs reach this machine, as `eth0`.
        python: interpreter in the jobs; by default this one.
        job_script_prologue: shell lines before the worker starts, to load an environment.
        job_extra_directives: further options of `sbatch`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    memory: str = "4GB"
    queue: str | None = None
    account: str | None = None
    walltime: str | None = None
    interface: str | None = None
    python: str | None = None
    local_directory: str | None = None
    job_script_prologue: tuple[str, ...] = ()
    job_extra_directives: tuple[str, ...] = ()


class Remote(BaseModel):
    """How the reading service makes cases of the studies that come in.

    Attributes:
        quiet_seconds: a study is complete when none of its images came for so long.
        levels: a pair of studies is a case at each of these.
        baseline: which of the person's earlier lumbar studies a study is compared with.
        longest_interval_days: an earlier study than that is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quiet_seconds: Annotated[float, Field(gt=0)] = 15.0
    levels: Annotated[tuple[Level, ...], Field(min_length=1)] = (Level.L4_L5, Level.L5_S1)
    baseline: Literal["earliest", "latest"] = "earliest"
    longest_interval_days: Annotated[int, Field(gt=0)] = 1095


class Pipeline(BaseModel):
    """What a run makes besides `result.json`, `case.txt` and the masks.

    Attributes:
        description: one sentence, for people.
        outputs: what a run leaves besides what it always leaves; see `mri_resorb.outputs`.
        layout: `plain`, or `bids` for a BIDS derivatives dataset besides.
        language: of texts, pages and pictures; result.json is English in any case.
        slurm: for `batch --cluster slurm` alone.
        remote: for `serve` alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    description: str
    outputs: Annotated[frozenset[OutputName], Field(strict=False)]
    layout: Layout = "plain"
    language: Annotated[Language, Field(strict=False)] = Language.EN
    slurm: Slurm = Slurm()
    remote: Annotated[Remote, Field(strict=False)] = Remote()

    def made(self, *, subject: str | None = None) -> tuple[OutputName | Output, ...]:
        """What to write; `subject` is the label in a BIDS dataset, None for one made up."""
        return (*self.outputs, *([bids(subject)] if self.layout == "bids" else []))


def shipped_pipelines() -> dict[str, Path]:
    """The shipped files by name: in the package, or beside it in a clone."""
    package = Path(__file__).parent
    folder = next(f for f in (package / "pipelines", package.parent / "pipelines") if f.is_dir())
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def read_pipeline(
    name_or_file: str, *, layout: Layout | None = None, language: Language | None = None
) -> Pipeline:
    """Read a shipped pipeline by its name, or a file of the user's.

    Args:
        layout, language: instead of the pipeline's.

    Raises:
        PipelineError: no such pipeline, not TOML, or a wrong key or value, with the nearest right
            word.
    """
    shipped = shipped_pipelines()
    file = shipped.get(name_or_file, Path(name_or_file))
    if not file.is_file():
        near = get_close_matches(name_or_file, shipped, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"shipped are {', '.join(shipped)}."
        raise PipelineError(f"There is no pipeline '{name_or_file}'; {hint}")
    try:
        read = Pipeline.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PipelineError(f"The pipeline {file.name} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise PipelineError(f"The pipeline {file.name} is wrong {_first(error)}") from error
    given = {"layout": layout, "language": language}
    return read.model_copy(update={key: value for key, value in given.items() if value is not None})


_TABLES: dict[str, type[BaseModel]] = {"slurm": Slurm, "remote": Remote}


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, where, with the nearest right word."""
    first = error.errors(include_url=False)[0]
    table = _TABLES.get(str(first["loc"][0])) if len(first["loc"]) > 1 else None
    key = str(first["loc"][0 if table is None else 1])
    if first["type"] in ("literal_error", "enum"):
        value = str(first["input"])
        allowed = re.findall(r"'([^']+)'", first["ctx"]["expected"])
        near = get_close_matches(value, allowed, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"it takes {', '.join(allowed)}."
        return f"at '{key}': there is no '{value}'; {hint}"
    if first["type"] == "extra_forbidden":
        keys = list((table or Pipeline).model_fields)
        near = get_close_matches(key, keys, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the keys are {', '.join(keys)}."
        return f"at '{key}': there is no such key; {hint}"
    return f"at '{key}': {first['msg']}."
