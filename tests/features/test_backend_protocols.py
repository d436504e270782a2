"""What pods speak, on the real HAProxy: TLS with and without verification, HTTP/2 as gRPC has it, FastCGI, WebSockets."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    Backend,
    BackendName,
    FastCgi,
    FileKind,
    ForwardTo,
    Model,
    PrefixPath,
    Protocol,
    Upstream,
    UpstreamFile,
    UpstreamTls,
)
from remora.plan.outcome import OutcomeKind
from tests.support.certificates import Authority
from tests.support.fastcgi import fastcgi_pod
from tests.support.http2 import Http2Client, http2_pod
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, http1_pod, running_executor

AUTHORITY = Authority()
STRANGERS = Authority("strangers")
FILE = UpstreamFile(FileKind.AUTHORITY, AUTHORITY.pem)
OURS = UpstreamFile(FileKind.CERTIFICATE, AUTHORITY.issue("proxy.example"))
HTTPS = Upstream(tls=UpstreamTls())
GRPC = Upstream(Protocol.HTTP2)
VERIFIED = UpstreamTls(verifies=True, name="pod.example", sends_name=True, authority=FILE.name, certificate=OURS.name)


def server_context(tmp_path: Path, authority: Authority = AUTHORITY, name: str = "pod.example") -> ssl.SSLContext:
    """How a pod speaks TLS; it asks for a certificate and takes none too."""
    file = tmp_path / f"{name}.pem"
    file.write_bytes(authority.issue(name))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=AUTHORITY.pem.decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@asynccontextmanager
async def tls_pod(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A pod that says what it learned of the proxy in the handshake; its port."""
    told: dict[str, str | None] = {}
    context.sni_callback = lambda _, name, __: told.update(sni=name)

    async def answer(request: web.Request) -> web.Response:
        assert request.transport
        tls = request.transport.get_extra_info("ssl_object")
        subject = dict(pair[0] for pair in (tls.getpeercert() or {}).get("subject", ()))
        return web.json_response({"sni": told.get("sni"), "client": subject.get("commonName"), "version": tls.version()})

    async with http1_pod(answer, tls=context) as port:
        yield port


def spoken(port: int, upstream: Upstream, name: str = "https") -> Backend:
    """A backend of one pod that is spoken to like that."""
    return msgspec.structs.replace(backend(endpoint("a", port), name=BackendName(f"{NAME}@{name}")), upstream=upstream)


def one_route(*backends: Backend, files: tuple[UpstreamFile, ...] = ()) -> Model:
    """A model that sends all of a host to the first backend."""
    made = model([host(route(PrefixPath(""), ForwardTo(backends[0].name)))], backends)
    return msgspec.structs.replace(made, upstream_files=files)


async def test_pods_over_tls_are_reached_without_a_reload_and_without_verification(
    executor: Executor, proxy_settings: ProxySettings, client: Client, tmp_path: Path
) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(model()))
    async with tls_pod(server_context(tmp_path, STRANGERS)) as port:
        outcome = await executor.apply(configurator.configure(one_route(spoken(port, HTTPS))))
        assert outcome.kind is OutcomeKind.RUNTIME
        status, _, body = await client.get("web.example")
        assert (status, json.loads(body)) == (200, {"sni": None, "client": None, "version": "TLSv1.3"})


