"""The loop that every controller has: watch events name keys, each key is brought in order, one after the other.

A key that is named again while it waits is done once. One that fails is tried again after a pause that doubles; a conflict is
only a sign that the object was read too early, so its first retry comes at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Generic, TypeVar

from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.api.resources import ResourceTable

_log = logging.getLogger(__name__)

Key = TypeVar("Key")

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 30.0
_PATIENCE = 0.1
"""Seconds that the next key waits for one: only a webhook takes longer, and it is to hold up nobody else."""
_MOST_BUSY = 5


class Loop(Generic[Key]):
    """Calls `reconcile` for each key that was added; what it returns is after how many seconds to call it again."""

    def __init__(self, name: str, reconcile: Callable[[Key], Awaitable[float | None]]) -> None:
        self._name = name
        self._reconcile = reconcile
        self._waiting: dict[Key, None] = {}
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._busy: dict[Key, asyncio.Task[None]] = {}
        self._again: set[Key] = set()
        """Keys that were named while they were being brought in order."""

    def add(self, key: Key) -> None:
        self._waiting[key] = None
        self._changed.set()

    async def run(self) -> None:
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                while self._waiting:
                    key = next(iter(self._waiting))
                    del self._waiting[key]
                    if key in self._busy:
                        self._again.add(key)
                    else:
                        await self._begin(key)
        finally:
            for task in self._busy.values():
                task.cancel()
            for timer in self._timers.values():
                timer.cancel()

    async def _begin(self, key: Key) -> None:
        task = self._busy[key] = asyncio.create_task(self._one(key))
        task.add_done_callback(lambda _: self._end(key))
        # As a rule the registry suspends nobody, and then this is all that it takes.
        await asyncio.sleep(0)
        if not task.done():
            await asyncio.wait({task}, timeout=_PATIENCE)
        while len(self._busy) >= _MOST_BUSY:
            await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)

    def _end(self, key: Key) -> None:
        self._busy.pop(key, None)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def _one(self, key: Key) -> None:
        try:
            pause = await self._reconcile(key)
        except Exception as error:
            pause = self._pause_after_failure(key, error)
        else:
            self._failures.pop(key, None)
        if pause is not None:
            self._add_later(key, pause)

    def _pause_after_failure(self, key: Key, error: Exception) -> float:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        is_conflict = isinstance(error, ApiError) and error.reason in ("Conflict", "AlreadyExists")
        if is_conflict and count < 5:
            return 0.0
        if isinstance(error, ApiError):
            _log.warning("controller %s: %s: %s", self._name, key, error)
        else:
            _log.error("controller %s: %s failed", self._name, key, exc_info=error)
        return float(min(_FIRST_PAUSE * 2**count, _LONGEST_PAUSE))

    def _add_later(self, key: Key, seconds: float) -> None:
        if earlier := self._timers.pop(key, None):
            earlier.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)


async def follow(
    registry: Registry, resource: str, changed: Callable[[WatchEvent], None], *, begins: Callable[[], None] = lambda: None
) -> None:
    """Calls `changed` for every object that exists and for every later change, for ever.

    `begins` is called whenever it begins with what exists: deletions before that are told to nobody.
    """
    while True:
        begins()
        try:
            async for event in registry.watch(resource):
                changed(event)
        except ApiError as error:
            # A watch that fell behind is closed by the registry; a new one begins with what exists.
            _log.info("watch of %s begins anew: %s", resource, error)
        await asyncio.sleep(_FIRST_PAUSE)


async def follow_all(
    registry: Registry, choose: Callable[[ResourceTable], Iterable[str]], changed: Callable[[str, WatchEvent], None]
) -> None:
    """As `follow` for all resources that are chosen from the table, also from those that come to be served later, for ever."""
    followed: dict[str, asyncio.Task[None]] = {}
    async with asyncio.TaskGroup() as group:
        while True:
            table = registry.resources
            chosen = set(choose(table))
            for gone in followed.keys() - chosen:
                followed.pop(gone).cancel()
            for new in sorted(chosen - followed.keys()):
                followed[new] = group.create_task(follow(registry, new, partial(changed, new)))
            await registry.another_table(table)
