"""Replicas and workers that share what they learned of sessions, with real HAProxies."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.model import Endpoint, ForwardTo, Learning, NamedIn, Peer, Peering
from remora.plan.outcome import OutcomeKind
from remora.translate.peers import peers_identity
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, free_ports, running_executor

HEADER = Learning(NamedIn.HEADER, "x-session", "0123456789abcdef")
ADDRESSES = {"one": "127.0.0.21", "two": "127.0.0.22"}
OURS = peers_identity(b"ours")
PATIENCE = 30.0


class Replica:
    """A HAProxy with a controller's settings of its own, and requests to it."""

    def __init__(self, settings: ProxySettings, executor: Executor, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.executor = executor
        self._client = Client(session, settings)

    def wanted(self, endpoints: list[Endpoint], peering: Peering | None, *names: str) -> Configuration:
        routed = model([host(route(action=ForwardTo(NAME, learning=HEADER)))], [backend(*endpoints)])
        shared = msgspec.structs.replace(routed, peering=peering, response_header_names=names)
        return Configurator(self.settings).configure(shared)

    async def get(self, name: str) -> str:
        _, _, body = await self._client.get("web.example", headers={"X-Session": name})
        pod: str = json.loads(body)["pod"]
        return pod

    async def pods(self, names: list[str]) -> dict[str, str]:
        return {name: await self.get(name) for name in names}


@pytest.fixture
def replica_settings() -> Iterator[dict[str, ProxySettings]]:
    with contextlib.ExitStack() as stack:
        ports = free_ports(5)
        yield {
            name: ProxySettings(
                state_directory=stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-")),
                bind_addresses=("127.0.0.1",),
                http_port=ports.pop(),
                https_port=ports.pop(),
                threads=1,
                old_worker_timeout=5,
                peer_name=name,
                peers_address=address,
                peers_port=ports[0],
            )
            for name, address in ADDRESSES.items()
        }


@contextlib.asynccontextmanager
async def replica(settings: ProxySettings) -> AsyncIterator[Replica]:
    async with (
        running_executor(settings) as executor,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield Replica(settings, executor, session)


def peering(*others: str, identity: bytes = OURS) -> Peering:
    return Peering(tuple(Peer(name, ADDRESSES[name]) for name in others), identity)


async def sessions_of(replica: Replica) -> int:
    """How many sessions the replica knows."""
    replies = await replica.executor._process.ask_workers("show table learned")
    return max((reply.count("key=") for reply in replies.values()), default=0)


async def eventually_knows(replica: Replica, count: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while await sessions_of(replica) != count:
        assert time.monotonic() < deadline, f"{await sessions_of(replica)} sessions are known, not {count}"
        await asyncio.sleep(0.1)


async def has_settled(executor: Executor) -> None:
    """Waits until a worker has learned what others know, or given up on that, five seconds after it met them."""
    deadline = time.monotonic() + PATIENCE
    while True:
        replies = await executor._process.ask_workers("show peers cluster")
        if any("resync_timeout=<PAST>" in reply for reply in replies.values()):
            return
        assert time.monotonic() < deadline, replies
        await asyncio.sleep(0.2)


NAMES = [f"s{number}" for number in range(12)]


@pytest.mark.parametrize("is_shared", [False, True], ids=["alone", "with peers"])
async def test_a_reload_keeps_what_was_learned(is_shared: bool, replica_settings: dict[str, ProxySettings], pods: Pods) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    shared = peering() if is_shared else None
    async with replica(replica_settings["one"]) as one:
        await one.executor.apply(one.wanted(endpoints, shared))
        begun = await one.pods(NAMES)
        await has_settled(one.executor)
        for number in range(3):
            outcome = await one.executor.apply(one.wanted(endpoints, shared, f"X-{number}"))
            assert outcome.kind is OutcomeKind.RELOAD
            await eventually_knows(one, len(NAMES))
            assert await one.pods(NAMES) == begun


async def test_replicas_share_what_they_learn_and_teach_one_that_starts(
    replica_settings: dict[str, ProxySettings], pods: Pods
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    async with replica(replica_settings["one"]) as one:
        await one.executor.apply(one.wanted(endpoints, peering("two")))
        begun = await one.pods(NAMES)
        for _ in range(2):  # the second replica starts, and starts again with nothing but its peer
            async with replica(replica_settings["two"]) as two:
                await two.executor.apply(two.wanted(endpoints, peering("one")))
                await eventually_knows(two, len(begun))
                assert await two.pods(list(begun)) == begun
                begun |= await two.pods([f"t{len(begun)}"])
                await eventually_knows(one, len(begun))
                assert await one.pods(list(begun)) == begun


async def test_replicas_that_come_and_go_are_a_reload_for_that_reason_alone(
    replica_settings: dict[str, ProxySettings], pods: Pods
) -> None:
    endpoints = [endpoint("a", await pods.start("a"))]
    async with replica(replica_settings["one"]) as one:
        await one.executor.apply(one.wanted(endpoints, peering()))
        grown = await one.executor.apply(one.wanted(endpoints, peering("two")))
        assert (grown.kind, grown.reasons) == (OutcomeKind.RELOAD, ("peers changed",))
        successor = Executor(one.settings)
        await successor.start()
        assert (await successor.apply(one.wanted(endpoints, peering("two")))).kind is OutcomeKind.UNCHANGED
        assert (await successor.apply(one.wanted(endpoints, peering()))).reasons == ("peers changed",)


async def test_a_stranger_neither_learns_nor_teaches(replica_settings: dict[str, ProxySettings], pods: Pods) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    async with replica(replica_settings["one"]) as one, replica(replica_settings["two"]) as two:
        await one.executor.apply(one.wanted(endpoints, peering("two")))
        await two.executor.apply(two.wanted(endpoints, peering("one", identity=peers_identity(b"theirs"))))
        await one.get("ours")
        for name in ("theirs", "more"):
            await two.get(name)
        await asyncio.sleep(2.0)
        assert (await sessions_of(one), await sessions_of(two)) == (1, 2)
