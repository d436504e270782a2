"""Default backends of routes and error pages, on the real HAProxy."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import msgspec
import pytest
from aiohttp import web

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings, RoutingSettings
from remora.haproxy.configuration import Configurator
from remora.kube.objects import EndpointPort
from remora.model import (
    AffinityMode,
    BackendName,
    ConstantPath,
    ErrorContext,
    ErrorPages,
    ForwardTo,
    Model,
    NotFound,
    PrefixPath,
    Route,
    StandIn,
)
from remora.plan.outcome import OutcomeKind
from remora.translate import Translator
from remora.watch.snapshot import Snapshot
from tests.support.kubernetes import endpoint as pod_endpoint
from tests.support.kubernetes import endpoint_slice, ingress, ingress_class, rule, service
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, http1_pod, running_executor
from tests.support.translations import snapshot_of

ERRORS = BackendName("default-errors-80")
EMPTY = BackendName("default-empty-80")
CONTEXT = ErrorContext("shop", "web", "front", "http")
PAGES = ErrorPages((404, 500, 503), CONTEXT, ERRORS)
TOLD = {"x-namespace": "shop", "x-ingress-name": "web", "x-service-name": "front", "x-service-port": "http"}
FORGED = {
    "X-Code": "200",
    "X-Original-URI": "/admin",
    "X-Namespace": "kube-system",
    "X-Remora-Route": "x",
    "X-Remora-Method": "PUT",
}
BINARY = bytes(range(256))


class Site:
    """A pod that answers with the status that the query asks for, and a default backend that tells what it was asked."""

    def __init__(self, pod: int, errors: int, asked: list[web.Request]) -> None:
        self.pod = pod
        self.errors = errors
        self.asked = asked

    def model(self, *routes: Route) -> Model:
        backends = [backend(endpoint("pod", self.pod)), backend(endpoint("errors", self.errors), name=ERRORS)]
        return model([host(*routes)], [*backends, backend(name=EMPTY)])


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    asked: list[web.Request] = []

    async def serve(request: web.Request) -> web.Response:
        await request.read()
        status = int(request.query.get("code", "200"))
        return web.Response(status=status, body=b"pod" * int(request.query.get("long", "1")), headers={"X-Pod": "yes"})

    async def make_page(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        body = await request.read()
        await asyncio.sleep(float(request.query.get("wait", "0")))
        status = int(request.query.get("page", "404"))
        headers = {"X-Page": "yes", "Content-Type": "image/x-page", "X-Seen-Body": str(len(body))}
        size = int(request.query.get("size", "1"))
        if "chunked" in request.query:
            answer = web.StreamResponse(status=status, headers=headers)
            answer.enable_chunked_encoding()
            await answer.prepare(request)
            await answer.write(BINARY * size)
            return answer
        return web.Response(status=status, body=BINARY * size, headers=headers)

    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(http1_pod(handler)) for handler in (serve, make_page)]
        yield Site(ports[0], ports[1], asked)


class Answer:
    """An answer as bytes."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


async def ask(
    settings: ProxySettings,
    target: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """A request for web.example over HTTP."""
    sent = {"Host": "web.example", **(headers or {})}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session:
        url = f"http://127.0.0.1:{settings.http_port}{target}"
        async with session.request(
            method, url, headers=sent, data=io.BytesIO(body) if body else None, allow_redirects=False
        ) as response:
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, found, await response.read())


