"""What clients ask of an API server, by the bytes: creations on a few kept connections, lists, and watches that note when an
event arrives. The clients share the machine with the server, so they decode nothing that they need not.
"""

import asyncio
import json
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.measuring import Peer, cpu

HOST = "127.0.0.1"
MARK = "bench/event"

Object = dict[str, Any]
Make = Callable[[int], Object]

_MARKED = re.compile(rb'"bench/event":"(\d+)"')
_LONGEST_ANSWER = 2**28


class Kind(NamedTuple):
    """A kind in the namespace `default`, and one object of it by number."""

    name: str
    path: str
    make: Make


class Rate(NamedTuple):
    """`seconds` for all, and microseconds of the server's CPU for one."""

    objects: int
    seconds: float
    cpu: float

    @property
    def per_second(self) -> float:
        return self.objects / self.seconds


class Api:
    """Where it is, and the process that serves it."""

    def __init__(self, directory: Path, port: int, pid: int) -> None:
        self.port = port
        self.peer = Peer(port, (pid,))
        self._context = ssl.create_default_context(cafile=str(directory / "pki" / "ca.crt"))
        self._context.load_cert_chain(directory / "pki" / "admin.crt", directory / "pki" / "admin.key")

    async def connect(self) -> "Connection":
        return Connection(*await asyncio.open_connection(HOST, self.port, ssl=self._context, limit=_LONGEST_ANSWER))

    async def create(self, kind: Kind, count: int, *, clients: int) -> Rate:
        """Creates as many, each client one at a time."""
        connections = [await self.connect() for _ in range(clients)]
        bodies = [json.dumps(kind.make(number)).encode() for number in range(count)]

        async def one(number: int) -> None:
            for body in bodies[number::clients]:
                await connections[number].ask("POST", kind.path, body)

        began, used = time.perf_counter(), cpu(self.peer)
        await asyncio.gather(*map(one, range(clients)))
        rate = Rate(count, time.perf_counter() - began, (cpu(self.peer) - used) / count * 1e6)
        for connection in connections:
            connection.close()
        return rate

    async def read_list(self, kind: Kind) -> tuple[float, int]:
        """Seconds until the whole list was read, and its bytes."""
        connection = await self.connect()
        began = time.perf_counter()
        body = await connection.ask("GET", kind.path)
        seconds = time.perf_counter() - began
        connection.close()
        return seconds, len(body)

    async def watch(self, kind: Kind, *, watchers: int, events: int, pause: float) -> list[float]:
        """Seconds from the request that changes an object to each watcher's knowing of it, over all events and watchers."""
        connection = await self.connect()
        body = json.loads(await connection.ask("GET", f"{kind.path}?limit=1"))
        version, first = body["metadata"]["resourceVersion"], body["items"][0]
        sent: dict[int, float] = {}
        seen = [_Watcher(sent) for _ in range(watchers)]
        path = f"{kind.path}?watch=true&resourceVersion={version}"
        loop = asyncio.get_running_loop()
        transports = [
            (await loop.create_connection(lambda w=watcher: w, HOST, self.port, ssl=self._context))[0]  # type: ignore[misc]
            for watcher in seen
        ]
        for transport in transports:
            transport.write(_request("GET", path))
        await asyncio.sleep(1)
        for number in range(events):
            changed = {**first, "metadata": {**first["metadata"], "annotations": {MARK: str(number)}}}
            changed["metadata"].pop("resourceVersion")
            text = json.dumps(changed).encode()
            sent[number] = time.perf_counter()
            await connection.ask("PUT", f"{kind.path}/{first['metadata']['name']}", text)
            await asyncio.sleep(pause)
        await asyncio.sleep(1)
        for transport in transports:
            transport.close()
        connection.close()
        found = [latency for watcher in seen for latency in watcher.latencies]
        assert len(found) == events * watchers, f"{events * watchers - len(found)} events did not arrive"
        return found


class Connection:
    """One request at a time on a connection that is kept."""

    def __init__(self, read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        self._read, self._write = read, write

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        self._write.write(_request(method, path, body))
        head = (await self._read.readuntil(b"\r\n\r\n")).lower()
        answer = await self._read.readexactly(int(head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]))
        assert head.startswith((b"http/1.1 200", b"http/1.1 201")), answer
        return answer

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The lines of a watch, for ever; an object is one line."""
        self._write.write(_request("GET", path))
        head = (await self._read.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        while True:
            line = await self._read.readuntil(b"\n")
            if line.startswith(b"{"):
                yield line

    def close(self) -> None:
        self._write.close()


class _Watcher(asyncio.Protocol):
    """Notes when it sees a mark; what is cut in two by the network is joined."""

    def __init__(self, sent: dict[int, float]) -> None:
        self.latencies: list[float] = []
        self._sent = sent
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        text = self._rest + data
        end = 0
        for found in _MARKED.finditer(text):
            self.latencies.append(now - self._sent[int(found[1])])
            end = found.end()
        self._rest = text[max(end, len(text) - 50) :]


def _request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def percentile(found: Sequence[float], share: float) -> float:
    return sorted(found)[min(len(found) - 1, int(len(found) * share))]


def kinds() -> Iterator[Kind]:
    """What a cluster with many applications has most of, each object of the size that it has there."""
    networking, discovery = "/apis/networking.k8s.io/v1", "/apis/discovery.k8s.io/v1"
    yield Kind("Service", "/api/v1/namespaces/default/services", _service)
    yield Kind("EndpointSlice", f"{discovery}/namespaces/default/endpointslices", _slice)
    yield Kind("Ingress", f"{networking}/namespaces/default/ingresses", _ingress)


def _service(number: int) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"app-{number}", "labels": {"app": f"app-{number}"}},
        "spec": {"selector": {"app": f"app-{number}"}, "ports": ports},
    }


def _slice(number: int) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"app-{number}-abcde", "labels": {"kubernetes.io/service-name": f"app-{number}"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [f"10.{number // 256 % 256}.{number % 256}.{pod}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": "remora",
                "targetRef": {"kind": "Pod", "namespace": "default", "name": f"app-{number}-{pod}", "uid": f"{number}-{pod}"},
            }
            for pod in (1, 2, 3)
        ],
    }


def _ingress(number: int) -> Object:
    backend = {"service": {"name": f"app-{number}", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": f"app-{number}", "annotations": {"nginx.ingress.kubernetes.io/affinity": "cookie"}},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": f"app-{number}.example.com", "http": {"paths": paths}}]},
    }
