import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from remora.kube.objects import DnsAnswer
from remora.kube.reflector import Told
from remora.resolve.answers import Absent, Addresses, Reply, Silent
from remora.resolve.resolver import Resolver


class FakeLookup:
    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []

    async def find(self, name: str) -> Reply:
        self.asked.append(name)
        return self.replies.get(name, Absent("unknown"))


class Bench:
    def __init__(self) -> None:
        self.lookup = FakeLookup()
        self.told: asyncio.Queue[Told] = asyncio.Queue()
        self.resolver = Resolver(self.lookup, sink=self.told.put)

    async def next(self) -> tuple[str, str, tuple[str, ...]]:
        async with asyncio.timeout(30):
            told = await self.told.get()
        assert isinstance(told.object, DnsAnswer)
        return told.type, told.object.metadata.name, told.object.addresses


@asynccontextmanager
async def resolving() -> AsyncIterator[Bench]:
    bench = Bench()
    task = asyncio.create_task(bench.resolver.run())
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_wanted_name_is_told_until_it_is_wanted_no_more() -> None:
    async with resolving() as bench:
        bench.lookup.replies = {"a": Addresses(("10.0.0.1",), 30.0)}
        bench.resolver.want(frozenset(("a",)))
        assert await bench.next() == ("MODIFIED", "a", ("10.0.0.1",))
        bench.resolver.want(frozenset(("b",)))
        assert sorted([await bench.next(), await bench.next()]) == [("DELETED", "a", ()), ("MODIFIED", "b", ())]


async def test_only_a_change_is_told_and_a_silent_server_changes_nothing() -> None:
    async with resolving() as bench:
        bench.lookup.replies = {"a": Addresses(("10.0.0.1",), 0.0)}
        bench.resolver.want(frozenset(("a",)))
        assert await bench.next() == ("MODIFIED", "a", ("10.0.0.1",))
        bench.lookup.replies = {"a": Silent("no answer")}
        async with asyncio.timeout(30):
            while len(bench.lookup.asked) < 2:
                await asyncio.sleep(0.05)
        bench.lookup.replies = {"a": Addresses(("10.0.0.2",), 30.0)}
        assert await bench.next() == ("MODIFIED", "a", ("10.0.0.2",))