async def test_pods_are_verified_and_shown_a_certificate_without_a_reload(
    executor: Executor, proxy_settings: ProxySettings, client: Client, tmp_path: Path
) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(model()))
    limited = msgspec.structs.replace(VERIFIED, protocols=("TLSv1.2",), ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    async with tls_pod(server_context(tmp_path)) as port:
        for tls, version in {VERIFIED: "TLSv1.3", limited: "TLSv1.2"}.items():
            wanted = one_route(spoken(port, Upstream(tls=tls), version), files=(FILE, OURS))
            outcome = await executor.apply(configurator.configure(wanted))
            assert (outcome.kind, outcome.error) == (OutcomeKind.RUNTIME, "")
            status, _, body = await client.get("web.example")
            told = {"sni": "pod.example", "client": "proxy.example", "version": version}
            assert (status, json.loads(body)) == (200, told)


@pytest.mark.parametrize(
    ("authority", "name"), [(STRANGERS, "pod.example"), (AUTHORITY, "other.example")], ids=["stranger", "other name"]
)
async def test_a_pod_that_is_not_verified_gets_nothing(
    executor: Executor, proxy_settings: ProxySettings, client: Client, tmp_path: Path, authority: Authority, name: str
) -> None:
    async with tls_pod(server_context(tmp_path, authority, name)) as port:
        wanted = one_route(spoken(port, Upstream(tls=VERIFIED)), files=(FILE, OURS))
        await executor.apply(Configurator(proxy_settings).configure(wanted))
        assert (await client.get("web.example"))[0] == 503


async def test_pods_that_come_after_a_reload_or_an_adoption_are_spoken_to_alike(
    proxy_settings: ProxySettings, client: Client, tmp_path: Path
) -> None:
    async with tls_pod(server_context(tmp_path)) as port, running_executor(proxy_settings) as executor:
        none = msgspec.structs.replace(spoken(port, Upstream(tls=VERIFIED)), endpoints=())
        await executor.apply(Configurator(proxy_settings).configure(one_route(none, files=(FILE, OURS))))
        successor = Executor(proxy_settings)
        await successor.start()
        wanted = Configurator(proxy_settings).configure(one_route(spoken(port, Upstream(tls=VERIFIED)), files=(FILE, OURS)))
        assert (await successor.apply(wanted)).kind is OutcomeKind.RUNTIME
        assert (await client.get("web.example"))[0] == 200
        third = Executor(proxy_settings)
        await third.start()
        assert (await third.apply(wanted)).kind is OutcomeKind.UNCHANGED
        await executor.stop(grace=0)
        assert (await third.apply(wanted)).kind is OutcomeKind.START
        assert (await client.get("web.example"))[0] == 200


async def test_ciphers_that_are_none_close_their_own_routes_alone(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pods: Pods
) -> None:
    configurator = Configurator(proxy_settings)
    good = backend(endpoint("b", await pods.start("b")), name=BackendName("default-other-80"))
    await executor.apply(configurator.configure(model([host(route(PrefixPath("/good"), ForwardTo(good.name)))], [good])))
    bad = spoken(1, Upstream(tls=msgspec.structs.replace(VERIFIED, ciphers="NOTHING")))
    routes = (route(PrefixPath("/bad"), ForwardTo(bad.name)), route(PrefixPath("/good"), ForwardTo(good.name)))
    wanted = msgspec.structs.replace(model([host(*routes)], [bad, good]), upstream_files=(FILE, OURS))
    outcome = await executor.apply(configurator.configure(wanted))
    assert outcome.refused == (f"{bad.name}:spread-plain",)
    assert (await client.get("web.example", "/good"))[0] == 200
    assert (await client.get("web.example", "/bad"))[0] == 503


async def test_who_comes_by_https_is_taken_on_by_https_alone_if_asked_for(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pods: Pods, tmp_path: Path
) -> None:
    async with tls_pod(server_context(tmp_path)) as port:
        over_tls, plain = spoken(port, HTTPS), backend(endpoint("a", await pods.start("plain")))
        action = ForwardTo(over_tls.name, over_http=plain.name)
        await executor.apply(Configurator(proxy_settings).configure(model([host(route(action=action))], [over_tls, plain])))
        assert json.loads((await client.get("web.example"))[2])["pod"] == "plain"
        url = f"https://127.0.0.1:{proxy_settings.https_port}/"
        async with aiohttp.ClientSession() as session, session.get(url, ssl=False, headers={"Host": "web.example"}) as answer:
            assert (await answer.json())["version"] == "TLSv1.3"


@pytest.mark.parametrize("over_tls", [False, True], ids=["h2c", "tls"])
@pytest.mark.parametrize("pod_tls", [False, True], ids=["GRPC", "GRPCS"])
async def test_a_grpc_call_streams_both_ways_and_ends_with_trailers(
    executor: Executor, proxy_settings: ProxySettings, tmp_path: Path, over_tls: bool, pod_tls: bool
) -> None:
    upstream = Upstream(Protocol.HTTP2, UpstreamTls()) if pod_tls else GRPC
    port = proxy_settings.https_port if over_tls else proxy_settings.http_port
    context = ssl._create_unverified_context() if over_tls else None
    async with http2_pod(server_context(tmp_path) if pod_tls else None) as pod:
        await executor.apply(Configurator(proxy_settings).configure(one_route(spoken(pod, upstream))))
        async with Http2Client.connected(port, context, "web.example") as call:
            await call.ask("web.example", "/shop.Cart/Add", scheme="https" if over_tls else "http")
            for piece in (b"one", b"two"):
                await call.send(piece)
                await call.read_until(b"echo:" + piece)
                assert not call.has_ended
            await call.send(b"three", last=True)
            await call.read_until()
        asked = json.loads(call.body.rpartition(b"\n")[2])
        assert (asked[":authority"], asked[":path"], asked["te"]) == ("web.example", "/shop.Cart/Add", "trailers")
        assert call.headers[":status"] == "200"
        assert call.trailers == {"grpc-status": "0", "grpc-message": "fine"}


async def test_sessions_stay_on_pods_that_speak_grpc(executor: Executor, proxy_settings: ProxySettings) -> None:
    async with http2_pod() as one, http2_pod() as two:
        name = BackendName(f"{NAME}@http2")
        both = msgspec.structs.replace(backend(endpoint("a", one), endpoint("b", two), name=name), upstream=GRPC)
        wanted = model([host(route(action=ForwardTo(name, sticky())))], [both])
        await executor.apply(Configurator(proxy_settings).configure(wanted))
        async with Http2Client.connected(proxy_settings.http_port) as call:
            await call.ask("web.example", "/")
            await call.send(b"", last=True)
            await call.read_until()
        assert call.headers["set-cookie"].startswith("route=")


PHP = FastCgi("index.php", (("SCRIPT_FILENAME", ("/srv", "fastcgi_script_name", "")), ("X_HOST", ("", "host", ""))))


@pytest.mark.parametrize(
    ("path", "name", "file"),
    [
        ("/a.php", "/a.php", "/srv/a.php"),
        ("/shop/", "/shop/index.php", "/srv/shop/index.php"),
        ("/x/../../../etc/passwd", "/etc/passwd", "/srv/etc/passwd"),
        ("/x/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "/srv/etc/passwd"),
        ("/x//y/./z%20w.php", "/x/y/z w.php", "/srv/x/y/z w.php"),
    ],
)
async def test_a_fastcgi_application_is_told_what_its_parameters_say(
    executor: Executor, proxy_settings: ProxySettings, client: Client, path: str, name: str, file: str
) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(model()))
    async with fastcgi_pod() as port:
        application = spoken(port, Upstream(Protocol.FASTCGI, fastcgi=PHP), "fastcgi")
        outcome = await executor.apply(configurator.configure(one_route(application)))
        assert outcome.kind is OutcomeKind.RELOAD
        status, _, body = await client.get("web.example", f"{path}?x=1", method="POST", headers={"Authorization": "Basic eDp5"})
        told = json.loads(body)["parameters"]
        assert (status, told["SCRIPT_NAME"], told["SCRIPT_FILENAME"]) == (201, name, file)
        assert (told["X_HOST"], told["QUERY_STRING"], told["REQUEST_URI"]) == ("web.example", "x=1", f"{path}?x=1")
        assert told["HTTP_AUTHORIZATION"] == "Basic eDp5"


async def test_applications_come_and_go_without_another_reload(
    executor: Executor, proxy_settings: ProxySettings, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    application = spoken(1, Upstream(Protocol.FASTCGI, fastcgi=PHP), "fastcgi")
    none = msgspec.structs.replace(application, endpoints=())
    assert (await executor.apply(configurator.configure(one_route(none)))).kind is OutcomeKind.START
    assert (await client.get("web.example"))[0] == 503
    async with fastcgi_pod() as port:
        some = msgspec.structs.replace(application, endpoints=(endpoint("a", port),))
        assert (await executor.apply(configurator.configure(one_route(some)))).kind is OutcomeKind.RUNTIME
        assert (await client.get("web.example"))[0] == 201


@pytest.mark.parametrize("kind", ["plain", "sticky", "tls"])
async def test_a_websocket_goes_through_every_kind_of_backend(
    executor: Executor, proxy_settings: ProxySettings, tmp_path: Path, kind: str
) -> None:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"heard {message.data}")
        return socket

    async with http1_pod(talk, tls=server_context(tmp_path) if kind == "tls" else None) as port:
        served = spoken(port, HTTPS if kind == "tls" else Upstream())
        action = ForwardTo(served.name, sticky() if kind == "sticky" else None)
        await executor.apply(Configurator(proxy_settings).configure(model([host(route(action=action))], [served])))
        url = f"ws://127.0.0.1:{proxy_settings.http_port}/ws"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers={"Host": "web.example"}) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=30) == "heard hello"
