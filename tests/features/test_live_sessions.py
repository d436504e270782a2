"""Live sessions as the real HAProxy sees them: as many as clients hold, and none ends while it is in use."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from remora.apply.executor import Executor
from remora.controller.sessions import Sessions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import AffinityMode, Balancing, Endpoint, ForwardTo, Model, PrefixPath, SessionPolicy
from remora.observe.session_report import Whereabouts
from remora.report.cookies import read_cookie
from tests.support.models import HASHED, NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, http1_pod

MODES = {AffinityMode.PERSISTENT: (NAME, Balancing.ROUND_ROBIN), AffinityMode.BALANCED: (HASHED, Balancing.CONSISTENT_HASH)}


def tracked(mode: AffinityMode, *endpoints: Endpoint, idle_timeout: int | None = None) -> Model:
    name, balancing = MODES[mode]
    policy = SessionPolicy(tracking=True, idle_timeout=idle_timeout)
    action = ForwardTo(name, msgspec.structs.replace(sticky(mode), sessions=policy))
    routes = (route(action=action), route(PrefixPath("/other"), action=action))
    return model([host(*routes)], [backend(*endpoints, name=name, balancing=balancing)])


async def visit(client: Client, cookie: str = "", path: str = "/") -> tuple[str, str]:
    status, headers, body = await client.get("web.example", path, cookie=cookie)
    assert status == 200, body
    return json.loads(body)["pod"], headers.get("set-cookie", "").partition(";")[0] or cookie


@pytest.fixture(autouse=True)
def read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reading is kept."""
    monkeypatch.setattr("remora.apply.readings.SESSIONS_AGE", -1.0)


async def counts(executor: Executor, wanted: Model) -> dict[str, int]:
    sessions = Sessions(executor.readings)
    sessions.tell(wanted)
    return {pod.pod: len(pod.ids) for service in await sessions.read() for pod in service.pods}


@pytest.mark.parametrize("mode", MODES)
async def test_as_many_sessions_are_counted_on_every_pod_as_clients_hold(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    wanted = tracked(mode, *endpoints)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert await counts(executor, wanted) == {"a": 0, "b": 0, "c": 0}
    held = [await visit(client) for _ in range(30)]
    for pod, cookie in held:
        for path in ("/", "/other"):  # neither another request nor another route is another session
            assert await visit(client, cookie, path) == (pod, cookie)
    assert await counts(executor, wanted) == {"a": 0, "b": 0, "c": 0} | Counter(pod for pod, _ in held)


async def test_many_who_ask_at_once_cost_one_dump(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tracked(AffinityMode.PERSISTENT, endpoint("a", await pods.start("a")))
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    await visit(client)
    monkeypatch.setattr("remora.apply.readings.SESSIONS_AGE", 60.0)
    first, *others = await asyncio.gather(*(executor.readings.read_sessions() for _ in range(5)))
    await visit(client)
    assert len(first) == 1
    assert all(other is first for other in (*others, await executor.readings.read_sessions()))


@pytest.mark.parametrize("mode", MODES)
async def test_one_session_is_found_by_its_cookie(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    wanted = tracked(mode, *endpoints)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    pod, cookie = await visit(client)
    await visit(client)
    facts = read_cookie(cookie)
    sessions = Sessions(executor.readings)
    sessions.tell(wanted)
    report = await sessions.report({"session": facts.digest, "server": facts.server})
    assert [one.pod for one in report.seen] == [pod]
    assert report.named == (Whereabouts("default", "web", pod, "active"),)


@asynccontextmanager
async def websocket_pod() -> AsyncIterator[int]:
    """A pod that echoes; its port."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    async with http1_pod(echo) as port:
        yield port


async def test_a_websocket_keeps_its_session_live_past_its_time_and_past_a_reload(
    executor: Executor, proxy_settings: ProxySettings
) -> None:
    async with websocket_pod() as port, aiohttp.ClientSession() as session:
        configurator = Configurator(proxy_settings)
        wanted = tracked(AffinityMode.PERSISTENT, endpoint("a", port), idle_timeout=1)
        await executor.apply(configurator.configure(wanted))
        url = f"http://127.0.0.1:{proxy_settings.http_port}/"
        async with session.ws_connect(url, headers={"Host": "web.example"}) as socket:
            await asyncio.sleep(1.2)
            assert await counts(executor, wanted) == {"a": 1}
            other = msgspec.structs.replace(wanted, response_header_names=("x-other",))
            await executor.apply(configurator.configure(other))
            assert await counts(executor, other) == {"a": 1}
            await socket.send_str("x")
            assert await socket.receive_str() == "echo x"
        async with asyncio.timeout(30):
            while await counts(executor, other) != {"a": 0}:
                await asyncio.sleep(0.2)
