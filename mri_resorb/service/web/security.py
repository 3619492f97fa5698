"""Around every request: who may ask from where, how often and how much, and what browsers may do.

Pure ASGI, so that streams (events, uploads) pass unchanged.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mri_resorb.service.web.problems import Problem, answer, answer_to_fault

PAGE_CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load: its own files, and pictures that its viewer paints."""

REPORT_CSP = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-scripts"
)
"""For a report's page, which holds all it needs: it runs apart from the service's own pages."""

_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_SMALL_BODY_BYTES = 2**16
"""Of a request that is not a file: names, a level, a signature."""
_MOST_CLIENTS = 10_000

_LOG = logging.getLogger(__name__)


@dataclass
class Rate:
    """Tokens in a bucket for each client, filled steadily; an empty one means: wait.

    Attributes:
        per_minute: requests; as many may also come at once.
        clock: seconds.
    """

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_seconds(self, client: str) -> float:
        """Take a token; 0 where there was one, else seconds until there is."""
        now = self.clock()
        with self._lock:
            left, at = self._buckets.pop(client, (float(self.per_minute), now))
            left = min(float(self.per_minute), left + (now - at) * self.per_minute / 60)
            self._buckets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) * 60 / self.per_minute


class Guard:
    """The middleware.

    Args:
        is_local: reached from this machine alone; then only its own names are answered to, so that
            no site can pose as it (DNS rebinding).
        is_secure: behind TLS, its own or a proxy's.
        takes_files: whether a request's body is a file, whose route limits it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        is_local: bool,
        is_secure: bool,
        requests_per_minute: int,
        takes_files: Callable[[str, str], bool],
    ) -> None:
        self._app = app
        self._is_local = is_local
        self._is_secure = is_secure
        self._rate = Rate(requests_per_minute)
        self._takes_files = takes_files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(message, path=scope["path"])
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await answer(refusal)(scope, receive, sending)
            else:
                await self._app(scope, self._limited(scope, receive), sending)
        except Exception as error:
            response = answer_to_fault(error)
            if not status:
                await response(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "-")  # without ids and without a query
            duration_ms = (time.perf_counter() - began) * 1000
            _LOG.info("%s %s %d %.0f ms", scope["method"], route, status, duration_ms)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if self._is_local and _host(headers) not in _LOOPBACK_NAMES:
            return Problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "other-site",
                "The service answers to this machine's own names alone.",
            )
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and (
            scope["path"].startswith("/api/") or scope["method"] not in _SAFE
        ):
            return Problem(
                HTTPStatus.FORBIDDEN, "other-site", "The service takes no requests of other sites."
            )
        wait_seconds = self._rate.wait_seconds((scope.get("client") or ("",))[0])
        if wait_seconds:
            return Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests came from this address.",
                headers={"Retry-After": str(int(wait_seconds) + 1)},
            )
        return None

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        if self._takes_files(scope["method"], scope["path"]):
            return receive
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MOST_SMALL_BODY_BYTES:  # what FastAPI passes on while it reads a body
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        return limited

    def _add_headers(self, message: Message, *, path: str) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in _HEADERS.items():
            headers[name] = value
        headers.setdefault("content-security-policy", PAGE_CSP)
        headers.setdefault("cache-control", "no-store" if path.startswith("/api/") else "no-cache")
        if self._is_secure:
            headers["strict-transport-security"] = "max-age=31536000"


def too_large(most_bytes: int) -> Problem:
    """A body past its limit."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"This takes {most_bytes / 2**20:.3g} MB at most.",
        headers={"Connection": "close"},
    )


def _host(headers: Headers) -> str:
    """The name that was asked for, without its port."""
    host = headers.get("host", "").lower()
    name, separator, port = host.rpartition(":")
    return name if separator and port.isdigit() else host
