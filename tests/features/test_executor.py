"""The executor and its HAProxy: adoption, death, reloads, certificates."""

import asyncio
import json
import os
import signal
import ssl
from dataclasses import dataclass
from pathlib import Path

import msgspec

from remora.apply.executor import Executor
from remora.core.names import Hostname
from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import (
    BackendName,
    Certificate,
    ConstantPath,
    ExactPath,
    ForwardTo,
    Model,
    PrefixPath,
    RedirectTo,
    RegexPath,
    ReplacePath,
    RouteId,
    VirtualHost,
)
from remora.plan.outcome import OutcomeKind
from tests.support.certificates import self_signed
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, http1_pod, running_executor


async def find_master(settings: ProxySettings) -> int | None:
    from remora.apply.binary import find_binary
    from remora.apply.process import HAProxyProcess

    return await HAProxyProcess(binary=find_binary(), directory=Path(settings.state_directory), files=()).find_master()


async def master_of(settings: ProxySettings) -> int:
    master = await find_master(settings)
    assert master is not None
    return master


def varied_model(port: int) -> Model:
    """One of everything that leaves a trace in HAProxy."""
    routes = [
        route(ExactPath("/"), RedirectTo("/app", 302)),
        route(PrefixPath("/app"), ForwardTo(NAME, sticky(max_age=60), ConstantPath("/"))),
        route(PrefixPath("/tls"), ForwardTo(NAME), https_redirect=308),
    ]
    patterns = [route(RegexPath("/v([0-9]+)/(.*)"), ForwardTo(NAME, rewrite=ReplacePath("/v([0-9]+)/(.*)", "/$2")))]
    folded = [route(RegexPath("/foo(/|$)(.*)"), ForwardTo(NAME))]
    hosts = [host(*routes), host(*patterns, name="regex.example"), host(*folded, name="*.folded.example")]
    certificates = [Certificate("default/web", (Hostname("web.example"),), self_signed("web.example"))]
    return model(hosts, [backend(endpoint("a", port), endpoint("b", port, draining=True))], certificates)


def another_program(served: Model) -> Model:
    """The same with a setting that costs a reload."""
    return msgspec.structs.replace(served, options=ProxyOptions(keep_alive=20))


