"""Headers to pods and clients that routes ask for, on the real HAProxy."""

import json

import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    BackendName,
    ClientHost,
    ExternalAuth,
    ForwardTo,
    Model,
    PrefixPath,
    RedirectTo,
    ReplacePath,
    StripPrefix,
    UpstreamHost,
)
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, running_executor

EMPTY = BackendName("default-empty-80")
HEADERS = (("X-One", 'a "quoted" %[src] |x; $y \\ \'#'), ("Cache-Control", "no-store"))


@pytest.mark.parametrize(
    ("wanted", "arrives"),
    [
        (None, "Web.example:81"),
        (UpstreamHost("internal.example:8080"), "internal.example:8080"),
        (UpstreamHost("a-", ClientHost.AS_SENT, ".b"), "a-Web.example:81.b"),
        (UpstreamHost("", ClientHost.NAME), "web.example"),
    ],
)
async def test_a_pod_is_sent_the_host_that_the_route_wants(
    wanted: UpstreamHost | None,
    arrives: str,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    routes = [route(action=ForwardTo(NAME, upstream_host=wanted))]
    await executor.apply(
        Configurator(proxy_settings).configure(model([host(*routes)], [backend(endpoint("a", await pods.start("a")))]))
    )
    _, _, body = await client.get("Web.example:81")
    received = json.loads(body)["headers"]
    assert (received["host"], received["x-forwarded-host"]) == (arrives, "Web.example:81")


async def test_pods_behind_a_rewrite_are_told_the_prefix(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    routes = [
        route(PrefixPath("/api"), ForwardTo(NAME, rewrite=StripPrefix("/api"), forwarded_prefix="/api")),
        route(PrefixPath("/v"), ForwardTo(NAME, rewrite=ReplacePath("/v(.*)", "/x$1"), forwarded_prefix="/v w")),
        route(PrefixPath("/none"), ForwardTo(NAME, rewrite=StripPrefix("/none"))),
    ]
    await executor.apply(
        Configurator(proxy_settings).configure(model([host(*routes)], [backend(endpoint("a", await pods.start("a")))]))
    )
    for path, prefix in {"/api/1": "/api", "/v/1": "/v w", "/none/1": None}.items():
        _, _, body = await client.get("web.example", path)
        assert json.loads(body)["headers"].get("x-forwarded-prefix") == prefix


def with_headers(
    port: int,
    *,
    allowed: tuple[str, ...] = ("X-One", "Cache-Control", "Content-Type"),
    headers: tuple[tuple[str, str], ...] = HEADERS,
) -> Model:
    routes = [
        route(PrefixPath(""), response_headers=headers),
        route(PrefixPath("/empty"), ForwardTo(EMPTY), response_headers=headers),
        route(PrefixPath("/moved"), RedirectTo("https://new.example/", 301), response_headers=headers),
        route(PrefixPath("/without")),
    ]
    found = model([host(*routes)], [backend(endpoint("a", port)), backend(name=EMPTY)])
    return Model(found.virtual_hosts, found.backends, response_header_names=allowed)


async def test_a_route_s_headers_are_on_all_its_answers(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(with_headers(port, headers=(("Cache-Control", "no-cache"),))))
    assert (await client.get("web.example"))[1]["cache-control"] == "no-cache"
    assert (await executor.apply(configurator.configure(with_headers(port)))).kind is OutcomeKind.RUNTIME
    expected = {name.lower(): value for name, value in HEADERS}
    for path, status in {"/": 200, "/empty": 503, "/moved": 301}.items():
        got, headers, _ = await client.get("web.example", path)
        assert (got, {name: headers.get(name) for name in expected}) == (status, expected)
    assert "x-one" not in (await client.get("web.example", "/without"))[1]


async def test_only_another_list_of_allowed_headers_is_a_reload(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    wanted = configurator.configure(with_headers(port))
    first = Executor(proxy_settings)
    await first.start()
    await first.apply(wanted)
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(wanted)).kind is OutcomeKind.UNCHANGED
        emptied = Model(virtual_hosts=(host(route()),), response_header_names=("X-One", "Cache-Control", "Content-Type"))
        assert (await successor.apply(configurator.configure(emptied))).kind is OutcomeKind.RUNTIME
        assert (await successor.apply(configurator.configure(with_headers(port, allowed=())))).kind is OutcomeKind.RELOAD
        status, headers, _ = await client.get("web.example")
        assert (status, "x-one" in headers) == (200, False)


async def test_a_client_may_send_a_hundred_headers(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    auth = ExternalAuth(backend=NAME, host="auth.example", target=("/ask",))
    routes = [route(PrefixPath("")), route(PrefixPath("/asked"), external_auth=auth)]
    await executor.apply(
        Configurator(proxy_settings).configure(model([host(*routes)], [backend(endpoint("a", await pods.start("a")))]))
    )
    many = {f"X-{number}": "x" for number in range(95)}  # and five of the client's own
    for path in ("/", "/asked"):
        status, _, body = await client.get("web.example", path, headers=many)
        assert (path, status) == (path, 200)
        assert json.loads(body)["headers"].keys() >= {name.lower() for name in many}
