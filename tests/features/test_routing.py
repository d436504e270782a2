"""Which request goes where on the real HAProxy: hosts, paths, rewrites, redirects."""

import json

import msgspec
import pytest

from remora.apply.executor import Executor
from remora.core.names import Hostname
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.grammar import directive
from remora.model import (
    Backend,
    BackendName,
    ConstantPath,
    ExactPath,
    ForwardTo,
    HttpsRedirect,
    LocationBase,
    PathMatch,
    PathRewrite,
    PrefixPath,
    RedirectTo,
    RedirectToHost,
    RegexPath,
    ReplacePath,
    StripPrefix,
    Unavailable,
    VirtualHost,
)
from remora.plan.outcome import OutcomeKind
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods


async def backends_for(pods: Pods, *names: str) -> list[Backend]:
    """A backend of one pod for each name, called like it."""
    return [backend(endpoint(name, await pods.start(name)), name=BackendName(name)) for name in names]


async def pod_of(client: Client, host_name: str, path: str) -> str:
    status, _, body = await client.get(host_name, path)
    return str(json.loads(body)["pod"]) if status == 200 else str(status)


def plain_hosts() -> list[VirtualHost]:
    rules: list[tuple[str, PathMatch, str]] = [
        ("web.example", PrefixPath(""), "root"),
        ("web.example", PrefixPath("/foo"), "prefix"),
        ("web.example", ExactPath("/foo"), "exact"),
        ("web.example", PrefixPath("/foo/bar"), "longer"),
        ("web.example", PrefixPath("/a b%"), "blank"),
        ("*.wild.example", PrefixPath(""), "wildcard"),
        ("one.wild.example", PrefixPath("/only"), "one"),
        ("", PrefixPath("/any"), "any"),
    ]
    names = sorted({name for name, _, _ in rules})
    return [
        host(*(route(match, ForwardTo(BackendName(to)), host=name) for on, match, to in rules if on == name), name=name)
        for name in names
    ]


PLAIN_CASES = [
    ("web.example", "/", "root"),
    ("WEB.example:8080", "/x", "root"),
    ("web.example.", "/x", "root"),
    ("web.example", "/foo", "exact"),
    ("web.example", "/foo?x=/foo/bar", "exact"),
    ("web.example", "/foo/", "prefix"),
    ("web.example", "/foobar", "root"),
    ("web.example", "/FOO", "root"),
    ("web.example", "/foo/bar", "longer"),
    ("web.example", "/foo/bar/", "longer"),
    ("web.example", "/foo/barn", "prefix"),
    ("web.example", "//foo//bar", "longer"),
    ("web.example", "/x/../foo/bar", "longer"),
    ("web.example", "/foo/%62ar", "longer"),
    ("web.example", "/foo%2Fbar", "longer"),
    ("web.example", "/x/..%2ffoo/bar", "longer"),
    ("web.example", "/a%20b%25/c", "blank"),
    ("web.example", "/a%2520b", "root"),
    ("web.example", "/foo//!", "prefix"),
    ("web.example/foo", "/bar", "400"),
    ("web.example", "/%0a", "400"),
    ("a.wild.example", "/", "wildcard"),
    ("a.b.wild.example", "/", "404"),
    ("wild.example", "/", "404"),
    ("one.wild.example", "/only/x", "one"),
    ("one.wild.example", "/else", "404"),
    ("unknown.example", "/any/thing", "any"),
    ("unknown.example", "/", "404"),
    ("[::1]:80", "/any", "any"),
]


async def test_hosts_and_paths_select_the_route(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    names = ["root", "prefix", "exact", "longer", "blank", "wildcard", "one", "any"]
    wanted = model(plain_hosts(), await backends_for(pods, *names))
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    found = [(name, path, await pod_of(client, name, path)) for name, path, _ in PLAIN_CASES]
    assert found == PLAIN_CASES


async def test_what_no_route_takes_is_answered_404_and_healthz_200(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(model([host(route(PrefixPath("/a")))], [backend()])))
    status, headers, body = await client.get("web.example", "/b")
    assert (status, headers["content-type"]) == (404, "text/html")
    assert "<title>404 Not Found</title>" in body
    assert (await client.get("unknown.example", "/healthz"))[0] == 200
    assert (await client.get("web.example", "/healthz"))[0] == 404
    assert (await client.get("web.example", "/a"))[0] == 503


REGEX_CASES = [
    (["/foo/bar/[a-z]{3}", "/foo/bar/bar", "/foo"], "/foo/bar/bar", 0),
    (["/foo/bar/[a-z]{3}", "/foo/bar/bar", "/foo"], "/FOO/BAR/b", 2),
    (["/foo/bar/[a-z]{3}", "/foo/bar/bar", "/foo"], "/x", None),
    (["/something(/|$)(.*)"], "/something/new", 0),
    (["/something(/|$)(.*)"], "/something", 0),
    (["/something(/|$)(.*)"], "/SomeThing/new", 0),
    (["/something(/|$)(.*)"], "/somethingelse", None),
    (["/with blank"], "/with%20blank", 0),
    (["/app", "/"], "/application", 0),
    (["/app", "/"], "/other", 1),
]


@pytest.mark.one_haproxy
@pytest.mark.parametrize(("patterns", "path", "expected"), REGEX_CASES)
async def test_the_first_pattern_that_matches_takes_the_request(
    patterns: list[str],
    path: str,
    expected: int | None,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    names = [f"p{number}" for number in range(len(patterns))]
    routes = [route(RegexPath(text), ForwardTo(BackendName(name))) for text, name in zip(patterns, names, strict=True)]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], await backends_for(pods, *names))))
    assert await pod_of(client, "web.example", path) == ("404" if expected is None else f"p{expected}")


