"""Lifetimes on the real HAProxy: what ends, what is renewed, and that no client can write its own."""

import asyncio
import re
import time

import aiohttp
import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features import session_lifetime
from remora.haproxy.features.session_lifetime import SKEW, derive_key, sign
from remora.model import AffinityMode, CookieFormat, Endpoint, SessionPolicy
from tests.features.test_affinity import MODES, visit
from tests.features.test_live_sessions import websocket_pod
from tests.features.test_session_tracking import N, session_model
from tests.support.ingress_nginx import backend_key, persistent_key
from tests.support.models import endpoint
from tests.support.proxy import Client, Pods

KEY = derive_key(b"a session key of a test")
ID = "0123456789abcdef" * 2
VALUE = re.compile(r"route=([0-9a-f]{32})\.([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{16})~([0-9a-f]{20})\|[0-9a-f]{32}")
IDLE = SessionPolicy(idle_timeout=600)
ABSOLUTE = SessionPolicy(absolute_timeout=3600)


@pytest.fixture
def settings(proxy_settings: ProxySettings) -> ProxySettings:
    return msgspec.structs.replace(proxy_settings, lifetime_key=KEY)


def stamp(*, age: int, idle: int, key: str = KEY) -> str:
    now = int(time.time())
    text = f"{ID}.{now - age:08x}.{now - idle:08x}"
    return f"{text}.{sign(key, text)}"


def cookie_for(server: Endpoint, stamp: str) -> str:
    return f"route={stamp}~{server.key}|{backend_key(N)}"


async def start(pods: Pods, names: str = "abc") -> list[Endpoint]:
    return [endpoint(name, await pods.start(name)) for name in names]


