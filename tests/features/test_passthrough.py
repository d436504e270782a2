"""TLS passed through by the name that the client asks for, on the real HAProxy."""

import asyncio
import json
import ssl
from pathlib import Path

import aiohttp
import msgspec
import pytest
from cryptography import x509

from remora.apply.executor import Executor
from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.features import streams
from remora.model import BackendName, Certificate, Model, VirtualHost
from remora.plan.outcome import OutcomeKind
from tests.features.test_backend_protocols import server_context, tls_pod
from tests.support.certificates import self_signed
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, running_executor


@pytest.fixture
def proxy_settings(proxy_settings: ProxySettings) -> ProxySettings:
    return msgspec.structs.replace(proxy_settings, ssl_passthrough=True)


OWN = BackendName("default-own-443")


def passed(pod: int, web: int) -> Model:
    """A host whose TLS goes to a pod as it is, and one that is served here."""
    hosts = (VirtualHost(Hostname("own.example"), (), OWN), host(route()))
    certificate = Certificate("default/web", (Hostname("web.example"),), self_signed("web.example"))
    return model(hosts, [backend(endpoint("own", pod), name=OWN), backend(endpoint("a", web))], [certificate])


async def common_name(port: int, name: str | None) -> str:
    """Who answers a TLS connection for the name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name or "")
    try:
        certificate = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
    finally:
        writer.close()


async def test_connections_for_the_host_reach_its_pod_as_they_are_and_all_others_end_here(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, tmp_path: Path
) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(model()))
    async with tls_pod(server_context(tmp_path, name="own.example")) as pod:
        outcome = await executor.apply(configurator.configure(passed(pod, await pods.start("a"))))
        assert outcome.kind is OutcomeKind.RUNTIME
        for name, answers in {"own.example": "own.example", "OWN.example": "own.example", "web.example": "web.example"}.items():
            assert await common_name(proxy_settings.https_port, name) == answers
        assert await common_name(proxy_settings.https_port, "else.example") not in ("own.example", "web.example")
        assert (await executor.apply(configurator.configure(model()))).kind is OutcomeKind.RUNTIME
        assert await common_name(proxy_settings.https_port, "own.example") != "own.example"


async def test_who_the_client_is_survives_the_way_to_the_frontend_of_https(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(passed(1, await pods.start("a"))))
    url = f"https://127.0.0.1:{proxy_settings.https_port}/"
    connector = aiohttp.TCPConnector(ssl=False, local_addr=("127.0.0.9", 0))
    opened = aiohttp.ClientSession(connector=connector)
    async with opened as session, session.get(url, headers={"Host": "web.example"}) as answer:
        headers = (await answer.json(content_type=None))["headers"]
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"], headers["x-forwarded-port"]) == (
        "127.0.0.9",
        "https",
        "443",
    )


async def test_a_proxy_header_is_read_before_the_name(proxy_settings: ProxySettings, pods: Pods) -> None:
    settings = msgspec.structs.replace(proxy_settings, options=ProxyOptions(use_proxy_protocol=True))
    async with running_executor(settings) as executor:
        wanted = msgspec.structs.replace(passed(1, await pods.start("a")), options=settings.options)
        await executor.apply(Configurator(settings).configure(wanted))
        reader, writer = await asyncio.open_connection("127.0.0.1", settings.https_port)
        writer.write(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")
        context = ssl._create_unverified_context()
        await writer.start_tls(context, server_hostname="web.example")
        writer.write(b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
    assert (
        json.loads(answer.partition(b"\r\n\r\n")[2].partition(b"{")[2].join([b"{", b""]))["headers"]["x-real-ip"] == "192.0.2.7"
    )


async def test_http_of_the_host_follows_its_rules(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = model(
        [VirtualHost(Hostname("own.example"), (route(host="own.example"),), OWN)],
        [backend(endpoint("own", 1), name=OWN), backend(endpoint("a", await pods.start("a")))],
    )
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    assert (await client.get("own.example"))[0] == 200


async def test_what_is_no_tls_is_answered_at_once(
    executor: Executor, proxy_settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_TIME_FOR_HELLO", 300)
    await executor.apply(Configurator(proxy_settings).configure(model()))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.https_port)
    writer.write(b"GET / HTTP/1.1\r\nHost: web.example\r\n\r\n")
    async with asyncio.timeout(30):
        assert not await reader.read()
    writer.close()


async def test_a_controller_that_finds_hosts_passed_through_has_nothing_to_do(
    executor: Executor, proxy_settings: ProxySettings
) -> None:
    wanted = Configurator(proxy_settings).configure(passed(1, 2))
    await executor.apply(wanted)
    successor = Executor(proxy_settings)
    await successor.start()
    assert (await successor.apply(wanted)).kind is OutcomeKind.UNCHANGED
