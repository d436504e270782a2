"""Keeps the wanted names resolved, each in a task of its own, and tells what changed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from remora.kube.objects import DnsAnswer, ObjectMeta
from remora.kube.reflector import Told
from remora.kube.resources import Scope
from remora.resolve.answers import Known, Reply, learned, pause

AT_ONCE = 64
"""Questions under way at most."""

_log = logging.getLogger(__name__)
_SCOPE = Scope(DnsAnswer)


class Asks(Protocol):
    """Who answers for names."""

    async def find(self, name: str) -> Reply: ...


class Resolver:
    """Feeds `sink` with a DnsAnswer for every name that is wanted, until it is not."""

    def __init__(
        self, lookup: Asks, *, sink: Callable[[Told], Awaitable[None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lookup = lookup
        self._sink = sink
        self._clock = clock
        self._wanted: frozenset[str] = frozenset()
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)

    def want(self, names: frozenset[str]) -> None:
        """From now on these names, and no others."""
        if names != self._wanted:
            self._wanted = names
            self._news.set()

    async def run(self) -> None:
        """Goes on for ever."""
        followed: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                for name in followed.keys() - self._wanted:
                    followed.pop(name).cancel()
                    await self._sink(Told(_SCOPE, "DELETED", _answer(name, Known())))
                for name in sorted(self._wanted - followed.keys()):
                    followed[name] = tasks.create_task(self._follow(name))
                await self._news.wait()
                self._news.clear()

    async def _follow(self, name: str) -> None:
        known: Known | None = None
        while True:
            async with self._slots:
                reply = await self._lookup.find(name)
            before, known = known, learned(known or Known(), reply, self._clock())
            self._log(name, before or Known(), known)
            if before is None or _answer(name, before) != _answer(name, known):
                await self._sink(Told(_SCOPE, "MODIFIED", _answer(name, known)))
            await asyncio.sleep(pause(known, reply))

    def _log(self, name: str, before: Known, known: Known) -> None:
        if known.failures == 1:
            served = f"served on with {', '.join(known.addresses)}" if known.addresses else "without addresses"
            _log.warning("%s is not resolved, %s: %s", name, served, known.why)
        elif before.failures and not known.failures:
            _log.info("%s is resolved again", name)


def _answer(name: str, known: Known) -> DnsAnswer:
    return DnsAnswer(ObjectMeta(name), known.addresses, "" if known.addresses else known.why)
