"""Bodies of requests, taken up to a limit: into memory, or to a file in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from mri_resorb.service.web.problems import Problem
from mri_resorb.service.web.security import too_large

SILENCE_SECONDS = 60.0
"""After which a sender is taken to be gone."""
_PIECE_BYTES = 2**20


async def read_body(request: Request, *, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        Problem: 413 past the limit; 400 where the sender went away.
    """
    _check_announced(request, most_bytes=most_bytes)
    content = bytearray()
    try:
        async for piece in _pieces(request):
            content += piece
            if len(content) > most_bytes:
                raise too_large(most_bytes)
    except (ClientDisconnect, TimeoutError) as error:
        raise _cut_off() from error
    return bytes(content)


async def save_body(request: Request, path: Path, *, most_bytes: int) -> None:
    """Write the whole body to a new file.

    Raises:
        Problem: 413 past the limit; 400 where the sender went away.
        OSError: the disk refused.
    """
    _check_announced(request, most_bytes=most_bytes)
    taken = 0
    waiting = bytearray()
    with path.open("xb") as file:
        try:
            async for piece in _pieces(request):
                taken += len(piece)
                if taken > most_bytes:
                    raise too_large(most_bytes)
                waiting += piece
                if len(waiting) >= _PIECE_BYTES:
                    await run_in_threadpool(file.write, bytes(waiting))
                    waiting.clear()
        except (ClientDisconnect, TimeoutError) as error:
            raise _cut_off() from error
        await run_in_threadpool(file.write, bytes(waiting))


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; a sender that stops sending does not hold its place for ever."""
    stream = aiter(request.stream())
    while True:
        try:
            yield await asyncio.wait_for(anext(stream), SILENCE_SECONDS)
        except StopAsyncIteration:
            return


def _check_announced(request: Request, *, most_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most_bytes:
        raise too_large(most_bytes)


def _cut_off() -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "malformed", "The request was cut off.")
