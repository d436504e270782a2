"""Sessions on the real HAProxy: who is kept where, and who moves."""

import json

import msgspec
import pytest
from multidict import CIMultiDict

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    AffinityMode,
    BackendName,
    Balancing,
    Endpoint,
    ForwardTo,
    Model,
    PrefixPath,
    SameSite,
    SessionPolicy,
)
from remora.plan.outcome import OutcomeKind
from tests.support.models import HASHED, NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, free_ports

MODES = {AffinityMode.PERSISTENT: (NAME, Balancing.ROUND_ROBIN), AffinityMode.BALANCED: (HASHED, Balancing.CONSISTENT_HASH)}


def sticky_model(mode: AffinityMode, *endpoints: Endpoint, **attributes: object) -> Model:
    name, balancing = MODES[mode]
    action = ForwardTo(name, sticky(mode, **attributes))
    return model([host(route(action=action))], [backend(*endpoints, name=name, balancing=balancing)])


async def visit(client: Client, cookie: str = "", path: str = "/") -> tuple[str, str]:
    """The pod, and the cookie to send next time."""
    status, headers, body = await client.get("web.example", path, cookie=cookie)
    assert status == 200, body
    issued = headers.get("set-cookie", "").partition(";")[0]
    return json.loads(body)["pod"], issued or cookie


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_stays_on_its_pod(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(mode, *endpoints)))
    reached = set()
    for _ in range(8):
        pod, cookie = await visit(client)
        reached.add(pod)
        for _ in range(3):
            assert await visit(client, f"other=1; {cookie}; last=2") == (pod, f"other=1; {cookie}; last=2")
    assert len(reached) > 1


@pytest.mark.parametrize("mode", MODES)
async def test_a_session_is_in_the_cookie_of_its_name_alone(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    endpoints = [endpoint(name, await pods.start(name)) for name in "ab"]
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(mode, *endpoints)))
    for one in endpoints:
        for other in (f"other=key~{one.key}", f"key~{one.key}", f"other=1; xroute={one.key}", f"Route={one.key}"):
            for _ in range(4):
                _, cookie = await visit(client, other)
                assert cookie.startswith("route=")


@pytest.mark.parametrize("mode", MODES)
async def test_a_session_is_found_in_any_of_several_cookie_headers(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    """As some proxies in front send them; HAProxy joins those of HTTP/2 itself."""
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(mode, *endpoints)))
    pod, cookie = await visit(client)
    for sent in ((cookie, "a=1"), ("a=1", cookie, "b=2; c=3"), ("a=1", f"b=2; {cookie}"), ("route=other", cookie)):
        for _ in range(4):
            _, headers, body = await client.get("web.example", headers=CIMultiDict(("Cookie", text) for text in sent))
            assert json.loads(body)["pod"] == pod
            assert "set-cookie" not in headers
    _, headers, _ = await client.get(
        "web.example", headers=CIMultiDict([("Cookie", "a=1"), ("X-Cookie", cookie), ("Cookie", "")])
    )
    assert "set-cookie" in headers


@pytest.mark.parametrize("mode", MODES)
async def test_a_session_is_followed_whatever_stands_around_its_cookie(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    """Most requests have one cookie of the name, which is found by a shorter way than one of several."""
    endpoints = [endpoint(name, await pods.start(name)) for name in "abc"]
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(mode, *endpoints)))
    pod, cookie = await visit(client)
    gone, short = f"route={'0' * 20}", f"route={'0' * 19}"
    around = (f"{cookie};b=2", f"xroute=1; {cookie}; b=route; broute=", f"route;{cookie}\tb=2", f"{cookie}; Route=1")
    several = (f"{gone}; {cookie}", f"{cookie}; {gone}", f"{cookie}; {short}; b=2", f"{cookie}; route=", f"{cookie};{gone}|key")
    for sent in (
        (cookie,),
        *((text,) for text in (*around, *several)),
        (cookie, gone),
        (gone, cookie),
        (f"{cookie}; {gone}", "b=2"),
    ):
        for _ in range(4):
            _, headers, body = await client.get("web.example", headers=CIMultiDict(("Cookie", text) for text in sent))
            assert json.loads(body)["pod"] == pod, sent
            assert "set-cookie" not in headers, sent


@pytest.mark.parametrize("sessions", [SessionPolicy(), SessionPolicy(tracking=True)], ids=["plain", "tracked"])
@pytest.mark.parametrize("mode", MODES)
async def test_services_on_paths_within_each_other_have_their_own_sessions(
    mode: AffinityMode, sessions: SessionPolicy, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    """The browser sends both cookies to the inner path, that of the longer path first; ingress-nginx takes the last."""
    _, balancing = MODES[mode]
    actions, backends = [], []
    for service in ("outer", "inner"):
        name = BackendName(f"default-{service}-80{'@hash' if mode is AffinityMode.BALANCED else ''}")
        policy = msgspec.structs.replace(sticky(mode), backend_key=service.ljust(32, "0"), sessions=sessions)
        actions.append(ForwardTo(name, policy))
        endpoints = [endpoint(f"{service}-{one}", await pods.start(f"{service}-{one}")) for one in "abc"]
        backends.append(backend(*endpoints, name=name, balancing=balancing))
    routes = (route(action=actions[0]), route(PrefixPath("/in"), actions[1]))
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], backends)))
    for _ in range(4):
        (outer, outer_cookie), (inner, inner_cookie) = await visit(client), await visit(client, path="/in")
        for both in (f"{inner_cookie}; {outer_cookie}", f"{outer_cookie}; {inner_cookie}; other=1"):
            for _ in range(4):
                assert await visit(client, both) == (outer, both)
                assert await visit(client, both, "/in") == (inner, both)