async def test_a_listed_status_of_a_pod_has_the_page_of_the_default_backend(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    rewritten = ForwardTo(NAME, rewrite=ConstantPath("/rewritten"))
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(action=rewritten, error_pages=PAGES))))
    answer = await ask(
        proxy_settings, "/a%2Fb//c?code=500&page=418&x=%20", headers={"Accept": "text/x", "Cookie": "a=b", **FORGED}
    )
    assert (answer.status, answer.body) == (418, BINARY)
    assert (answer.headers["x-page"], answer.headers["content-type"]) == ("yes", "image/x-page")
    assert "x-pod" not in answer.headers
    assert "x-remora-page" not in answer.headers
    [asked] = site.asked
    assert (asked.method, asked.raw_path) == ("GET", "/?code=500&page=418&x=%20")
    said = {name.lower(): value for name, value in asked.headers.items()}
    assert said == said | TOLD | {
        "host": "web.example",
        "x-code": "500",
        "x-format": "text/x",
        "x-original-uri": "/a%2Fb//c?code=500&page=418&x=%20",
        "x-forwarded-for": "127.0.0.1",
        "cookie": "a=b",
    }
    assert len(said["x-request-id"]) == 32
    left_out = {"x-real-ip", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-remora-route", "x-remora-method"}
    assert not left_out & said.keys()


async def test_other_statuses_and_other_routes_stay_as_they_are(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    routes = [
        route(PrefixPath(""), error_pages=PAGES),
        route(PrefixPath("/own"), error_pages=ErrorPages((404, 503), CONTEXT, ERRORS, leaves_pods=True)),
        route(PrefixPath("/none")),
    ]
    await executor.apply(Configurator(proxy_settings).configure(site.model(*routes)))
    for target in ("/?code=403", "/?code=200", "/own?code=404", "/none?code=404"):
        answer = await ask(proxy_settings, target)
        assert (str(answer.status), answer.body) == (target[-3:], b"pod")
    assert site.asked == []


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
async def test_the_default_backend_is_asked_with_the_same_method(
    method: str, executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(error_pages=PAGES))))
    answer = await ask(proxy_settings, "/?code=404&page=404", method=method, body=b"x" * 100_000 if method == "POST" else None)
    assert (answer.status, answer.headers["x-page"]) == (404, "yes")
    assert answer.headers["content-length"] == "256"
    assert answer.body == (b"" if method == "HEAD" else BINARY)
    assert [one.method for one in site.asked] == [method]


async def test_pages_of_any_kind_arrive_whole_and_too_long_ones_leave_the_pod_s_answer(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    unlimited = msgspec.structs.replace(route(error_pages=PAGES), body_limit=0)
    await executor.apply(Configurator(proxy_settings).configure(site.model(unlimited)))
    for query in ("size=0", "size=54", "size=54&chunked", "page=204&size=0", "page=304&size=0", "page=503&size=1"):
        answer = await ask(proxy_settings, f"/?code=404&{query}")
        wanted = dict(part.partition("=")[::2] for part in query.split("&"))
        assert answer.headers["x-page"] == "yes", query
        assert (answer.status, answer.body) == (int(wanted.get("page", 404)), BINARY * int(wanted["size"])), query
    for query in ("size=4096", "size=64", "size=4096&chunked"):
        answer = await ask(proxy_settings, f"/?code=404&{query}&long=400000")
        assert (answer.status, answer.body, answer.headers["x-pod"]) == (404, b"pod" * 400_000, "yes"), query
    # A pod's own megabyte gives way to a page; so does the answer to a megabyte that was sent.
    answer = await ask(proxy_settings, "/?code=404&long=400000", method="POST", body=b"x" * 1_200_000)
    assert (answer.status, answer.body) == (404, BINARY)


async def test_many_errors_at_once_and_one_after_another_on_a_connection_each_get_their_own_page(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(error_pages=PAGES))))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=20)) as session:

        async def one(number: int) -> None:
            code, wanted = (404, BINARY * (number % 50)) if number % 3 else (200, b"pod")
            url = f"http://127.0.0.1:{proxy_settings.http_port}/?code={code}&page=404&size={number % 50}"
            async with session.get(url, headers={"Host": "web.example"}) as response:
                assert (response.status, await response.read()) == (code, wanted)

        for _ in range(3):
            await asyncio.gather(*(one(number) for number in range(100)))


async def test_a_default_backend_that_is_slow_or_away_leaves_the_pod_s_answer(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(error_pages=PAGES))))
    answer = await asyncio.wait_for(ask(proxy_settings, "/?code=404&wait=60"), 30)
    assert (answer.status, answer.body) == (404, b"pod")
    site.errors = 1  # nobody listens there
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(error_pages=PAGES))))
    answer = await asyncio.wait_for(ask(proxy_settings, "/?code=404"), 30)
    assert (answer.status, answer.body) == (404, b"pod")


