"""A real HAProxy, real pods on loopback, real requests."""

import asyncio
import contextlib
import itertools
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings

_FIRST_PORT, _PORTS_OF_A_WORKER = 10_000, 1_400
"""Below the kernel's own choice (ip(7), `ip_local_port_range`), so that no connection takes a port between look and use."""
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
"""Which of the workers of this run of the tests this is, from 0."""


def _ports_of_this_worker() -> Iterator[int]:
    """From its own range, and from a place of its own there, since two runs of the tests may go on at once."""
    for number in itertools.count(os.getpid() * 61):
        yield _FIRST_PORT + WORKER * _PORTS_OF_A_WORKER + number % _PORTS_OF_A_WORKER


_next_ports = _ports_of_this_worker()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and that no other worker of the tests is given."""
    found: list[int] = []
    while len(found) < count:
        port = next(_next_ports)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def repeat_messages(request: web.Request) -> web.WebSocketResponse:
    """The answer of a pod that says back what it is told over a WebSocket."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


@asynccontextmanager
async def http1_pod(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A pod that answers every request like that, in TLS if a context is given; its port on 127.0.0.1."""
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


class Pods:
    """Small HTTP servers that say who they are and what they were sent.

    A request header `x-answer-NAME` asks for the header NAME in the answer, `x-status` for its status.
    """

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def start(self, name: str) -> int:
        """Starts one; returns its port on 127.0.0.1."""

        async def answer(request: web.Request) -> web.Response:
            headers = {key.lower(): value for key, value in request.headers.items()}
            answered = {key[9:]: value for key, value in headers.items() if key.startswith("x-answer-")}
            status = int(headers.get("x-status", 200))
            body = {"pod": name, "target": request.raw_path, "headers": headers}
            return web.json_response(body, headers=answered, status=status)

        return await self._stack.enter_async_context(http1_pod(answer))


@asynccontextmanager
async def running_executor(settings: ProxySettings, *, leave: bool = False) -> AsyncIterator[Executor]:
    """An Executor with its supervision; HAProxy is gone afterwards, unless it shall be left to the next one."""
    executor = Executor(settings)
    await executor.start()
    supervision = asyncio.create_task(executor.run())
    try:
        yield executor
    finally:
        supervision.cancel()
        await asyncio.gather(supervision, return_exceptions=True)
        if not leave:
            await executor.stop(grace=0.2)


class Client:
    """Requests to the proxy, with the Host that is asked for."""

    def __init__(self, session: aiohttp.ClientSession, settings: ProxySettings) -> None:
        self._session = session
        self._base = f"http://127.0.0.1:{settings.http_port}"

    async def get(
        self, host: str, path: str = "/", *, cookie: str = "", method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers in lower case, and body."""
        sent = CIMultiDict(headers or {})
        sent.setdefault("Host", host)
        if cookie:
            sent["Cookie"] = cookie
        url = URL(self._base + path, encoded=True)
        async with self._session.request(method, url, headers=sent, allow_redirects=False) as response:
            return response.status, {key.lower(): value for key, value in response.headers.items()}, await response.text()
