"""Canaries on the real HAProxy: which requests go there, who stays, and what a controller finds again."""

import json

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    Affinity,
    AffinityMode,
    BackendName,
    Canary,
    ConstantPath,
    CookieAttributes,
    ForwardTo,
    HeaderCondition,
    HeaderTest,
    Model,
    PathMatch,
    PrefixPath,
    RegexPath,
    RouteId,
)
from remora.plan.outcome import OutcomeKind
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, running_executor

MAIN, CANARY = BackendName("main"), BackendName("canary")
ID = RouteId("cafecafecafecafe")
ROOT = PrefixPath("")


def canary(to: ForwardTo = ForwardTo(CANARY), **wanted: object) -> Canary:  # noqa: B008 - frozen
    return Canary(ID, NamespacedName("default", "canary"), to, **wanted)  # type: ignore[arg-type]


def canaried(
    wanted: Canary,
    ports: dict[str, int],
    *,
    match: PathMatch = ROOT,
    to: ForwardTo = ForwardTo(MAIN),  # noqa: B008 - frozen
) -> Model:
    served = route(match, to)
    with_canary = type(served)(served.id, match, to, served.origin, canary=wanted)
    backends = [backend(*(endpoint(name, ports[name]) for name in ports if name == one), name=one) for one in (MAIN, CANARY)]
    return model([host(with_canary)], backends)


async def side(client: Client, path: str = "/", *, cookie: str = "", **headers: str) -> str:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, body = await client.get("web.example", path, cookie=cookie, headers=sent)
    return str(json.loads(body)["pod"]) if status == 200 else str(status)


@pytest.fixture
async def ports(pods: Pods) -> dict[str, int]:
    return {name: await pods.start(name) for name in (MAIN, CANARY)}


WORD = HeaderCondition("x-canary", HeaderTest.WORD)
CASES = [
    (canary(header=WORD), {"X_Canary": "always"}, "", CANARY),
    (canary(header=WORD, weight=100), {"X_Canary": "never"}, "", MAIN),
    (canary(header=WORD), {"X_Canary": "Always"}, "", MAIN),
    (canary(header=WORD, weight=100), {"X_Canary": "other"}, "", CANARY),
    (canary(header=WORD), {"Y_X_Canary": "always"}, "", MAIN),
    (canary(header=WORD), {"Other": "x-canary: always"}, "", MAIN),
    (canary(header=HeaderCondition("x-canary", HeaderTest.VALUE, "be ta")), {"X_Canary": "be ta"}, "", CANARY),
    (canary(header=HeaderCondition("x-canary", HeaderTest.VALUE, "beta")), {"X_Canary": "betas"}, "", MAIN),
    (canary(header=HeaderCondition("x-canary", HeaderTest.VALUE, "beta")), {"X_Canary": "always"}, "", MAIN),
    (canary(header=HeaderCondition("x-canary", HeaderTest.VALUE, "b"), weight=100), {"X_Canary": "never"}, "", CANARY),
    (canary(header=HeaderCondition("x-canary", HeaderTest.PATTERN, "^de$|fr")), {"X_Canary": "de"}, "", CANARY),
    (canary(header=HeaderCondition("x-canary", HeaderTest.PATTERN, "^de$|fr")), {"X_Canary": "a fr b"}, "", CANARY),
    (canary(header=HeaderCondition("x-canary", HeaderTest.PATTERN, "^de$|fr")), {"X_Canary": "dex"}, "", MAIN),
    (canary(header=HeaderCondition("x-canary", HeaderTest.PATTERN, "^de$|fr")), {"X_Canary": "DE"}, "", MAIN),
    (canary(header=HeaderCondition("x-canary", HeaderTest.PRESENCE), weight=100), {"X_Canary": "de"}, "", MAIN),
    (canary(header=HeaderCondition("x-canary", HeaderTest.PRESENCE), weight=100), {}, "", CANARY),
    (canary(cookie="Beta"), {}, "a=1; beta=always", CANARY),
    (canary(cookie="beta", weight=100), {}, "beta=never", MAIN),
    (canary(cookie="beta"), {}, "xbeta=always; beta=yes", MAIN),
    (canary(cookie="beta", header=WORD), {"X_Canary": "never"}, "beta=always", MAIN),
    (canary(cookie="beta", header=WORD), {"X_Canary": "x"}, "beta=always", CANARY),
    (canary(weight=200, total=200), {}, "", CANARY),
    (canary(weight=0), {}, "", MAIN),
    (canary(weight=-5), {}, "", MAIN),
]


async def test_header_cookie_and_weight_choose_the_side_in_this_order(
    executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(canaried(canary(), ports)))
    for wanted, headers, cookie, expected in CASES:
        outcome = await executor.apply(configurator.configure(canaried(wanted, ports)))
        assert outcome.kind in (OutcomeKind.RUNTIME, OutcomeKind.UNCHANGED)
        reached = [await side(client, path, cookie=cookie, **headers) for path in ("/", "/x%20/")]
        assert reached == [expected, expected], (wanted, headers, cookie)


