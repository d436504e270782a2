"""A controller as a process, its HAProxy, an API server and pods: what faults befall, and how it is told that all is right."""

import asyncio
import base64
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from remora.apply.executor import Executor
from remora.apply.process import wait_for_exit
from remora.core.settings import ProxySettings
from remora.haproxy.layout import Layout
from tests.chaos.running import OWN, fetch_wanted, find_difference
from tests.chaos.servers import Api
from tests.chaos.traffic import HOST, Failure, Traffic
from tests.support.api import Object
from tests.support.certificates import self_signed
from tests.support.proxy import free_ports
from tests.support.rawpods import RawPod

DEADLINE = 60.0
SHOP = "shop"
ANNOTATIONS = {
    "nginx.ingress.kubernetes.io/affinity": "cookie",
    "nginx.ingress.kubernetes.io/affinity-mode": "persistent",
    "nginx.ingress.kubernetes.io/session-cookie-name": "held",
    "nginx.ingress.kubernetes.io/ssl-redirect": "false",
}


class Controller:
    """The process. Its standard error is a pipe, so that no limit on files silences it; `lines` are what it said, ever."""

    def __init__(self, process: asyncio.subprocess.Process, lines: list[str]) -> None:
        self.process = process
        self.lines = lines
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr
        while line := await self.process.stderr.readline():
            self.lines.append(line.decode(errors="replace").rstrip())

    @property
    def pid(self) -> int:
        return self.process.pid

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reading


