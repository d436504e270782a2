"""What `remora explain` says is what the real HAProxy does."""

import asyncio
import json
import random
from collections.abc import Iterator

import msgspec

from remora.apply.executor import Executor
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator, Server, ServerName
from remora.model import (
    AffinityMode,
    BackendName,
    Balancing,
    Canary,
    Endpoint,
    ExactPath,
    ForwardTo,
    HeaderCondition,
    HeaderTest,
    Model,
    PathMatch,
    PrefixPath,
    RedirectTo,
    RegexPath,
    Route,
    RouteId,
    VirtualHost,
)
from remora.report.canaries import decide
from remora.report.search import Found, Taker, find_route
from remora.report.sessions import place
from tests.support.models import HASHED, NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods

HOSTS = ["a.example", "b.a.example", "*.a.example", "*.example", "", "x"]
SEGMENTS = ["a", "b", "ab", "A", "a b", "é", "a%", "a.b", "-", "~x", "+", "a+b"]
PATTERNS = [
    "/a", "/A", "/", "/(.*)", "/a(/|$)(.*)", "/b(/|$)(.*)", "/ab", "/a/b", "/[a-z]+/b$", "/a.b", "/é", "/a b", "/(a|b)/.*",
    r"/\w+$", "/a/", "/b/?", "/a(?=/)",
]  # fmt: skip
SENT_HOSTS = [
    *HOSTS, "A.Example", "a.example:8080", "a.example.", "c.a.example", "C.A.example:1", "d.c.a.example", "example",
    "other.test", "b.a.example..", "[::1]:80", "*", "!", "!x", "a.example:", "a.example:x", "x,a.example", ".a.example",
    "a.example/a", "localhost",
]  # fmt: skip
SENT_PIECES = [
    "/a", "/b", "/ab", "/A", "/", "//", "/.", "/..", "/./", "/../", "%2F", "%2f..", "%61", "%20", "%C3%A9", "%25", "%2561",
    "%3F", "%23", "%", "%z", "%0a", "%00", "%7f", "+", "a+b", ".", "a.b", "/healthz", "//!", ";x=1", "!", "~x", "-",
    "%2E%2E/",    "%5c", "\\", "é",
]  # fmt: skip


def random_match(draw: random.Random, *, is_regex: bool) -> PathMatch:
    if is_regex:
        return RegexPath(draw.choice(PATTERNS))
    path = "".join(f"/{draw.choice(SEGMENTS)}" for _ in range(draw.randrange(4)))
    return ExactPath(path or "/") if draw.random() < 0.4 else PrefixPath(path)


def random_host(draw: random.Random, name: str) -> VirtualHost:
    is_regex = draw.random() < 0.4
    matches = list({random_match(draw, is_regex=is_regex): None for _ in range(draw.randrange(1, 6))})
    made = [route(match, host=name) for match in matches]
    return host(*(told(one, f"/{one.id}") for one in made), name=name)


def told(one: Route, location: str) -> Route:
    """The route as a redirect that tells which one it is."""
    return msgspec.structs.replace(one, action=RedirectTo(f"https://route.test{location}", 302))


def random_model(draw: random.Random) -> Model:
    names = draw.sample(HOSTS, draw.randrange(1, len(HOSTS) + 1))
    return model([random_host(draw, name) for name in names])


def random_requests(draw: random.Random, count: int) -> Iterator[tuple[str, str]]:
    for _ in range(count):
        path = "".join(draw.choice(SENT_PIECES) for _ in range(draw.randrange(1, 5)))
        query = draw.choice(["", "", "?q=/a/../b%2F"])
        yield draw.choice(SENT_HOSTS), (path if path.startswith("/") else "/" + path) + query


