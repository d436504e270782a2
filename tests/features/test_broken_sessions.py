"""Sessions that break are counted by reason, by the real HAProxy; those that are followed are not."""

import asyncio
import time

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features.broken_sessions import Reason
from remora.haproxy.features.former_sessions import former_key
from remora.haproxy.features.session_lifetime import derive_key, sign
from remora.model import AffinityMode, Backend, Balancing, Endpoint, ForwardTo, Model, SessionPolicy
from tests.support.models import HASHED, NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, free_ports

MODES = {AffinityMode.PERSISTENT: (NAME, Balancing.ROUND_ROBIN), AffinityMode.BALANCED: (HASHED, Balancing.CONSISTENT_HASH)}
FORMER = "default-web-80"

each_mode = pytest.mark.parametrize("mode", MODES)
each_kind = pytest.mark.parametrize("tracking", [False, True], ids=["untracked", "tracked"])


def wanted(mode: AffinityMode, tracking: bool, *endpoints: Endpoint) -> Model:
    name, balancing = MODES[mode]
    affinity = msgspec.structs.replace(sticky(mode), sessions=SessionPolicy(tracking=tracking))
    behind: Backend = msgspec.structs.replace(backend(*endpoints, name=name, balancing=balancing), former_name=FORMER)
    return model([host(route(action=ForwardTo(name, affinity)))], [behind])


async def visit(client: Client, cookie: str = "") -> str:
    # What an old worker answers after it was last asked is not counted, so nothing is left open to it.
    status, headers, body = await client.get("web.example", cookie=cookie, headers={"Connection": "close"})
    assert status == 200, body
    return headers.get("set-cookie", "").partition(";")[0] or cookie


async def broken(executor: Executor) -> dict[Reason, int]:
    await executor.readings.read_counters()
    return {one.reason: one.count for one in executor.readings.broken_sessions}


@each_mode
@each_kind
async def test_new_sessions_and_those_that_are_followed_are_not_broken(
    mode: AffinityMode, tracking: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    await executor.apply(Configurator(proxy_settings).configure(wanted(mode, tracking, *endpoints)))
    for _ in range(4):
        cookie = await visit(client, "other=1")
        assert await visit(client, cookie) == cookie
    assert await broken(executor) == {}


@each_mode
@each_kind
async def test_a_session_whose_pod_is_gone_is_counted_once(
    mode: AffinityMode, tracking: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    await executor.apply(configurator.configure(wanted(mode, tracking, *endpoints[:1])))
    cookie = await visit(client)
    await executor.apply(configurator.configure(wanted(mode, tracking, *endpoints[1:])))
    cookie = await visit(client, cookie)
    await visit(client, cookie)
    assert await broken(executor) == {Reason.GONE: 1}


@each_kind
async def test_a_session_whose_pod_refuses_has_failed(
    tracking: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    dead = endpoint("dead", free_ports(1)[0])
    configuration = wanted(AffinityMode.PERSISTENT, tracking, dead, endpoint("b", await pods.start("b")))
    await executor.apply(Configurator(proxy_settings).configure(configuration))
    await visit(client, f"route={dead.key}|x")
    assert await broken(executor) == {Reason.FAILED: 1}


@each_kind
async def test_a_balanced_session_that_the_ring_moves_has_moved(
    tracking: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcd"]
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, tracking, *endpoints[:1])))
    cookies = [await visit(client) for _ in range(12)]
    await executor.apply(configurator.configure(wanted(AffinityMode.BALANCED, tracking, *endpoints)))
    moved = len([cookie for cookie in cookies if await visit(client, cookie) != cookie])
    assert moved > 0
    assert await broken(executor) == {Reason.MOVED: moved}


@each_kind
@pytest.mark.parametrize("value", ["garbage", "a~b~c|d", "0123~<script>", "x" * 500])
async def test_a_cookie_that_nobody_issued_is_unreadable(
    value: str, tracking: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    target = endpoint("a", await pods.start("a"))
    await executor.apply(Configurator(proxy_settings).configure(wanted(AffinityMode.PERSISTENT, tracking, target)))
    await visit(client, f"route={value}")
    assert await broken(executor) == {Reason.UNREADABLE: 1}


@each_mode
@each_kind
async def test_a_session_of_ingress_nginx_that_is_taken_over_is_not_broken(
    mode: AffinityMode, tracking: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    await executor.apply(Configurator(proxy_settings).configure(wanted(mode, tracking, *endpoints)))
    for one in endpoints:
        issued = await visit(client, f"route={former_key(FORMER, one.address, one.port)}|0123456789abcdef")
        assert "~" in issued or one.key in issued
    assert await broken(executor) == {}


async def test_a_session_of_ingress_nginx_whose_pod_is_gone_is_counted(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    target = endpoint("a", await pods.start("a"))
    await executor.apply(Configurator(proxy_settings).configure(wanted(AffinityMode.PERSISTENT, False, target)))
    await visit(client, f"route={former_key(FORMER, '10.9.8.7', 1)}|0123456789abcdef")
    assert await broken(executor) == {Reason.GONE: 1}


async def test_a_session_that_no_pod_takes_is_counted_as_full(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    policy = SessionPolicy(tracking=True, limit=1)
    action = ForwardTo(NAME, msgspec.structs.replace(sticky(), sessions=policy))
    behind = backend(endpoint("a", await pods.start("a")))
    await executor.apply(Configurator(proxy_settings).configure(model([host(route(action=action))], [behind])))
    cookie = await visit(client)
    assert (await client.get("web.example"))[0] == 503
    assert await visit(client, cookie) == cookie
    assert await broken(executor) == {Reason.FULL: 1}


async def test_a_session_whose_time_is_over_is_counted_as_expired(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    policy = SessionPolicy(tracking=True, absolute_timeout=60)
    action = ForwardTo(NAME, msgspec.structs.replace(sticky(), sessions=policy))
    target = endpoint("a", await pods.start("a"))
    key = derive_key(b"k" * 32)
    settings = msgspec.structs.replace(proxy_settings, lifetime_key=key)
    await executor.apply(Configurator(settings).configure(model([host(route(action=action))], [backend(target)])))
    begun = f"{'ab' * 16}.{int(time.time()) - 600:x}.{int(time.time()):x}"
    renewed = await visit(client, f"route={begun}.{sign(key, begun)}~{target.key}|x")
    await visit(client, renewed)
    assert await broken(executor) == {Reason.EXPIRED: 1}


async def test_what_is_counted_survives_a_reload(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    target = endpoint("a", await pods.start("a"))
    here = wanted(AffinityMode.PERSISTENT, False, target)
    await executor.apply(configurator.configure(here))
    await visit(client, "route=garbage")
    other = msgspec.structs.replace(here, response_header_names=("x-other",))
    await executor.apply(configurator.configure(other))
    await visit(client, "route=garbage")
    async with asyncio.timeout(30):
        while await broken(executor) != {Reason.UNREADABLE: 2}:
            await asyncio.sleep(0.05)
