"""Cookies in ingress-nginx's format on the real HAProxy: both controllers can serve the same clients, and nobody moves."""

import re

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import AffinityMode, CookieFormat, Endpoint, SessionPolicy
from tests.features.test_affinity import MODES, visit
from tests.features.test_session_tracking import N, session_model
from tests.support.ingress_nginx import Ring, persistent_key
from tests.support.models import endpoint
from tests.support.proxy import Client, Pods, free_ports

BACKEND_KEY = "ad0f3520c2b4ae4ad7cae6da8d3345ed"
OURS = SessionPolicy()
THEIRS = SessionPolicy(cookie_format=CookieFormat.INGRESS_NGINX)
TRACKED = SessionPolicy(cookie_format=CookieFormat.INGRESS_NGINX, tracking=True)


def node(one: Endpoint) -> str:
    return f"127.0.0.1:{one.port}"


def pod_in_ingress_nginx(mode: AffinityMode, cookie: str, endpoints: list[Endpoint]) -> str:
    """Where ingress-nginx sends a client with the cookie."""
    key, backend_key, *_ = cookie.partition("=")[2].split("|")
    assert backend_key == BACKEND_KEY
    pods = {node(one): one.pod for one in endpoints}
    if mode is AffinityMode.PERSISTENT:
        return {persistent_key(N, text): pod for text, pod in pods.items()}[key]
    return pods[Ring(*pods).owner(key)]


async def start(pods: Pods, names: str) -> list[Endpoint]:
    return [endpoint(name, await pods.start(name)) for name in names]


@pytest.mark.parametrize("sessions", [THEIRS, TRACKED])
@pytest.mark.parametrize("mode", MODES)
async def test_new_sessions_are_on_the_pod_where_ingress_nginx_would_have_them(
    mode: AffinityMode,
    sessions: SessionPolicy,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    endpoints = await start(pods, "abcd")
    await executor.apply(Configurator(proxy_settings).configure(session_model(mode, sessions, *endpoints)))
    reached = set()
    for _ in range(20):
        pod, cookie = await visit(client)
        assert pod_in_ingress_nginx(mode, cookie, endpoints) == pod
        assert await visit(client, cookie) == (pod, cookie)
        assert len(cookie.split("|")) == (3 if sessions.tracking else 2)
        reached.add(pod)
    assert len(reached) > 1
    assert len(await executor.readings.read_sessions()) == (20 if sessions.tracking else 0)


@pytest.mark.parametrize("mode", MODES)
async def test_the_switch_there_and_back_moves_nobody(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = await start(pods, "abcde")
    await executor.apply(configurator.configure(session_model(mode, OURS, *endpoints)))
    ours = [await visit(client) for _ in range(30)]
    assert all("~" in cookie or mode is AffinityMode.PERSISTENT for _, cookie in ours)
    await executor.apply(configurator.configure(session_model(mode, THEIRS, *endpoints)))
    theirs = [await visit(client, cookie) for _, cookie in ours]
    assert [pod for pod, _ in theirs] == [pod for pod, _ in ours]
    assert [pod_in_ingress_nginx(mode, cookie, endpoints) for _, cookie in theirs] == [pod for pod, _ in ours]
    assert [await visit(client, cookie) for _, cookie in theirs] == theirs
    await executor.apply(configurator.configure(session_model(mode, OURS, *endpoints)))
    back = [await visit(client, cookie) for _, cookie in theirs]
    assert [pod for pod, _ in back] == [pod for pod, _ in ours]
    assert all("~" in cookie or mode is AffinityMode.PERSISTENT for _, cookie in back)
    await executor.apply(configurator.configure(session_model(mode, THEIRS, *endpoints)))
    again = [await visit(client, cookie) for _, cookie in back]
    assert [pod for pod, _ in again] == [pod for pod, _ in ours]
    assert [pod_in_ingress_nginx(mode, cookie, endpoints) for _, cookie in again] == [pod for pod, _ in ours]


@pytest.mark.parametrize("mode", MODES)
async def test_both_controllers_agree_while_pods_come_and_go(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = await start(pods, "abcde")
    await executor.apply(configurator.configure(session_model(mode, THEIRS, *endpoints[:3])))
    sessions = [await visit(client) for _ in range(20)]
    for present in (endpoints, endpoints[1:]):
        await executor.apply(configurator.configure(session_model(mode, THEIRS, *present)))
        await _until_ring_is_fresh()
        visits = [await visit(client, cookie) for _, cookie in sessions]
        if mode is AffinityMode.BALANCED:
            assert visits == [(pod_in_ingress_nginx(mode, cookie, present), cookie) for _, cookie in sessions]
        for (before, old), (pod, cookie) in zip(sessions, visits, strict=True):
            if mode is AffinityMode.PERSISTENT and before in {one.pod for one in present}:
                assert (pod, cookie) == (before, old)
            assert pod_in_ingress_nginx(mode, cookie, present) == pod
        sessions = visits


async def _until_ring_is_fresh() -> None:
    """The script looks at a backend's servers once a second."""
    import asyncio

    await asyncio.sleep(1.1)


@pytest.mark.parametrize("mode", MODES)
async def test_a_pod_that_refuses_loses_no_session_but_gets_no_new_one_either(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    alive = endpoint("a", await pods.start("a"))
    dead = endpoint("b", free_ports(1)[0])
    await executor.apply(Configurator(proxy_settings).configure(session_model(mode, THEIRS, alive, dead)))
    key = persistent_key(N, node(dead))
    if mode is AffinityMode.BALANCED:
        ring = Ring(node(alive), node(dead))
        key = next(str(number) for number in range(1000) if ring.owner(str(number)) == node(dead))
    cookie = f"route={key}|{BACKEND_KEY}"
    assert await visit(client, cookie) == ("a", cookie)
    for _ in range(8):
        pod, new = await visit(client)
        assert pod_in_ingress_nginx(mode, new, [alive, dead]) == pod == "a"


@pytest.mark.parametrize("sessions", [THEIRS, TRACKED])
async def test_a_client_on_a_draining_pod_keeps_our_cookie_until_it_can_have_another(
    sessions: SessionPolicy, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    one, two = await start(pods, "ab")
    draining = endpoint("a", one.port, draining=True)
    await executor.apply(configurator.configure(session_model(AffinityMode.BALANCED, OURS, one, two)))
    visits = [await visit(client) for _ in range(12)]
    assert {pod for pod, _ in visits} == {"a", "b"}
    await executor.apply(configurator.configure(session_model(AffinityMode.BALANCED, sessions, draining, two)))
    await _until_ring_is_fresh()
    for pod, cookie in visits:
        reached, kept = await visit(client, cookie)
        assert reached == pod
        assert ("~" in kept) == (pod == "a")
        assert (await visit(client, kept))[0] == pod


async def test_persistent_cookies_name_pods_by_ipv6_as_ingress_nginx_does(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    import asyncio

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    try:
        server = await asyncio.start_server(answer, "::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with server:
        port = server.sockets[0].getsockname()[1]
        one = msgspec.structs.replace(endpoint("a", port), address="::1")
        wanted = session_model(AffinityMode.PERSISTENT, THEIRS, one)
        await executor.apply(Configurator(proxy_settings).configure(wanted))
        cookie = (await client.get("web.example"))[1]["set-cookie"]
        assert re.match(rf"route={persistent_key(N, f'[::1]:{port}')}\|{BACKEND_KEY};", cookie)