async def test_without_a_default_backend_a_listed_error_is_a_plain_404(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    built_in = ErrorPages((500,), CONTEXT)
    routes = [route(PrefixPath(""), error_pages=built_in), route(PrefixPath("/gone"), NotFound())]
    await executor.apply(Configurator(proxy_settings).configure(site.model(*routes)))
    for target in ("/?code=500", "/gone/x", "/gone"):
        answer = await ask(proxy_settings, target)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/html")
        assert b"<title>404 Not Found</title>" in answer.body
    assert (await ask(proxy_settings, "/?code=501")).body == b"pod"


@pytest.mark.parametrize("at_root", [False, True])
async def test_a_request_for_a_service_without_endpoints_goes_to_the_default_backend(
    at_root: bool, executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    action = ForwardTo(ERRORS, stand_in=StandIn(CONTEXT, at_root=at_root))
    # Its own errors are not replaced, although they are listed.
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(action=action, error_pages=PAGES))))
    target = "/a%2Fb?page=503&size=4096"
    answer = await ask(proxy_settings, target, method="PUT", body=b"x" * 1_000_000, headers={"Accept": "text/x", **FORGED})
    assert (answer.status, answer.body) == (503, BINARY * 4096)
    assert answer.headers["x-seen-body"] == "1000000"
    [asked] = site.asked
    said = {name.lower(): value for name, value in asked.headers.items()}
    assert (asked.method, asked.raw_path) == ("PUT", "/?page=503&size=4096" if at_root else target)
    assert said == said | TOLD | {"x-code": "503", "x-format": "text/x", "host": "web.example"}
    assert said.get("x-original-uri") == (target if at_root else None)
    assert ("x-real-ip" in said) is not at_root
    assert len(said["x-request-id"]) == 32


