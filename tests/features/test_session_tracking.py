"""Tracked sessions on the real HAProxy: identified by their cookies, and counted by pod."""

import re

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features.session_tracking import session_key_parts
from remora.model import AffinityMode, Backend, Endpoint, ForwardTo, Model, SessionPolicy
from remora.plan.outcome import OutcomeKind
from tests.features.test_affinity import MODES, visit
from tests.support.ingress_nginx import backend_key, persistent_key
from tests.support.models import endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods

N = "default-web-80"
TRACKED = SessionPolicy(tracking=True)
VALUE = re.compile(r"route=([0-9a-f]{32})~([0-9a-f]{20})\|[0-9a-f]{32}")


def session_model(mode: AffinityMode, sessions: SessionPolicy, *endpoints: Endpoint, **attributes: object) -> Model:
    name, balancing = MODES[mode]
    affinity = msgspec.structs.replace(sticky(mode, **attributes), sessions=sessions, former_name=N)
    backend = Backend(name, balancing, tuple(sorted(endpoints)), former_name=N)
    return model([host(route(action=ForwardTo(name, affinity)))], [backend])


def test_a_key_of_the_table_has_three_parts() -> None:
    assert session_key_parts(f"{'a' * 16}/{'b' * 20}/{'c' * 32}") == ("a" * 16, "b" * 20, "c" * 32)
    assert session_key_parts(f"{'a' * 16}/{'b' * 20}/own") is None


@pytest.mark.parametrize("mode", MODES)
async def test_a_tracked_session_is_counted_once_on_its_pod(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(Configurator(proxy_settings).configure(session_model(mode, TRACKED, *endpoints)))
    keys = {one.pod: one.key for one in endpoints}
    expected = set()
    for _ in range(6):
        pod, cookie = await visit(client)
        found = VALUE.fullmatch(cookie)
        assert found is not None
        assert found[2] == keys[pod]
        assert await visit(client, cookie) == (pod, cookie)
        expected.add((found[2], found[1]))
    sessions = await executor.readings.read_sessions()
    assert {(session.server, session.id) for session in sessions} == expected
    assert len(sessions) == 6


@pytest.mark.parametrize("mode", MODES)
async def test_switching_tracking_on_and_off_moves_nobody(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(configurator.configure(session_model(mode, SessionPolicy(), *endpoints)))
    sessions = [await visit(client) for _ in range(9)]
    switched = await executor.apply(configurator.configure(session_model(mode, TRACKED, *endpoints)))
    assert switched.kind is OutcomeKind.RUNTIME
    tracked = [await visit(client, cookie) for _, cookie in sessions]
    assert [pod for pod, _ in tracked] == [pod for pod, _ in sessions]
    assert len(await executor.readings.read_sessions()) == 9
    await executor.apply(configurator.configure(session_model(mode, SessionPolicy(), *endpoints)))
    assert [(await visit(client, cookie))[0] for _, cookie in tracked] == [pod for pod, _ in sessions]


@pytest.mark.parametrize("mode", MODES)
async def test_a_session_of_ingress_nginx_is_identified_from_its_first_visit(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(Configurator(proxy_settings).configure(session_model(mode, TRACKED, *endpoints)))
    node = f"127.0.0.1:{endpoints[0].port}"
    key = persistent_key(N, node) if mode is AffinityMode.PERSISTENT else "1712345679.901.33.567890"
    pod, cookie = await visit(client, f"route={key}|{backend_key(N)}")
    for _ in range(3):
        assert await visit(client, cookie) == (pod, cookie)
    (session,) = await executor.readings.read_sessions()
    assert session.id in cookie


async def test_an_identifier_of_somebody_s_own_is_replaced(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    await executor.apply(Configurator(proxy_settings).configure(session_model(AffinityMode.PERSISTENT, TRACKED, one)))
    for forged in ("x/y/z", "A" * 32, ""):
        _, cookie = await visit(client, f"route={forged}~{one.key}|{backend_key(N)}")
        assert VALUE.fullmatch(cookie)
    for session in await executor.readings.read_sessions():
        assert re.fullmatch("[0-9a-f]{32}", session.id)
