"""A small client of a reading service's REST interface: studies in, results out.

What is there already changes nothing, on either side: the same command may be given again until all
has gone through.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from mri_resorb.errors import NoStudyError, OutputError, ServiceError
from mri_resorb.service.settings import is_loopback

TOKEN_VARIABLE = "MRI_RESORB_TOKEN"
CASE_NAME = "case.json"
"""Beside a fetched result, written last: the case as the service said it was then."""

_TIMEOUT_SECONDS = 300.0
_MOST_TRIES = 60
_MOST_FILES_A_REQUEST = 200
_MOST_BYTES_A_REQUEST = 64 * 2**20
_SIGNED_STATES = ("signed", "sending", "sent", "send_failed")
_MEASURED_STATES = ("measured", *_SIGNED_STATES)

Wait = Callable[[float], None]


@dataclass(frozen=True)
class Sent:
    """What became of files.

    Attributes:
        refused: how many, by why.
    """

    stored: int
    already_there: int
    refused: Counter[str]
    studies: frozenset[str]


@contextmanager
def connected(address: str, *, token: str | None) -> Iterator[httpx2.Client]:
    """A client of the service at an address such as `https://reading.example`.

    Args:
        token: of a program's; none is needed where the service has no accounts.

    Raises:
        ServiceError: no address, or a token would travel unencrypted.
    """
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        raise ServiceError(f"{address} is no address; give one as https://HOST.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ServiceError(f"{address} is no address; give one as https://HOST.")
    if token and url.scheme == "http" and not is_loopback(url.host):
        raise ServiceError(f"{address} is not encrypted, so no token is sent there; use https.")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx2.Client(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS) as client:
        if not token:
            session = asked(client, "GET", "/api/session").json()
            client.headers["X-CSRF-Token"] = session["csrf"] or ""
        yield client


def send_studies(client: httpx2.Client, paths: Sequence[Path], *, wait: Wait = time.sleep) -> Sent:
    """Send files, folders of files, and zips; in requests of moderate size.

    Args:
        wait: for some seconds, where the service asks for it.

    Raises:
        NoStudyError: there is no file.
        ServiceError: the service cannot be reached, or takes nothing.
    """
    stored = already_there = 0
    refused: Counter[str] = Counter()
    studies: set[str] = set()
    for batch in _batches(_files(paths)):
        with ExitStack() as opened:
            parts = [
                ("file", (str(number), opened.enter_context(path.open("rb"))))
                for number, path in enumerate(batch)  # names of files may name patients
            ]
            answer = asked(
                client, "POST", "/api/studies", files=parts, wait=wait, refusable=(422,)
            ).json()
        stored += answer.get("stored", 0)
        already_there += answer.get("already_there", 0)
        for one in answer.get("refused", ()):
            refused[one["reason"]] += one["count"]
        studies.update(answer.get("studies", ()))
        if "refused" not in answer:  # the request as a whole: a zip that must not be unpacked
            refused[str(answer.get("detail"))] += len(batch)
    return Sent(stored, already_there, refused, frozenset(studies))


def fetch_results(
    client: httpx2.Client,
    output: Path,
    *,
    cases: Sequence[str],
    unsigned: bool,
    wait: Wait = time.sleep,
) -> dict[str, bool]:
    """Fetch the results of cases into a folder each, `output/<id>`.

    Args:
        cases: ids; all where there are none.
        unsigned: those that are measured and not signed, too.

    Returns:
        For each case by its id, whether it was fetched now; False where it was there already.

    Raises:
        ServiceError: the service cannot be reached, or holds no such case.
        OutputError: the folder cannot be written to.
    """
    states = _MEASURED_STATES if unsigned else _SIGNED_STATES
    listed = {one["id"]: one for one in asked(client, "GET", "/api/cases", wait=wait).json()}
    missing = [case_id for case_id in cases if case_id not in listed]
    if missing:
        raise ServiceError(f"The service holds no case {missing[0]}.")
    fetched = {}
    for case_id in cases or listed:
        if listed[case_id]["state"] in states:
            try:
                fetched[case_id] = _fetch(client, listed[case_id], output / case_id, wait=wait)
            except OSError as error:
                raise OutputError(f"{output} cannot be written to: {error.strerror}.") from error
    return fetched


def asked(
    client: httpx2.Client,
    method: str,
    path: str,
    *,
    wait: Wait = time.sleep,
    refusable: Sequence[int] = (),
    **options: Any,
) -> httpx2.Response:
    """The service's answer; asked again where it says to wait.

    Args:
        refusable: statuses that the caller deals with.

    Raises:
        ServiceError: it cannot be reached, or refuses.
    """
    for _ in range(_MOST_TRIES):
        try:
            answer = client.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise ServiceError(
                f"The service at {client.base_url} cannot be reached: {type(error).__name__}."
            ) from error
        after = answer.headers.get("retry-after", "")
        if answer.status_code not in (429, 503) or not after.isdecimal():
            break
        wait(min(int(after), 60))
        for _, (_, file) in options.get("files", ()):
            file.seek(0)
    if answer.is_success or answer.status_code in refusable:
        return answer
    raise ServiceError(f"The service refuses: {_detail(answer)}")


def read_token(file: Path | None) -> str | None:
    """A program's token, from a file or the environment: on a command line others would see it.

    Raises:
        ServiceError: the file cannot be read.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceError(f"{file} cannot be read as a token.") from error


def _files(paths: Sequence[Path]) -> list[Path]:
    found = []
    for path in paths:
        if path.is_dir():
            found += sorted(one for one in path.rglob("*") if one.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise NoStudyError(f"{path} is not there.")
    if not found:
        raise NoStudyError("There is no file to send.")
    return found


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for file in files:
        more = file.stat().st_size
        if batch and (len(batch) == _MOST_FILES_A_REQUEST or size + more > _MOST_BYTES_A_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += more
    yield batch


def _fetch(client: httpx2.Client, case: dict[str, Any], folder: Path, *, wait: Wait) -> bool:
    if _revision(folder) == case["revision"]:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CASE_NAME).unlink(missing_ok=True)
    place = f"/api/cases/{case['id']}/files"
    for file in asked(client, "GET", place, wait=wait).json():
        name = Path(file["name"]).name
        _put(folder / name, asked(client, "GET", f"{place}/{name}", wait=wait).content)
    _put(folder / CASE_NAME, json.dumps(case, indent=2, ensure_ascii=False).encode())
    return True


def _revision(folder: Path) -> int | None:
    try:
        known = json.loads((folder / CASE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known.get("revision") if isinstance(known, dict) else None


def _put(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code}."
