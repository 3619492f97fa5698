"""Several studies of one person in a few lines: each volume, and what changed between which."""

from __future__ import annotations

from mri_resorb import __version__
from mri_resorb.languages import Language, Value, decimal, long_date, say
from mri_resorb.model import DEFINITIONS_VERSION, CaseResult, TimePoint, Trajectory
from mri_resorb.report.wording import percent


def trajectory_text(trajectory: Trajectory, *, language: Language = Language.EN) -> str:
    """All lines of `trajectory.txt`, ended by a newline."""

    def words(name: str, **values: Value) -> str:
        return say(name, language=language, **values)

    def study(number: int, point: TimePoint) -> str:
        day = (
            long_date(point.scan.date, language=language)
            if point.scan.date
            else words("trajectory.no-date")
        )
        if point.fragment is None:
            reason = point.reason.text(language).rstrip(".") if point.reason else point.status
            return words("trajectory.study-without-figure", number=number, day=day, reason=reason)
        volume = point.fragment.volume_cm3
        value, low, high = (
            decimal(figure, places=2) for figure in (volume.value, volume.low, volume.high)
        )
        shown = (
            words("case.volume-absent", volume=value)
            if point.status == "absent"
            else words("case.estimate-cm3", value=value, low=low, high=high)
        )
        return words("trajectory.study", number=number, day=day, volume=shown)

    def change(first: int, second: int, case: CaseResult) -> str:
        made = case.change.resorption_percent
        resorption = (
            words("case.resorption-unknown")
            if made is None
            else words(
                "case.estimate-percent",
                value=percent(made.value),
                low=percent(made.low),
                high=percent(made.high),
            )
        )
        verdict = "unchanged" if case.change.verdict.startswith("no_") else case.change.verdict
        return words(
            "trajectory.change",
            first=first + 1,
            second=second + 1,
            days=case.interval_days or 0,
            resorption=resorption,
            verdict=words(f"case.verdict-{verdict}"),
        )

    warnings = dict.fromkeys(w for point in trajectory.points for w in point.warnings)
    lines = [
        words("trajectory.heading", level=trajectory.level, studies=len(trajectory.points)),
        *(study(k + 1, point) for k, point in enumerate(trajectory.points)),
        *(change(*pair, case) for pair, case in trajectory.comparisons.items()),
        *(words("case.note-line", remark=warning.text(language)) for warning in warnings),
        words(
            "case.last-line",
            definitions=DEFINITIONS_VERSION,
            version=__version__,
            disclaimer=words("case.disclaimer"),
        ),
    ]
    return "\n".join(" ".join(line.split()) for line in lines) + "\n"
