"""A cluster without an API server over HTTP: store, registry, controllers and kubelet in one process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from remora.cluster.addresses import Network
from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.api.tokens import Tokens
from remora.cluster.controllers.controllers import Controllers
from remora.cluster.events import Events
from remora.cluster.kubelet.images import Image, ImageCatalog
from remora.cluster.kubelet.kubelet import Kubelet
from remora.cluster.objects import Object
from remora.cluster.services.allocation import ServiceAllocator
from remora.cluster.store import Store
from tests.support.proxy import WORKER

T = TypeVar("T")
DEADLINE = 30.0
NETWORK = Network(100 + (os.getppid() + 13 * WORKER) % 51)
"""Another one for each worker of a run, and hardly ever that of another run: pods of one network share their addresses."""

SERVER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["POD_NAME"].encode())
    def log_message(self, *_): pass
print("listening", flush=True)
http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class SmallCluster:
    registry: Registry
    images: ImageCatalog
    kubelet: Kubelet
    directory: Path

    def pods(self, namespace: str = "default") -> list[Object]:
        return self.registry.list("pods", namespace)[0]

    def pod(self, name: str, namespace: str = "default") -> Object:
        found = self.registry.find("pods", namespace, name)
        assert found is not None
        return found

    def container(self, name: str) -> Object:
        """The status of the first container of a pod."""
        return dict((self.pod(name).get("status", {}).get("containerStatuses") or [{}])[0])

    def events_of(self, name: str) -> list[Object]:
        return [event for event in self.registry.list("events")[0] if event["involvedObject"]["name"] == name]

    async def log(self, name: str, container: str = "main", **options: Any) -> str:
        wanted: dict[str, Any] = {
            "follow": False,
            "previous": False,
            "tail_lines": None,
            "since_seconds": None,
            "timestamps": False,
            "limit_bytes": None,
        }
        parts = [part async for part in self.kubelet.log(self.pod(name), container, **(wanted | options))]
        return b"".join(parts).decode()


@asynccontextmanager
async def small_cluster(directory: Path, *, kill: bool = False) -> AsyncIterator[SmallCluster]:
    """With `kill` it ends as by `kill -9`: the pods' processes go on."""
    store = Store(directory / "store.sqlite")
    registry = Registry(store=store)
    allocator = ServiceAllocator(
        network=NETWORK,
        services=registry.list("services")[0],
        find=lambda key: registry.find("services", key.namespace, key.name),
    )
    registry.add_admission("services", allocator.admit)
    events = Events(registry=registry)
    images = ImageCatalog(directory / "images.json", option=" --profile small")
    images.add(Image(name="server", command=(sys.executable, "-c", SERVER)))
    images.add(Image(name="python", command=(sys.executable,)))
    kubelet = Kubelet(
        registry=registry,
        network=NETWORK,
        directory=directory / "pods",
        images=images,
        tokens=Tokens(b"key"),
        api_host="127.0.0.1",
        api_port=6443,
        ca_certificate="certificate",
        events=events,
    )
    for name in ("default", "kube-node-lease"):
        if registry.find("namespaces", "", name) is None:
            await registry.create("namespaces", {"metadata": {"name": name}})
    controllers = Controllers(
        registry=registry,
        events=events,
        ca_certificate="certificate",
        tokens=Tokens(b"key"),
        volumes=directory / "volumes",
    )
    parts = [asyncio.create_task(part.run()) for part in (events, controllers, kubelet)]
    try:
        yield SmallCluster(registry, images, kubelet, directory)
        for part in parts:
            if part.done():
                part.result()
    finally:
        if not kill:
            await kubelet.stop_all()
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        store.close()


async def until(condition: Callable[[], T]) -> T:
    """What the condition gives as soon as it is true; LookupError means that it is not yet."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                if found := condition():
                    return found
            except (ApiError, LookupError):
                pass
            await asyncio.sleep(0.01)


def pod(name: str, *, image: str = "server", labels: dict[str, str] | None = None, **container: Any) -> Object:
    """A pod of one container named `main`; `spec` and container fields by keyword."""
    spec = container.pop("spec", {})
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "spec": {"containers": [{"name": "main", "image": image, **container}], "terminationGracePeriodSeconds": 2, **spec},
    }


def deployment(name: str, *, replicas: int = 1, image: str = "server", **spec: Any) -> Object:
    labels = {"app": name}
    container = {"name": "main", "image": image, "ports": [{"containerPort": 8080, "name": "http"}]}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
    }
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }
