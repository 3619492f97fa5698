"""Changes name the revision they were made on, so that nobody overwrites what they have not seen.

`If-Match: "7"` (RFC 9110, 13.1.1) with the revision of the case; 428 without it, 412 where the case
has changed since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Path, Response

from mri_resorb.errors import StateError
from mri_resorb.service.cases import Case, get_case
from mri_resorb.service.store import Store
from mri_resorb.service.web.documents import CaseDocument, case_document
from mri_resorb.service.web.problems import Problem

CaseId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{22}$", description="Of a case.")]


def _revision(
    if_match: Annotated[
        str | None, Header(description='The revision that the change is made on, as `"7"`.')
    ] = None,
) -> int:
    found = re.fullmatch(r'(?:W/)?"?(\d{1,9})"?', (if_match or "").strip())
    if found is None:
        raise Problem(
            HTTPStatus.PRECONDITION_REQUIRED,
            "revision-missing",
            "Say with If-Match which revision of the case the change is made on.",
        )
    return int(found[1])


Revision = Annotated[int, Depends(_revision)]


@contextmanager
def on_revision(store: Store, case_id: str, revision: int) -> Iterator[Case]:
    """The case as it is to be changed.

    Raises:
        NotThereError: no such case.
        Problem: 412, the case has changed, before or meanwhile.
    """
    case = get_case(store, case_id)
    _check(case, revision)
    try:
        yield case
    except StateError:
        _check(get_case(store, case_id), revision)
        raise


def tagged(case: Case, response: Response) -> CaseDocument:
    """What is said of a case, with its revision as the entity's tag."""
    response.headers["ETag"] = f'"{case.revision}"'
    return case_document(case)


def _check(case: Case, revision: int) -> None:
    if case.revision != revision:
        raise Problem(
            HTTPStatus.PRECONDITION_FAILED,
            "stale-revision",
            "The case has changed meanwhile; look at it again.",
            headers={"ETag": f'"{case.revision}"'},
            extra={"revision": case.revision},
        )
