"""Sessions are counted for HAProxy while a route needs it, whatever HAProxy says."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from remora.controller.placement import PlacementCounts
from remora.core.errors import HAProxyUnreachable
from remora.model import Model, SessionPolicy
from remora.plan.outcome import LiveSession
from tests.unit.observe.test_session_counts import model_with

LIMITED = model_with(SessionPolicy(tracking=True, limit=3))
SESSION = LiveSession(LIMITED.virtual_hosts[0].routes[0].id, "a", "x", 0.0, False)


class Proxy:
    """Counts, and fails at first."""

    def __init__(self) -> None:
        self.counts: list[Mapping[str, int]] = []
        self.counted = asyncio.Event()
        self.failures = 2

    async def count_sessions(self, count: Callable[[tuple[LiveSession, ...]], Mapping[str, int]]) -> None:
        if self.failures:
            self.failures -= 1
            raise HAProxyUnreachable("not yet")
        self.counts.append(count((SESSION,)))
        self.counted.set()


async def counts_of(*models: Model, patience: float) -> list[Mapping[str, int]]:
    proxy = Proxy()
    placement = PlacementCounts(proxy, pause=0.0)
    running = asyncio.create_task(placement.run())
    for one in models:
        placement.tell(one)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await proxy.counted.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return proxy.counts


async def test_nothing_is_counted_where_no_route_needs_it() -> None:
    assert await counts_of(Model(), patience=0.2) == []
    assert await counts_of(LIMITED, model_with(SessionPolicy(tracking=True)), patience=0.2) == []


async def test_a_failed_count_is_followed_by_another() -> None:
    assert (await counts_of(LIMITED, patience=20))[:1] == [{"a": 1}]
