"""Limits as a client meets them: sizes, rates, requests at the same time, bandwidth."""

import asyncio
import contextlib
import io
import re
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import aiohttp
import msgspec
import pytest
from aiohttp import web

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Cors, ErrorContext, ErrorPages, Limits, Peer, Peering, RedirectTo, Route
from remora.plan.outcome import OutcomeKind
from remora.translate.peers import peers_identity
from tests.features.test_peers import has_settled
from tests.support.http2 import Http2Client
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, free_ports, http1_pod, repeat_messages, running_executor

COUNTER = "0123456789abcdef"
KILOBYTE = 1024


@pytest.fixture
async def pod() -> AsyncIterator[int]:
    """A pod that reads what it is sent, answers `/slow` after two seconds, and `/N` with N kilobytes."""

    async def answer(request: web.Request) -> web.Response:
        received = len(await request.read())
        if request.path == "/slow":
            await asyncio.sleep(2)
        size = int(request.path[1:]) if request.path[1:].isdigit() else 0
        return web.Response(body=b"x" * size * KILOBYTE, headers={"X-Received": str(received)})

    async with http1_pod(answer) as port:
        yield port


async def serve(
    executor: Executor, settings: ProxySettings, pod: int, *routes: Route, options: ProxyOptions | None = None
) -> None:
    wanted = model([host(one, name=f"r{number}.example") for number, one in enumerate(routes)], [backend(endpoint("a", pod))])
    wanted = msgspec.structs.replace(wanted, options=options or ProxyOptions())
    assert (await executor.apply(Configurator(settings).configure(wanted))).kind is not OutcomeKind.FAILED


async def statuses(client: Client, count: int, *, path: str = "/", headers: dict[str, str] | None = None) -> list[int]:
    return [(await client.get("r0.example", path, headers=headers))[0] for _ in range(count)]


async def within(seconds: float, find: Callable[[str], Awaitable[list[int]]]) -> list[int]:
    """What is found in so little time that no bucket has emptied meanwhile; a busy machine tries again, with a new counter."""
    for number in range(50):
        begun = time.monotonic()
        found = await find(f"{number:016x}")
        if time.monotonic() - begun < seconds:
            return found
    pytest.fail(f"this machine never takes less than {seconds} s")


async def upload(settings: ProxySettings, name: str, size: int, *, method: str = "PUT") -> tuple[int, str]:
    url = f"http://127.0.0.1:{settings.http_port}/"
    headers = {"Host": name, "Origin": "https://a.example"}
    data = io.BytesIO(b"x" * size)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data, headers=headers, allow_redirects=False) as response,
    ):
        return response.status, response.headers.get("X-Received", "")


ROUTES = {"as usual": None, "larger": 3 << 20, "smaller": 1000, "without": 0}


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("limit", "size", "status"),
    [
        ("as usual", 1 << 20, 200),
        ("as usual", (1 << 20) + 1, 413),
        ("larger", 3 << 20, 200),
        ("larger", (3 << 20) + 1, 413),
        ("smaller", 1000, 200),
        ("smaller", 1001, 413),
        ("without", 5 << 20, 200),
    ],
)
async def test_a_body_beyond_the_limit_is_refused(
    executor: Executor, proxy_settings: ProxySettings, pod: int, limit: str, size: int, status: int
) -> None:
    await serve(executor, proxy_settings, pod, route(body_limit=ROUTES[limit], host="r0.example"))
    assert await upload(proxy_settings, "r0.example", size) == (status, str(size) if status == 200 else "")


async def test_the_limit_of_all_routes_is_that_of_the_configmap(
    executor: Executor, proxy_settings: ProxySettings, pod: int
) -> None:
    options = ProxyOptions(proxy_body_size=2000)
    await serve(executor, proxy_settings, pod, route(), route(body_limit=5000, host="b"), options=options)
    found = [(await upload(proxy_settings, name, size))[0] for name in ("r0.example", "r1.example") for size in (2001, 5001)]
    assert found == [413, 413, 200, 413]
    assert (await upload(proxy_settings, "nobody.example", 2001))[0] == 413