async def test_a_new_controller_adopts_a_running_haproxy_without_a_reload(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = Configurator(proxy_settings).configure(varied_model(await pods.start("a")))
    killed = Executor(proxy_settings)
    await killed.start()
    assert (await killed.apply(wanted)).kind is OutcomeKind.START
    master = await master_of(proxy_settings)
    async with running_executor(proxy_settings) as successor:
        assert successor.is_serving
        outcome = await successor.apply(wanted)
        assert (outcome.kind, outcome.reasons, outcome.commands) == (OutcomeKind.UNCHANGED, (), 0)
        assert await master_of(proxy_settings) == master
        assert (await client.get("web.example", "/app"))[0] == 200


async def test_a_dead_haproxy_is_started_again_with_the_last_state(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(varied_model(await pods.start("a"))))
    master = await master_of(proxy_settings)
    os.kill(master, signal.SIGKILL)
    async with asyncio.timeout(40):
        while True:
            try:
                status, _, _ = await client.get("web.example", "/app")
            except OSError:
                status = 0
            # The worker of before may answer for a moment after its master is gone.
            if status == 200 and await find_master(proxy_settings) not in (None, master):
                break
            await asyncio.sleep(0.05)


@dataclass
class Load:
    """Requests one after the other until stopped; what failed."""

    client: Client
    failures: list[object]
    count: int = 0

    async def run(self) -> None:
        while True:
            try:
                status, _, _ = await self.client.get("web.example", "/")
                if status != 200:
                    self.failures.append(status)
            except Exception as error:  # any failure is what the test looks for
                self.failures.append(error)
            self.count += 1


async def test_a_pool_that_runs_out_is_enlarged_by_a_reload_that_fails_no_request(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)

    def many(count: int) -> Model:
        names = [BackendName(f"default-web-{number}") for number in range(count)]
        hosts: list[VirtualHost] = [host(route(action=ForwardTo(names[0])))]
        hosts += [host(route(action=ForwardTo(name)), name=f"{name}.example") for name in names]
        return model(hosts, [backend(endpoint("a", port), name=name) for name in names])

    await executor.apply(configurator.configure(many(2)))
    load = Load(client, [])
    running = asyncio.create_task(load.run())
    outcomes = [await executor.apply(configurator.configure(many(count))) for count in (4, 8, 14, 40, 41, 3)]
    await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds[:2] == [OutcomeKind.RUNTIME, OutcomeKind.RUNTIME]
    assert [outcome.reasons for outcome in outcomes[2:4]] == [
        ("the pool spread-plain runs low: 14 of 16 are in use",),
        ("the pool spread-plain has no free backend",),
    ]
    assert kinds[4:] == [OutcomeKind.RUNTIME, OutcomeKind.RUNTIME]
    assert load.failures == []
    assert load.count > 20


def certificate_der(pem: bytes) -> bytes:
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(pem.decode().partition(end)[0] + end)


async def served_certificate(settings: ProxySettings, name: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", settings.https_port, ssl=context, server_hostname=name)
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return der


async def test_certificates_come_change_and_go_without_a_reload(executor: Executor, proxy_settings: ProxySettings) -> None:
    configurator = Configurator(proxy_settings)
    names = (Hostname("web.example"), Hostname("*.web.example"))

    def with_certificate(pem: bytes | None) -> Model:
        return model([host(route())], [backend()], [Certificate("default/web", names, pem)] if pem else [])

    first, second = self_signed("web.example"), self_signed("web.example")
    await executor.apply(configurator.configure(with_certificate(None)))
    default = await served_certificate(proxy_settings, "web.example")
    for pem in (first, second):
        assert (await executor.apply(configurator.configure(with_certificate(pem)))).kind is OutcomeKind.RUNTIME
        assert await served_certificate(proxy_settings, "web.example") == certificate_der(pem)
        assert await served_certificate(proxy_settings, "a.web.example") == certificate_der(pem)
        assert await served_certificate(proxy_settings, "other.example") == default
    assert (await executor.apply(configurator.configure(with_certificate(None)))).kind is OutcomeKind.RUNTIME
    assert await served_certificate(proxy_settings, "web.example") == default


async def test_one_secret_serves_any_number_of_hosts_and_no_handshake_falls_between_two_lists(
    executor: Executor, proxy_settings: ProxySettings
) -> None:
    configurator = Configurator(proxy_settings)
    pem = self_signed("web.example")
    names = [Hostname(f"host-{number}.with-a-name-of-usual-length.example") for number in range(2500)]

    def serving(count: int) -> Model:
        return model([host(route())], [backend()], [Certificate("default/web", tuple(names[:count]), pem)])

    outcomes = [await executor.apply(configurator.configure(serving(count))) for count in (1, 2)]
    stop = asyncio.Event()

    async def shake_hands() -> set[bytes]:
        seen = set()
        while not stop.is_set():
            seen.add(await served_certificate(proxy_settings, names[0]))
        return seen

    handshakes = asyncio.create_task(shake_hands())
    outcomes += [await executor.apply(configurator.configure(serving(count))) for count in (3, 600, 2500, 2400, 50, 1, 2)]
    stop.set()
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.START, *[OutcomeKind.RUNTIME] * 8]
    assert await handshakes == {certificate_der(pem)}


async def test_no_key_stays_on_disk_after_its_secret(executor: Executor, proxy_settings: ProxySettings) -> None:
    configurator = Configurator(proxy_settings)
    with_certificate = model(
        [host(route())], [], [Certificate("default/web", (Hostname("a.example"),), self_signed("a.example"))]
    )
    await executor.apply(configurator.configure(with_certificate))
    directory = Path(proxy_settings.state_directory) / "certificates"
    assert len(list(directory.iterdir())) == 2
    await executor.apply(configurator.configure(model([host(route())])))
    assert (await executor.apply(configurator.configure(another_program(model([host(route())]))))).kind is OutcomeKind.RELOAD
    assert [file.name for file in directory.iterdir()] == ["default.pem"]


async def test_the_default_certificate_can_be_given_and_replaced(executor: Executor, proxy_settings: ProxySettings) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(model()))
    for pem in (self_signed("one.example"), self_signed("two.example")):
        outcome = await executor.apply(configurator.configure(model(certificates=[Certificate("default", (), pem)])))
        assert outcome.kind is OutcomeKind.RUNTIME, outcome
        assert await served_certificate(proxy_settings, "any.example") == certificate_der(pem)