REWRITES: list[tuple[PathMatch, PathRewrite, str, str]] = [
    (PrefixPath("/api"), ConstantPath("/"), "/api/x?q=1", "/?q=1"),
    (PrefixPath("/api"), StripPrefix("/api"), "/api/x/y?q=1", "/x/y?q=1"),
    (PrefixPath("/api"), StripPrefix("/api"), "/api", "/"),
    (RegexPath("/api(/|$)(.*)"), StripPrefix("/api"), "/API/x", "/x"),
    (PrefixPath("/api"), StripPrefix("/api"), "/api//x/../y", "/y"),
    (PrefixPath("/api"), StripPrefix("/api"), "/%61pi/a%20b", "/a%20b"),
    (RegexPath("/v(\\d+)/(.*)"), ReplacePath("/v(\\d+)/(.*)", "/$2/v$1"), "/v2/items?q=1", "/items/v2?q=1"),
    (RegexPath("/x/(.*)"), ReplacePath("/x/(.*)", "/%[src]$1"), "/x/1", "/%[src]1"),
    (RegexPath("/a(/x)?(/|$)(.*)"), ReplacePath("/a(/x)?(/|$)(.*)", "/$3$1"), "/A/x/y", "/y/x"),
    (RegexPath("/a(/x)?(/|$)(.*)"), ReplacePath("/a(/x)?(/|$)(.*)", "/$3$1"), "/a/y?z=1", "/y?z=1"),
    (RegexPath("/a(/x)?(/|$)(.*)"), ReplacePath("/a(/x)?(/|$)(.*)", r"/\1$3"), "/a/y", r"/\1y"),
    (RegexPath("/(a)|/(b)"), ReplacePath("/(a)|/(b)", "/$1-$2"), "/b", "/-b"),
    (RegexPath("/p q/(.*)"), ReplacePath("/p q/(.*)", "/r s/$1"), "/p%20q/%41", "/p%20q/A"),
]


@pytest.mark.one_haproxy
@pytest.mark.parametrize(("match", "rewrite", "sent", "arrives"), REWRITES)
async def test_the_path_arrives_rewritten(
    match: PathMatch,
    rewrite: PathRewrite,
    sent: str,
    arrives: str,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    client: Client,
) -> None:
    wanted = model([host(route(match, ForwardTo(NAME, rewrite=rewrite)))], [backend(endpoint("a", await pods.start("a")))])
    outcome = await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert outcome.refused == ()
    status, _, body = await client.get("web.example", sent)
    assert status == 200
    assert json.loads(body)["target"] == arrives


async def test_a_rewrite_that_haproxy_does_not_take_costs_only_its_own_route(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    routes = [
        route(RegexPath("/ok/(.*)"), ForwardTo(NAME, rewrite=ReplacePath("/ok/(.*)", "/$1"))),
        route(RegexPath("/x/.*"), ForwardTo(NAME, rewrite=ReplacePath("/x/((.*)", "/$1"))),
    ]
    await executor.apply(
        Configurator(proxy_settings).configure(model([host(*routes)], [backend(endpoint("a", await pods.start("a")))]))
    )
    assert (await client.get("web.example", "/ok/1"))[0] == 200
    assert (await client.get("web.example", "/x/1"))[0] == 503


async def test_directives_of_a_backend_s_own_that_haproxy_refuses_cost_only_its_own_routes(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    other = BackendName("default-other-80")
    routes = [route(PrefixPath("/ok")), route(PrefixPath("/x"), ForwardTo(other))]
    pod = endpoint("a", await pods.start("a"))
    found = configurator.configure(model([host(*routes)], [backend(pod), backend(pod, name=other)]))
    name = next(name for name in found.backends if name.startswith(other))
    refused = msgspec.structs.replace(found.backends[name], dedicated=(directive("no-such-directive"),))
    wanted = msgspec.structs.replace(found, backends={**found.backends, name: refused})
    outcome = await executor.apply(wanted)
    assert (outcome.kind, outcome.refused) == (OutcomeKind.START, (name,))
    again = await executor.apply(wanted)
    assert (again.kind, again.refused) == (OutcomeKind.UNCHANGED, outcome.refused)
    assert (await client.get("web.example", "/ok/1"))[0] == 200
    assert (await client.get("web.example", "/x/1"))[0] == 503


async def test_redirects_answer_before_any_backend(executor: Executor, proxy_settings: ProxySettings, client: Client) -> None:
    routes = [
        route(ExactPath("/"), RedirectTo("/app", 302)),
        route(PrefixPath("/old"), RedirectTo("https://new.example/x?y=%20", 301)),
        route(PrefixPath("/tls"), ForwardTo(NAME), https_redirect=308),
        route(PrefixPath("/closed"), Unavailable()),
    ]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], [backend()])))
    expected = {
        "/": (302, "http://web.example:81/app"),
        "/old/a": (301, "https://new.example/x?y=%20"),
        "/tls/a/?b=c": (308, "https://web.example/tls/a/?b=c"),
        "/tls/a/": (308, "https://web.example/tls/a"),
        "/closed": (503, None),
    }
    for path, answer in expected.items():
        status, headers, _ = await client.get("web.example:81", path)
        assert (status, headers.get("location")) == answer


