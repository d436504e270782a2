"""Client and pod that answer each other while neither has ended, as gRPC calls and WebSockets do, past every filter.

HAProxy 2.8 keeps what comes from one side to itself while a filter looks at what comes from the other.
"""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest
from aiohttp import web

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import BackendName, ForwardTo, Limits, Model, Protocol, Upstream
from tests.support.http2 import Http2Client, http2_pod
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import http1_pod, repeat_messages

LIMITED = Limits("0123456789abcdef", bandwidth=1 << 30)
COMPRESSED = ProxyOptions(use_gzip=True, gzip_types=("*",))
METERED = route(body_limit=1 << 20)
UNMETERED = route(body_limit=0)
HEADERS = {"Host": "web.example", "Accept-Encoding": "gzip"}
WAYS = {
    "nothing": (UNMETERED, ProxyOptions()),
    "meter": (METERED, ProxyOptions()),
    "rate": (msgspec.structs.replace(UNMETERED, limits=LIMITED), ProxyOptions()),
    "meter and rate": (msgspec.structs.replace(METERED, limits=LIMITED), ProxyOptions()),
    "compression": (UNMETERED, COMPRESSED),
    "all": (msgspec.structs.replace(METERED, limits=LIMITED), COMPRESSED),
}


def wanted(way: str, port: int, upstream: Upstream) -> Model:
    served, options = WAYS[way]
    name = NAME if upstream.protocol is Protocol.HTTP else BackendName(f"{NAME}@http2")
    pods = msgspec.structs.replace(backend(endpoint("a", port), name=name), upstream=upstream)
    found = model([host(msgspec.structs.replace(served, action=ForwardTo(name)))], [pods])
    return msgspec.structs.replace(found, options=options)


@pytest.mark.parametrize("way", WAYS)
async def test_each_piece_of_an_http2_stream_arrives_before_the_next_is_sent(
    way: str, executor: Executor, proxy_settings: ProxySettings
) -> None:
    async with http2_pod() as pod:
        await executor.apply(Configurator(proxy_settings).configure(wanted(way, pod, Upstream(Protocol.HTTP2))))
        async with Http2Client.connected(proxy_settings.http_port) as call:
            asks_for_gzip = way in ("compression", "all")
            await call.ask("web.example", "/", headers=[("accept-encoding", "gzip")] * asks_for_gzip)
            for number in range(6):
                await call.send(b"piece%d" % number)
                await call.read_until(b"echo:piece%d" % number)
                await asyncio.sleep(0.02)  # for whatever HAProxy does when nothing comes
            await call.send(b"", last=True)
            await call.read_until()
    assert (call.headers.get("content-encoding") == "gzip") is asks_for_gzip


@pytest.mark.parametrize("way", WAYS)
async def test_each_message_of_a_websocket_arrives_before_the_next_is_sent(
    way: str, executor: Executor, proxy_settings: ProxySettings
) -> None:
    async with http1_pod(repeat_messages) as pod:
        await executor.apply(Configurator(proxy_settings).configure(wanted(way, pod, Upstream())))
        url = f"http://127.0.0.1:{proxy_settings.http_port}/"
        async with aiohttp.ClientSession(headers=HEADERS) as session, session.ws_connect(url) as socket:
            for number in range(6):
                await socket.send_str(f"message {number}")
                assert await socket.receive_str(timeout=30) == f"message {number}"
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_that_begins_before_the_request_ends_arrives_whole(
    way: str, executor: Executor, proxy_settings: ProxySettings
) -> None:
    async def repeat(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece * 100)
        await response.write(b"end " * 1_000_000)
        return response

    begun = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece" * 2000
        await begun.wait()
        yield b"piece" * 2000

    async with http1_pod(repeat) as pod:
        await executor.apply(Configurator(proxy_settings).configure(wanted(way, pod, Upstream())))
        url = f"http://127.0.0.1:{proxy_settings.http_port}/"
        async with aiohttp.ClientSession(headers=HEADERS) as session, session.post(url, data=pieces()) as answer:
            async with asyncio.timeout(30):
                said = await answer.content.readexactly(500_000)
                begun.set()
                said += await answer.content.read()
    assert said == b"piece" * 400_000 + b"end " * 1_000_000
