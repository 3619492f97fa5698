"""Aims and what was reached, and the figures by group, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.accuracy.measure import Row
from benchmarks.accuracy.summary import CLEAR_LOSS, NO_CHANGE, by_slice, by_volume, figures

Line = tuple[str, str, str, bool | None]
"""What, aim, reached, whether met; None where nothing was there to measure."""

THICK = ("4-4.4 mm", "5-5.5 mm")
SMALL = ("under 0.2 cm3", "0.2-0.4 cm3")


def aims(rows: Sequence[Row]) -> str:
    """What was aimed at, and what was reached."""
    lines = ["| what | aim | reached | |", "| --- | --- | --- | --- |"]
    for what, aim, reached, met in _lines(rows):
        word = "" if met is None else "met" if met else "**missed**"
        lines.append(f"| {what} | {aim} | {reached} | {word} |")
    return "\n".join(lines)


def groups(summary: Mapping[str, Any]) -> str:
    """A line a group of what `summarise` gives."""
    lines = [
        "| group | pairs, measured | ICC | bias | limits of agreement, mm3 "
        "| mean error: ours / oracle's, mm3 | in the interval: V0, V1, % "
        "| points off, V0 ≥ 0.4 cm3 | Dice |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, of in summary.items():
        volume, intervals = of["volume"], of["volume interval"]
        known = "ICC(A,1)" in volume
        shares = (intervals["V0"], intervals["V1"], of["resorption"])
        cells = [
            name,
            f"{of['pairs']}, {of['measured at both dates']}",
            f"{volume['ICC(A,1)'][0]}" if known and volume["ICC(A,1)"] else "–",
            f"{volume['bias, percent of the mean']} %" if known else "–",
            " to ".join(map(str, volume["limits of agreement, mm3"])) if known else "–",
            f"{volume['mean absolute error, mm3']} / {volume['the same for the oracle, mm3']}"
            if known
            else "–",
            ", ".join(f"{s['inside']}/{s['of']}" if s["of"] else "–" for s in shares),
            _or_dash(of["resorption"].get("their mean absolute error, points")),
            _or_dash(of["overlap"]["Dice"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value}"


def _lines(rows: Sequence[Row]) -> list[Line]:
    every = figures(rows)
    thick = figures([row for row in rows if by_slice(row) in THICK])
    small = figures([row for row in rows if by_volume(row) in SMALL])
    sizes, perfect = every["size error, mm"], every["size error by perfect contours, mm"]
    called = every["verdict"].get(CLEAR_LOSS, {})
    return [
        *_volume(every["volume"]),
        _most("resorption, mean absolute error, V0 of 0.4 cm3 and more", every, 5.0),
        _most("the same, slices of 4 mm and more", thick, 8.0),
        *(
            line
            for name, group in (
                ("all", every),
                ("slices of 4 mm and more", thick),
                ("fragments under 0.4 cm3", small),
            )
            for line in _coverages(name, group)
        ),
        *_false_changes(every["verdict"].get(NO_CHANGE, {})),
        _share(
            "true loss of 50 % and more called",
            called.get("decreased", 0),
            sum(count for verdict, count in called.items() if verdict != "undetermined"),
            least=95.0,
        ),
        *(
            _beside(
                _at_most(f"{axis} size, mean absolute error", sizes.get(of), most, unit),
                perfect.get(of),
            )
            for axis, of, most, unit in (
                ("ap", "ap", 0.7, "mm"),
                ("craniocaudal", "craniocaudal", 1.0, "mm"),
                ("transverse", "transverse, slices", 0.5, "slices"),
            )
        ),
        _beside(
            _share("type right", every["type"].get("right", 0), every["type"]["of"], least=90.0),
            every["type by perfect contours"].get("percent"),
        ),
        _never(every),
        _at_least("fragment Dice, 0.4 cm3 and more", every, 0.85),
        _at_least("the same, slices of 4 mm and more", thick, 0.80),
    ]


def _volume(volume: dict[str, Any]) -> list[Line]:
    if "ICC(A,1)" not in volume:
        return []
    icc, bias = volume["ICC(A,1)"], volume["bias, percent of the mean"]
    low, high = volume["limits of agreement, mm3"]
    ratio = volume["error against the oracle's"]
    return [
        ("fragment volume, ICC(A,1)", "≥ 0.95", f"{icc[0]} ({icc[1]} to {icc[2]})", icc[0] >= 0.95),
        ("bias", "within ± 4 %", f"{bias} %", abs(bias) <= 4),
        (
            "limits of agreement",
            "inside ± 150 mm3",
            f"{low} to {high} mm3",
            low >= -150 and high <= 150,
        ),
        ("error against perfect contours", "≤ 2.0 x", f"{ratio} x", ratio <= 2.0),
    ]


def _coverages(group: str, of: dict[str, Any]) -> list[Line]:
    intervals = {**of["volume interval"], "resorption": of["resorption"]}
    return [
        (
            f"truth in the interval of {name}, {group}",
            "93-98 %",
            f"{found['percent']} % ({found['inside']} of {found['of']})",
            93 <= found["percent"] <= 98,
        )
        for name, found in intervals.items()
        if found["of"]
    ]


def _false_changes(unchanged: dict[str, int]) -> list[Line]:
    judged = sum(count for verdict, count in unchanged.items() if verdict != "undetermined")
    return [
        _share(f"'{verdict}' with no true change", unchanged.get(verdict, 0), judged, most=2.5)
        for verdict in ("decreased", "increased")
    ]


def _share(
    what: str, count: int, of: int, *, least: float | None = None, most: float | None = None
) -> Line:
    aim = f"≥ {least:g} %" if least is not None else f"≤ {most:g} %"
    if not of:
        return what, aim, "none", None
    percent = 100 * count / of
    met = percent >= least if least is not None else percent <= (most or 0.0)
    return what, aim, f"{percent:.1f} % ({count} of {of})", met


def _most(what: str, of: dict[str, Any], most: float) -> Line:
    return _at_most(what, of["resorption"]["their mean absolute error, points"], most, "points")


def _at_most(what: str, value: float | None, most: float, unit: str) -> Line:
    if value is None:
        return what, f"≤ {most:g} {unit}", "none", None
    return what, f"≤ {most:g} {unit}", f"{value:.1f} {unit}", value <= most


def _beside(line: Line, perfect: float | None) -> Line:
    """With what perfect contours give, which is the method's part and not the network's."""
    what, aim, reached, met = line
    return what, aim, reached if perfect is None else f"{reached}; perfect contours {perfect}", met


def _at_least(what: str, of: dict[str, Any], least: float) -> Line:
    value = of["overlap"]["Dice of 0.4 cm3 and more"]
    if value is None:
        return what, f"≥ {least:g}", "none", None
    return what, f"≥ {least:g}", f"{value:.2f} ({of['overlap']['of']})", value >= least


def _never(every: dict[str, Any]) -> Line:
    missed = every["absent where there are 0.1 cm3 or more"]
    words = f"{len(missed)}: {', '.join(missed)}" if missed else "none"
    return "'absent' where 0.1 cm3 or more are there", "never", words, not missed