async def test_persistent_sessions_move_only_when_their_pod_is_gone(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcde"]
    await executor.apply(configurator.configure(sticky_model(AffinityMode.PERSISTENT, *endpoints[:3])))
    sessions = [await visit(client) for _ in range(9)]
    more = await executor.apply(configurator.configure(sticky_model(AffinityMode.PERSISTENT, *endpoints)))
    assert more.kind is OutcomeKind.RUNTIME
    assert [await visit(client, cookie) for _, cookie in sessions] == sessions
    await executor.apply(configurator.configure(sticky_model(AffinityMode.PERSISTENT, *endpoints[1:])))
    for pod, cookie in sessions:
        moved_to, new_cookie = await visit(client, cookie)
        if pod == "a":
            assert moved_to != "a"
            assert new_cookie != cookie
        else:
            assert (moved_to, new_cookie) == (pod, cookie)


async def test_balanced_sessions_move_no_more_than_their_fair_share(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    endpoints = [endpoint(name, await pods.start(name)) for name in "abcde"]
    await executor.apply(configurator.configure(sticky_model(AffinityMode.BALANCED, *endpoints[:3])))
    sessions = [await visit(client) for _ in range(60)]
    await executor.apply(configurator.configure(sticky_model(AffinityMode.BALANCED, *endpoints)))
    visits = [(pod, (await visit(client, cookie))[0]) for pod, cookie in sessions]
    moved = [new for old, new in visits if old != new]
    assert set(moved) <= {"d", "e"}
    assert len(moved) < len(sessions) * 0.65


@pytest.mark.parametrize("mode", MODES)
async def test_a_draining_pod_keeps_its_sessions_and_takes_no_new_ones(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    ports = {name: await pods.start(name) for name in "ab"}
    both = [endpoint(name, port) for name, port in ports.items()]
    await executor.apply(configurator.configure(sticky_model(mode, *both)))
    sessions = [await visit(client) for _ in range(12)]
    assert {pod for pod, _ in sessions} == {"a", "b"}
    draining = [endpoint("a", ports["a"], draining=True), both[1]]
    assert (await executor.apply(configurator.configure(sticky_model(mode, *draining)))).kind is OutcomeKind.RUNTIME
    assert [await visit(client, cookie) for _, cookie in sessions] == sessions
    assert {(await visit(client))[0] for _ in range(8)} == {"b"}


async def test_a_pod_that_refuses_costs_no_request_and_no_session(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    alive = endpoint("a", await pods.start("a"))
    dead = endpoint("b", free_ports(1)[0])
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(AffinityMode.PERSISTENT, alive, dead)))
    cookie = f"route={dead.key}|ad0f3520c2b4ae4ad7cae6da8d3345ed"
    assert await visit(client, cookie) == ("a", cookie)


async def test_the_cookie_has_the_attributes_that_were_asked_for(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    attributes = {"path": "/app", "domain": "web.example", "max_age": 60, "secure": True, "same_site": SameSite.LAX}
    target = endpoint("a", await pods.start("a"))
    wanted = sticky_model(AffinityMode.PERSISTENT, target, **attributes)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    _, headers, _ = await client.get("web.example")
    value = f"{target.key}|ad0f3520c2b4ae4ad7cae6da8d3345ed"
    expected = f"route={value}; Max-Age=60; Domain=web.example; Path=/app; Secure; HttpOnly; SameSite=Lax"
    assert headers["set-cookie"] == expected


OLD_SAFARI = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/605 (KHTML, like Gecko) Version/12 Safari/605"
CHROME_ON_OLD_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) AppleWebKit/537 (KHTML) Chrome/120.0 Safari/537"


@pytest.mark.parametrize(
    ("agent", "is_sent"),
    [("Mozilla/5.0 Chrome/51.0", False), (OLD_SAFARI, False), (CHROME_ON_OLD_MAC, True), ("Mozilla/5.0 Chrome/120", True)],
)
async def test_old_browsers_are_spared_same_site_none(
    agent: str, is_sent: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    target = endpoint("a", await pods.start("a"))
    attributes = {"same_site": SameSite.NONE, "omit_same_site_for_old_browsers": True}
    wanted = sticky_model(AffinityMode.PERSISTENT, target, **attributes)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    _, headers, _ = await client.get("web.example", headers={"User-Agent": agent})
    assert ("SameSite=None" in headers["set-cookie"]) is is_sent
