"""The sample cluster of examples/migration on the local API server: the stand-in for the old controller, pods, and an entry."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from typer.testing import CliRunner

from remora.apply.executor import Executor
from remora.cli.main import app
from remora.core.settings import ProxySettings
from remora.migrate.rewrite import rewrite
from tests.cluster.api_server import Running, running_api_server
from tests.support.certificates import self_signed
from tests.support.old_controller import OldController
from tests.support.proxy import free_ports, http1_pod

EXAMPLES = Path(__file__).parents[2] / "examples" / "migration"
PATIENCE = 40.0
ENTRY = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller"
OLD_LABELS = {
    "app.kubernetes.io/name": "ingress-nginx",
    "app.kubernetes.io/instance": "ingress-nginx",
    "app.kubernetes.io/component": "controller",
}
NEW_LABELS = {"app.kubernetes.io/name": "remora", "app.kubernetes.io/component": "controller"}


class Scene:
    """Where everything is."""

    def __init__(self, api: Running, old: OldController, settings: ProxySettings, directory: Path) -> None:
        self.api = api
        self.old = old
        self.settings = settings
        self.directory = directory
        self.entry_port = 0
        self.health_port = free_ports(1)[0]

    @property
    def health(self) -> str:
        return f"http://127.0.0.1:{self.health_port}"

    async def read(self, path: str) -> Any:
        async with self.api.session.get(path) as response:
            return await response.json()

    async def remora(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command that installs no signal handlers; it runs in a thread."""
        result = await asyncio.wait_for(asyncio.to_thread(CliRunner().invoke, app, arguments), PATIENCE)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    async def remora_process(self, *arguments: str) -> tuple[int, str, str]:
        """The same of a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "remora", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, error = await asyncio.wait_for(process.communicate(), PATIENCE)
        return process.returncode or 0, out.decode(), error.decode()

    @asynccontextmanager
    async def shadow(self) -> AsyncIterator[None]:
        """`remora controller --shadow`, until the end of the block."""
        log = self.directory / "controller.log"
        flags = [
            f"--kubeconfig={self.api.kubeconfig}", f"--state-dir={self.settings.state_directory}",
            f"--http-port={self.settings.http_port}", f"--https-port={self.settings.https_port}",
            f"--healthz-port={self.health_port}", "--bind-address=127.0.0.1", "--threads=1", "--shadow",
            "--configmap=ingress-nginx/ingress-nginx-controller", "--publish-status-address=192.0.2.1",
        ]  # fmt: skip
        env = {**os.environ, "POD_NAMESPACE": "ingress-nginx", "POD_NAME": "remora-1"}
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "remora", "controller", *flags, stdout=output, stderr=output, env=env
            )
        try:
            await self._until_ready()
            yield
        except BaseException:
            print(log.read_text())
            raise
        finally:
            for ask in (process.terminate, process.terminate, process.kill):
                if process.returncode is None:
                    ask()
                    await asyncio.wait((asyncio.create_task(process.wait()),), timeout=5)
            await Executor(self.settings).stop(grace=0.0)

    async def _until_ready(self) -> None:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{self.health}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.02)


@asynccontextmanager
async def scene(directory: Path, settings: ProxySettings) -> AsyncIterator[Scene]:
    """The cluster before the switch."""
    ingresses = read_ingresses()
    async with AsyncExitStack() as stack:
        pods = [f"127.0.0.1:{await _pod(stack, name)}" for name in ("pod-1", "pod-2", "pod-3")]
        old = OldController(ingresses, pods)
        await old.start()
        stack.push_async_callback(old.stop)
        api = await stack.enter_async_context(running_api_server(directory))
        found = Scene(api, old, settings, directory)
        await _fill(found, ingresses, pods)
        entry = await asyncio.start_server(lambda reader, writer: _pass_on(found, reader, writer), "127.0.0.1", 0)
        stack.callback(entry.close)
        found.entry_port = entry.sockets[0].getsockname()[1]
        yield found


def read_ingresses() -> list[dict[str, Any]]:
    """The thirty, in the version of today."""
    texts = [rewrite((EXAMPLES / name).read_text())[0] for name in ("legacy.yaml",)]
    return [one for text in ((EXAMPLES / "ingresses.yaml").read_text(), *texts) for one in yaml.safe_load_all(text)]


async def _pod(stack: AsyncExitStack, name: str) -> int:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"pod": name, "path": request.raw_path})

    return await stack.enter_async_context(http1_pod(answer))


async def _fill(found: Scene, ingresses: list[dict[str, Any]], pods: list[str]) -> None:
    """Everything into the API server, as its clients would put it there."""
    registry = found.api.registry
    for name in ("ingress-nginx", "shop", "api"):
        await registry.create("namespaces", {"metadata": {"name": name}})
    for one in yaml.safe_load_all((EXAMPLES / "controller.yaml").read_text()):
        await registry.create(str(registry.resources.find_name(one["apiVersion"], one["kind"])), one)
    await registry.create("ingressclasses.networking.k8s.io", _class("remora", "remora.io/ingress-controller"))
    both = self_signed("secure.example")
    tls = {"tls.crt": both, "tls.key": both}
    for name in ("secure-tls", "open-tls", "grpc-tls"):
        await registry.create("secrets", _secret(name, tls, "kubernetes.io/tls"))
    await registry.create("secrets", _secret("members", {"auth": b"bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}))
    await registry.create("secrets", _secret("remora-session-key", {"key": b"k" * 32}, namespace="ingress-nginx"))
    database = {"metadata": _meta("database", "shop"), "spec": {"ports": [{"port": 5432}]}}
    await registry.create("services", database)
    for namespace, service in sorted(_services(ingresses)):
        ports = [{"name": "http", "port": 80, "targetPort": 8080}]
        await registry.create("services", {"metadata": _meta(service, namespace), "spec": {"ports": ports}})
        for number, pod in enumerate(pods):
            await registry.create("endpointslices.discovery.k8s.io", _slice(namespace, service, number, pod))
    for one in ingresses:
        await registry.create("ingresses.networking.k8s.io", one)
    for name, labels, http, health in (
        ("ingress-nginx-1", OLD_LABELS, found.old.port, 10254),
        ("remora-1", NEW_LABELS, found.settings.http_port, found.health_port),
    ):
        await _controller_pod(found, name, labels, {"http": http, "https": found.settings.https_port, "metrics": health})


def _services(ingresses: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {
        (one["metadata"]["namespace"], path["backend"]["service"]["name"])
        for one in ingresses
        for rule in one["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


async def _controller_pod(found: Scene, name: str, labels: Mapping[str, str], ports: Mapping[str, int]) -> None:
    """A ready pod; both have the port of TCP services, which nothing listens on here."""
    named = [{"name": port, "containerPort": number} for port, number in {**ports, "5432-tcp": 5432}.items()]
    resources = {"requests": {"cpu": "200m"}}
    spec = {"containers": [{"name": "controller", "image": "x", "ports": named, "resources": resources}], "nodeName": "one"}
    path = "/api/v1/namespaces/ingress-nginx/pods"
    async with found.api.session.post(
        path, json={"metadata": {"name": name, "labels": dict(labels)}, "spec": spec}
    ) as response:
        assert response.status == 201, await response.text()
    conditions = [{"type": "Ready", "status": "True"}]
    status = {"status": {"phase": "Running", "podIP": "127.0.0.1", "conditions": conditions}}
    headers = {"Content-Type": "application/merge-patch+json"}
    async with found.api.session.patch(f"{path}/{name}/status", json=status, headers=headers) as response:
        assert response.status == 200, await response.text()


async def _pass_on(found: Scene, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of the entry: to a pod that the Service selects now, as a load balancer's."""
    try:
        port = _target(found)
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_copy(reader, up_writer), _copy(up_reader, writer))
    except OSError:
        pass
    finally:
        writer.close()


