"""The case as a PDF of one or two pages: what the page for browsers says, to print or to sign.

fpdf2 writes the title, the language, an outline of the sections, and the picture's alternative text
into the document; it does not tag paragraphs and tables, so this is no PDF/UA.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time
from functools import partial
from io import BytesIO

from fpdf import FPDF, TextStyle
from fpdf.enums import Align, TableBordersLayout
from fpdf.fonts import FontFace
from fpdf.prefs import ViewerPreferences

from mri_resorb import __version__
from mri_resorb.languages import Language, long_date, say
from mri_resorb.model import CaseResult, TimePoint
from mri_resorb.report import fonts, wording
from mri_resorb.report.case_text import case_text
from mri_resorb.report.figures import overlay
from mri_resorb.report.html.tables import Tables
from mri_resorb.report.painting import paint

MARGIN_MM = 15.0
_HEADING_MM, _ROW_MM, _ROWS_KEPT = 20.0, 4.8, 6
"""A section's title, note and column heads; a row; and how many rows stay with them."""
PICTURE_MM = 162.0
_FONT = "DejaVu Sans"
_FAINT = (90, 98, 106)
_INK = (20, 24, 28)
_RULE = (200, 205, 210)
_SHADE = (240, 243, 245)
_SHA256_SHOWN = 12
_JPEG_QUALITY = 95


def pdf_report(case: CaseResult, *, language: Language = Language.EN) -> bytes:
    """The document; the same case gives the same bytes.

    It is dated by the follow-up, or else by the baseline, and carries no name and no patient ID.
    """
    made = _Report(case, language)
    made.add_sections()
    return bytes(made.output())