async def test_a_page_leaves_the_session_of_its_client_alone(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    action = ForwardTo(NAME, sticky(AffinityMode.PERSISTENT))
    await executor.apply(Configurator(proxy_settings).configure(site.model(route(action=action, error_pages=PAGES))))
    answer = await ask(proxy_settings, "/?code=404")
    assert answer.body == BINARY
    cookie = answer.headers["set-cookie"].partition(";")[0]
    again = await ask(proxy_settings, "/?code=404", headers={"Cookie": cookie})
    assert (again.body, again.headers.get("set-cookie")) == (BINARY, None)


async def test_pages_are_counted_once_for_their_route(executor: Executor, proxy_settings: ProxySettings, site: Site) -> None:
    wanted = route(error_pages=PAGES)
    await executor.apply(Configurator(proxy_settings).configure(site.model(wanted)))
    for _ in range(3):
        await ask(proxy_settings, "/?code=500&page=404")
    counts = {(one.route, one.code): one.count for one in await executor.readings.read_counters()}
    assert counts == {(wanted.id, 404): 3}


async def test_pages_come_and_go_without_a_reload_and_are_adopted(
    proxy_settings: ProxySettings, site: Site, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    plain = configurator.configure(site.model(route()))
    with_pages = configurator.configure(site.model(route(error_pages=PAGES)))
    standing_in = configurator.configure(
        site.model(route(action=ForwardTo(ERRORS, stand_in=StandIn(CONTEXT)), error_pages=PAGES))
    )
    first = Executor(proxy_settings)
    await first.start()
    await first.apply(plain)
    assert (await first.apply(with_pages)).kind is OutcomeKind.RUNTIME
    async with running_executor(proxy_settings) as successor:
        assert (await successor.apply(with_pages)).kind is OutcomeKind.UNCHANGED
        assert (await ask(proxy_settings, "/?code=404")).body == BINARY
        assert (await successor.apply(standing_in)).kind is OutcomeKind.RUNTIME
        assert (await ask(proxy_settings, "/?code=200")).body == BINARY
        assert (await successor.apply(plain)).kind is OutcomeKind.RUNTIME
        assert (await ask(proxy_settings, "/?code=404")).body == b"pod"


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_what_no_route_takes_is_answered_by_the_default_backend_or_a_plain_404_whatever_the_method(
    method: str, scheme: str, executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    port = proxy_settings.https_port if scheme == "https" else proxy_settings.http_port
    url = f"{scheme}://127.0.0.1:{port}/a/b?page=418"
    configurator = Configurator(proxy_settings)
    for default_backend, status in ((ERRORS, 418), (None, 404)):
        wanted = msgspec.structs.replace(site.model(route(PrefixPath("/known"))), default_backend=default_backend)
        await executor.apply(configurator.configure(wanted))
        for name in ("unknown.example", "web.example"):
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, url, headers={"Host": name}, data=b"sent", ssl=False) as response,
            ):
                assert (response.status, "X-Page" in response.headers) == (status, default_backend is not None)
    assert [(one.method, one.raw_path, "X-Code" in one.headers) for one in site.asked] == [(method, "/a/b?page=418", False)] * 2


def cluster(site: Site, *, pods: bool = True, canary: bool = False) -> Snapshot:
    """An Ingress for web.example whose Service may be without pods, one for a Service that is missing, and a canary."""
    wanted = {"default-backend": "errors", "custom-http-errors": "404,503", "ssl-redirect": "false"}
    of_errors = endpoint_slice(
        "shop/errors-1", "errors", pod_endpoint("127.0.0.1", "e"), ports=(EndpointPort("http", site.errors),)
    )
    ready = (pod_endpoint("127.0.0.1", "p", ready=pods),)
    of_web, of_next = (
        endpoint_slice(f"shop/{name}-1", name, *found, ports=(EndpointPort("http", site.pod),))
        for name, found in (("web", ready), ("next", (pod_endpoint("127.0.0.1", "n"),)))
    )
    rules = (rule("web.example", "/", service="web"), rule("web.example", "/missing", service="nowhere"))
    objects = [
        ingress_class("nginx"),
        service("shop/web"),
        service("shop/errors"),
        service("shop/next"),
        of_errors,
        of_web,
        of_next,
    ]
    objects.append(ingress("shop/main", *rules, annotations=wanted))
    if canary:
        by_header = {"canary": "true", "canary-by-header": "x-canary"}
        objects.append(ingress("shop/canary", rule("web.example", "/", service="next"), annotations=by_header))
    return snapshot_of(objects)


async def test_requests_follow_the_endpoints_and_a_canary_keeps_its_own(
    executor: Executor, proxy_settings: ProxySettings, site: Site
) -> None:
    settings = RoutingSettings(session_key=b"0123456789abcdef")
    configurator = Configurator(proxy_settings)

    async def apply(snapshot: Snapshot) -> OutcomeKind:
        return (await executor.apply(configurator.configure(Translator(settings).translate(snapshot, None).model))).kind

    await apply(cluster(site))
    assert (await ask(proxy_settings, "/x?code=201")).body == b"pod"
    assert (await ask(proxy_settings, "/x?code=404&page=410")).status == 410
    missing = await ask(proxy_settings, "/missing/x?page=200")
    assert (missing.status, missing.body, site.asked[-1].raw_path) == (200, BINARY, "/missing/x?page=200")
    assert site.asked[-1].headers["X-Service-Name"] == "nowhere"
    assert await apply(cluster(site, pods=False)) is OutcomeKind.RUNTIME
    assert (await ask(proxy_settings, "/x?code=201&page=202")).status == 202
    assert await apply(cluster(site, pods=False, canary=True)) is OutcomeKind.RUNTIME
    assert (await ask(proxy_settings, "/x?code=201&page=202")).status == 202
    assert (await ask(proxy_settings, "/x?code=201", headers={"X-Canary": "always"})).body == b"pod"
    assert (await ask(proxy_settings, "/x?code=404&page=410", headers={"X-Canary": "always"})).status == 410
    assert await apply(cluster(site)) is OutcomeKind.RUNTIME
    assert (await ask(proxy_settings, "/x?code=201&page=202")).body == b"pod"
