"""Server-sent events: each change of a case, told to every page that listens.

The store numbers its changes, whichever process makes them; one task looks for new ones while
anybody listens. An event's id is that number, so that a page that comes back hears what it missed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from mri_resorb.service.cases import Changed, changes_since, latest_change
from mri_resorb.service.store import Store

LOOK_SECONDS = 0.3
BEAT_SECONDS = 15.0
"""A comment is sent as often, so that proxies keep the line and a lost page is noticed."""
MOST_WAITING = 1000
"""A page that does not take its events is let go; it loads anew when it comes back."""
MOST_LISTENERS = 200


@dataclass
class Events:
    """Those who listen, and the task that looks for them."""

    store: Store
    _listeners: set[asyncio.Queue[Changed | None]] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody more can listen."""
        return len(self._listeners) >= MOST_LISTENERS

    async def listen(
        self, *, since: int | None, may_still: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[str]:
        """Events as they are written to a page, from now on.

        Args:
            since: number of the last change that the page knows; from now on where None.
            may_still: asked at each beat; whoever signed out hears no more.
        """
        queue: asyncio.Queue[Changed | None] = asyncio.Queue(MOST_WAITING)
        last = since
        if last is None:
            last = await run_in_threadpool(latest_change, self.store)
        self._listeners.add(queue)
        self._start(last)
        try:
            yield ": listening\n\n"
            if since is None:  # what the page asked for before may be older
                yield "event: listening\ndata: {}\n\n"
            for change in await run_in_threadpool(changes_since, self.store, last):
                last = change.number
                yield _event(change)
            while True:
                try:
                    heard = await asyncio.wait_for(queue.get(), BEAT_SECONDS)
                except TimeoutError:
                    if not await may_still():
                        return
                    yield ": beat\n\n"
                    continue
                if heard is None:
                    return
                if heard.number > last:
                    last = heard.number
                    yield _event(heard)
        finally:
            self._listeners.discard(queue)

    def end(self) -> None:
        """Let everybody go."""
        if self._task is not None:
            self._task.cancel()
        for queue in self._listeners:
            _let_go(queue)

    def _start(self, last: int) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(last))

    async def _look(self, last: int) -> None:
        while self._listeners:
            await asyncio.sleep(LOOK_SECONDS)
            for change in await run_in_threadpool(changes_since, self.store, last):
                last = change.number
                for queue in list(self._listeners):
                    try:
                        queue.put_nowait(change)
                    except asyncio.QueueFull:
                        _let_go(queue)


def _let_go(queue: asyncio.Queue[Changed | None]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)


def _event(change: Changed) -> str:
    data = {
        "id": change.case_id,
        "state": change.state,
        "step": change.step,
        "revision": change.revision,
    }
    return f"id: {change.number}\nevent: case\ndata: {json.dumps(data)}\n\n"
