"""Tells HAProxy again and again how many sessions each pod has, while any route's new sessions are placed by that.

Between two counts the program counts for itself (`haproxy/lua/session_placement.lua`), so a limit does not wait for this. What
this adds is which sessions have ended, and those that other replicas placed, if the table of sessions is shared.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from remora.core.errors import HAProxyError
from remora.model import Model
from remora.observe.session_counts import CountedWindows, Windows, count_by_server
from remora.plan.outcome import LiveSession

PAUSE = 1.0
LARGEST_SHARE = 0.1
"""Of the time, spent on counting: with so many sessions that a count takes long, counts become rarer."""

_log = logging.getLogger(__name__)


class Counted(Protocol):
    """What is needed of HAProxy's readings."""

    async def count_sessions(self, count: Callable[[tuple[LiveSession, ...]], Mapping[str, int]]) -> None: ...


class PlacementCounts:
    """Counts for the Model that it was told of last."""

    def __init__(self, proxy: Counted, *, pause: float = PAUSE) -> None:
        self._proxy = proxy
        self._pause = pause
        self._model = Model()
        self._counted = CountedWindows()
        self._windows: Windows = {}
        self._told = asyncio.Event()

    def tell(self, model: Model) -> None:
        """The Model that HAProxy runs. It is read when a count is due: no change is to wait for that."""
        self._model = model
        self._told.set()

    async def run(self) -> None:
        """Goes on for ever."""
        while True:
            if not self._windows:
                await self._told.wait()
            begun = time.monotonic()
            if self._told.is_set():
                self._told.clear()
                self._windows = await asyncio.to_thread(self._counted.follow, self._model)
            if self._windows:
                await self._count()
            await asyncio.sleep(max(self._pause, (time.monotonic() - begun) / LARGEST_SHARE))

    async def _count(self) -> None:
        try:
            await self._proxy.count_sessions(lambda sessions: count_by_server(self._windows, sessions))
        except HAProxyError as error:
            # A reload between the parts of a count, or no HAProxy at all; the next count is soon.
            _log.debug("sessions were not counted: %s", error)
