"""TCP services on the real HAProxy: ports, PROXY headers, endpoints that come and go."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from remora.apply.executor import Executor
from remora.core.names import NamespacedName
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.model import Backend, BackendName, Model, TcpService, Upstream
from remora.plan.outcome import OutcomeKind
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods, free_ports

ORIGIN = NamespacedName("default", "tcp-services")
NAME = BackendName("default-db-5432")


@asynccontextmanager
async def talkative_pod(name: str) -> AsyncIterator[int]:
    """Says its name, and then all that it hears, in upper case."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{name}\n".encode())
        while line := await reader.readline():
            writer.write(line.upper())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def tcp_model(port: int, served: Backend, *, accepts_proxy: bool = False) -> Model:
    return msgspec.structs.replace(
        model(backends=[served]), tcp_services=(TcpService(port, served.name, ORIGIN, accepts_proxy),)
    )


async def say(port: int, text: str) -> list[str]:
    """What the pod says first, and what it answers; nothing if the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            writer.write(f"{text}\n".encode())
            return [(await reader.readline()).decode().strip() for _ in range(1 + text.count("\n") + 1)]
    except ConnectionError:
        return ["", ""]
    finally:
        writer.close()


async def test_a_port_is_opened_by_a_reload_and_its_pods_change_without_one(
    executor: Executor, proxy_settings: ProxySettings
) -> None:
    configurator = Configurator(proxy_settings)
    (port,) = free_ports(1)
    await executor.apply(configurator.configure(model()))
    async with talkative_pod("one") as one, talkative_pod("two") as two:
        first = tcp_model(port, backend(endpoint("one", one), name=NAME))
        outcome = await executor.apply(configurator.configure(first))
        assert (outcome.kind, outcome.reasons) == (OutcomeKind.RELOAD, ("the ports of TCP services changed",))
        assert await say(port, "hello") == ["one", "HELLO"]
        second = tcp_model(port, backend(endpoint("two", two), name=NAME))
        assert (await executor.apply(configurator.configure(second))).kind is OutcomeKind.RUNTIME
        assert await say(port, "hello") == ["two", "HELLO"]
        other = tcp_model(port, backend(endpoint("one", one), name=BackendName("default-other-1")))
        assert (await executor.apply(configurator.configure(other))).kind is OutcomeKind.RUNTIME
        assert await say(port, "hello") == ["one", "HELLO"]
        none = tcp_model(port, backend(name=NAME))
        await executor.apply(configurator.configure(none))
        assert await say(port, "hello") == ["", ""]
        assert (await executor.apply(configurator.configure(model()))).kind is OutcomeKind.RELOAD
        with socket.create_server(("127.0.0.1", port)):
            """Nobody listens there any more."""


async def test_a_controller_that_finds_open_ports_has_nothing_to_do(executor: Executor, proxy_settings: ProxySettings) -> None:
    (port,) = free_ports(1)
    wanted = tcp_model(port, backend(endpoint("one", 1), name=NAME), accepts_proxy=True)
    await executor.apply(Configurator(proxy_settings).configure(wanted))
    successor = Executor(proxy_settings)
    await successor.start()
    assert (await successor.apply(Configurator(proxy_settings).configure(wanted))).kind is OutcomeKind.UNCHANGED


async def test_a_proxy_header_is_read_and_written_as_asked_for(executor: Executor, proxy_settings: ProxySettings) -> None:
    (port,) = free_ports(1)
    async with talkative_pod("one") as one:
        served = backend(endpoint("one", one), name=BackendName(f"{NAME}@http-proxy"))
        served = msgspec.structs.replace(served, upstream=Upstream(sends_proxy=True))
        wanted = tcp_model(port, served, accepts_proxy=True)
        await executor.apply(Configurator(proxy_settings).configure(wanted))
        said = await say(port, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 5432\r\nhello")
        assert said == ["one", "PROXY TCP4 192.0.2.7 192.0.2.1 4711 5432", "HELLO"]


async def test_a_port_that_somebody_else_has_harms_no_other_route(
    executor: Executor, proxy_settings: ProxySettings, client: Client, pods: Pods
) -> None:
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(model()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        web = backend(endpoint("a", await pods.start("a")))
        wanted = tcp_model(port, backend(endpoint("one", 1), name=NAME))
        wanted = msgspec.structs.replace(wanted, virtual_hosts=(host(route()),), backends=(*wanted.backends, web))
        outcome = await executor.apply(configurator.configure(wanted))
        assert outcome.refused == (f"port/{port}",)
        assert (await client.get("web.example"))[0] == 200
