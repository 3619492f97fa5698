"""Debian's Chromium, driven as a reader would use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dicom_case import program
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

WITHOUT_GRAPHICS_CARD = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PATIENCE_MS = 120_000
"""WebGL without a graphics card, on a busy machine, takes its time."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, closed at the end."""
    path = program("chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", *WITHOUT_GRAPHICS_CARD]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Reader:
    """Somebody before the page.

    Attributes:
        heard: what the page wrote to the console, and errors that it did not catch.
    """

    page: Page
    address: str
    heard: list[str] = field(default_factory=list)

    def sign_in(self, name: str, password: str) -> None:
        """From the page's first view to the work list."""
        self.page.goto(self.address)
        self.page.locator("#name").fill(name)
        self.page.locator("#password").fill(password)
        self.page.locator("button[type=submit]").click()
        expect(self.page.locator(".work-list")).to_be_visible()

    def row(self, case_id: str) -> Locator:
        """A case's row of the work list."""
        return self.page.locator(f'tr[data-id="{case_id}"]')

    def open_case(self, case_id: str) -> None:
        """From the work list, until its pictures are there."""
        self.row(case_id).locator("a").click()
        expect(self.page.locator(".pictures[data-is-ready]")).to_be_visible()

    def stage(self, date: str) -> Locator:
        """Where a date's slice is shown."""
        return self.page.locator(f'.stage[data-date="{date}"]')

    def choose(self, tool: str) -> None:
        """Take a tool of the toolbar."""
        self.page.locator(f"label[for=tool-{tool}]").click()

    def drag(self, date: str, *points: tuple[float, float]) -> None:
        """Draw with the tool that is held, over CSS pixels from the middle of a date's slice."""
        x, y = self.middle(date)
        mouse = self.page.mouse
        mouse.move(x + points[0][0], y + points[0][1])
        mouse.down()
        for right, down in points[1:]:
            mouse.move(x + right, y + down, steps=5)
        mouse.up()

    def middle(self, date: str) -> tuple[float, float]:
        """Of a date's slice, CSS pixels."""
        box = self.stage(date).bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def pixels_per_mm(self, date: str, *, field_mm: float = 120.0) -> float:
        """CSS pixels a millimetre, at the first view."""
        box = self.stage(date).bounding_box()
        assert box is not None
        return min(box["width"], box["height"]) / field_mm

    def figures(self, column: int) -> list[str]:
        """Baseline, follow-up and resorption, in the first column (automatic) or the second."""
        cells = self.page.locator(f".comparison tbody td:nth-of-type({column}) strong")
        return [re.sub(r"\s+", " ", text) for text in cells.all_inner_texts()]


@contextmanager
def reader(
    browser: Browser, address: str, *, width: int = 1280, height: int = 800, language: str = "en"
) -> Iterator[Reader]:
    """Somebody with a window of that size, and a browser of that language."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, accept_downloads=True
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    made = Reader(page, address)
    page.on("console", lambda message: made.heard.append(message.text))
    page.on("pageerror", lambda error: made.heard.append(str(error)))
    try:
        yield made
    finally:
        context.close()