async def ask(settings: ProxySettings, host_name: str, target: str) -> str:
    """The route that a request is given to, or the status of another answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.http_port)
    request = f"GET {target} HTTP/1.1\r\nHost: {host_name}\r\nConnection: close\r\n\r\n"
    writer.write(request.encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    status = answer.split(" ")[1]
    _, _, location = answer.partition("location: https://route.test/")
    return location.split("\r\n")[0] if location else status


def expected(found: Found) -> str:
    match found.taker:
        case Taker.ROUTE:
            assert found.route
            return found.route.id
        case Taker.HEALTHZ:
            return "200"
        case Taker.REFUSED:
            return "400"
        case _:
            return "404"


async def test_a_route_is_found_where_the_real_haproxy_finds_it(executor: Executor, proxy_settings: ProxySettings) -> None:
    draw = random.Random(7)
    configurator = Configurator(proxy_settings)
    differing, routed = [], 0
    for _ in range(25):
        wanted = random_model(draw)
        await executor.apply(configurator.configure(wanted))
        for host_name, target in random_requests(draw, 40):
            found = find_route(wanted, host_name, target.partition("?")[0])
            real = await ask(proxy_settings, host_name, target)
            routed += found.route is not None
            if real != expected(found):
                differing.append((host_name, target, real, expected(found), found.host, found.path))
    for one in differing:
        print(one)
    assert differing == []
    assert routed > 200


def random_cookies(draw: random.Random, endpoints: list[Endpoint], servers: tuple[Server, ...]) -> str:
    """Cookie headers with sessions of pods, of pods that are gone, of ingress-nginx, and with nonsense."""
    keys = [one.key for one in endpoints] + [server.former_key for server in servers] + ["gone", "", "kept", "a" * 32]
    session = draw.choice(["{key}", "{random}~{key}", "kept~{key}", "~{key}", "{random}~", "{key}~{key}~{random}"])
    value = session.format(key=draw.choice(keys), random=draw.randrange(10**9))
    cookie = draw.choice(
        ["route={}|backend", "x=1; route={}|b", "route={}", "xroute={}", "route=old; route={}|b|c", "y={};route"]
    )
    return cookie.format(value)


async def test_a_session_is_placed_where_the_real_haproxy_places_it(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    draw = random.Random(8)
    endpoints = [endpoint(name, await pods.start(name), draining=name == "e") for name in "abcde"]
    actions = {"/p": ForwardTo(NAME, sticky(AffinityMode.PERSISTENT)), "/b": ForwardTo(HASHED, sticky(AffinityMode.BALANCED))}
    persistent = msgspec.structs.replace(backend(*endpoints), former_name="shop-web-80")
    balanced = backend(*endpoints, name=HASHED, balancing=Balancing.CONSISTENT_HASH)
    wanted = model([host(*(route(PrefixPath(path), action) for path, action in actions.items()))], [persistent, balanced])
    configuration = Configurator(proxy_settings).configure(wanted)
    await executor.apply(configuration)
    servers = {made.name.partition(":")[0]: made.servers for made in configuration.backends.values()}
    names = {one.key: one.pod for one in endpoints}
    placed = 0
    for number in range(300):
        path = "/p" if number % 2 else "/b"
        action = actions[path]
        cookies = random_cookies(draw, endpoints, servers[action.backend])
        said = place(action.affinity, cookies, servers[action.backend])
        if "its ring" in said.reason:
            continue  # HAProxy builds that ring beside the requests; a unit test holds ours to the reference's
        _, _, body = await client.get("web.example", path, cookie=cookies)
        pod = json.loads(body)["pod"]
        placed += said.server is not None
        assert pod == names[said.server] if said.server else pod != "e", (path, cookies, said)
    assert placed > 60


CONDITIONS = [
    None,
    HeaderCondition("x-canary", HeaderTest.WORD),
    HeaderCondition("x-canary", HeaderTest.VALUE, "yes"),
    HeaderCondition("x-canary", HeaderTest.PATTERN, "^v[0-9]|es$"),
    HeaderCondition("x-canary", HeaderTest.PRESENCE),
]


async def test_a_canary_gets_what_the_real_haproxy_gives_it(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    draw = random.Random(9)
    main = ForwardTo(NAME, sticky())
    other = ForwardTo(BackendName("other"), msgspec.structs.replace(sticky(), backend_key="ca"))
    canaries = {
        f"/{number}-{weight}": Canary(
            RouteId(f"c{number}{weight}"), NamespacedName("shop", "canary"), other, condition, cookie="try", weight=weight
        )
        for number, condition in enumerate(CONDITIONS)
        for weight in (0, 100)
    }
    made = {path: msgspec.structs.replace(route(PrefixPath(path), main), canary=canary) for path, canary in canaries.items()}
    backends = [
        backend(endpoint("main", await pods.start("main"))),
        backend(endpoint("canary", await pods.start("canary")), name=BackendName("other")),
    ]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*made.values())], backends)))
    served = Server(ServerName("canary"), "127.0.0.1", 80, 1)
    for _ in range(200):
        path = draw.choice(list(made))
        value = draw.choice([None, "always", "never", "yes", "v1", "", "Always"])
        headers = {} if value is None else {"X-Canary": value}
        session = draw.choice(["", "", f"route=x|{sticky().backend_key}", "route=x|ca", "route=x|b"])
        word = draw.choice(["", "", "try=always", "TRY=never", "try=else", "xtry=always"])
        cookies = "; ".join(filter(None, (session, word)))
        sent = {name.lower(): text for name, text in headers.items()}
        said = decide(made[path], canaries[path], headers=sent, cookies=cookies, servers=(served,))
        _, _, body = await client.get("web.example", path, cookie=cookies, headers=headers)
        assert json.loads(body)["pod"] == said.side.value, (path, headers, cookies, said)
