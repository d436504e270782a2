"""A controller of its own process before an API server of its own process: how the benches of the control plane begin.

The API server is the local cluster's, without its controllers or a node (`api_process.py`): it keeps what was put there.
"""

import asyncio
import json
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench import fleet
from bench.api_load import Api, Connection, Kind
from bench.cluster import api_process
from bench.measuring import Peer, cpu, haproxy, listening, pods_text, say
from bench.peers.site import Place, Site, free_ports
from bench.peers.traefik import Traefik
from remora.apply.binary import find_binary
from remora.cluster.ports import free_port

HOST = "127.0.0.1"
CLIENTS = 8
PATIENCE = 120.0


class Ports(NamedTuple):
    """Where a controller's HAProxy and its own pages listen."""

    http: int
    https: int
    health: int


class Control:
    """A running controller: `began` is when its process did."""

    def __init__(self, process: subprocess.Popen[bytes], ports: Ports, state: Path, began: float) -> None:
        self.ports = ports
        self.began = began
        self.state = state
        self.pid = process.pid
        self._process = process

    def cpu(self) -> float:
        """Seconds of CPU of its Python so far."""
        return cpu(Peer(0, (self.pid,)))

    def proxies(self) -> tuple[int, ...]:
        """HAProxy's processes."""
        found = subprocess.run(["pgrep", "-f", str(self.state / "master.sock")], capture_output=True, text=True, check=False)
        return tuple(int(pid) for pid in found.stdout.split() if int(pid) != self.pid)

    async def metric(self, name: str) -> float:
        """One of its own metrics, summed over labels."""
        read, write = await asyncio.open_connection(HOST, self.ports.health)
        write.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = (await read.read()).decode()
        write.close()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.partition("{")[0].split(" ")[0] == name)

    async def serving(self, host: str) -> None:
        """Waits until a host is answered."""
        await self.until(host, lambda status: status == 200)

    async def until(self, host: str, is_right: Callable[[int], bool], *, before: int = 0) -> int:
        """Asks until the answer is right; how many were neither that nor what it was `before`."""
        wrong = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                self._look()
                with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                    read, write = await asyncio.open_connection(HOST, self.ports.http)
                    try:
                        while not is_right(status := await ask(read, write, host)):
                            wrong += status != before
                            await asyncio.sleep(0.0005)
                        return wrong
                    finally:
                        write.close()
                await asyncio.sleep(0.01)

    def _look(self) -> None:
        if self._process.poll() is not None:
            log = self.state.parent / "controller.log"
            words = log.read_text().splitlines()[-5:] if log.exists() else []
            raise AssertionError("\n".join(["the controller has ended", *words]))

    async def until_certificate(self, host: str, wanted: bytes) -> int:
        """Shakes hands until the host's certificate is this one, in DER; how many handshakes failed meanwhile."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        failed = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                self._look()
                try:
                    _, write = await asyncio.open_connection(HOST, self.ports.https, ssl=context, server_hostname=host)
                except OSError:
                    failed += 1
                    continue
                found = write.get_extra_info("ssl_object").getpeercert(binary_form=True)
                write.transport.abort()
                if found == wanted:
                    return failed


async def ask(read: asyncio.StreamReader, write: asyncio.StreamWriter, host: str) -> int:
    """The status of one request on a kept connection."""
    write.write(f"GET /page HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = (await read.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
    await read.readexactly(int(length))
    return int(head.split()[1])


@contextmanager
def controller(directory: Path) -> Iterator[Control]:
    """A controller that follows the API server whose kubeconfig is in the directory; its HAProxy ends with it."""
    ports = Ports(*(free_port(HOST) for _ in Ports._fields))
    state = directory / "state"
    command = [str(Path(sys.executable).with_name("remora")), "controller", f"--kubeconfig={directory / 'kubeconfig'}"]
    command += [f"--http-port={ports.http}", f"--https-port={ports.https}", f"--healthz-port={ports.health}"]
    command += [f"--state-dir={state}", "--bind-address=127.0.0.1", "--publish-status-address=127.0.0.1"]
    command += ["--session-key-secret=default/session-key"]
    began = time.perf_counter()
    with (directory / "controller.log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield Control(process, ports, state, began)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


@contextmanager
def traefik(directory: Path) -> Iterator[Control]:
    """Traefik, which follows the same API server with its ingress-nginx provider, and is both proxy and controller."""
    own = directory / "traefik"
    own.mkdir()
    http, https = free_ports(2)
    peer = Traefik(Place(own, http, https, directory / "none.pem", directory / "kubeconfig"))
    began = time.perf_counter()
    peer.start(Site((), ()))
    try:
        yield Control(peer.children.running["traefik"], Ports(http, https, 0), own, began)
    finally:
        peer.stop()


async def fill(api: Api, count: int, kinds: tuple[Kind, ...]) -> None:
    """Creates as many objects of each kind."""
    connection = await api.connect()
    await connection.ask("POST", f"{fleet.NETWORKING}/ingressclasses", json.dumps(fleet.INGRESS_CLASS).encode())
    connection.close()
    for kind in kinds:
        rate = await api.create(kind, count, clients=CLIENTS)
        say(f"{rate.objects} of {kind.name} created, {rate.per_second:.0f} a second")


@asynccontextmanager
async def filled_api(directory: Path, count: int, *, pod: int) -> AsyncIterator[Api]:
    """An API server with Ingresses, Services and EndpointSlices; those whose number divides by 100 have a pod that answers, at
    the port `pod`."""

    def endpoints(number: int) -> fleet.Object:
        return fleet.endpoint_slice(number, address=HOST, port=pod) if number % 100 == 0 else fleet.endpoint_slice(number)

    directory.mkdir(parents=True, exist_ok=True)
    with api_process(directory) as (api, _):
        await fill(api, count, fleet.kinds(endpoints))
        yield api


@asynccontextmanager
async def answering_pod(directory: Path) -> AsyncIterator[int]:
    """A pod that answers every request; its port."""
    port = free_port(HOST)
    directory.mkdir(parents=True, exist_ok=True)
    with haproxy(find_binary(None), directory / "pod.cfg", pods_text(port)):
        await listening(port)
        yield port


def memory(pid: int, line: str = "VmRSS") -> float:
    """MB of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(text.split()[1]) / 1024 for text in lines if text.startswith(f"{line}:"))


async def put(connection: Connection, path: str, obj: dict[str, Any]) -> None:
    """Replaces an object."""
    await connection.ask("PUT", f"{path}/{obj['metadata']['name']}", json.dumps(obj).encode())


async def post(connection: Connection, path: str, obj: dict[str, Any]) -> None:
    """Creates an object."""
    await connection.ask("POST", path, json.dumps(obj).encode())
