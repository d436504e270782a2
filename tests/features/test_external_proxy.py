"""HAProxy in a container of its own: `remora proxy` starts it, and either side goes on without the other."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from remora.apply import elsewhere
from remora.apply.elsewhere import HAProxyElsewhere
from remora.apply.executor import Executor
from remora.core.errors import HAProxyRefused
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configuration, Configurator
from remora.haproxy.layout import Layout
from remora.plan.outcome import OutcomeKind
from tests.features.test_executor_trouble import processes
from tests.support.models import backend, endpoint, host, model, route
from tests.support.proxy import Client, Pods
from tests.support.rawpods import RawPod

_PATIENCE = 40


@asynccontextmanager
async def proxy_container(settings: ProxySettings) -> AsyncIterator[asyncio.subprocess.Process]:
    """`remora proxy`, and nothing of it afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "remora", "proxy", "--state-dir", settings.state_directory, "--stop-timeout", "30"
    )
    try:
        yield process
    finally:
        await kill_container(process, settings)


async def takes_orders(settings: ProxySettings) -> None:
    """Waits until `remora proxy` can be asked. Its socket is there a moment before."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(Layout(settings.state_directory).launcher_socket)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def kill_container(process: asyncio.subprocess.Process, settings: ProxySettings) -> None:
    """SIGKILL to all that is in it, as when a container runs out of memory."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    await kill_haproxy(settings)


async def kill_haproxy(settings: ProxySettings) -> None:
    """SIGKILL to the master and its workers, also to those that do not answer yet."""
    while pids := set(processes(settings)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.01)


def _proxy(settings: ProxySettings) -> HAProxyElsewhere:
    directory = Path(settings.state_directory)
    return HAProxyElsewhere(launcher=Path(Layout(settings.state_directory).launcher_socket), directory=directory)


@asynccontextmanager
async def controlling(settings: ProxySettings) -> AsyncIterator[Executor]:
    executor = Executor(settings, external=True)
    await executor.start()
    supervision = asyncio.create_task(executor.run())
    try:
        yield executor
    finally:
        supervision.cancel()
        await asyncio.gather(supervision, return_exceptions=True)
        await executor.stop(grace=0.0)


def wanted_of(settings: ProxySettings, port: int) -> Configuration:
    return Configurator(settings).configure(model([host(route())], [backend(endpoint("a", port))]))


async def answers_again(client: Client) -> None:
    """Returns when requests are answered; fails as soon as one is refused."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            with contextlib.suppress(ConnectionResetError):
                if (await client.get("web.example"))[0] == 200:
                    return
            await asyncio.sleep(0.05)


async def test_haproxy_goes_on_without_a_controller_and_is_adopted_by_the_next_one(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = wanted_of(proxy_settings, await pods.start("a"))
    async with proxy_container(proxy_settings):
        async with controlling(proxy_settings) as controller:
            assert (await controller.apply(wanted)).kind is OutcomeKind.START
        assert (await client.get("web.example"))[0] == 200
        async with controlling(proxy_settings) as successor:
            assert (await successor.apply(wanted)).kind is OutcomeKind.UNCHANGED


async def test_a_container_that_dies_is_waited_for_by_clients_and_gets_its_configuration(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = wanted_of(proxy_settings, await pods.start("a"))
    async with proxy_container(proxy_settings) as first, controlling(proxy_settings) as controller:
        await controller.apply(wanted)
        await kill_container(first, proxy_settings)
        async with proxy_container(proxy_settings):
            await answers_again(client)


async def test_haproxy_is_started_again_where_no_controller_asks_for_it(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    wanted = wanted_of(proxy_settings, await pods.start("a"))
    async with proxy_container(proxy_settings):
        async with controlling(proxy_settings) as controller:
            await controller.apply(wanted)
        before = await _proxy(proxy_settings).ask_pid()
        await kill_haproxy(proxy_settings)
        async with asyncio.timeout(_PATIENCE):
            while (await _proxy(proxy_settings).ask_pid()) in (None, before):
                await asyncio.sleep(0.05)
        assert (await client.get("web.example"))[0] == 200


async def test_a_container_that_is_told_to_stop_finishes_its_requests(proxy_settings: ProxySettings, raw_pod: RawPod) -> None:
    wanted = wanted_of(proxy_settings, raw_pod.port)
    async with proxy_container(proxy_settings) as process, controlling(proxy_settings) as controller:
        await controller.apply(wanted)
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
        writer.write(b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        await controller.stop(grace=0.0)
        process.terminate()
        async with asyncio.timeout(_PATIENCE):
            while True:  # nobody listens any more
                try:
                    _, late = await asyncio.open_connection("127.0.0.1", proxy_settings.http_port)
                except OSError:
                    break
                late.close()
                await asyncio.sleep(0.05)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
        async with asyncio.timeout(_PATIENCE):
            assert await process.wait() == 0
        assert await _proxy(proxy_settings).find_master() is None


async def test_what_haproxy_refuses_is_told_in_its_words(proxy_settings: ProxySettings) -> None:
    bad = Path(proxy_settings.state_directory) / "bad.cfg"
    bad.write_text("global\n  no-such-keyword\n")
    async with proxy_container(proxy_settings):
        proxy = _proxy(proxy_settings)
        await takes_orders(proxy_settings)
        with pytest.raises(HAProxyRefused, match="no-such-keyword"):
            await proxy.check([bad])


async def test_a_controller_whose_proxy_is_not_there_says_what_to_look_at(
    proxy_settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "LAUNCHER_TIMEOUT", 0.2)
    async with controlling(proxy_settings) as controller:
        outcome = await controller.apply(wanted_of(proxy_settings, 1))
        assert outcome.kind is OutcomeKind.FAILED
        assert "`remora proxy` does not answer; look at the container" in outcome.error


async def test_two_proxies_for_one_directory_exclude_each_other(proxy_settings: ProxySettings) -> None:
    async with proxy_container(proxy_settings):
        await takes_orders(proxy_settings)
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "remora", "proxy", "--state-dir", proxy_settings.state_directory),
            stderr=asyncio.subprocess.PIPE,
        )
        _, words = await second.communicate()
        assert second.returncode == 2
        assert b"another `remora proxy` listens at" in words
