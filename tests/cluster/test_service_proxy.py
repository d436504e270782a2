"""The layer-4 proxy with a real HAProxy and real connections; the registry is a fake that tells of changes."""

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from remora.apply.binary import find_binary
from remora.cluster.api.registry import Registry
from remora.cluster.events import Events
from remora.cluster.ports import find_holder, free_port
from remora.cluster.services.proxy import ServiceProxy
from remora.cluster.services.report import CONDITION, Report

CLUSTER_IP = "127.250.3.1"
SLICES = "endpointslices.discovery.k8s.io"


class FakeRegistry:
    """Services and EndpointSlices by name."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {"services": {}, SLICES: {}}
        self._changed: dict[str, asyncio.Event] = {resource: asyncio.Event() for resource in self.objects}

    def put(self, resource: str, obj: dict[str, Any]) -> None:
        self.objects[resource][obj["metadata"]["name"]] = obj
        self._changed[resource].set()

    def list(self, resource: str) -> tuple[list[dict[str, Any]], int]:
        return list(self.objects[resource].values()), 1

    async def watch(self, resource: str) -> AsyncIterator[None]:
        while True:
            yield None
            await self._changed[resource].wait()
            self._changed[resource].clear()

    async def update(self, resource: str, obj: dict[str, Any], *, subresource: str) -> dict[str, Any]:
        assert subresource == "status"
        self.put(resource, obj)
        return obj


class FakeEvents:
    """Remembers the reasons of what was recorded."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def record(self, about: object, component: str, reason: str, message: str, *, type: str) -> None:
        self.reasons.append(reason)