async def test_a_body_that_is_too_large_is_told_before_redirects_and_preflights(
    executor: Executor, proxy_settings: ProxySettings, pod: int
) -> None:
    cors = Cors(None, "GET", "X-A", True, "", 60)
    routes = (route(action=RedirectTo("/there", 302)), route(cors=cors, host="b"), route(https_redirect=308, host="c"))
    await serve(executor, proxy_settings, pod, *(msgspec.structs.replace(one, body_limit=10) for one in routes))
    answers = (302, 204, 308)
    for number in range(3):
        name = f"r{number}.example"
        assert (await upload(proxy_settings, name, 11, method="OPTIONS"))[0] == 413
        assert (await upload(proxy_settings, name, 10, method="OPTIONS"))[0] == answers[number]


async def test_a_body_that_is_too_large_has_the_page_of_its_route(
    executor: Executor, proxy_settings: ProxySettings, pod: int
) -> None:
    pages = ErrorPages((413,), ErrorContext("shop", "web", "front", "80"))
    await serve(executor, proxy_settings, pod, route(body_limit=10, error_pages=pages))
    assert (await upload(proxy_settings, "r0.example", 11))[0] == 404


async def test_http_2_has_the_same_limit(executor: Executor, proxy_settings: ProxySettings, pod: int) -> None:
    await serve(executor, proxy_settings, pod, route(body_limit=5000))
    for size, wanted in ((5000, "200"), (5001, "413")):
        # No curl: it drops an answer that comes together with the end of its stream (CANCEL).
        async with Http2Client.connected(proxy_settings.http_port) as client:
            await client.ask("r0.example", "/", headers=[("content-length", str(size))])
            await client.send(b"x" * size, last=True)
            await client.read_until()
            assert client.headers[":status"] == wanted


@pytest.mark.parametrize(("burst", "passed"), [(5, 11), (0, 1), (2, 5)])
async def test_a_rate_lets_a_burst_in_and_then_one_after_the_other(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int, burst: int, passed: int
) -> None:
    async def find(counter: str) -> list[int]:
        await serve(executor, proxy_settings, pod, route(limits=Limits(counter, per_second=2, burst=burst)))
        return await statuses(client, passed + 3)

    assert await within(0.5, find) == [200] * passed + [503] * 3
    await asyncio.sleep(0.5)  # what was refused does not count
    assert (await statuses(client, 2))[:1] == [200]


