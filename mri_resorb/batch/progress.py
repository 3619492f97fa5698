"""How a batch goes on: for people a bar, for machines a line of JSON a case, which names nobody.

Cases' names and reasons may hold what folders are called, so a line has the case's number instead,
its place in `--list`, and the kind of the error.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mri_resorb.batch.cases import FoundCases
from mri_resorb.batch.journal import Outcome
from mri_resorb.errors import OutputError

Tell = Callable[[Outcome, bool], None]


@contextmanager
def told(found: FoundCases, *, log: Path | None) -> Iterator[Tell]:
    """What to call with each outcome, and whether it is that of an earlier run.

    The lines go to `log`, and to stderr where that is no terminal.

    Raises:
        OutputError: the log cannot be written.
    """
    numbers = {entry.name: number for number, entry in enumerate(found.entries, start=1)}
    total = len(numbers)
    console = Console(stderr=True)
    with ExitStack() as stack:
        logs: list[IO[str]] = [] if console.is_terminal else [sys.stderr]
        if log is not None:
            try:
                logs.append(stack.enter_context(log.open("a", encoding="utf-8")))
            except OSError as error:
                raise OutputError(f"{log} cannot be written to: {error.strerror}.") from error
        bar = stack.enter_context(_bar(console))
        row = bar.add_task("", total=total, done=0, failed=0, left=total)
        counted: Counter[str] = Counter()

        def tell(outcome: Outcome, kept: bool) -> None:
            counted[outcome.state] += 1
            done, failed = counted["done"], counted["failed"]
            left = total - done - failed
            if kept:  # took no time, so it is no part of the time to go
                worked_on = (bar.tasks[row].total or 0) - 1
                bar.update(row, total=worked_on, done=done, failed=failed, left=left)
                return
            bar.update(row, advance=1, done=done, failed=failed, left=left)
            line = _line(outcome, number=numbers[outcome.case], left=left)
            for file in logs:
                file.write(line)
                file.flush()

        yield tell


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(),
        TextColumn("{task.fields[done]} done, {task.fields[failed]} failed, "),
        TextColumn("{task.fields[left]} left, to go"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _line(outcome: Outcome, *, number: int, left: int) -> str:
    facts = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "number": number,
        "state": outcome.state,
        "step": outcome.step,
        "error": outcome.kind,
        "seconds": outcome.seconds,
        "left": left,
    }
    return json.dumps(facts) + "\n"
