"""Pages of usual and unusual cases, and how their text and elements are found."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from xml.etree.ElementTree import Element

import html5lib
from case_results import UNKNOWN, absent, case_result, changed, refused, time_point

from mri_resorb.languages import Language
from mri_resorb.model import CaseResult, Remark
from mri_resorb.report.html.page import html_report

REASON = Remark("fragment-at-edge")


def parsed(page: str) -> Element:
    """The document; a parse error fails."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page)


def text_of(page: str) -> str:
    body = parsed(page).find("body")
    assert body is not None
    for script in list(body.iter("script")):
        script.text = ""
    return " ".join(" ".join(body.itertext()).split())


def local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def having(root: Element, name: str, **attributes: str) -> list[Element]:
    return [
        element
        for element in root.iter()
        if local(element) == name
        and all(value in element.get(key, "").split() for key, value in attributes.items())
    ]


def refused_case(*, found: bool = False) -> CaseResult:
    point = replace(refused(found=found), reason=REASON)
    return case_result(follow_up=point, change=UNKNOWN, reasons=(REASON,))


CASES = {
    "halved": case_result(),
    "absent": case_result(follow_up=absent(), change=changed((96.0, 80.0, 100.0), band="complete")),
    "grown": case_result(change=changed((-60.0, -140.0, -5.0), verdict="increased", band=None)),
    "lost": refused_case(),
    "not wholly seen": refused_case(found=True),
    "no dates": case_result(baseline=time_point(day=None), follow_up=time_point(day=None)),
}


@cache
def page(name: str, language: Language = Language.EN) -> str:
    return html_report(CASES[name], language=language)
