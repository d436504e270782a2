"""Bodies whose length nobody said, chunked or in HTTP/2, against the limit of their route."""

import asyncio
import re
from collections.abc import AsyncIterator

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import ForwardTo, Model, Route
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky

LIMIT = 200_000


class Counted:
    """A pod that notes of each request its head, how much of the body came, and whether its end did."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int, bool]] = []
        self.done = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, size, is_whole = "", 0, False
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            if "transfer-encoding: chunked" in head:
                while length := int(await reader.readline(), 16):
                    while length:  # what came of a chunk counts, also if its rest never does
                        piece = await reader.read(length)
                        if not piece:
                            raise ConnectionResetError
                        size, length = size + len(piece), length - len(piece)
                    await reader.readexactly(2)
                await reader.readline()
            elif found := re.search(r"content-length: (\d+)", head):
                size = len(await reader.readexactly(int(found[1])))
            is_whole = True
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            self.requests.append((head, size, is_whole))
            self.done.set()
            writer.close()

    async def last(self) -> tuple[str, int, bool]:
        async with asyncio.timeout(40):
            await self.done.wait()
        self.done.clear()
        return self.requests[-1]


@pytest.fixture
async def pod() -> AsyncIterator[tuple[Counted, int]]:
    counted = Counted()
    server = await asyncio.start_server(counted.serve, "127.0.0.1", 0)
    yield counted, server.sockets[0].getsockname()[1]
    server.close()


async def serve(executor: Executor, settings: ProxySettings, port: int, *routes: Route, options: ProxyOptions) -> Model:
    wanted = model([host(*routes)], [backend(endpoint("a", port))])
    wanted = msgspec.structs.replace(wanted, options=options)
    assert (await executor.apply(Configurator(settings).configure(wanted))).kind is not OutcomeKind.FAILED
    return wanted


async def upload(settings: ProxySettings, size: int, *words: str, scheme: str = "http") -> tuple[str, str]:
    """The status and the headers of the answer; curl says no length of what it reads from a pipe."""
    port = settings.https_port if scheme == "https" else settings.http_port
    url = f"{scheme}://web.example:{port}/x?y=1"
    process = await asyncio.create_subprocess_exec(
        *("curl", "-skD", "-", "-o", "/dev/null", "-w", "%{stderr}%{http_code}", "-H", "Expect:", "-T", "-"),
        *("--resolve", f"web.example:{port}:127.0.0.1", "--max-time", "30", *words, url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    headers, status = await process.communicate(b"x" * size)
    return status.decode()[-3:], headers.decode().lower()


HTTP_1, HTTP_2, CLEAR_HTTP_2 = "--http1.1", "--http2", "--http2-prior-knowledge"


@pytest.mark.parametrize(
    ("scheme", "version"), [("http", HTTP_1), ("http", CLEAR_HTTP_2), ("https", HTTP_1), ("https", HTTP_2)]
)
async def test_a_body_that_grows_beyond_the_limit_is_cut_off(
    executor: Executor, proxy_settings: ProxySettings, pod: tuple[Counted, int], scheme: str, version: str
) -> None:
    counted, port = pod
    await serve(executor, proxy_settings, port, route(body_limit=LIMIT), options=ProxyOptions())
    for size in (0, 10, LIMIT):
        assert (await upload(proxy_settings, size, version, scheme=scheme))[0] == "200"
        assert (await counted.last())[1:] == (size, True)
    assert (await upload(proxy_settings, LIMIT + 1, version, scheme=scheme))[0] == "413"
    _, seen, is_whole = await counted.last()
    assert seen <= LIMIT
    assert not is_whole
    assert (await upload(proxy_settings, 50 * LIMIT, version, scheme=scheme))[0] == "413"
    _, seen, is_whole = await counted.last()
    assert seen <= LIMIT
    assert not is_whole


@pytest.mark.parametrize(
    "words", [("-X", "GET"), ("-H", "Upgrade: nothing", "-H", "Connection: upgrade"), ("-H", "TE: trailers")]
)
async def test_nothing_that_a_client_says_gets_it_past_the_limit(
    executor: Executor, proxy_settings: ProxySettings, pod: tuple[Counted, int], words: tuple[str, ...]
) -> None:
    counted, port = pod
    await serve(executor, proxy_settings, port, route(body_limit=LIMIT), options=ProxyOptions())
    assert (await upload(proxy_settings, 2 * LIMIT, HTTP_1, *words))[0] != "200"
    assert not any(is_whole for _, _, is_whole in counted.requests)


async def test_the_limit_of_all_routes_counts_too_and_none_is_none(
    executor: Executor, proxy_settings: ProxySettings, pod: tuple[Counted, int]
) -> None:
    counted, port = pod
    routes = (route(), route(body_limit=0))
    for one, status in zip(routes, ("413", "200"), strict=True):
        await serve(executor, proxy_settings, port, one, options=ProxyOptions(proxy_body_size=LIMIT))
        assert (await upload(proxy_settings, LIMIT + 1, HTTP_1))[0] == status
        assert (await counted.last())[2] is (status == "200")


async def test_a_request_that_is_counted_is_as_others_are(
    executor: Executor, proxy_settings: ProxySettings, pod: tuple[Counted, int]
) -> None:
    counted, port = pod
    options = ProxyOptions(hsts=True, use_forwarded_headers=True)
    here = route(action=ForwardTo(NAME, affinity=sticky()))
    await serve(executor, proxy_settings, port, here, options=options)
    said = ("-H", "X-Forwarded-For: 203.0.113.7", "-H", "X-Forwarded-Host: shown.example", "-H", "Content-Type: text/x")
    found = []
    for length in ((), ("-H", "Content-Length: 5000")):
        status, headers = await upload(proxy_settings, 5000, HTTP_1, *said, *length, scheme="https")
        head = (await counted.last())[0].split("\r\n")
        assert status == "200"
        told = sorted(
            line for line in head if not line.startswith(("x-request-id", "transfer-encoding", "content-length", "tr"))
        )
        answered = re.sub(r"route=[^;]+", "route=?", headers).split("\r\n")
        found.append((told, sorted(line for line in answered if line != "connection: close")))
    assert found[0] == found[1]
    assert "host: shown.example" in found[0][0]
    assert "x-real-ip: 203.0.113.7" in found[0][0]
    assert any("secure" in line for line in found[0][1])


async def test_a_request_that_is_counted_counts_once_with_its_own_status(
    executor: Executor, proxy_settings: ProxySettings, pod: tuple[Counted, int]
) -> None:
    _, port = pod
    here = route(body_limit=LIMIT)
    await serve(executor, proxy_settings, port, here, options=ProxyOptions())
    for size in (10, LIMIT + 1):
        await upload(proxy_settings, size, HTTP_1)
    wanted = {(here.id, 200): 1, (here.id, 413): 1}
    async with asyncio.timeout(40):
        while {(one.route, one.code): one.count for one in await executor.readings.read_counters() if one.count} != wanted:
            await asyncio.sleep(0.05)