async def test_requests_are_counted_by_route_and_status_across_reloads(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    configurator = Configurator(proxy_settings)
    target = endpoint("a", await pods.start("a"))
    here = route()
    # What an old worker answers after it was last asked is not counted, so nothing is left open to it.
    close = {"Connection": "close"}
    await executor.apply(configurator.configure(model([host(here)], [backend(target)])))
    await client.get("web.example", headers=close)
    await client.get("unknown.example", headers=close)
    outcome = await executor.apply(configurator.configure(another_program(model([host(here)], [backend(target)]))))
    assert outcome.kind is OutcomeKind.RELOAD
    await client.get("web.example", headers=close)
    async with asyncio.timeout(30):
        while True:
            counts = {(item.route, item.code): item.count for item in await executor.readings.read_counters()}
            if counts.get((here.id, 200)) == 2:
                break
            await asyncio.sleep(0.05)
    assert counts[RouteId("-"), 404] == 1


async def test_unrelated_changes_leave_a_websocket_alone(executor: Executor, proxy_settings: ProxySettings) -> None:
    import aiohttp
    from aiohttp import web

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    configurator = Configurator(proxy_settings)
    url = f"http://127.0.0.1:{proxy_settings.http_port}/ws"
    async with http1_pod(echo) as port:
        backends = [backend(endpoint("a", port))]
        await executor.apply(configurator.configure(model([host(route())], backends)))
        async with aiohttp.ClientSession() as session, session.ws_connect(url, headers={"Host": "web.example"}) as socket:
            for number in range(5):
                extra = host(route(), name=f"other-{number}.example")
                outcome = await executor.apply(configurator.configure(model([host(route()), extra], backends)))
                assert outcome.kind is OutcomeKind.RUNTIME
                await socket.send_str(str(number))
                assert (await socket.receive_str(timeout=30)) == f"echo {number}"


async def test_an_idle_connection_does_not_hold_up_the_end_and_a_request_does(
    proxy_settings: ProxySettings, pods: Pods
) -> None:
    async with running_executor(proxy_settings) as executor:
        slow = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            slow.set()
            await asyncio.sleep(0.5)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await executor.apply(Configurator(proxy_settings).configure(model([host(route())], [backend(endpoint("a", port))])))
        idle = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
        writer.write(b"GET / HTTP/1.1\r\nHost: web.example\r\n\r\n")
        await slow.wait()
        async with asyncio.timeout(40):
            await executor.stop(grace=60)
        assert b"done" in await reader.read()
        idle[1].transport.abort()
        writer.transport.abort()
        server.close()


async def test_a_changed_program_is_a_reload_of_the_adopted_haproxy(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    import msgspec

    wanted = varied_model(await pods.start("a"))
    before = Executor(proxy_settings)
    await before.start()
    await before.apply(Configurator(proxy_settings).configure(wanted))
    other = msgspec.structs.replace(proxy_settings, server_timeout=77)
    async with running_executor(other) as successor:
        outcome = await successor.apply(Configurator(other).configure(wanted))
        assert (outcome.kind, outcome.reasons) == (OutcomeKind.RELOAD, ("the program changed",))
        status, _, body = await client.get("web.example", "/app/x")
        assert (status, json.loads(body)["target"]) == (200, "/")


async def test_an_address_in_use_is_said_in_the_words_of_haproxy(proxy_settings: ProxySettings) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", proxy_settings.http_port)
    async with server, running_executor(proxy_settings) as executor:
        outcome = await executor.apply(Configurator(proxy_settings).configure(model()))
    assert outcome.kind is OutcomeKind.FAILED
    assert "cannot bind socket" in outcome.error