class Rig:
    """A proxy that runs."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.events = FakeEvents()
        self.port = free_port(CLUSTER_IP)

    def service(self, name: str = "web", port: int = 0) -> None:
        meta = {"namespace": "default", "name": name, "uid": name, "creationTimestamp": f"2026-01-01T00:00:0{len(name) % 10}Z"}
        spec = {"clusterIP": CLUSTER_IP, "ports": [{"port": port or self.port}]}
        self.registry.put("services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec, "status": {}})

    def conditions(self, name: str) -> list[Any]:
        return list(self.registry.objects["services"][name]["status"].get("conditions", ()))

    async def says(self, name: str, status: str) -> bool:
        return [one["status"] for one in self.conditions(name)] == [status]

    def endpoints(self, *ports: int, address: str = "127.250.3.9", name: str = "web") -> None:
        """One slice for each port, so that every endpoint can share an address."""
        for number in range(4):
            meta = {"namespace": "default", "name": f"{name}-{number}", "labels": {"kubernetes.io/service-name": name}}
            points = [{"addresses": [address], "conditions": {"ready": True}}] if number < len(ports) else []
            listed = [{"name": "", "port": ports[number]}] if points else []
            self.registry.put(SLICES, {"metadata": meta, "ports": listed, "endpoints": points})


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    with tempfile.TemporaryDirectory(prefix="remora-t-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        registry = cast(Registry, made.registry)
        proxy = ServiceProxy(
            registry=registry,
            report=Report(registry=registry, events=cast(Events, made.events)),
            node_addresses=("127.250.3.2",),
            directory=Path(directory) / "services",
            binary=find_binary(None),
        )
        task = asyncio.create_task(proxy.run())
        yield made
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert not list(Path(directory).rglob("*.sock")), "sockets are left of a proxy that ended"


@contextlib.contextmanager
def named_server(loop: asyncio.AbstractEventLoop, tasks: list[asyncio.Task[None]]) -> Iterator[int]:
    """A TCP server that answers every line with its port; the port."""
    listener = socket.create_server(("127.250.3.9", 0), backlog=64)
    listener.setblocking(False)
    port: int = listener.getsockname()[1]

    async def talk(connection: socket.socket) -> None:
        with connection:
            while await loop.sock_recv(connection, 100):
                await loop.sock_sendall(connection, f"{port}\n".encode())

    async def accept() -> None:
        while True:
            connection, _ = await loop.sock_accept(listener)
            tasks.append(loop.create_task(talk(connection)))

    tasks.append(loop.create_task(accept()))
    with listener:
        yield port


@pytest.fixture
async def servers() -> AsyncIterator[tuple[int, int]]:
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    with named_server(loop, tasks) as first, named_server(loop, tasks) as second:
        yield first, second
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(b"who\n")
    return int(await asyncio.wait_for(reader.readline(), 30) or 0)


async def who(port: int) -> int:
    """The port of the server behind one new connection, 0 if there is none."""
    try:
        reader, writer = await asyncio.open_connection(CLUSTER_IP, port)
    except OSError:
        return 0
    try:
        return await ask(reader, writer)
    except OSError:
        return 0
    finally:
        writer.close()


async def until(is_so: Callable[[], Any], *, within: float = 40) -> None:
    async with asyncio.timeout(within):
        while not await is_so():
            await asyncio.sleep(0.02)


async def reaches(port: int, wanted: set[int]) -> bool:
    return {await who(port) for _ in range(30)} == wanted


async def test_every_new_connection_draws_an_endpoint(rig: Rig, servers: tuple[int, int]) -> None:
    rig.service()
    rig.endpoints(*servers)
    await until(lambda: reaches(rig.port, set(servers)))


async def test_a_gone_endpoint_keeps_its_connection_and_gets_no_new_one(rig: Rig, servers: tuple[int, int]) -> None:
    rig.service()
    rig.endpoints(servers[0])
    await until(lambda: reaches(rig.port, {servers[0]}))
    reader, writer = await asyncio.open_connection(CLUSTER_IP, rig.port)
    assert await ask(reader, writer) == servers[0]
    rig.endpoints(servers[1])
    await until(lambda: reaches(rig.port, {servers[1]}))
    assert await ask(reader, writer) == servers[0]
    writer.close()


async def test_a_dead_endpoint_is_not_noticed_by_clients(rig: Rig, servers: tuple[int, int]) -> None:
    rig.service()
    rig.endpoints(servers[0], free_port("127.250.3.9"))
    await until(lambda: reaches(rig.port, {servers[0]}))


async def test_new_services_cut_no_connection(rig: Rig, servers: tuple[int, int]) -> None:
    rig.service()
    rig.endpoints(servers[0])
    await until(lambda: reaches(rig.port, {servers[0]}))
    reader, writer = await asyncio.open_connection(CLUSTER_IP, rig.port)
    other = free_port(CLUSTER_IP)
    rig.service("another", other)
    rig.endpoints(servers[1], name="another")
    await until(lambda: reaches(other, {servers[1]}))
    assert await ask(reader, writer) == servers[0]
    writer.close()


async def test_a_port_that_is_taken_costs_only_itself_and_is_had_once_free(rig: Rig, servers: tuple[int, int]) -> None:
    with socket.create_server((CLUSTER_IP, 0)) as thief:
        taken = thief.getsockname()[1]
        rig.service("blocked", taken)
        rig.endpoints(servers[1], name="blocked")
        rig.service()
        rig.endpoints(servers[0])
        await until(lambda: reaches(rig.port, {servers[0]}))
        await until(lambda: rig.says("blocked", "False"))
        (condition,) = rig.conditions("blocked")
        assert (condition["type"], condition["reason"]) == (CONDITION, "AddressInUse")
        assert f"{CLUSTER_IP}:{taken} is in use by" in condition["message"]
        assert rig.events.reasons == ["AddressInUse"]
    await until(lambda: reaches(taken, {servers[1]}))
    await until(lambda: rig.says("blocked", "True"))


async def test_a_killed_proxy_comes_back(rig: Rig, servers: tuple[int, int]) -> None:
    rig.service()
    rig.endpoints(servers[0])
    await until(lambda: reaches(rig.port, {servers[0]}))
    holder = find_holder(CLUSTER_IP, rig.port)
    assert holder is not None
    master = int(Path(f"/proc/{holder.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(master, signal.SIGKILL)
    await asyncio.sleep(0.1)
    await until(lambda: reaches(rig.port, {servers[0]}))