class _Report(FPDF):
    def __init__(self, case: CaseResult, language: Language) -> None:
        super().__init__(format="A4")
        self.case = case
        self.language = language
        self.tables = Tables(case, language)
        self.words = partial(say, language=language)
        for style, file in (("", fonts.REGULAR), ("B", fonts.BOLD)):
            self.add_font(_FONT, style, file)
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.c_margin = 0.0
        self.set_auto_page_break(True, margin=MARGIN_MM + 5)
        self.set_title(self.tables.t("title", level=str(case.level)))
        self.set_subject(self.words("pdf.subject", level=str(case.level)))
        self.set_lang(language.value)
        self.set_creator(f"mri-resorb {__version__}")
        self.set_creation_date(_dated(case))
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.set_section_title_styles(
            TextStyle(_FONT, "B", 10, _INK, t_margin=3, b_margin=1.2, l_margin=MARGIN_MM)
        )

    def footer(self) -> None:
        """The disclaimer and the page's number, on every page."""
        self.set_y(-MARGIN_MM)
        self.set_font(_FONT, "", 7)
        self.set_text_color(*_FAINT)
        number = self.words("pdf.page", number=self.page_no(), count="{nb}")
        self.cell(0, 4, f"{wording.disclaimer(self.language)} mri-resorb {__version__}", align="L")
        self.set_x(MARGIN_MM)
        self.cell(0, 4, number, align="R")

    def add_sections(self) -> None:
        """All sections."""
        t = self.tables.t
        self.add_page()
        self._clinic_form()
        self._warnings()
        self._picture()
        headings = (self.words("pdf.measure"), *(self._date(which) for which in (0, 1)))
        self._table(
            t("measures-heading"),
            headings,
            ((row.label, row.baseline, row.follow_up) for row in self.tables.measures()),
            note=t("measures-note"),
        )
        self._table(t("change-heading"), (), self.tables.changes())
        self._table(
            t("error-heading"),
            (t("error-part"), *headings[1:]),
            (
                (f"{part.name}: {part.what}", part.baseline, part.follow_up)
                for part in self.tables.error_parts()
            ),
            note=t("error-note"),
        )
        self._table(
            t("context-heading"),
            tuple(t(f"context-{name}") for name in ("group", "counted", "share", "source")),
            ((row.group, row.counted, row.percent, row.source) for row in self.tables.context()),
            note=t("context-note"),
            widths=(20, 30, 22, 45),
        )
        self._table(
            t("method-heading"),
            ("", *headings[1:]),
            ((row.label, row.baseline, row.follow_up) for row in self.tables.choices()),
            widths=(16, 42, 42),
        )
        self._table("", (), ((name, _shortened(value)) for name, value in self.tables.provenance()))

    def _clinic_form(self) -> None:
        """The case's text as `case.txt` has it, its first three lines larger."""
        for number, line in enumerate(case_text(self.case, language=self.language).splitlines()):
            if number < 3:
                self._line(line, size_pt=10.5, bold=number == 1)
            elif number < 6:
                self._line(line, size_pt=9)
        signed = self.tables.signed()
        if signed is not None:
            self._line(f"{self.tables.t('provenance-signed')}: {signed}", size_pt=9, bold=True)

    def _warnings(self) -> None:
        """What to keep in mind; why a figure is not given stands in the case's text."""
        if self.case.warnings:
            self.start_section(self.tables.t("warnings-heading"))
        for warning in self.case.warnings:
            self._line(f"• {warning.text(self.language)}", size_pt=8.5)

    def _picture(self) -> None:
        picture = BytesIO()
        painted = paint(overlay(self.case, language=self.language))
        # Without subsampling of colour the thin lines stay as they are.
        painted.save(picture, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        baseline, follow_up = (
            wording.volume_at(point, language=self.language) for point in self._points()
        )
        alt = self.words("pdf.picture", baseline=baseline, follow_up=follow_up)
        self.ln(2)
        self.image(picture, x=Align.C, w=PICTURE_MM, alt_text=alt)
        self.ln(1)

    def _table(
        self,
        heading: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        note: str = "",
        widths: tuple[float, ...] | None = None,
    ) -> None:
        """A section with a table; nothing where there are no rows."""
        rows = list(rows)
        if not rows:
            return
        if heading:
            if self.will_page_break(_HEADING_MM + _ROW_MM * min(len(rows), _ROWS_KEPT)):
                self.add_page()  # no heading stays behind without its table's beginning
            self.start_section(heading)
        if note:
            self._line(note, size_pt=7.5, color=_FAINT)
        self.set_font(_FONT, "", 8)
        self.set_text_color(*_INK)
        self.set_draw_color(*_RULE)
        with self.table(
            align="LEFT",
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            col_widths=widths or ((40, 30, 30) if len(rows[0]) == 3 else (40, 60)),
            first_row_as_headings=bool(columns),
            headings_style=FontFace(emphasis="BOLD", fill_color=_SHADE),
            line_height=3.6,
            padding=(0.5, 1),
            text_align="LEFT",
            width=self.epw,
        ) as table:
            for row in [columns, *rows] if columns else rows:
                table.row(row)

    def _line(
        self,
        text: str,
        *,
        size_pt: float,
        bold: bool = False,
        color: tuple[int, int, int] = _INK,
    ) -> None:
        self.set_font(_FONT, "B" if bold else "", size_pt)
        self.set_text_color(*color)
        self.multi_cell(0, size_pt * 0.48, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _points(self) -> tuple[TimePoint, TimePoint]:
        return self.case.baseline, self.case.follow_up

    def _date(self, which: int) -> str:
        """A column's heading: which date, and when, on two lines."""
        day = self._points()[which].scan.date
        name = self.tables.t(("baseline", "follow-up")[which])
        return (
            f"{name}\n{long_date(day, language=self.language) if day else self.tables.t('no-date')}"
        )


def _dated(case: CaseResult) -> datetime:
    day = case.follow_up.scan.date or case.baseline.scan.date
    if day is None:
        return datetime(1970, 1, 1, tzinfo=UTC)
    return datetime.combine(day, time(), tzinfo=UTC)


def _shortened(value: str) -> str:
    """A digest by its beginning; all of it stands in result.json."""
    is_digest = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return f"{value[:_SHA256_SHOWN]}…" if is_digest else value
