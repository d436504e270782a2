"""Where new sessions go, on the real HAProxy."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.apply.runtime import RuntimeSocket
from remora.core.errors import HAProxyRefused
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.layout import Layout
from remora.model import AffinityMode, CookieFormat, ForwardTo, Model, Placement, SessionPolicy
from remora.observe.session_counts import CountedWindows, count_by_server
from remora.plan.commands import BEGIN_COUNT, finish_count
from remora.plan.outcome import OutcomeKind
from tests.features.test_affinity import MODES, visit
from tests.features.test_session_tracking import N, session_model
from tests.support.ingress_nginx import backend_key, persistent_key
from tests.support.models import NAME, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, running_executor

LEAST = SessionPolicy(tracking=True, placement=Placement.LEAST_SESSIONS)


def limited(limit: int, *, overflow: bool = False, placement: Placement = Placement.RANDOM) -> SessionPolicy:
    return SessionPolicy(tracking=True, limit=limit, overflow=overflow, placement=placement)


async def visits(client: Client, count: int) -> list[tuple[int, dict[str, str], str]]:
    """So many new clients at once."""
    return await asyncio.gather(*(client.get("web.example") for _ in range(count)))


def pods_of(answers: list[tuple[int, dict[str, str], str]]) -> Counter[str]:
    return Counter(body.split('"pod": "')[1].split('"')[0] for status, _, body in answers if status == 200)


async def count(executor: Executor, model: Model) -> None:
    """What the controller does every second."""
    await executor.readings.count_sessions(lambda sessions: count_by_server(CountedWindows().follow(model), sessions))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("placement", Placement)
async def test_a_limit_holds_in_a_burst_and_beyond_it_is_503(
    placement: Placement, mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcdefgh"]
    wanted = session_model(mode, limited(10, placement=placement), *endpoints)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    answers = await visits(client, 100)
    assert pods_of(answers) == dict.fromkeys("abcdefgh", 10)
    refused = [headers for status, headers, _ in answers if status == 503]
    assert len(refused) == 20
    assert {headers["retry-after"] for headers in refused} == {"10"}
    assert not any("set-cookie" in headers for headers in refused)
    await count(executor, wanted)
    assert [status for status, _, _ in await visits(client, 5)] == [503] * 5
    cookies = [headers["set-cookie"].split(";")[0] for status, headers, _ in answers if status == 200]
    again = await asyncio.gather(*(client.get("web.example", cookie=cookie) for cookie in cookies))
    assert {status for status, _, _ in again} == {200}
    assert not any("set-cookie" in headers for _, headers, _ in again)


@pytest.mark.parametrize("mode", MODES)
async def test_a_limit_can_be_exceeded_evenly(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcd"]
    wanted = session_model(mode, limited(5, overflow=True), *endpoints)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert pods_of(await visits(client, 40)) == dict.fromkeys("abcd", 10)


@pytest.mark.parametrize("mode", MODES)
async def test_a_pod_that_was_added_gets_the_new_sessions_until_all_have_as_many(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    wanted = session_model(mode, LEAST, *endpoints[:2])
    await executor.apply(configurator.configure(wanted))
    first = [await visit(client) for _ in range(20)]
    placed = Counter(pod for pod, _ in first)
    assert placed == {"a": 10, "b": 10}
    more = session_model(mode, LEAST, *endpoints)
    assert (await executor.apply(configurator.configure(more))).kind is OutcomeKind.RUNTIME
    await count(executor, more)
    while not placed["c"]:  # the servers are listed anew after a moment
        placed[(await visit(client))[0]] += 1
        await asyncio.sleep(0.01)
        assert placed.total() < 300
    burst = pods_of(await visits(client, 8))
    assert burst == {"c": 8}
    placed += burst + pods_of(await visits(client, 30))
    assert max(placed.values()) - min(placed.values()) <= 1
    assert [await visit(client, cookie) for _, cookie in first] == first


@pytest.mark.parametrize("mode", MODES)
async def test_new_sessions_go_to_the_pod_with_the_fewest_connections(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    wanted = session_model(mode, SessionPolicy(placement=Placement.LEAST_CONNECTIONS), *endpoints)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    busy, cookie = await visit(client)
    other = ({"a", "b"} - {busy}).pop()
    async with AsyncExitStack() as stack:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
            stack.callback(writer.close)
            writer.write(f"POST / HTTP/1.1\r\nHost: web.example\r\nCookie: {cookie}\r\nContent-Length: 9\r\n\r\n".encode())
        await asyncio.sleep(0.1)
        assert {(await visit(client))[0] for _ in range(12)} == {other}
        assert (await visit(client, cookie))[0] == busy


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("placement", Placement)
async def test_draining_pods_and_those_that_are_gone_get_none(
    placement: Placement, mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    ports = {name: await pods.start(name) for name in "abc"}
    policy = limited(1000, placement=placement)
    everybody = [endpoint(name, port) for name, port in ports.items()]
    await executor.apply(configurator.configure(session_model(mode, policy, *everybody)))
    sessions = [await visit(client) for _ in range(60)]
    assert {pod for pod, _ in sessions} == {"a", "b", "c"}
    fewer = session_model(mode, policy, endpoint("a", ports["a"], draining=True), everybody[1])
    await executor.apply(configurator.configure(fewer))
    assert pods_of(await visits(client, 20)) == {"b": 20}
    for pod, cookie in sessions:
        now, issued = await visit(client, cookie)
        assert now == ("b" if pod == "c" else pod)
        assert await visit(client, issued) == (now, issued)


async def test_a_session_of_a_pod_that_is_gone_is_refused_like_a_new_one(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    for mode in MODES:
        await executor.apply(configurator.configure(session_model(mode, limited(2), *endpoints)))
        sessions = [await visit(client) for _ in range(4)]
        await executor.apply(configurator.configure(session_model(mode, limited(2), endpoints[0])))
        statuses = {pod: (await client.get("web.example", cookie=cookie))[0] for pod, cookie in sessions}
        assert statuses == {"a": 200, "b": 503}
        await executor.readings.count_sessions(lambda _: {})


async def test_room_is_known_once_sessions_have_ended(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    wanted = session_model(AffinityMode.PERSISTENT, limited(3), one)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert pods_of(await visits(client, 5)) == {"a": 3}
    await count(executor, wanted)
    assert (await client.get("web.example"))[0] == 503
    await executor.readings.count_sessions(lambda sessions: {one.key: len(sessions) - 1})
    async with asyncio.timeout(30):
        while (await client.get("web.example"))[0] != 200:  # until the servers are listed anew
            await asyncio.sleep(0.05)
    assert (await client.get("web.example"))[0] == 503


async def test_what_is_answered_during_a_count_is_not_lost(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    wanted = session_model(AffinityMode.PERSISTENT, limited(3), one)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    socket = RuntimeSocket(Layout(proxy_settings.state_directory).runtime_socket)
    (begun,) = await socket.send([BEGIN_COUNT.text])
    assert pods_of(await visits(client, 2)) == {"a": 2}
    await socket.run(tuple(finish_count(begun.split()[1], {})))
    assert await socket.send([f"placement show {one.key}"]) == ["2"]
    assert pods_of(await visits(client, 2)) == {"a": 1}
    with pytest.raises(HAProxyRefused, match="no such count"):
        await socket.run(tuple(finish_count(begun.split()[1], {})))


async def test_two_routes_have_limits_of_their_own_over_the_same_pods(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    low = session_model(AffinityMode.PERSISTENT, limited(2), one)
    affinity = msgspec.structs.replace(sticky(), sessions=limited(4))
    high = host(route(action=ForwardTo(NAME, affinity), host="high.example"), name="high.example")
    both = model([*low.virtual_hosts, high], low.backends)
    await executor.apply(Configurator(proxy_settings).configure(both))
    wanted = [("high.example", 200)] * 3 + [("web.example", 503), ("high.example", 200), ("high.example", 503)]
    assert [(name, (await client.get(name))[0]) for name, _ in wanted] == wanted


@pytest.mark.parametrize("mode", MODES)
async def test_a_session_of_ingress_nginx_is_not_refused(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    await executor.apply(Configurator(proxy_settings).configure(session_model(mode, limited(1), one)))
    await visit(client)
    assert (await client.get("web.example"))[0] == 503
    node = f"127.0.0.1:{one.port}"
    key = persistent_key(N, node) if mode is AffinityMode.PERSISTENT else "1712345679.901.33.567890"
    _, ours = await visit(client, f"route={key}|{backend_key(N)}")
    assert await visit(client, ours) == ("a", ours)


async def test_a_limit_holds_over_all_threads(proxy_settings: ProxySettings, pods: Pods, client: Client) -> None:
    settings = msgspec.structs.replace(proxy_settings, threads=4)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcdefghij"]
    async with running_executor(settings) as executor:
        wanted = session_model(AffinityMode.PERSISTENT, limited(10, placement=Placement.LEAST_SESSIONS), *endpoints)
        await executor.apply(Configurator(settings).configure(wanted))
        assert pods_of(await visits(client, 120)) == dict.fromkeys("abcdefghij", 10)


@pytest.mark.parametrize("mode", MODES)
async def test_a_limit_holds_with_cookies_of_ingress_nginx_as_well(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    policy = msgspec.structs.replace(limited(4), cookie_format=CookieFormat.INGRESS_NGINX)
    wanted = session_model(mode, policy, *endpoints)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    answers = await visits(client, 15)
    assert pods_of(answers) == {"a": 4, "b": 4, "c": 4}
    for status, headers, body in answers:
        if status == 200:
            cookie = headers["set-cookie"].split(";")[0]
            assert "~" not in cookie
            assert pods_of([await client.get("web.example", cookie=cookie)]) == pods_of([(status, headers, body)])
