"""Copies of requests, on the real HAProxy."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from remora.apply.executor import Executor
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Access, ForwardTo, Mirror, Model, PrefixPath
from remora.plan.outcome import OutcomeKind
from tests.support.certificates import self_signed
from tests.support.models import NAME, backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, free_ports
from tests.support.rawpods import RawPod


@pytest.fixture
async def mirror_pod() -> AsyncIterator[RawPod]:
    pod = RawPod()
    await pod.start()
    yield pod
    pod.stop()


def mirrored(url: str, port: int, *, with_body: bool = True, host_header: str = "copy.example") -> Model:
    action = ForwardTo(NAME, mirror=Mirror(url, host_header, with_body))
    return model([host(route(action=action))], [backend(endpoint("a", port))])


async def copies(pod: RawPod, count: int = 1) -> list[str]:
    """What the mirror was sent, when there are so many."""
    for _ in range(200):
        if len(pod.bodies) >= count:
            break
        await asyncio.sleep(0.01)
    return pod.heads


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$request_uri", "/shop?id=1&x=%2F"),
        ("/$request_uri", "/shop?id=1&x=%2F"),
        ("", "/shop?id=1&x=%2F"),
        ("/copy$request_uri", "/copy/shop?id=1&x=%2F"),
        ("/", "/?id=1&x=%2F"),
        ("/all?of=$host", "/all?of=web.example&id=1&x=%2F"),
    ],
)
async def test_a_copy_goes_where_the_route_says(
    path: str,
    expected: str,
    executor: Executor,
    proxy_settings: ProxySettings,
    pods: Pods,
    mirror_pod: RawPod,
    client: Client,
) -> None:
    url = f"http://127.0.0.1:{mirror_pod.port}{path}"
    await executor.apply(Configurator(proxy_settings).configure(mirrored(url, await pods.start("a"))))
    sent = {"X-One": "1", "Cookie": "a=b"}
    status, _, _ = await client.get("web.example", "/shop?id=1&x=%2F", headers=sent)
    (head,) = await copies(mirror_pod)
    assert status == 200
    assert head.startswith(f"GET {expected} HTTP/1.1\r\n")
    assert "host: copy.example\r\n" in head.lower()
    assert "x-one: 1\r\n" in head.lower()
    assert "cookie: a=b\r\n" in head.lower()


@pytest.mark.one_haproxy
@pytest.mark.one_haproxy
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "GET"])
async def test_a_copy_has_the_method_and_the_body(
    method: str, executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, mirror_pod: RawPod
) -> None:
    url = f"http://127.0.0.1:{mirror_pod.port}$request_uri"
    await executor.apply(Configurator(proxy_settings).configure(mirrored(url, raw_pod.port)))
    body = b"" if method in ("GET", "HEAD") else b"\x00body" * 2000
    target = f"http://127.0.0.1:{proxy_settings.http_port}/"
    async with aiohttp.request(method, target, data=body or None, headers={"Host": "web.example"}) as response:
        assert response.status == 200
    (head,) = await copies(mirror_pod)
    assert head.startswith(f"{method} / HTTP/1.1")
    assert mirror_pod.bodies == [body] == raw_pod.bodies


async def test_a_copy_without_body_says_so_and_a_large_body_has_no_copy(
    executor: Executor, proxy_settings: ProxySettings, raw_pod: RawPod, mirror_pod: RawPod
) -> None:
    configurator = Configurator(proxy_settings)
    url = f"http://127.0.0.1:{mirror_pod.port}$request_uri"
    target = f"http://127.0.0.1:{proxy_settings.http_port}"
    await executor.apply(configurator.configure(mirrored(url, raw_pod.port)))
    async with aiohttp.request("POST", f"{target}/large", data=b"x" * 100_000, headers={"Host": "web.example"}) as response:
        assert response.status == 200
    outcome = await executor.apply(configurator.configure(mirrored(url, raw_pod.port, with_body=False)))
    assert outcome.kind is OutcomeKind.RUNTIME
    async with aiohttp.request("POST", f"{target}/bare", data=b"x" * 100_000, headers={"Host": "web.example"}) as response:
        assert response.status == 200
    (head,) = await copies(mirror_pod)
    assert head.startswith("POST /bare ")
    assert mirror_pod.bodies == [b""]
    assert [len(body) for body in raw_pod.bodies] == [100_000, 100_000]


async def test_a_mirror_that_is_silent_away_or_unknown_costs_the_request_nothing(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, mirror_pod: RawPod, client: Client
) -> None:
    configurator, port, (closed,) = Configurator(proxy_settings), await pods.start("a"), free_ports(1)
    mirror_pod.delay = 60
    for url in (f"http://127.0.0.1:{mirror_pod.port}/", f"http://127.0.0.1:{closed}/", "http://no-such-host.invalid/"):
        await executor.apply(configurator.configure(mirrored(url, port)))
        # More than there may be copies under way.
        statuses = await asyncio.wait_for(asyncio.gather(*(client.get("web.example") for _ in range(250))), timeout=30)
        assert {status for status, _, _ in statuses} == {200}
    assert 0 < len(mirror_pod.heads) <= 200


async def test_who_is_refused_has_no_copy(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, mirror_pod: RawPod, client: Client
) -> None:
    url = f"http://127.0.0.1:{mirror_pod.port}$request_uri"
    action = ForwardTo(NAME, mirror=Mirror(url, "copy.example"))
    routes = [
        route(PrefixPath("/closed"), action, access=Access(deny=("127.0.0.0/8",))),
        route(PrefixPath("/open"), action),
    ]
    wanted = model([host(*routes)], [backend(endpoint("a", await pods.start("a")))])
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    statuses = [(await client.get("web.example", path))[0] for path in ("/closed", "/open")]
    (head,) = await copies(mirror_pod)
    assert statuses == [403, 200]
    assert head.startswith("GET /open ")


async def test_a_mirror_may_speak_tls_with_a_certificate_that_nobody_knows(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "mirror.pem").write_bytes(self_signed("mirror.example"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "mirror.pem")
    pod = RawPod()
    await pod.start(context)
    wanted = mirrored(f"https://127.0.0.1:{pod.port}$request_uri", await pods.start("a"))
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert (await client.get("web.example", "/secret"))[0] == 200
    (head,) = await copies(pod)
    pod.stop()
    assert head.startswith("GET /secret ")
