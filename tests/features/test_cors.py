"""Cross-origin resource sharing on the real HAProxy."""

import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import BackendName, Cors, ForwardTo, PrefixPath, RedirectTo
from remora.plan.outcome import OutcomeKind
from remora.snippets.read import Context, read_snippet
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, running_executor

ANY = Cors(None, "GET, PUT", "X-One,X-Two", True, "X-Three", 600)
LISTED = Cors(("https://a.example", "https://*.b.example:8443", "null"), "GET", "X-One", False, "", 0)
OF_ANY = {
    "allow-origin": "*",
    "allow-credentials": "true",
    "allow-methods": "GET, PUT",
    "allow-headers": "X-One,X-Two",
    "expose-headers": "X-Three",
    "max-age": "600",
}
OF_LISTED = {"allow-methods": "GET", "allow-headers": "X-One", "max-age": "0"}
EMPTY = BackendName("default-empty-80")


def shared(headers: dict[str, str]) -> dict[str, str]:
    """The CORS headers under short names."""
    prefix = "access-control-"
    return {name.removeprefix(prefix): value for name, value in headers.items() if name.startswith(prefix)}


async def test_any_origin_has_the_headers_on_every_answer(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    routes = [
        route(PrefixPath(""), cors=ANY),
        route(PrefixPath("/empty"), ForwardTo(EMPTY), cors=ANY),
        route(PrefixPath("/moved"), RedirectTo("https://new.example/", 301), cors=ANY),
        route(PrefixPath("/tls"), https_redirect=308, cors=ANY),
        route(PrefixPath("/without")),
    ]
    backends = [backend(endpoint("a", await pods.start("a"))), backend(name=EMPTY)]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], backends)))
    for path, status in {"/": 200, "/empty": 503, "/moved": 301, "/tls": 308}.items():
        got, headers, _ = await client.get("web.example", path)
        assert (got, shared(headers)) == (status, OF_ANY)
        got, headers, body = await client.get("web.example", path, method="OPTIONS", headers={"Origin": "https://x.example"})
        assert (got, shared(headers), body) == (204, OF_ANY, "")
        assert headers["content-type"] == "text/plain charset=UTF-8"
    for method in ("GET", "OPTIONS"):
        status, headers, _ = await client.get("web.example", "/without", method=method)
        assert (status, shared(headers)) == (200, {})


async def test_what_a_snippet_answers_has_them_too(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    steps = read_snippet('if ($http_x_token != "abc") { return 401; }', Context.LOCATION, ()).steps
    wanted = model([host(route(cors=ANY, snippet=steps))], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    got = {method: await client.get("web.example", method=method) for method in ("GET", "OPTIONS")}
    assert {method: (status, shared(headers)) for method, (status, headers, _) in got.items()} == {
        "GET": (401, OF_ANY),
        "OPTIONS": (204, OF_ANY),
    }


@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://a.example", True),
        ("HTTPS://A.example", True),
        ("https://one.b.example:8443", True),
        ("null", True),
        (None, False),
        ("https://a.example:8443", False),
        ("http://a.example", False),
        ("https://one.b.example", False),
        ("https://b.example:8443", False),
        ("https://two.one.b.example:8443", False),
        ("https://*.b.example:8443x", False),
        ("https://xa.example", False),
        ("evil-https://a.example", False),
        ("https://a.example ", True),
    ],
)
async def test_a_listed_origin_is_echoed_and_another_one_served_without(
    origin: str | None, is_allowed: bool, executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = model([host(route(cors=LISTED))], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    sent = {"Origin": origin} if origin is not None else {}
    status, headers, _ = await client.get("web.example", "/", headers=sent)
    expected = {**OF_LISTED, "allow-origin": str(origin).strip()} if is_allowed else {}
    assert (status, shared(headers)) == (200, expected)
    status, headers, _ = await client.get("web.example", "/", headers=sent, method="OPTIONS")
    assert (status, shared(headers)) == (204 if is_allowed else 200, expected)


async def test_origins_come_and_go_without_a_reload_and_are_adopted(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    plain = configurator.configure(model([host(route())], [backend(endpoint("a", port))]))
    listed = configurator.configure(model([host(route(cors=LISTED))], [backend(endpoint("a", port))]))
    first = Executor(proxy_settings)
    await first.start()
    await first.apply(plain)
    assert (await first.apply(listed)).kind is OutcomeKind.RUNTIME
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(listed)).kind is OutcomeKind.UNCHANGED
        assert shared((await client.get("web.example", headers={"Origin": "null"}))[1])
        assert (await successor.apply(plain)).kind is OutcomeKind.RUNTIME
        assert not shared((await client.get("web.example", headers={"Origin": "null"}))[1])
