"""Timeouts of routes on the real HAProxy."""

import asyncio

import pytest

from remora.apply.executor import Executor
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import BackendName, ForwardTo, Model, PrefixPath, Retries
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods
from tests.support.rawpods import RawPod

IMPATIENT = ForwardTo(NAME, read_timeout=1, retries=Retries(conditions=()))
PATIENT = ForwardTo(NAME, read_timeout=30)
FOREVER = 600.0


async def test_a_pod_is_waited_for_as_long_as_its_route_says(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, client: Client
) -> None:
    routes = [route(PrefixPath("/impatient"), IMPATIENT), route(PrefixPath("/patient"), PATIENT)]
    wanted = model([host(*routes)], [backend(endpoint("a", raw_pod.port))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    raw_pod.delay = FOREVER
    assert (await client.get("web.example", "/impatient"))[0] == 504
    raw_pod.delay = 1.6
    assert (await client.get("web.example", "/patient"))[0] == 200


async def test_a_timeout_changes_without_a_reload(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [backend(endpoint("a", raw_pod.port))]
    await executor.apply(configurator.configure(model([host(route(action=PATIENT))], endpoints)))
    outcome = await executor.apply(configurator.configure(model([host(route(action=IMPATIENT))], endpoints)))
    assert outcome.kind is OutcomeKind.RUNTIME
    raw_pod.delay = FOREVER
    assert (await client.get("web.example"))[0] == 504


async def test_the_configmap_s_time_holds_for_routes_that_say_nothing(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, client: Client
) -> None:
    options = ProxyOptions(proxy_read_timeout=1, proxy_next_upstream=("error",))
    said = model([host(route(), route(PrefixPath("/patient"), PATIENT))], [backend(endpoint("a", raw_pod.port))])
    wanted = Model(said.virtual_hosts, said.backends, options=options)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    raw_pod.delay = FOREVER
    assert (await client.get("web.example"))[0] == 504
    raw_pod.delay = 1.6
    assert (await client.get("web.example", "/patient"))[0] == 200


@pytest.mark.parametrize(("seconds", "is_cut"), [(1, True), (30, False)])
async def test_an_idle_websocket_is_cut_after_the_same_time(
    seconds: int, is_cut: bool, executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod
) -> None:
    wanted = model([host(route(action=ForwardTo(NAME, read_timeout=seconds)))], [backend(endpoint("a", raw_pod.port))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
    writer.write(b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"ping")
    assert await reader.readexactly(4) == b"ping"
    try:
        cut = await asyncio.wait_for(reader.read(1), timeout=30 if is_cut else 1.8) == b""
    except TimeoutError:
        cut = False
    writer.close()
    assert cut is is_cut


async def test_close_gives_each_request_a_connection_of_its_own_and_leaves_websockets_alone(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, client: Client, pods: Pods
) -> None:
    other = BackendName("default-other-80")
    routes = [
        route(PrefixPath("/own"), ForwardTo(NAME, closes_connection=True)),
        route(PrefixPath("/kept"), ForwardTo(other, read_timeout=30)),
    ]
    backends = [backend(endpoint("a", raw_pod.port)), backend(endpoint("b", raw_pod.port), name=other)]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], backends)))
    await client.get("web.example", "/kept")
    await client.get("web.example", "/own")
    upgrade = {"Connection": "Upgrade", "Upgrade": "echo"}
    await client.get("web.example", "/own", headers=upgrade)
    kept, own, upgraded = raw_pod.heads
    assert "connection: close" not in kept.lower()
    assert "connection: close" in own.lower()
    assert "connection: upgrade" in upgraded.lower()