class Scene:
    """Everything that a fault may need. `struck` is when proxies were killed and when they were gone."""

    def __init__(self, api: Api, settings: ProxySettings, *, files: int = 0, pod: str = "controller-1") -> None:
        self.api = api
        self.http_port = settings.http_port
        self._files = files
        self._pod = pod
        self.layout = Layout(settings.state_directory)
        self.directory = Path(settings.state_directory)
        self.lines: list[str] = []
        self.struck: list[tuple[float, float]] = []
        self.right_from = 0.0
        self.traffic = Traffic(settings.http_port, visitors=1, rate=1, sockets=0)
        self._settings = settings
        self._routes = 0
        self._pods: list[RawPod] = []
        self._health = f"http://127.0.0.1:{free_ports(1)[0]}"
        self._controller: Controller | None = None
        self.arguments = [
            f"--kubeconfig={api.kubeconfig}",
            f"--state-dir={settings.state_directory}",
            f"--http-port={settings.http_port}",
            f"--https-port={settings.https_port}",
            f"--healthz-port={self._health.rpartition(':')[2]}",
            "--bind-address=127.0.0.1",
            "--threads=1",
            "--publish-status-address=127.0.0.1",
            "--election-ttl=4",
            f"--tcp-services-configmap={SHOP}/tcp",
        ]

    @property
    def controller(self) -> Controller:
        assert self._controller
        return self._controller

    async def begin(self, *, program: Sequence[str] = ("-m", "remora")) -> None:
        """Starts a controller."""
        limited = ("prlimit", f"--nofile={self._files}") if self._files else ()
        process = await asyncio.create_subprocess_exec(
            *limited,
            sys.executable,
            *program,
            "controller",
            *self.arguments,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "POD_NAMESPACE": OWN, "POD_NAME": self._pod},
        )
        self._controller = Controller(process, self.lines)

    async def furnish(self, pods: int) -> None:
        """The objects and pods that every fault begins with."""
        await self.api.put(
            "ingressclasses",
            _object("networking.k8s.io/v1", "IngressClass", "nginx", spec={"controller": "k8s.io/ingress-nginx"}, place=""),
        )
        await self.put_certificate(self_signed(HOST))
        service = {"ports": [{"port": 80, "name": "http", "targetPort": 8080}]}
        await self.api.put("services", _object("v1", "Service", "web", spec=service))
        await self.add_pods(pods)
        await self.api.put("ingresses", _ingress("web", HOST, tls=True))

    async def add_pods(self, count: int) -> None:
        """More pods; those that are there stay."""
        for _ in range(count):
            pod = RawPod()
            await pod.start()
            name = f"pod-{len(self._pods)}"
            pod.answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
            self._pods.append(pod)
            await self.api.put("endpointslices", _slice(name, pod.port))

    async def add_route(self) -> str:
        """A host that was not there; returns it."""
        self._routes += 1
        host = f"late-{self._routes}.test"
        await self.api.put("ingresses", _ingress(f"late-{self._routes}", host))
        return host

    async def open_port(self) -> None:
        """Asks for a port of a TCP service, which only a reload can give."""
        data = {str(free_ports(1)[0]): f"{SHOP}/web:80"}
        await self.api.put("configmaps", _object("v1", "ConfigMap", "tcp", data=data))

    async def put_certificate(self, pem: bytes, key: bytes | None = None) -> None:
        data = {"tls.crt": pem, "tls.key": pem if key is None else key}
        encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
        secret = _object("v1", "Secret", "web-tls", type="kubernetes.io/tls", data=encoded)
        await self.api.put("secrets", secret)

    async def serves(self, host: str) -> bool:
        """Whether the host's route answers."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port)
        except OSError:
            return False
        with contextlib.closing(writer), contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(5):
                writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                return (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        return False

    async def health(self, path: str) -> str:
        """What the controller's health port answers; "" if nobody does."""
        timeout = aiohttp.ClientTimeout(total=5)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self._health + path) as response:
                return await response.text()
        return ""

    async def becomes_right(self, *hosts: str) -> float:
        """Waits until HAProxy serves the hosts and runs what a fresh controller would want; the seconds since `right_from`."""
        difference = ""
        try:
            async with asyncio.timeout(DEADLINE):
                for host in hosts:
                    difference = f"{host} is not served"
                    while not await self.serves(host):
                        await asyncio.sleep(0.02)
                wanted = await fetch_wanted(self.arguments, self.api.kubeconfig)
                while difference := await find_difference(wanted, self.layout):
                    await asyncio.sleep(0.05)
                return max(0.0, time.monotonic() - self.right_from)
        except TimeoutError:
            said = "\n".join(self.lines[-40:])
            raise AssertionError(f"it does not become right: {difference}\n{said}") from None

    async def says(self, words: str) -> str:
        """Waits for a line of the controller's with these words."""
        await until(lambda: any(words in line for line in self.lines), f"{words!r} in {self.lines[-30:]}")
        return next(line for line in self.lines if words in line)

    def masters(self) -> list[int]:
        """HAProxy's master processes."""
        found = self._processes()
        return [pid for pid, parent in found.items() if parent not in found]

    def workers(self) -> list[int]:
        found = self._processes()
        return [pid for pid, parent in found.items() if parent in found]

    async def kill_proxy(self, pids: list[int]) -> None:
        """Kills processes of HAProxy, waits for the end of all of them, and notes when they went."""
        assert pids
        leaving = self._processes()
        self.right_from = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*map(wait_for_exit, leaving))
        self.struck.append((self.right_from, time.monotonic()))

    def is_under_way(self, failure: Failure) -> bool:
        """Whether a request was with a proxy when that went."""
        return any(failure.began <= gone and killed <= failure.ended for killed, gone in self.struck)

    def over(self) -> None:
        """The fault is over now, and from now on it is to become right again."""
        self.right_from = time.monotonic()

    def _processes(self) -> dict[int, int]:
        mark = f"{self.layout.directory}/master.sock".encode()
        return {pid: parent for pid, parent, line in _all_processes() if mark in line and b"haproxy" in line}

    async def end(self) -> None:
        if self._controller:
            await self._controller.kill()
        await Executor(self._settings).stop(grace=0.0)
        for pod in self._pods:
            pod.stop()

    @asynccontextmanager
    async def under_load(
        self, *, visitors: int, rate: float, sockets: int, others: tuple[int, ...] = ()
    ) -> AsyncIterator[Traffic]:
        """Load that is steady when this begins; on further ports as well."""
        self.traffic = traffic = Traffic(self.http_port, visitors=visitors, rate=rate, sockets=sockets, others=others)
        running = asyncio.create_task(traffic.run())
        try:
            await until(lambda: traffic.is_steady, "steady load")
            yield traffic
            assert not running.done(), running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def scene_of(api: Api, settings: ProxySettings, *, pods: int = 3, files: int = 0) -> AsyncIterator[Scene]:
    """A scene in which all is well."""
    async with AsyncExitStack() as stack:
        scene = Scene(api, settings, files=files)
        stack.push_async_callback(scene.end)
        await scene.furnish(pods)
        await scene.begin()
        await scene.becomes_right(HOST)
        yield scene


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Waits for a condition.

    Raises:
        AssertionError: it did not come.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            while True:
                met = condition()
                if met if isinstance(met, bool) else await met:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"there was no {what}") from None


def _all_processes() -> Iterator[tuple[int, int, bytes]]:
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int((directory / "stat").read_text().rpartition(")")[2].split()[1])
            yield int(directory.name), parent, (directory / "cmdline").read_bytes()


def _object(version: str, kind: str, name: str, *, place: str = SHOP, **more: Any) -> Object:
    metadata = {"name": name} | ({"namespace": place} if place else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _ingress(name: str, host: str, *, tls: bool = False) -> Object:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec: Object = {"ingressClassName": "nginx", "rules": [rule]}
    if tls:
        spec["tls"] = [{"hosts": [host], "secretName": "web-tls"}]
    made = _object("networking.k8s.io/v1", "Ingress", name, spec=spec)
    made["metadata"] |= {"annotations": ANNOTATIONS}
    return made


def _slice(name: str, port: int) -> Object:
    endpoint = {
        "addresses": ["127.0.0.1"],
        "conditions": {"ready": True, "serving": True},
        "targetRef": {"kind": "Pod", "namespace": SHOP, "name": name, "uid": f"uid-{name}"},
    }
    made = _object(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"web-{name}",
        addressType="IPv4",
        ports=[{"name": "http", "port": port, "protocol": "TCP"}],
        endpoints=[endpoint],
    )
    made["metadata"] |= {"labels": {"kubernetes.io/service-name": "web"}}
    return made
