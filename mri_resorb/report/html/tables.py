"""Rows of the page's tables: what is known of each date, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from mri_resorb import __version__
from mri_resorb.cohort.published import PUBLISHED, PublishedIncidence
from mri_resorb.languages import Language, decimal, say
from mri_resorb.model import CaseResult, Estimate, Fragment, TimePoint
from mri_resorb.report import wording
from mri_resorb.report.html.pieces import find_pieces

UNKNOWN = "–"


@dataclass(frozen=True)
class Row:
    """A measure at both dates."""

    label: str
    baseline: str
    follow_up: str


@dataclass(frozen=True)
class PieceRow:
    """A piece of the fragment at one date."""

    name: str
    volume: str
    place: str


@dataclass(frozen=True)
class PublishedRow:
    """A published share."""

    group: str
    counted: str
    percent: str
    source: str


@dataclass(frozen=True)
class PartRow:
    """A named part of the volumes' error."""

    name: str
    what: str
    baseline: str
    follow_up: str


@dataclass(frozen=True)
class Tables:
    """The tables of one case in one language."""

    case: CaseResult
    language: Language

    def measures(self) -> list[Row]:
        """What was measured at each date; nothing that is not in the result."""
        return [
            self._row("measure-finding", self._finding),
            self._figures("measure-volume", lambda f: self.estimate(f.volume_cm3, places=2)),
            *self._automatic(),
            self._figures("measure-joined", lambda f: decimal(f.joined_cm3, places=2)),
            self._figures("measure-detached", lambda f: decimal(f.detached_cm3, places=2)),
            self._figures("measure-type", lambda f: self.t(f"type-{f.type}")),
            self._figures("measure-migration", self._migration),
            self._figures("measure-ap", lambda f: _cm(f, "ap")),
            self._figures("measure-transverse", lambda f: _cm(f, "transverse")),
            self._figures("measure-craniocaudal", lambda f: _cm(f, "craniocaudal")),
            self._figures("measure-reach", lambda f: decimal(f.reach_mm, places=1)),
            self._figures("measure-compromise", self._compromise),
        ]

    def changes(self) -> list[tuple[str, str]]:
        """What happened between the dates; empty where no change is given."""
        change = self.case.change
        rows = []
        if change.resorption_percent is not None:
            rows.append(("change-percent", self._percent(change.resorption_percent)))
        if change.absolute_cm3 is not None:
            rows.append(("change-absolute", self.estimate(change.absolute_cm3, places=2)))
        if change.percent_per_day is not None:
            rows.append(("change-per-day", decimal(change.percent_per_day, places=2)))
        detectable = change.smallest_detectable_percent
        if detectable is not None:
            rows.append(("change-detectable", decimal(detectable, places=0)))
        if rows and change.band is not None:
            rows.append(("change-band", self.t(f"band-{change.band}")))
        if rows and self.case.interval_days is not None:
            rows.append(("change-days", self.t("days", days=self.case.interval_days)))
        return [(self.t(name), value) for name, value in rows]

    def pieces(self) -> list[PieceRow]:
        """The fragment of each measured date, piece by piece."""
        rows = []
        for which, point in self._dates():
            if point.status != "measured" or point.fragment is None or point.frame is None:
                continue
            for number, piece in enumerate(find_pieces(point.fragment, frame=point.frame), 1):
                side = "left" if piece.left_mm > 0 else "right"
                height = "above" if piece.above_mm > 0 else "below"
                place = self.t(
                    "piece-at",
                    side=self.t(f"at-{side}", mm=abs(piece.left_mm)),
                    height=self.t(f"at-{height}", mm=abs(piece.above_mm)),
                )
                name = self.t("piece-name", date=self.t(which), number=number)
                rows.append(PieceRow(name, decimal(piece.volume_cm3, places=2), place))
        return rows

    def error_parts(self) -> list[PartRow]:
        """Standard deviations of the volumes by source, largest first."""
        parts: list[Mapping[str, float]] = [
            {} if point.fragment is None else point.fragment.volume_cm3.parts
            for _, point in self._dates()
        ]
        names = sorted({*parts[0], *parts[1]}, key=lambda name: -_most(name, parts))
        return [
            PartRow(
                self.t(f"part-{name}"),
                self.t(f"part-{name}-what"),
                *(decimal(of[name], places=3) if name in of else UNKNOWN for of in parts),
            )
            for name in names
            if _most(name, parts) > 0
        ]

    def context(self) -> list[PublishedRow]:
        """Published shares for the baseline's type; empty where there is no type."""
        fragment = self.case.baseline.fragment
        if fragment is None or fragment.type == "none":
            return []
        return [
            PublishedRow(
                group=self.t("type-any" if entry.group == "all" else f"type-{entry.group}"),
                counted=self.t(f"counted-{entry.definition}"),
                percent=self._share(entry),
                source=f"{entry.source.reference}, {entry.source.found_at}",
            )
            for entry in PUBLISHED
            if entry.group == fragment.type
            or (entry.group == "all" and entry.definition == "as-defined-by-each-paper")
        ]

    def choices(self) -> list[Row]:
        """Which series was taken at each date, and how its disc was found."""

        def series(point: TimePoint) -> str | None:
            because = point.scan.chosen_because
            return None if because is None else because.text(self.language)

        def disc(point: TimePoint) -> str | None:
            return None if point.disc is None else point.disc.remark.text(self.language)

        def grid(point: TimePoint) -> str:
            across, down, apart = point.scan.image.GetSpacing()
            thickness = point.scan.slice_thickness_mm
            text = self.t(
                "grid",
                slices=point.scan.image.GetSize()[2],
                apart=apart,
                across=across,
                down=down,
            )
            return text if thickness is None else f"{text}; {self.t('thick', mm=thickness)}"

        def scanner(point: TimePoint) -> str | None:
            strength = point.scan.field_strength_tesla
            tesla = None if strength is None else self.t("tesla", tesla=strength)
            return ", ".join(part for part in (point.scan.scanner, tesla) if part) or None

        def outline(point: TimePoint) -> str | None:
            return self.t("outline-automatic" if point.drawn is None else "outline-drawn")

        return [
            self._row("chosen-series", series),
            self._row("chosen-uid", lambda point: point.scan.series_uid),
            self._row("chosen-grid", grid),
            self._row("chosen-scanner", scanner),
            self._row("chosen-disc", disc),
            self._row("chosen-outline", outline),
        ]

    def provenance(self) -> list[tuple[str, str]]:
        """Versions and parameters."""
        known = self.case.provenance
        files = known.get("input_sha256")
        counted = None
        if isinstance(files, Mapping):
            counted = self.t("files", count=sum(len(digests) for digests in files.values()))
        parameters = known.get("parameters")
        given = None
        if isinstance(parameters, Mapping):
            given = ", ".join(f"{k} = {v}" for k, v in parameters.items() if v not in (None, False))
        seconds = known.get("run_seconds")
        review = self.case.review
        reviewed = None
        if review is not None:
            reviewed = self.t("reviewed", day=review.at.date(), by=review.by or UNKNOWN)
        rows = [
            ("provenance-level", self.t(f"level-{self.case.level_source}", level=self.case.level)),
            ("provenance-review", reviewed),
            ("provenance-signed", self.signed()),
            ("provenance-version", f"mri-resorb {known.get('mri_resorb', __version__)}"),
            ("provenance-definitions", known.get("definitions")),
            ("provenance-weights", known.get("weights_sha256")),
            ("provenance-parameters", given),
            ("provenance-files", counted),
            ("provenance-seconds", None if seconds is None else self.t("seconds", time=seconds)),
        ]
        return [(self.t(name), str(value)) for name, value in rows if value is not None]

    def signed(self) -> str | None:
        """Who signed the result, and when; None where nobody did."""
        signature = self.case.signature
        if signature is None:
            return None
        moment = signature.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return self.t("reviewed", day=moment, by=signature.name)

    def estimate(self, estimate: Estimate, *, places: int, unit: str = "") -> str:
        """A figure with its interval, short: 1,20 (1,00 to 1,45)."""
        value, low, high = (
            decimal(number, places=places)
            for number in (estimate.value, estimate.low, estimate.high)
        )
        return self.t("estimate", value=value, low=low, high=high, unit=unit)

    def _percent(self, estimate: Estimate) -> str:
        value, low, high = (
            wording.percent(number) for number in (estimate.value, estimate.low, estimate.high)
        )
        return self.t("estimate", value=value, low=low, high=high, unit=" %")

    def t(self, key: str, **values: object) -> str:
        """A sentence of the page."""
        return say(f"html.{key}", language=self.language, **values)  # type: ignore[arg-type]

    def _share(self, entry: PublishedIncidence) -> str:
        if entry.interval is None:
            return f"{decimal(entry.percent, places=0)} %"
        return self.estimate(Estimate(entry.percent, *entry.interval), places=0, unit=" %")

    def _dates(self) -> tuple[tuple[str, TimePoint], tuple[str, TimePoint]]:
        return ("baseline", self.case.baseline), ("follow-up", self.case.follow_up)

    def _row(self, name: str, cell: Callable[[TimePoint], str | None]) -> Row:
        baseline, follow_up = (cell(point) or UNKNOWN for _, point in self._dates())
        return Row(self.t(name), baseline, follow_up)

    def _figures(self, name: str, cell: Callable[[Fragment], str | None]) -> Row:
        return self._row(
            name, lambda point: None if point.fragment is None else cell(point.fragment)
        )

    def _automatic(self) -> list[Row]:
        """The volumes found without the masks of a person, where there are any."""
        if self.case.automatic is None:
            return []
        without = Tables(self.case.automatic, self.language)
        volume = without._figures(
            "measure-automatic", lambda f: without.estimate(f.volume_cm3, places=2)
        )
        return [volume]

    def _finding(self, point: TimePoint) -> str:
        return self.t(f"status-{point.status}")

    def _migration(self, fragment: Fragment) -> str | None:
        if fragment.migration is None:
            return None
        side = self.t(f"side-{fragment.migration.side}")
        return f"{self.t(f'migration-{fragment.migration.craniocaudal}')}, {side}"

    def _compromise(self, fragment: Fragment) -> str | None:
        percent = fragment.canal_compromise_percent
        if percent is None:
            return None
        third = "under" if percent < 100 / 3 else "middle" if percent <= 200 / 3 else "over"
        return f"{decimal(percent, places=0)} % ({self.t(f'third-{third}')})"


def _cm(fragment: Fragment, extent: Literal["ap", "transverse", "craniocaudal"]) -> str | None:
    if fragment.size is None:
        return None
    return decimal(getattr(fragment.size, extent) / 10, places=2)


def _most(name: str, parts: list[Mapping[str, float]]) -> float:
    return max(of.get(name, 0.0) for of in parts)