async def test_weight_takes_its_share(
    executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(canaried(canary(weight=60, total=200), ports)))
    reached = [await side(client) for _ in range(200)]
    assert 30 <= reached.count(CANARY) <= 95  # 60, and a chance of one in a million to be elsewhere


async def test_a_canary_without_pods_gets_nothing(
    executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    wanted = canaried(canary(header=WORD, weight=100), {MAIN: ports[MAIN]})
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert await side(client, X_Canary="always") == MAIN


async def test_the_main_routes_policies_count_for_the_canary(
    executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    rewrite = ConstantPath("/new")
    wanted = canary(ForwardTo(CANARY, rewrite=rewrite), weight=100)
    await executor.apply(
        Configurator(proxy_settings).configure(
            canaried(wanted, ports, match=RegexPath("/a."), to=ForwardTo(MAIN, None, rewrite))
        )
    )
    _, _, body = await client.get("web.example", "/ab/c?d")
    assert (json.loads(body)["pod"], json.loads(body)["target"]) == (CANARY, "/new?d")


def sticky_to(name: str, key: str, mode: AffinityMode = AffinityMode.PERSISTENT) -> ForwardTo:
    return ForwardTo(BackendName(name), Affinity(mode, "route", key, CookieAttributes()))


@pytest.mark.parametrize("mode", AffinityMode)
async def test_a_session_stays_on_its_side_whatever_header_and_weight_say(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    configurator = Configurator(proxy_settings)
    main, other = sticky_to(MAIN, "a1", mode), sticky_to(CANARY, "b2", mode)
    cookies = {}
    for name, weight in ((MAIN, 0), (CANARY, 100)):
        await executor.apply(configurator.configure(canaried(canary(other, header=WORD, weight=weight), ports, to=main)))
        _, headers, body = await client.get("web.example")
        assert json.loads(body)["pod"] == name
        cookies[name] = headers["set-cookie"].partition(";")[0]
        assert cookies[name].endswith({MAIN: "|a1", CANARY: "|b2"}[name])
    assert await side(client, cookie=cookies[MAIN], X_Canary="always") == MAIN
    assert await side(client, cookie=cookies[CANARY], X_Canary="never") == CANARY
    foreign = cookies[MAIN].replace("|a1", "|c3")  # of a path around this one, which the client sends last
    assert await side(client, cookie=f"{cookies[MAIN]}; {foreign}", X_Canary="always") == MAIN
    assert await side(client, cookie=f"{cookies[CANARY]}; {foreign}", X_Canary="never") == CANARY
    await executor.apply(configurator.configure(canaried(canary(other, weight=100), {MAIN: ports[MAIN]}, to=main)))
    assert await side(client, cookie=cookies[CANARY]) == MAIN


@pytest.mark.parametrize("mode", AffinityMode)
async def test_a_canary_whose_pods_all_drain_keeps_its_sessions_and_gets_no_new_ones(
    mode: AffinityMode, executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    configurator = Configurator(proxy_settings)
    main, other = sticky_to(MAIN, "a1", mode), sticky_to(CANARY, "b2", mode)
    wanted = canaried(canary(other, weight=100), ports, to=main)
    await executor.apply(configurator.configure(wanted))
    _, headers, _ = await client.get("web.example")
    cookie = headers["set-cookie"].partition(";")[0]
    draining = [
        msgspec.structs.replace(one, endpoints=(endpoint(CANARY, ports[CANARY], draining=True),)) if one.name == CANARY else one
        for one in wanted.backends
    ]
    await executor.apply(configurator.configure(model(wanted.virtual_hosts, draining)))
    assert [await side(client, cookie=cookie) for _ in range(4)] == [CANARY] * 4
    assert await side(client) == MAIN
    assert await side(client, cookie=f"route={'0' * 20}|b2") == MAIN


async def test_the_cookie_of_another_route_of_the_service_says_nothing_about_the_side(
    executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    wanted = canary(sticky_to(CANARY, "b2"), weight=100)
    await executor.apply(Configurator(proxy_settings).configure(canaried(wanted, ports, to=sticky_to(MAIN, "a1"))))
    assert await side(client, cookie="admin=x|a1") == CANARY


async def test_a_canary_without_affinity_sets_no_cookie_and_lets_go(
    executor: Executor, proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    wanted = canaried(canary(header=WORD), ports, to=sticky_to(MAIN, "a1"))
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    _, headers, body = await client.get("web.example", headers={"X-Canary": "always"})
    assert json.loads(body)["pod"] == CANARY
    assert "set-cookie" not in headers
    assert await side(client) == MAIN


async def test_a_new_controller_finds_canaries_as_they_are(
    proxy_settings: ProxySettings, client: Client, ports: dict[str, int]
) -> None:
    pattern = HeaderCondition("x-canary", HeaderTest.PATTERN, r"^(de|fr)\.[a-z]{2}$")
    wanted = canaried(canary(header=pattern, cookie="beta", weight=5), ports)
    killed = Executor(proxy_settings)
    await killed.start()
    await killed.apply(Configurator(proxy_settings).configure(wanted))
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(Configurator(proxy_settings).configure(wanted))).kind is OutcomeKind.UNCHANGED
        assert await side(client, X_Canary="de.at") == CANARY
