"""Many cases: what one failure does to the others, throughput, memory and overhead.

    python -m benchmarks.scale failures [--cases 200]
    python -m benchmarks.scale throughput [--cases 200]
    python -m benchmarks.scale overhead [--cases 10000] [--seconds 0.1] [--workers 2]

`failures` has stand-ins for measuring: one corrupt, one that kills its worker, one that hangs; the
batch is killed twice on its way and taken up again, and the result compared with that of a batch
left alone. `throughput` measures the sample cases, many times over, on one worker and on two.
`overhead` has stand-ins again, and compares the workers' time with the time on cases.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.stand_in import SAMPLE, make_stand_ins, stand_in
from mri_resorb.batch.cases import find_cases
from mri_resorb.batch.cluster import LocalWorkers
from mri_resorb.batch.journal import WORK_NAME, Outcome
from mri_resorb.batch.run import Counted, run_batch
from mri_resorb.case import follow_up
from mri_resorb.model import Level
from mri_resorb.pipeline import read_pipeline

TIME_LIMIT_S = 30.0


@dataclass
class Seen:
    """What is noted at each outcome; `memory_mb` is that of the largest worker."""

    began: float = field(default_factory=time.perf_counter)
    at_s: list[float] = field(default_factory=list)
    case_seconds: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def tell(self, outcome: Outcome, kept: bool) -> None:
        """Note an outcome of this run."""
        if kept:
            return
        self.at_s.append(time.perf_counter() - self.began)
        self.case_seconds.append(outcome.seconds or 0.0)
        self.memory_mb.append(max(map(_resident_mb, psutil.Process().children(recursive=True))))


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 2**20
    except psutil.Error:
        return 0.0


def batch(
    studies: Path,
    output: Path,
    *,
    workers: int,
    compare: Callable[..., Any],
    tell: Callable[[Outcome, bool], None] = lambda *_: None,
) -> Counted:
    """A batch on this machine that writes what researchers ask for, in plain folders."""
    return run_batch(
        find_cases(studies, level=Level.L4_L5),
        output=output,
        way=read_pipeline("research").model_copy(update={"layout": "plain"}),
        workers=LocalWorkers(workers),
        time_limit_s=TIME_LIMIT_S,
        compare=compare,
        tell=tell,
    )


def failures(root: Path, *, cases: int) -> dict[str, object]:
    """Three bad cases, two kills, and whether the bytes are the same."""
    behaviours = ["0.05"] * cases
    for place, behaviour in ((1 / 4, "corrupt"), (1 / 2, "killed"), (3 / 4, "hang")):
        behaviours[int(cases * place)] = behaviour
    studies = make_stand_ins(root / "studies", behaviours)
    counted = batch(studies, root / "alone", workers=2, compare=stand_in)
    for share in (0.3, 0.6):
        _kill_after(int(cases * share), studies=studies, output=root / "killed")
    again = batch(studies, root / "killed", workers=2, compare=stand_in)
    alone, killed = _written(root / "alone"), _written(root / "killed")
    return {
        "done": counted.done,
        "failed": counted.failed,
        "failures": (root / "alone" / "failed.csv").read_text().splitlines()[1:],
        "failures after two kills": (root / "killed" / "failed.csv").read_text().splitlines()[1:],
        "the same after two kills": again == counted and alone == killed,
        "files that differ": sorted(
            name for name in {*alone, *killed} if alone.get(name) != killed.get(name)
        ),
    }


def _kill_after(count: int, *, studies: Path, output: Path) -> None:
    """Start the batch in a process of its own, and kill it when that many outcomes stand."""
    script = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.scale import batch\n"
        "from benchmarks.stand_in import stand_in\n"
        "batch(Path(sys.argv[1]), Path(sys.argv[2]), workers=2, compare=stand_in,\n"
        "    tell=lambda *_: print(flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(studies), str(output)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for seen, _ in enumerate(process.stdout, start=1):
        if seen >= count:
            break
    process.kill()
    process.stdout.read()
    process.wait()


def _written(output: Path) -> dict[str, bytes]:
    """All files of a batch; of the results, all but how long they took."""
    found = {}
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output)
        if not path.is_file() or name.parts[0] == WORK_NAME:
            continue
        content = path.read_bytes()
        if path.name == "result.json":
            document = json.loads(content)
            del document["provenance"]["run_seconds"]
            content = json.dumps(document).encode()
        found[str(name)] = content
    return found


def throughput(root: Path, *, cases: int) -> dict[str, object]:
    """The sample cases, real measuring, on one worker and on two; memory from first to last.

    One worker has half of the cases before the two workers' turn and the others after it, since a
    machine that is shared with others may be slower for a while.
    """
    samples = sorted(path for path in SAMPLE.parent.iterdir() if path.is_dir())
    halves = (range(cases // 2), range(cases // 2, cases))
    for name, numbers in zip(("first", "second", "all"), (*halves, range(cases)), strict=True):
        for number in numbers:
            place = root / name / f"case-{number + 1:05d}"
            place.mkdir(parents=True)
            for study in samples[number % len(samples)].iterdir():
                (place / study.name).symlink_to(study.resolve())
    seen = {}
    for name, workers in (("first", 1), ("all", 2), ("second", 1)):
        seen[name] = Seen()
        out = root / f"{name}-measured"
        batch(root / name, out, workers=workers, compare=follow_up, tell=seen[name].tell)
    # From the first outcome on: a night's run does not notice the start.
    rates = {name: (len(of.at_s) - 1) / (of.at_s[-1] - of.at_s[0]) for name, of in seen.items()}
    alone = (rates["first"] + rates["second"]) / 2
    memory_mb, tenth = seen["all"].memory_mb, max(cases // 10, 1)
    return {
        "cases an hour, one worker, before and after": [
            round(3600 * rates[name]) for name in ("first", "second")
        ],
        "cases an hour, two workers": round(3600 * rates["all"]),
        "two workers over one": round(rates["all"] / alone, 2),
        "start, seconds": round(seen["all"].at_s[0] - seen["all"].case_seconds[0], 1),
        "memory of the larger of two workers, MB": {
            "second tenth of the cases": round(max(memory_mb[tenth : 2 * tenth])),
            "last tenth": round(max(memory_mb[-tenth:])),
        },
    }


def overhead(root: Path, *, cases: int, seconds: float, workers: int) -> dict[str, object]:
    """The workers' time that went into no case, by quarter of the run."""
    studies = make_stand_ins(root / "studies", [str(seconds)] * cases)
    seen = Seen()
    batch(studies, root / "out", workers=workers, compare=stand_in, tell=seen.tell)
    finished_s = time.perf_counter() - seen.began
    quarters = []
    for quarter in range(4):
        first, last = cases * quarter // 4 + workers, cases * (quarter + 1) // 4 - 1
        wall = seen.at_s[last] - seen.at_s[first]
        quarters.append(wall * workers / (last - first) - _mean(seen.case_seconds[first:last]))
    case = _mean(seen.case_seconds[workers:])
    return {
        "cases": cases,
        "workers": workers,
        "seconds a case": round(case, 4),
        "overhead, ms of a worker a case, by quarter": [round(1000 * part, 2) for part in quarters],
        "overhead, percent of such a case": round(100 * _mean(quarters) / case, 2),
        "overhead, percent of a case of 3 s": round(100 * _mean(quarters) / 3, 3),
        "tables and page after the last case, seconds": round(finished_s - seen.at_s[-1], 1),
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("failures", "throughput", "overhead"))
    parser.add_argument("--cases", type=int)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        if chosen.what == "failures":
            figures = failures(root, cases=chosen.cases or 200)
        elif chosen.what == "throughput":
            figures = throughput(root, cases=chosen.cases or 200)
        else:
            figures = overhead(
                root,
                cases=chosen.cases or 10_000,
                seconds=chosen.seconds,
                workers=chosen.workers,
            )
    text = json.dumps(figures, indent=1)
    print(text)
    chosen.output.mkdir(parents=True, exist_ok=True)
    (chosen.output / f"scale-{chosen.what}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