@pytest.mark.parametrize("mode", MODES)
async def test_a_session_with_a_lifetime_has_a_signed_stamp_and_stays(
    mode: AffinityMode, executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await executor.apply(Configurator(settings).configure(session_model(mode, IDLE, *await start(pods))))
    for _ in range(6):
        pod, cookie = await visit(client)
        found = VALUE.fullmatch(cookie)
        assert found is not None
        assert found[4] == sign(KEY, ".".join(found.groups()[:3]))
        assert abs(int(found[2], 16) - time.time()) < 60
        assert await visit(client, cookie) == (pod, cookie)


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("sessions", "age", "idle", "lives"),
    [
        (IDLE, 9000, 600, True),
        (IDLE, 9000, 600 + 60 + SKEW - 2, True),  # the stamp may be a tenth older than the visit, and clocks differ
        (IDLE, 9000, 600 + 60 + SKEW + 2, False),
        (IDLE, -3, -3, True),  # stamped by a replica whose clock is ahead
        (ABSOLUTE, 3600, 3600, True),
        (ABSOLUTE, 3600 + SKEW + 2, 0, False),
        (SessionPolicy(idle_timeout=600, absolute_timeout=3600), 3700, 10, False),
        (SessionPolicy(idle_timeout=600, absolute_timeout=3600), 3000, 700, False),
        (SessionPolicy(idle_timeout=600, absolute_timeout=3600), 3000, 10, True),
    ],
)
async def test_a_session_ends_when_its_time_is_over_and_not_before(
    sessions: SessionPolicy,
    age: int,
    idle: int,
    lives: bool,
    executor: Executor,
    settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    endpoints = await start(pods)
    await executor.apply(Configurator(settings).configure(session_model(AffinityMode.PERSISTENT, sessions, *endpoints)))
    reached = set()
    for _ in range(3):
        pod, cookie = await visit(client, cookie_for(endpoints[0], stamp(age=age, idle=idle)))
        reached.add(pod)
        assert (ID in cookie) is lives
    assert reached == ({"a"} if lives else {"a", "b", "c"})


@pytest.mark.parametrize("mode", MODES)
async def test_a_stamp_that_a_client_wrote_counts_as_no_cookie(
    mode: AffinityMode, executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one, *others = await start(pods)
    await executor.apply(Configurator(settings).configure(session_model(mode, IDLE, one, *others)))
    good = stamp(age=10, idle=10)
    identifier, issued, seen, signature = good.split(".")
    later = f"{int(seen, 16) + 1:08x}"
    forged = [
        f"{identifier}.{issued}.{later}.{signature}",
        f"{identifier}.{later}.{seen}.{signature}",
        f"{'f' * 32}.{issued}.{seen}.{signature}",
        f"{identifier}.{issued}.{seen}.{'0' * 16}",
        f"{identifier}.{issued}.{seen}.{signature[:8]}",
        f"{identifier}.{issued}.{seen}.{signature}0",
        f"{identifier}.{issued}..{signature}",
        stamp(age=10, idle=10, key=derive_key(b"another cluster")),
    ]
    for text in forged:
        _, cookie = await visit(client, cookie_for(one, text))
        found = VALUE.fullmatch(cookie)
        assert found is not None, text
        assert found[1] != identifier


async def test_without_the_key_no_stamp_is_right(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    await executor.apply(Configurator(proxy_settings).configure(session_model(AffinityMode.PERSISTENT, IDLE, one)))
    empty = stamp(age=10, idle=10, key="")
    _, cookie = await visit(client, cookie_for(one, empty))
    assert ID not in cookie


async def test_a_stamp_is_renewed_when_a_tenth_of_the_idle_time_has_passed(
    executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    await executor.apply(Configurator(settings).configure(session_model(AffinityMode.PERSISTENT, IDLE, one)))
    young, old = (cookie_for(one, stamp(age=500, idle=idle)) for idle in (50, 63))
    assert (await visit(client, young))[1] == young
    found = VALUE.fullmatch((await visit(client, old))[1])
    assert found is not None
    assert found[1] == ID
    assert time.time() - int(found[2], 16) == pytest.approx(500, abs=30)
    assert time.time() - int(found[3], 16) < 60


@pytest.mark.parametrize("mode", MODES)
async def test_a_lifetime_for_live_sessions_moves_nobody(
    mode: AffinityMode, executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(settings)
    endpoints = await start(pods)
    tracked = SessionPolicy(tracking=True)
    for before in (SessionPolicy(), tracked):
        await executor.apply(configurator.configure(session_model(mode, before, *endpoints)))
        sessions = [await visit(client) for _ in range(9)]
        await executor.apply(configurator.configure(session_model(mode, IDLE, *endpoints)))
        stamped = [await visit(client, cookie) for _, cookie in sessions]
        assert [pod for pod, _ in stamped] == [pod for pod, _ in sessions]
        assert all(VALUE.fullmatch(cookie) for _, cookie in stamped)
        await executor.apply(configurator.configure(session_model(mode, before, *endpoints)))
        assert [(await visit(client, cookie))[0] for _, cookie in stamped] == [pod for pod, _ in sessions]


@pytest.mark.parametrize("cookie_format", CookieFormat)
@pytest.mark.parametrize("mode", MODES)
async def test_a_session_of_ingress_nginx_has_a_lifetime_from_its_first_visit(
    mode: AffinityMode,
    cookie_format: CookieFormat,
    executor: Executor,
    settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    endpoints = await start(pods)
    both = SessionPolicy(idle_timeout=600, tracking=True, cookie_format=cookie_format)
    await executor.apply(Configurator(settings).configure(session_model(mode, both, *endpoints)))
    key = "1712345679.901.33.567890"
    if mode is AffinityMode.PERSISTENT:
        key = persistent_key(N, f"127.0.0.1:{endpoints[0].port}")
    pod, cookie = await visit(client, f"route={key}|{backend_key(N)}")
    found = re.search(r"([0-9a-f]{32})\.([0-9a-f]{8})\.([0-9a-f]{8})\.([0-9a-f]{16})", cookie)
    assert found is not None
    assert await visit(client, cookie) == (pod, cookie)
    (session,) = await executor.readings.read_sessions()
    assert session.id == found[1]
    over = cookie.replace(found[0], stamp(age=9000, idle=9000))
    assert ID not in (await visit(client, over))[1]


async def test_a_cookie_that_slides_lives_anew_and_another_one_only_as_long_as_it_was_to(
    executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(settings)
    one = endpoint("a", await pods.start("a"))
    sliding = SessionPolicy(sliding=True)
    for sessions, remaining in ((sliding, 1000), (SessionPolicy(idle_timeout=600), 700)):
        wanted = session_model(AffinityMode.PERSISTENT, sessions, one, max_age=1000, expires=1000)
        await executor.apply(configurator.configure(wanted))
        _, headers, _ = await client.get("web.example", cookie=cookie_for(one, stamp(age=300, idle=150)))
        found = re.search(r"; Expires=([^;]+); Max-Age=(\d+); Path=/", headers["set-cookie"])
        assert found is not None
        assert int(found[2]) == pytest.approx(remaining, abs=5)
    await executor.apply(
        configurator.configure(session_model(AffinityMode.PERSISTENT, sliding, one, max_age=1000, expires=1000))
    )
    young = cookie_for(one, stamp(age=90, idle=90))
    assert (await visit(client, young))[1] == young


async def test_a_partitioned_cookie_says_so_and_is_secure(
    executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one = endpoint("a", await pods.start("a"))
    for sessions in (SessionPolicy(), IDLE):
        wanted = session_model(AffinityMode.PERSISTENT, sessions, one, partitioned=True)
        await executor.apply(Configurator(settings).configure(wanted))
        _, headers, _ = await client.get("web.example")
        assert headers["set-cookie"].endswith("; Path=/; Partitioned; Secure; HttpOnly")


async def test_what_the_table_saw_of_a_session_counts_beside_its_stamp(
    executor: Executor, settings: ProxySettings, pods: Pods, client: Client
) -> None:
    one, other, *_ = await start(pods)
    both = SessionPolicy(idle_timeout=600, absolute_timeout=90_000, tracking=True)
    await executor.apply(Configurator(settings).configure(session_model(AffinityMode.PERSISTENT, both, one, other)))
    late = cookie_for(one, stamp(age=9000, idle=8000))
    assert ID not in (await visit(client, late))[1]
    await visit(client, cookie_for(one, stamp(age=9000, idle=0)))
    pod, cookie = await visit(client, late)
    found = VALUE.fullmatch(cookie)
    assert found is not None
    assert (pod, found[1]) == ("a", ID)
    assert time.time() - int(found[2], 16) == pytest.approx(9000, abs=60)
    assert time.time() - int(found[3], 16) < 60
    assert ID not in (await visit(client, cookie_for(other, stamp(age=9000, idle=8000))))[1]
    assert ID not in (await visit(client, cookie_for(one, stamp(age=100_000, idle=8000))))[1]


async def test_a_session_is_not_idle_while_its_websocket_is_open(
    executor: Executor, settings: ProxySettings, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_lifetime, "idle_limit", lambda policy: 0)
    async with websocket_pod() as port, aiohttp.ClientSession() as session:
        one = endpoint("a", port)
        both = SessionPolicy(idle_timeout=1, tracking=True)
        await executor.apply(Configurator(settings).configure(session_model(AffinityMode.PERSISTENT, both, one)))

        async def lives() -> bool:
            _, headers, _ = await client.get("web.example", cookie=cookie_for(one, stamp(age=100, idle=50)))
            return ID in headers["set-cookie"]

        address = f"http://127.0.0.1:{settings.http_port}/"
        sent = {"Host": "web.example", "Cookie": cookie_for(one, stamp(age=100, idle=0))}
        async with session.ws_connect(address, headers=sent):
            await asyncio.sleep(1.2)
            assert await lives()
        async with asyncio.timeout(30):
            while await lives():
                await asyncio.sleep(1.1)
