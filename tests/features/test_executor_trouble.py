"""Whatever befalls HAProxy, what runs in the end is what a controller that starts afresh would want."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import NoReturn

import aiohttp
import msgspec
import pytest

from remora.apply.adopt import read_running
from remora.apply.binary import find_binary
from remora.apply.executor import Executor
from remora.apply.process import HAProxyProcess, wait_for_exit
from remora.apply.runtime import RuntimeSocket
from remora.core.names import Hostname, NamespacedName
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configurator
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.model import Certificate, ForwardTo, Model, PrefixPath, TcpService
from remora.plan.decide import Unchanged, decide
from remora.plan.outcome import Outcome, OutcomeKind
from tests.support.certificates import self_signed
from tests.support.models import NAME, backend, endpoint, host, model, route, sticky
from tests.support.proxy import Client, Pods, free_ports, running_executor

DEADLINE = 40.0


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():
            await asyncio.sleep(0.05)


async def differs_from(wanted: Model, settings: ProxySettings) -> object:
    """What is to be done until HAProxy runs what is wanted; Unchanged if it does."""
    layout = Layout(settings.state_directory)
    running = await read_running(RuntimeSocket(layout.runtime_socket), layout)
    return decide(running, Configurator(settings).configure(wanted), layout)


def processes(settings: ProxySettings) -> Iterator[int]:
    """Every HAProxy that was started for the state directory."""
    mark = f"{settings.state_directory}/master.sock".encode()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (directory / "cmdline").read_bytes():
                yield int(directory.name)


def masters(settings: ProxySettings) -> set[int]:
    """Those of them whose parent is none."""
    all_of_them = set(processes(settings))
    found = set()
    for pid in all_of_them:
        with contextlib.suppress(OSError):
            if int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) not in all_of_them:
                found.add(pid)
    return found


def sticky_model(*ports: int, paths: int = 1) -> Model:
    routes = [route(PrefixPath(f"/{number}"), ForwardTo(NAME, sticky())) for number in range(paths)]
    return model([host(route(), *routes)], [backend(*(endpoint(f"pod-{port}", port) for port in ports))])


async def answers(client: Client) -> bool:
    return (await client.get("web.example"))[0] == 200


async def test_a_haproxy_that_is_stopped_for_a_while_is_not_taken_for_dead(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(sticky_model(port)))
    before = masters(proxy_settings)
    stopped = sorted(processes(proxy_settings))
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    applying = asyncio.create_task(executor.apply(configurator.configure(sticky_model(port, paths=3))))
    request = asyncio.create_task(client.get("web.example"))
    await asyncio.sleep(3)  # longer than a master has for an answer
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    assert (await applying).kind is OutcomeKind.RUNTIME
    assert (await request)[0] == 200
    assert masters(proxy_settings) == before
    assert await differs_from(sticky_model(port, paths=3), proxy_settings) == Unchanged()


async def test_a_state_directory_that_is_emptied_is_filled_again_and_one_haproxy_is_left(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(port)))
    (old,) = masters(proxy_settings)
    for path in Path(proxy_settings.state_directory).iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    async def is_healed() -> bool:
        assert await answers(client)
        return len(masters(proxy_settings)) == 1 and masters(proxy_settings) != {old}

    await eventually(is_healed)
    assert await differs_from(sticky_model(port), proxy_settings) == Unchanged()


async def test_a_lost_runtime_socket_costs_a_new_haproxy_and_no_request(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(sticky_model(port)))
    Path(Layout(proxy_settings.state_directory).runtime_socket).unlink()
    assert (await executor.apply(configurator.configure(sticky_model(port, paths=2)))).kind is OutcomeKind.START

    async def is_alone() -> bool:
        assert await answers(client)
        return len(masters(proxy_settings)) == 1

    await eventually(is_alone)
    assert (await executor.apply(configurator.configure(sticky_model(port)))).kind is OutcomeKind.RUNTIME
    await executor.apply(configurator.configure(sticky_model(port, paths=2)))
    assert await differs_from(sticky_model(port, paths=2), proxy_settings) == Unchanged()


async def test_a_killed_haproxy_refuses_nobody_while_it_starts_again(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    wanted = Configurator(proxy_settings).configure(sticky_model(port))
    for _ in range(2):  # the sockets of the second are held as those of the first
        assert not (await executor.apply(wanted)).error
        before = set(processes(proxy_settings))
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*map(wait_for_exit, before))
        assert await answers(client)
        assert not before & set(processes(proxy_settings))
    await executor.stop(grace=0.0)
    with pytest.raises(aiohttp.ClientConnectorError):
        await answers(client)


async def test_who_is_told_to_stop_while_haproxy_starts_leaves_none_behind(
    proxy_settings: ProxySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def says_nothing(_: HAProxyProcess) -> None:
        return None

    async def named() -> int:
        """The master that the pid file names."""
        async with asyncio.timeout(DEADLINE):
            while True:
                with contextlib.suppress(OSError, ValueError):
                    return int(Path(proxy_settings.state_directory, "haproxy.pid").read_text())
                await asyncio.sleep(0.01)

    wanted = Configurator(proxy_settings).configure(model())
    executor = Executor(proxy_settings)
    await executor.start()
    await executor.apply(wanted)
    first = await named()
    os.kill(first, signal.SIGKILL)
    await wait_for_exit(first)
    monkeypatch.setattr(HAProxyProcess, "ask_pid", says_nothing)
    starting = asyncio.create_task(executor.apply(wanted))
    async with asyncio.timeout(DEADLINE):
        while (second := await named()) == first:
            await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await executor.stop(grace=0.2)
    try:
        await asyncio.wait_for(wait_for_exit(second), DEADLINE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(second, signal.SIGKILL)


async def test_a_haproxy_that_does_not_start_again_is_told_of_until_it_does(
    proxy_settings: ProxySettings, pods: Pods, client: Client, tmp_path: Path
) -> None:
    binary = tmp_path / "haproxy"
    binary.write_text(f'#!/bin/sh\nexec {find_binary()} "$@"\n')
    binary.chmod(0o755)
    told: list[Outcome] = []
    executor = Executor(proxy_settings, binary=str(binary))
    await executor.start()
    supervision = asyncio.create_task(executor.run(told.append))
    try:
        await executor.apply(Configurator(proxy_settings).configure(sticky_model(await pods.start("a"))))
        assert (executor.fault, told) == ("", [])
        sound = binary.read_text()
        binary.write_text("#!/bin/sh\necho 'no such thing' >&2\nexit 1\n")
        for pid in masters(proxy_settings):
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while not told:
                await asyncio.sleep(0.05)
        assert told[0].kind is OutcomeKind.FAILED
        assert "no such thing" in executor.fault
        binary.write_text(sound)
        async with asyncio.timeout(DEADLINE):
            while told[-1].kind is OutcomeKind.FAILED or executor.fault:
                await asyncio.sleep(0.05)
        assert told[-1].kind is OutcomeKind.START
        assert await answers(client)
    finally:
        supervision.cancel()
        await asyncio.gather(supervision, return_exceptions=True)
        await executor.stop(grace=0.2)


async def test_a_haproxy_that_takes_its_time_to_come_has_the_sockets_still(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await executor.apply(Configurator(proxy_settings).configure(sticky_model(await pods.start("a"))))
    start = HAProxyProcess.start

    async def start_late(process: HAProxyProcess, listeners: Path | None = None) -> None:
        await asyncio.sleep(3)  # longer than a HAProxy that is there has for each step
        await start(process, listeners)

    monkeypatch.setattr(HAProxyProcess, "start", start_late)
    for pid in list(processes(proxy_settings)):
        os.kill(pid, signal.SIGKILL)
    assert (await asyncio.wait_for(client.get("web.example"), DEADLINE))[0] == 200


async def test_on_a_full_disk_all_that_needs_no_file_goes_on(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await pods.start("a")
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(sticky_model(port)))
    before = {path: path.read_bytes() for path in Path(proxy_settings.state_directory).rglob("*") if path.is_file()}
    open_port = TcpService(free_ports(1)[0], NAME, NamespacedName("shop", "tcp"))
    with monkeypatch.context() as patch:
        patch.setattr("remora.apply.files.os.fdopen", _full)
        wanted = msgspec.structs.replace(sticky_model(port, paths=2), tcp_services=(open_port,))
        outcome = await executor.apply(configurator.configure(wanted))
        assert outcome.kind is OutcomeKind.FAILED
        assert "cannot be written to: No space left on device" in outcome.error
        assert (await client.get("web.example", "/1"))[0] == 200
        assert {path: path.read_bytes() for path in Path(proxy_settings.state_directory).rglob("*") if path.is_file()} == before
    assert (await executor.apply(configurator.configure(wanted))).kind is OutcomeKind.RELOAD
    assert await differs_from(wanted, proxy_settings) == Unchanged()


def _full(descriptor: int, _: str) -> NoReturn:
    os.close(descriptor)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_what_was_changed_by_hand_is_put_right_by_the_next_controller(
    proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port = await pods.start("a")
    layout = Layout(proxy_settings.state_directory)
    socket = RuntimeSocket(layout.runtime_socket)
    wanted = sticky_model(port, paths=2)
    async with running_executor(proxy_settings) as first:
        await first.apply(Configurator(proxy_settings).configure(wanted))
        for change in (
            f"del map {layout.map(Map.ROUTES)} web.example/0/",
            f"add map {layout.map(Map.ROUTES)} stranger/ not-found|not-found|-|",
            f"add map {layout.map(Map.ROUTES)} broken/ nonsense",
            f"add map {layout.map(Map.CERTIFICATES)} nobody",
            f"clear map {layout.map(Map.COOKIES)}",
        ):
            await socket.send([change])
            second = Executor(proxy_settings)
            await second.start()
            outcome = await second.apply(Configurator(proxy_settings).configure(wanted))
            assert not outcome.error
            assert await differs_from(wanted, proxy_settings) == Unchanged(), change
            assert await answers(client)


async def test_an_update_that_neither_the_socket_nor_a_reload_takes_leaves_nothing_behind(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    port, other = await pods.start("a"), await pods.start("b")
    configurator = Configurator(proxy_settings)
    await executor.apply(configurator.configure(sticky_model(port)))
    good = Certificate("default/a", (Hostname("web.example"),), self_signed("web.example"))
    bad = Certificate("default/b", (Hostname("b.example"),), b"no certificate\n")
    refused = msgspec.structs.replace(sticky_model(port, other), certificates=(good, bad))
    assert (await executor.apply(configurator.configure(refused))).kind is OutcomeKind.FAILED
    assert await answers(client)
    wanted = msgspec.structs.replace(sticky_model(port, other, paths=2), certificates=(good,))
    assert not (await executor.apply(configurator.configure(wanted))).error
    assert await differs_from(wanted, proxy_settings) == Unchanged()


async def test_a_pod_that_gets_another_address_is_followed(
    executor: Executor, proxy_settings: ProxySettings, pods: Pods, client: Client
) -> None:
    first, second = await pods.start("first"), await pods.start("second")
    configurator = Configurator(proxy_settings)

    def at(port: int) -> Model:
        moved = msgspec.structs.replace(endpoint("pod", port), address="127.0.0.1")
        return model([host(route())], [backend(moved)])

    await executor.apply(configurator.configure(at(first)))
    for port, name in ((second, "second"), (first, "first")):
        assert (await executor.apply(configurator.configure(at(port)))).kind is OutcomeKind.RUNTIME
        assert name in (await client.get("web.example"))[2]
        assert await differs_from(at(port), proxy_settings) == Unchanged()