async def test_a_rewrite_to_a_url_redirects_with_the_rewritten_path_and_the_query(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    there = "https://new.example"
    patterns: dict[str, ReplacePath | ConstantPath] = {
        "/one/(.*)": ReplacePath("/one/(.*)", "/other/$1"),
        "/two": ConstantPath("/fixed"),
    }
    routes = [route(RegexPath(path), RedirectTo(there, 302, rewrite=rewrite)) for path, rewrite in patterns.items()]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], [backend()])))
    expected = {
        "/one/a%20b/?c=%2F&d=/": f"{there}/other/a%20b/?c=%2F&d=/",
        "/one/x": f"{there}/other/x",
        "/two/x?y": f"{there}/fixed?y",
    }
    for path, location in expected.items():
        status, headers, _ = await client.get("web.example:81", path)
        assert (status, headers.get("location")) == (302, location)


async def test_a_redirect_follows_the_annotations_about_its_form(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    port = proxy_settings.https_port
    https = {"/slash": HttpsRedirect(308, keeps_slash=True), "/port": HttpsRedirect(302, names_port=True)}
    actions: dict[str, RedirectTo | RedirectToHost] = {
        "/as-sent": RedirectTo("/new", 302),
        "/bare": RedirectTo("/new", 301, LocationBase.HOST_WITHOUT_PORT),
        "/relative": RedirectTo("/new", 301, LocationBase.NONE),
        "/host": RedirectToHost(Hostname("www.example"), 308),
        **{f"/{status}": RedirectTo("/new", status, LocationBase.NONE) for status in (300, 304, 305, 306)},
    }
    routes = [
        *(msgspec.structs.replace(route(PrefixPath(path)), https_redirect=wanted) for path, wanted in https.items()),
        *(route(PrefixPath(path), action) for path, action in actions.items()),
    ]
    await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], [backend()])))
    expected = {
        "/slash/?a=/": (308, "https://web.example/slash/?a=/", ""),
        "/port/": (302, f"https://web.example:{port}/port", ""),
        "/as-sent": (302, "http://web.example:81/new", ""),
        "/bare": (301, "http://web.example/new", ""),
        "/relative": (301, "/new", ""),
        "/host/a/?b": (308, f"http://www.example:{proxy_settings.http_port}/host/a/?b", ""),
        "/host/a/": (308, f"http://www.example:{proxy_settings.http_port}/host/a", ""),
        "/300": (300, None, "/new"),
        "/304": (304, None, ""),
        "/305": (305, None, "/new"),
        "/306": (306, None, "/new"),
    }
    got = {path: await client.get("web.example:81", path) for path in expected}
    assert {path: (status, headers.get("location"), body) for path, (status, headers, body) in got.items()} == expected


async def test_pods_are_told_about_the_client_and_nobody_else_can_tell_them(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = model([host(route())], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    forged = {"X-Forwarded-For": "10.0.0.1", "X-Real-IP": "10.0.0.1", "X-Forwarded-Proto": "https", "Proxy": "x"}
    _, _, body = await client.get("web.example", headers=forged)
    received = json.loads(body)["headers"]
    assert len(received.pop("x-request-id")) == 32
    told = {name: value for name, value in received.items() if name.startswith("x-") or name in ("host", "proxy")}
    assert told == {
        "host": "web.example",
        "x-real-ip": "127.0.0.1",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "web.example",
        "x-forwarded-port": str(proxy_settings.http_port),
        "x-forwarded-proto": "http",
        "x-forwarded-scheme": "http",
        "x-scheme": "http",
        "x-original-forwarded-for": "10.0.0.1",
    }
