"""Workers of before a reload, which finish their connections: how many of them may."""

import asyncio
from pathlib import Path

import msgspec

from remora.apply.binary import find_binary
from remora.apply.process import HAProxyProcess
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.plan.outcome import OutcomeKind
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import running_executor
from tests.support.rawpods import RawPod

_UPGRADE = b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
_PATIENCE = 30
_OLD_WORKERS = 2

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def open_echo(port: int) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_UPGRADE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def echoes(streams: Streams) -> bool:
    """Whether it goes on; False once it was cut."""
    reader, writer = streams
    writer.write(b"ping")
    async with asyncio.timeout(_PATIENCE):
        try:
            return await reader.readexactly(4) == b"ping"
        except (asyncio.IncompleteReadError, ConnectionError):
            return False


async def test_old_workers_keep_their_connections_until_there_are_too_many_of_them(
    proxy_settings: ProxySettings, raw_pod: RawPod
) -> None:
    settings = msgspec.structs.replace(proxy_settings, old_worker_timeout=240, old_workers=_OLD_WORKERS)
    served = model([host(route())], [backend(endpoint("a", raw_pod.port))])
    process = HAProxyProcess(binary=find_binary(), directory=Path(settings.state_directory), files=())
    held: list[Streams] = []
    async with running_executor(settings) as executor:
        for number in range(_OLD_WORKERS + 2):
            # Each time another program, which only a reload can bring.
            configurator = Configurator(msgspec.structs.replace(settings, server_timeout=60 + number))
            outcome = await executor.apply(configurator.configure(served))
            assert outcome.kind is (OutcomeKind.RELOAD if number else OutcomeKind.START)
            if number == _OLD_WORKERS:
                assert [await echoes(one) for one in held] == [True] * _OLD_WORKERS
            held.append(await open_echo(settings.http_port))
        # The oldest alone has lost what it had.
        async with asyncio.timeout(_PATIENCE):
            while await echoes(held[0]):
                await asyncio.sleep(0.05)
        assert [await echoes(one) for one in held[1:]] == [True] * (_OLD_WORKERS + 1)
        assert len(await process.ask_workers("show info")) == _OLD_WORKERS + 1
        for _, writer in held:
            writer.close()