async def test_a_client_that_is_new_is_let_in_also_shortly_before_the_clock_wraps(
    executor: Executor,
    proxy_settings: ProxySettings,
    client: Client,
    pod: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It wraps every 17 s, and a full bucket is 8 s ahead: nearly always "shortly before".
    monkeypatch.setattr("remora.haproxy.features.limits._CLOCK", 0xFFFFFF)

    async def find(counter: str) -> list[int]:
        await serve(executor, proxy_settings, pod, route(limits=Limits(counter, per_second=1, burst=7)))
        return await statuses(client, 9)

    assert await within(1, find) == [200] * 8 + [503]


async def test_a_rate_by_the_minute(executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int) -> None:
    async def find(counter: str) -> list[int]:
        await serve(executor, proxy_settings, pod, route(limits=Limits(counter, per_minute=60, burst=0)))
        return await statuses(client, 3)

    assert await within(1, find) == [200, 503, 503]
    await asyncio.sleep(1.05)
    assert (await statuses(client, 1)) == [200]


async def test_two_rates_must_agree_and_a_refusal_by_one_is_none_of_the_other_s(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int
) -> None:
    async def find(counter: str) -> list[int]:
        await serve(executor, proxy_settings, pod, route(limits=Limits(counter, per_second=1, per_minute=4, burst=1)))
        return await statuses(client, 6)

    assert await within(1, find) == [200, 200, 503, 503, 503, 503]
    found = []
    for _ in range(3):
        await asyncio.sleep(1.02)
        found += await statuses(client, 1)
    assert found == [200, 200, 200]  # five by the minute: the refusals above did not use them up


async def test_paths_of_one_ingress_count_together_and_others_do_not(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int
) -> None:
    async def find(counter: str) -> list[int]:
        mine, theirs = (Limits(name, per_second=1, burst=1) for name in (counter, f"f{counter[1:]}"))
        routes = (route(limits=mine), route(limits=mine, host="b"), route(limits=theirs, host="c"))
        await serve(executor, proxy_settings, pod, *routes)
        return [(await client.get(f"r{number}.example"))[0] for number in (0, 1, 0, 1, 2)]

    assert await within(1, find) == [200, 200, 503, 503, 200]


@pytest.mark.parametrize(("exempt", "status"), [("127.0.0.0/8", 200), ("128.0.0.0/1", 503), ("0.0.0.0/0", 200), ("::/0", 503)])
async def test_addresses_without_limits(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int, exempt: str, status: int
) -> None:
    async def find(counter: str) -> list[int]:
        limits = Limits(counter, per_second=1, burst=0, connections=1, exempt=(exempt,))
        await serve(executor, proxy_settings, pod, route(limits=limits))
        return await statuses(client, 2)

    assert await within(1, find) == [200, status]


async def test_the_configmap_says_by_what_limits_count_and_how_they_refuse(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int
) -> None:
    options = ProxyOptions(limit_conn_zone_variable="x-api-key", limit_req_status_code=429, limit_conn_status_code=420)

    async def find(counter: str) -> list[int]:
        routes = (route(limits=Limits(counter, per_second=1, burst=0)), route(limits=Limits("f" * 16, connections=1), host="b"))
        await serve(executor, proxy_settings, pod, *routes, options=options)
        keys: tuple[dict[str, str], ...] = ({}, {"X-API-Key": "one"}, {"X-API-Key": "two"})
        return [status for headers in keys for status in await statuses(client, 2, headers=headers)]

    assert await within(1, find) == [200, 200, 200, 429, 200, 429]
    slow = [client.get("r1.example", "/slow", headers={"X-API-Key": "one"}) for _ in range(3)]
    assert sorted(status for status, _, _ in await asyncio.gather(*slow)) == [200, 420, 420]


async def test_requests_at_the_same_time(executor: Executor, proxy_settings: ProxySettings, pod: int) -> None:
    await serve(executor, proxy_settings, pod, route(limits=Limits(COUNTER, connections=8)))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        client = Client(session, proxy_settings)
        for _ in range(2):  # and again, once they are over
            found = await asyncio.gather(*(client.get("r0.example", "/slow") for _ in range(20)))
            assert sorted(status for status, _, _ in found) == [200] * 8 + [503] * 12


async def test_a_connection_that_left_http_counts_for_as_long_as_it_lasts(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    async with http1_pod(repeat_messages) as port:
        await serve(executor, proxy_settings, port, route(limits=Limits(COUNTER, connections=1)))
        url = f"http://127.0.0.1:{proxy_settings.http_port}/"
        async with aiohttp.ClientSession(headers={"Host": "r0.example"}) as session:
            async with session.ws_connect(url) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
                assert (await client.get("r0.example"))[0] == 503
            async with asyncio.timeout(30):
                while (await client.get("r0.example"))[0] == 503:
                    await asyncio.sleep(0.05)


async def test_bandwidth(executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int) -> None:
    limits = Limits(COUNTER, bandwidth=100 * KILOBYTE, bandwidth_after=50 * KILOBYTE)
    await serve(executor, proxy_settings, pod, route(limits=limits))
    free = []
    for _ in range(5):
        begun = time.monotonic()
        assert len((await client.get("r0.example", "/50"))[2]) == 50 * KILOBYTE
        free.append(time.monotonic() - begun)
    between = time.monotonic()
    assert len((await client.get("r0.example", "/250"))[2]) == 250 * KILOBYTE
    took = time.monotonic() - between
    assert took > 1.0 > min(free)


async def test_a_change_of_limits_is_no_reload_and_counts_at_once(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int
) -> None:
    configurator = Configurator(proxy_settings)
    for count, limits in ((2, Limits(COUNTER, per_second=1, burst=1)), (1, Limits(COUNTER, per_minute=1, burst=0))):
        wanted = model([host(route(limits=limits, body_limit=count), name="r0.example")], [backend(endpoint("a", pod))])
        outcome = await executor.apply(configurator.configure(wanted))
        if count == 1:
            assert outcome.kind is OutcomeKind.RUNTIME
        assert (await statuses(client, 3)).count(200) == count


async def test_a_reload_forgets_no_rate(executor: Executor, proxy_settings: ProxySettings, client: Client, pod: int) -> None:
    limited = route(limits=Limits(COUNTER, per_minute=2, burst=1))
    await serve(executor, proxy_settings, pod, limited)
    assert await statuses(client, 4) == [200, 200, 200, 503]
    await serve(executor, proxy_settings, pod, limited, options=ProxyOptions(gzip_level=2, use_gzip=True))
    async with asyncio.timeout(30):
        while (await statuses(client, 1)) == [200]:  # until the old worker has told what it knows
            await asyncio.sleep(0.2)


ADDRESSES = {"one": "127.0.0.23", "two": "127.0.0.24", "three": "127.0.0.25"}


class Replica(NamedTuple):
    client: Client
    executor: Executor

    async def connected_peers(self) -> int:
        replies = await self.executor._process.ask_workers("show peers cluster")
        return max(reply.count("last_status=ESTA") for reply in replies.values())

    async def known_requests(self) -> int:
        """Those that this replica knows of, the others' included, of the last five minutes."""
        replies = await self.executor._process.ask_workers("show table shared-limits")
        return max(sum(map(int, re.findall(r"gpc1_rate\(\d+\)=(\d+)", reply))) for reply in replies.values())


@contextlib.asynccontextmanager
async def replicas(pod: int, limited: Route, names: Iterable[str]) -> AsyncIterator[list[Replica]]:
    """Replicas that share one limited route."""
    names = tuple(names)
    ports = free_ports(1 + 2 * len(names))
    identity = peers_identity(b"ours")
    started = []
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for number, name in enumerate(names):
            settings = ProxySettings(
                state_directory=stack.enter_context(tempfile.TemporaryDirectory(prefix="remora-")),
                bind_addresses=("127.0.0.1",),
                http_port=ports[1 + 2 * number],
                https_port=ports[2 + 2 * number],
                threads=1,
                old_worker_timeout=5,
                peer_name=name,
                peers_address=ADDRESSES[name],
                peers_port=ports[0],
            )
            executor = await stack.enter_async_context(running_executor(settings))
            wanted = model([host(limited, name="r0.example")], [backend(endpoint("a", pod))])
            others = tuple(sorted(Peer(other, ADDRESSES[other]) for other in names if other != name))
            wanted = msgspec.structs.replace(wanted, peering=Peering(others, identity))
            await executor.apply(Configurator(settings).configure(wanted))
            started.append(Replica(Client(session, settings), executor))
        async with asyncio.timeout(60):
            for replica in started:
                while await replica.connected_peers() < len(names) - 1:
                    await asyncio.sleep(0.2)
                # Until then another may teach it what it had counted itself a moment ago.
                await has_settled(replica.executor)
        yield started


async def test_replicas_count_together_if_they_shall(pod: int) -> None:
    limited = route(limits=Limits(COUNTER, per_minute=4, burst=5, is_shared=True))
    async with replicas(pod, limited, ADDRESSES) as started:
        for number, replica in enumerate(started, 1):
            assert await statuses(replica.client, 5) == [200] * 5
            await all_know(started, 5 * number)
        # What all of them may let in has been let in by each of them in part.
        assert await statuses(started[0].client, 9) == [200] * 6 + [503] * 3
        await all_know(started, 21)
        assert [await statuses(replica.client, 3) for replica in started] == [[503] * 3] * 3


async def all_know(started: Sequence[Replica], count: int) -> None:
    deadline = time.monotonic() + 60
    while set(known := [await replica.known_requests() for replica in started]) != {count}:
        assert time.monotonic() < deadline, f"{known} requests are known, not {count}"
        await asyncio.sleep(0.05)


async def test_replicas_count_each_for_itself_if_they_shall_not(pod: int) -> None:
    limited = route(limits=Limits(COUNTER, per_minute=4, burst=5))
    async with replicas(pod, limited, ADDRESSES) as started:
        for replica in started:
            found = await statuses(replica.client, 30)
            assert found[:21] == [200] * 21
            assert 503 in found
