"""Authentication by another service, on the real HAProxy with a small service."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec
import pytest
from aiohttp import web
from yarl import URL

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    Access,
    BackendName,
    Cors,
    ErrorContext,
    ErrorPages,
    ExternalAuth,
    ForwardTo,
    Model,
    PrefixPath,
    Route,
    Upstream,
    UpstreamTls,
)
from remora.plan.outcome import OutcomeKind
from remora.snippets.read import Context, read_snippet
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods

AUTH = BackendName("@auth-auth.example-80")
TARGET = ("/check",)
ASKED = ExternalAuth(backend=AUTH, host="auth.example", target=TARGET, timeout=5)


class Service:
    """An auth service that answers by what the client sent: `x-say` is the status, `x-say-NAME` the header NAME of its answer,
    in several lines for values between `;`."""

    def __init__(self, port: int, asked: list[web.Request]) -> None:
        self.port = port
        self.asked = asked

    @property
    def last(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.asked[-1].headers.items()}


def _answering(asked: list[web.Request]) -> Callable[[web.Request], Any]:
    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        await asyncio.sleep(float(headers.get("x-wait", "0")))
        body = b"secret" * int(headers.get("x-long", "1"))
        response = web.Response(status=int(headers.get("x-say", "200")), body=body)
        for name, text in headers.items():
            if name.startswith("x-say-"):
                for value in text.split(";;"):
                    response.headers.add(name[6:], value)
        return response

    return answer


async def start(stack: AsyncExitStack, *, context: ssl.SSLContext | None = None) -> Service:
    asked: list[web.Request] = []
    application = web.Application(handler_args={"max_field_size": 32768, "max_line_size": 32768})
    application.router.add_route("*", "/{rest:.*}", _answering(asked))
    runner = web.AppRunner(application, shutdown_timeout=0.1, max_field_size=32768, max_line_size=32768)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return Service(runner.addresses[0][1], asked)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        yield await start(stack)


class Site:
    """A proxy whose only route asks the service."""

    def __init__(self, executor: Executor, settings: ProxySettings, pod: int, service: Service) -> None:
        self.executor = executor
        self.configurator = Configurator(settings)
        self.pod = pod
        self.service = service

    def model(self, *routes: Route, auth_port: int | None = None) -> Model:
        asked = backend(endpoint("auth", auth_port or self.service.port), name=AUTH)
        return model([host(*routes)], [backend(endpoint("a", self.pod)), asked])

    async def serve(self, auth: ExternalAuth = ASKED, **policies: Any) -> None:
        await self.executor.apply(self.configurator.configure(self.model(route(external_auth=auth, **policies))))


@pytest.fixture
async def site(executor: Executor, proxy_settings: ProxySettings, pods: Pods, service: Service) -> Site:
    return Site(executor, proxy_settings, await pods.start("a"), service)


def seen(text: str) -> dict[str, str]:
    headers: dict[str, str] = msgspec.json.decode(text)["headers"]
    return headers


async def test_a_2xx_lets_the_request_pass(site: Site, client: Client) -> None:
    await site.serve()
    for status in ("200", "202", "299"):
        assert (await client.get("web.example", headers={"x-say": status}))[0] == 200


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("said", "status"), [("401", 401), ("403", 403), ("302", 500), ("404", 500), ("503", 500), ("407", 500)]
)
async def test_all_else_keeps_it_out(site: Site, client: Client, said: str, status: int) -> None:
    await site.serve()
    found, headers, text = await client.get(
        "web.example", headers={"x-say": said, "x-say-www-authenticate": 'Bearer realm="x"'}
    )
    assert found == status
    assert "secret" not in text
    assert "pod" not in text
    assert headers.get("www-authenticate") == ('Bearer realm="x"' if status == 401 else None)


async def test_the_question_tells_what_was_asked(site: Site, client: Client) -> None:
    auth = msgspec.structs.replace(ASKED, target=("/check?u=", "escaped_request_uri", "&m=", "request_method", ""))
    await site.serve(auth)
    sent = {"Cookie": "a=b; c=d", "Authorization": "Bearer t", "X-Original-URL": "http://other/", "X_Forwarded_For": "1.2.3.4",
            "X-Remora-Route": "x", "X-Remora-Method": "DELETE", "X-Sent-From": "me", "X-Forwarded-For": "9.9.9.9"}  # fmt: skip
    assert (await client.get("web.example", "/a%20b?c=d&e", method="POST", headers=sent))[0] == 200
    [asked] = site.service.asked
    assert (asked.method, asked.raw_path) == ("GET", "/check?u=%2Fa%2520b%3Fc%3Dd%26e&m=POST")
    headers = site.service.last
    assert headers == headers | {
        "host": "auth.example",
        "cookie": "a=b; c=d",
        "authorization": "Bearer t",
        "x-original-url": "http://web.example/a%20b?c=d&e",
        "x-original-method": "POST",
        "x-sent-from": "nginx-ingress-controller",
        "x-auth-request-redirect": "/a%20b?c=d&e",
        "x-forwarded-for": "127.0.0.1",
        "x-real-ip": "127.0.0.1",
    }
    assert (
        not {"x-forwarded-proto", "content-length", "transfer-encoding", "x_forwarded_for", "x-remora-route"} & headers.keys()
    )


async def test_method_headers_and_way_back_are_those_of_the_policy(site: Site, client: Client) -> None:
    sent = (("x-api", ("k-", "http:x-key", "")), ("x-none", ()), ("x-fixed", ("v",)))
    await site.serve(
        msgspec.structs.replace(ASKED, method="PUT", sent_headers=sent, redirect=("https://", "host", "", "request_uri", ""))
    )
    assert (await client.get("web.example:80", "/p?q", headers={"X-Key": "1", "X-None": "n"}))[0] == 200
    assert site.service.asked[0].method == "PUT"
    headers = site.service.last
    assert (headers["x-api"], headers["x-fixed"], headers["x-auth-request-redirect"]) == ("k-1", "v", "https://web.example/p?q")
    assert "x-none" not in headers


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "DELETE", "OPTIONS"])
async def test_every_method_asks(site: Site, client: Client, method: str) -> None:
    await site.serve(msgspec.structs.replace(ASKED, method=method))
    assert (await client.get("web.example"))[0] == 200
    assert (await client.get("web.example", headers={"x-say": "403"}))[0] == 403
    assert [one.method for one in site.service.asked] == [method, method]


async def test_headers_of_the_answer_take_the_place_of_the_client_s(site: Site, client: Client) -> None:
    await site.serve(msgspec.structs.replace(ASKED, response_headers=("x-user", "x-groups")))
    sent = {"X-User": "root", "X_User": "root", "x-USER": "root", "X-Groups": "admins", "X_Groups": "admins", "X-Other": "kept"}
    status, _, text = await client.get("web.example", headers={**sent, "x-say-x-user": "ann"})
    headers = seen(text)
    assert (status, headers["x-user"], headers["x-other"]) == (200, "ann", "kept")
    assert not {"x_user", "x-groups", "x_groups"} & headers.keys()


async def test_cookies_of_the_answer_reach_the_client(site: Site, proxy_settings: ProxySettings) -> None:
    async def cookies_of(headers: dict[str, str]) -> tuple[int, list[str]]:
        url = f"http://127.0.0.1:{proxy_settings.http_port}/"
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(url, headers={"Host": "web.example", **headers}) as answer,
        ):
            return answer.status, answer.headers.getall("Set-Cookie", [])

    both = {"x-say-set-cookie": "a=1; Path=/;;b=2", "x-answer-set-cookie": "pod=1"}
    await site.serve()
    assert await cookies_of(both) == (200, ["pod=1", "a=1; Path=/", "b=2"])
    assert await cookies_of(both | {"x-status": "404"}) == (404, ["pod=1"])
    assert await cookies_of(both | {"x-say": "401"}) == (401, [])
    await site.serve(msgspec.structs.replace(ASKED, always_set_cookie=True))
    assert await cookies_of(both | {"x-status": "404"}) == (404, ["pod=1", "a=1; Path=/", "b=2"])
    assert await cookies_of(both | {"x-say": "401"}) == (401, ["a=1; Path=/", "b=2"])


SIGN_IN = ("https://login.example/start?rd=", "told_scheme", "://", "http_host", "", "escaped_request_uri", "")


async def test_who_must_sign_in_is_sent_there_and_comes_back(site: Site, client: Client) -> None:
    cors = Cors(origins=None, methods="GET", headers="", credentials=False, expose_headers="", max_age=1)
    await site.serve(msgspec.structs.replace(ASKED, sign_in=SIGN_IN), cors=cors)
    sent = {"x-say": "401", "x-say-set-cookie": "csrf=1"}
    status, headers, _ = await client.get("web.example", "/a/b?c=d&e=%20", headers=sent)
    assert status == 302
    assert headers["location"] == "https://login.example/start?rd=http://web.example%2Fa%2Fb%3Fc%3Dd%26e%3D%2520"
    assert (headers["set-cookie"], headers["access-control-allow-origin"]) == ("csrf=1", "*")
    [back] = parse_qs(urlsplit(headers["location"]).query)["rd"]
    assert back == "http://web.example/a/b?c=d&e=%20"
    assert (await client.get("web.example", "/a/b", headers={"x-say": "200"}))[0] == 200
    assert (await client.get("web.example", "/a/b", headers={"x-say": "403"}))[0] == 403
    status, headers, _ = await client.get("web.example", "/a/b", headers={"x-status": "401"})
    assert (status, "location" in headers) == (401, False)


KEPT = msgspec.structs.replace(
    ASKED, cache_key=("", "cookie:s", ""), cache_durations=((200, 300), (401, 300)), response_headers=("x-user",)
)


async def test_an_answer_is_kept_by_its_key_and_outlives_the_service(site: Site, client: Client) -> None:
    await site.serve(KEPT)
    said = {"x-say-x-user": "ann"}
    for cookie in ("s=1", "s=1; other=2", "S=1"):
        status, _, text = await client.get("web.example", cookie=cookie, headers=said)
        assert (status, seen(text)["x-user"]) == (200, "ann")
    assert len(site.service.asked) == 1
    await client.get("web.example", cookie="s=2", headers={"x-say": "401"})
    await client.get("web.example", cookie="s=2")
    assert len(site.service.asked) == 2
    await site.executor.apply(site.configurator.configure(site.model(route(external_auth=KEPT), auth_port=9)))
    assert (await client.get("web.example", cookie="s=1"))[0] == 200
    assert (await client.get("web.example", cookie="s=2"))[0] == 401
    assert (await client.get("web.example", cookie="s=3"))[0] == 500


@pytest.mark.parametrize(
    "said",
    [
        {"x-say-set-cookie": "a=b"},
        {"x-say-cache-control": "private"},
        {"x-say-cache-control": "No-Store"},
        {"x-say-cache-control": "max-age=0"},
        {"x-say-expires": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"x-say-vary": "*"},
        {"x-say": "403"},
        {"cookie": "other=1"},
    ],
)
async def test_what_must_not_be_kept_is_asked_again(site: Site, client: Client, said: dict[str, str]) -> None:
    await site.serve(KEPT)
    for _ in range(2):
        await client.get("web.example", headers={"cookie": "s=1", **said})
    assert len(site.service.asked) == 2


async def test_another_policy_or_another_path_does_not_share_answers(site: Site, client: Client) -> None:
    await site.serve(KEPT)
    await client.get("web.example", cookie="s=1")
    await site.serve(msgspec.structs.replace(KEPT, target=("/other",)))
    assert (await client.get("web.example", cookie="s=1", headers={"x-say": "403"}))[0] == 403
    assert [one.path for one in site.service.asked] == ["/check", "/other"]


async def test_a_service_that_is_away_or_silent_keeps_everybody_out(site: Site, client: Client) -> None:
    auth = msgspec.structs.replace(ASKED, timeout=1)
    await site.serve(auth)
    assert (await client.get("web.example", headers={"x-wait": "3"}))[0] == 500
    await site.executor.apply(site.configurator.configure(site.model(route(external_auth=auth), auth_port=9)))
    assert (await client.get("web.example"))[0] == 500
    nobody = model([host(route(external_auth=auth))], [backend(endpoint("a", site.pod)), backend(name=AUTH)])
    await site.executor.apply(site.configurator.configure(nobody))
    assert (await client.get("web.example"))[0] == 500


async def test_an_entry_that_cannot_be_read_keeps_everybody_out(
    site: Site, client: Client, proxy_settings: ProxySettings
) -> None:
    await site.serve()
    path = f"{proxy_settings.state_directory}/maps/external-auth.map"
    reader, writer = await asyncio.open_unix_connection(f"{proxy_settings.state_directory}/runtime.sock")
    identity = site.model(route(external_auth=ASKED)).virtual_hosts[0].routes[0].id
    writer.write(f"set map {path} {identity} broken\n".encode())
    await writer.drain()
    await reader.read()
    writer.close()
    assert (await client.get("web.example"))[0] == 500
    assert site.service.asked == []


async def test_long_headers_and_long_answers(site: Site, client: Client) -> None:
    await site.serve(msgspec.structs.replace(ASKED, response_headers=("x-user",)))
    assert (await client.get("web.example", cookie="a=" + "x" * 7000))[0] == 200
    assert (await client.get("web.example", headers={"x-long": "100000"}))[0] == 200
    assert (await client.get("web.example", headers={"x-long": "100000", "x-say": "401"}))[0] == 401
    status, _, text = await client.get("web.example", cookie="a=" + "x" * 6000, headers={"x-say-x-user": "u" * 6000})
    assert status == 500 or seen(text)["x-user"] == "u" * 6000


async def test_bodies_wait_until_the_service_has_answered(site: Site, proxy_settings: ProxySettings) -> None:
    await site.serve()
    url = URL(f"http://127.0.0.1:{proxy_settings.http_port}/")
    async with aiohttp.ClientSession() as session:
        for said, status in (("200", 200), ("401", 401), ("200", 200)):
            async with session.post(url, headers={"Host": "web.example", "x-say": said}, data=b"x" * 300_000) as answer:
                assert answer.status == status
    assert all("content-length" not in {name.lower() for name in one.headers} for one in site.service.asked)


async def test_a_thousand_at_once(site: Site, proxy_settings: ProxySettings) -> None:
    await site.serve(msgspec.structs.replace(ASKED, timeout=30))
    connector = aiohttp.TCPConnector(limit=1000)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def status_of(said: int) -> int:
            headers = {"Host": "web.example", "x-say": str(said), "x-wait": "0.3"}
            async with session.get(f"http://127.0.0.1:{proxy_settings.http_port}/", headers=headers) as answer:
                return answer.status

        wanted = [(200, 401, 403)[number % 3] for number in range(1000)]
        assert await asyncio.gather(*map(status_of, wanted)) == wanted


async def test_one_party_is_enough_where_any_is(site: Site, client: Client) -> None:
    near = Access(allow=("127.0.0.0/8",), satisfies_any=True)
    far = Access(allow=("192.0.2.0/24",), satisfies_any=True)
    auth = msgspec.structs.replace(ASKED, response_headers=("x-user",))
    await site.serve(auth, access=near)
    status, _, text = await client.get("web.example", headers={"x-say": "401", "X-User": "root"})
    assert (status, site.service.asked) == (200, [])
    assert "x-user" not in seen(text)
    await site.serve(auth, access=far)
    for said, wanted in (("200", 200), ("401", 401), ("403", 403), ("404", 500)):
        assert (await client.get("web.example", headers={"x-say": said}))[0] == wanted
    await site.serve(auth, access=Access(allow=("192.0.2.0/24",)))
    assert (await client.get("web.example"))[0] == 403
    assert len(site.service.asked) == 4


async def test_the_service_s_tls_is_spoken_with_its_name(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=x",
        "-keyout",
        key,
        "-out",
        certificate,
    )
    subprocess.run(command, check=True, capture_output=True)
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with AsyncExitStack() as stack:
        service = await start(stack, context=context)
        upstream = Upstream(tls=UpstreamTls(name="auth.example", sends_name=True))
        asked = msgspec.structs.replace(backend(endpoint("auth", service.port), name=AUTH), upstream=upstream)
        wanted = model([host(route(external_auth=ASKED))], [backend(endpoint("a", await pods.start("a"))), asked])
        await executor.apply(Configurator(proxy_settings).configure(wanted))
        assert (await client.get("web.example"))[0] == 200
        assert (await client.get("web.example", headers={"x-say": "403"}))[0] == 403
    assert set(names) == {"auth.example"}


async def test_policies_come_and_go_without_a_reload_and_are_adopted(
    site: Site, client: Client, proxy_settings: ProxySettings
) -> None:
    wanted = site.configurator.configure(site.model(route()))
    await site.executor.apply(wanted)
    guarded = site.configurator.configure(site.model(route(external_auth=ASKED)))
    assert (await site.executor.apply(guarded)).kind is OutcomeKind.RUNTIME
    assert (await client.get("web.example", headers={"x-say": "403"}))[0] == 403
    other = Executor(proxy_settings)
    await other.start()
    assert (await other.apply(Configurator(proxy_settings).configure(site.model(route(external_auth=ASKED))))).kind is (
        OutcomeKind.UNCHANGED
    )


async def test_a_refusal_has_its_error_page(site: Site, client: Client) -> None:
    pages = ErrorPages((403, 500), ErrorContext("shop", "web", "front", "http"), NAME)
    await site.serve(error_pages=pages)
    for said, code in (("403", "403"), ("404", "500")):
        status, _, text = await client.get("web.example", headers={"x-say": said})
        assert (status, seen(text)["x-code"]) == (200, code)


async def test_a_client_signs_in_and_is_let_in(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    """The walk of oauth2-proxy: asked for a page, sent to sign in on the same host, and back with a cookie."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/oauth2/start":
            cookies = {"Set-Cookie": "_oauth2_proxy=ann; Path=/; HttpOnly"}
            return web.Response(status=302, headers={"Location": request.query["rd"], **cookies})
        user = request.cookies.get("_oauth2_proxy")
        return web.Response(status=202, headers={"X-Auth-Request-User": user}) if user else web.Response(status=401)

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        auth = ExternalAuth(
            backend=AUTH,
            host="web.example",
            target=("/oauth2/auth",),
            response_headers=("x-auth-request-user",),
            sign_in=("https://", "host", "/oauth2/start?rd=", "told_scheme", "://", "http_host", "", "escaped_request_uri", ""),
            cache_key=("", "cookie:_oauth2_proxy", ""),
            cache_durations=((202, 300), (401, 300)),
        )
        routes = (route(external_auth=auth), route(PrefixPath("/oauth2"), ForwardTo(AUTH)))
        backends = [backend(endpoint("a", await pods.start("a"))), backend(endpoint("auth", runner.addresses[0][1]), name=AUTH)]
        await executor.apply(Configurator(proxy_settings).configure(model([host(*routes)], backends)))
        status, headers, _ = await client.get("web.example", "/orders?id=1&b=%2F")
        assert status == 302
        start = URL(headers["location"], encoded=True)
        assert (start.scheme, start.host) == ("https", "web.example")
        status, headers, _ = await client.get("web.example", start.raw_path_qs)
        back = URL(headers["location"], encoded=True)
        assert (status, back.raw_path_qs) == (302, "/orders?id=1&b=%2F")
        cookie = headers["set-cookie"].partition(";")[0]
        for _ in range(2):
            status, _, text = await client.get("web.example", back.raw_path_qs, cookie=cookie)
            assert (status, seen(text)["x-auth-request-user"]) == (200, "ann")
        assert (await client.get("web.example", "/orders", cookie="other=1"))[0] == 302
    finally:
        await runner.cleanup()


async def test_a_snippet_hands_on_what_the_service_says(site: Site, client: Client) -> None:
    text = "auth_request_set $user $upstream_http_x_user; proxy_set_header X-Known $user; if ($arg_x) { return 418; }"
    await site.serve(snippet=read_snippet(text, Context.LOCATION).steps)
    sent = {"x-say": "200", "x-say-X-User": "jane", "X-Known": "forged", "X_Known": "forged"}
    _, _, body = await client.get("web.example", headers=sent)
    assert {name: value for name, value in seen(body).items() if "known" in name} == {"x-known": "jane"}
    assert (await client.get("web.example", "/?x=1", headers={"x-say": "403"}))[0] == 418
    _, _, body = await client.get("web.example", headers={"x-say": "200", "X-Known": "forged"})
    assert "x-known" not in seen(body)