def _target(found: Scene) -> int:
    service = found.api.registry.find("services", "ingress-nginx", "ingress-nginx-controller")
    assert service is not None
    selector = service["spec"]["selector"].items()
    pods = found.api.registry.list("pods", "ingress-nginx")[0]
    (pod,) = [one for one in pods if selector <= one["metadata"]["labels"].items()]
    ports = pod["spec"]["containers"][0]["ports"]
    return next(int(port["containerPort"]) for port in ports if port["name"] == "http")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def _meta(name: str, namespace: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace}


def _class(name: str, controller: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"controller": controller}}


def _secret(name: str, data: Mapping[str, bytes], kind: str = "Opaque", *, namespace: str = "shop") -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"metadata": _meta(name, namespace), "type": kind, "data": encoded}


def _slice(namespace: str, service: str, number: int, pod: str) -> dict[str, Any]:
    address, _, port = pod.rpartition(":")
    return {
        "metadata": {**_meta(f"{service}-{number}", namespace), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": int(port)}],
        "endpoints": [
            {
                "addresses": [address],
                "conditions": {"ready": True},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": namespace,
                    "name": f"{service}-{number}",
                    "uid": f"{service}-{number}",
                },
            }
        ],
    }


def pod_of(body: str) -> str:
    """Who answered."""
    return str(json.loads(body)["pod"])
