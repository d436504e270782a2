"""The two API servers that misbehave: a small one that does whatever it is told, and the local cluster's as a process."""

import asyncio
import contextlib
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import yaml

from remora.cluster.api.pki import read_pki, write_kubeconfig
from remora.cluster.ports import free_port
from tests.cluster.killable import HOST
from tests.support.api import FakeApi, Object, running_api
from tests.support.rights import granted

_PREFIXES = {
    "ingresses": "/apis/networking.k8s.io/v1",
    "ingressclasses": "/apis/networking.k8s.io/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
}


class Api(Protocol):
    """Where objects are written to."""

    kubeconfig: Path

    async def put(self, plural: str, obj: Object) -> None:
        """Creates or replaces an object."""
        ...


class SmallApi:
    """The small one; `fake` is told what to do wrong."""

    def __init__(self, fake: FakeApi, directory: Path) -> None:
        self.fake = fake
        self.kubeconfig = directory / "kubeconfig"
        config = {
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": fake.url}}],
            "users": [{"name": "fake", "user": {"token": "secret"}}],
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    async def put(self, plural: str, obj: Object) -> None:
        self.fake.put(plural, obj)


@asynccontextmanager
async def small_api(directory: Path) -> AsyncIterator[SmallApi]:
    async with running_api() as fake:
        fake.may = granted()
        yield SmallApi(fake, directory)
        assert fake.denied == [], "the manifest grants what the controller asks for"


class RealApi:
    """The local cluster's API server with its controllers, to be stopped, killed and begun again."""

    def __init__(self, directory: Path) -> None:
        port = free_port(HOST)
        self._pki = read_pki(directory / "pki", (HOST,))
        self.server = f"https://{HOST}:{port}"
        self.kubeconfig = directory / "kubeconfig"
        write_kubeconfig(self.kubeconfig, server=self.server, name="real", pki=self._pki)
        self._command = [sys.executable, "-m", "tests.cluster.killable", str(directory), str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
        if number is signal.SIGKILL:
            self._process.wait()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        context = ssl.create_default_context(cadata=self._pki.ca.decode())
        context.load_cert_chain(self._pki.directory / "admin.crt", self._pki.directory / "admin.key")
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(self.server, connector=connector) as session:
            yield session

    async def answers(self) -> None:
        """Waits until it answers."""
        async with asyncio.timeout(60), self._session() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get("/readyz") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def put(self, plural: str, obj: Object) -> None:
        meta = obj["metadata"]
        place = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
        collection = f"{_PREFIXES.get(plural, '/api/v1')}{place}/{plural}"
        async with self._session() as session:
            status, text = await _send(session, "POST", collection, obj)
            if status == 409:
                status, text = await _send(session, "PUT", f"{collection}/{meta['name']}", obj)
        assert status in (200, 201), text


async def _send(session: aiohttp.ClientSession, method: str, path: str, obj: dict[str, Any]) -> tuple[int, str]:
    async with session.request(method, path, json=obj) as response:
        return response.status, await response.text()


@asynccontextmanager
async def real_api(directory: Path) -> AsyncIterator[RealApi]:
    api = RealApi(directory)
    api.begin()
    try:
        await api.answers()
        for name in ("shop", "ingress-remora"):
            await api.put("namespaces", {"metadata": {"name": name}})
        yield api
    finally:
        with contextlib.suppress(ProcessLookupError):
            api.send(signal.SIGKILL)
