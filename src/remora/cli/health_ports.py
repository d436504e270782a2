"""Asks controllers on their health ports: one by its URL, or all that a cluster has, through the API server's pod proxy."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused, RemoraError, UsageError
from remora.kube.client import ApiClient
from remora.kube.credentials import connect

CONTROLLERS = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fname%3Dremora"
HEALTH_PORT = 10254
_TIMEOUT = 10.0


class Whom(msgspec.Struct, frozen=True):
    """The controller with that URL, or if that is "" all controllers of the cluster."""

    controller: str = ""
    kubeconfig: str = ""
    context: str = ""


class Answers(msgspec.Struct, frozen=True):
    """What controllers said, each with its name, and who did not answer and why. There is at least one answer."""

    bodies: tuple[tuple[str, bytes], ...]
    notes: tuple[str, ...] = ()


class HealthPorts:
    """Controllers that can be asked. `client` and `namespace` are those of the kubeconfig; by URL there is no client."""

    def __init__(self, url: str, client: ApiClient | None, server: str, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.server = server
        self._url = url

    async def ask(self, path: str, query: Mapping[str, str], *, of_several: Mapping[str, str] | None = None) -> Answers:
        """The JSON of every controller; `of_several` is added to the query when there is more than one.

        Raises:
            RemoraError: there is no controller, or none of them answers.
        """
        if self.client is None:
            return Answers(((self._url, await _ask_url(self._url, path, query)),))
        pods = [pod for pod in msgspec.json.decode(await self.client.read(CONTROLLERS))["items"] if _is_controller(pod)]
        if not pods:
            raise RemoraError(f"no controller runs in {self.server}; one elsewhere is asked with --controller URL")
        asked = {**query, **(of_several or {})} if len(pods) > 1 else query
        bodies, notes = [], []
        for pod in pods:
            try:
                bodies.append((_name(pod), await self.client.read(f"{_path(pod)}{path}?{urlencode(asked)}")))
            except ApiServerError as error:
                notes.append(f"{_name(pod)}: {_why(error, path)}")
        if not bodies:
            raise RemoraError(f"no controller answers: {'; '.join(notes)}")
        return Answers(tuple(bodies), tuple(notes))


@asynccontextmanager
async def health_ports(whom: Whom) -> AsyncIterator[HealthPorts]:
    """The controllers that are meant.

    Raises:
        UsageError: the URL is none.
        ConfigurationError: the kubeconfig cannot be used.
    """
    if whom.controller:
        if urlsplit(whom.controller).scheme not in ("http", "https"):
            message = (
                f"--controller {whom.controller}: give the URL of a controller's health port, http://ADDRESS:{HEALTH_PORT}"
            )
            raise UsageError(message)
        yield HealthPorts(whom.controller, None, "", "")
        return
    connection = await connect(whom.kubeconfig, whom.context)
    async with ApiClient.open(connection) as client:
        yield HealthPorts("", client, connection.server, connection.namespace)


async def _ask_url(url: str, path: str, query: Mapping[str, str]) -> bytes:
    wanted = f"{url.rstrip('/').removesuffix(path)}{path}?{urlencode(query)}"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(wanted) as response:
            body = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise RemoraError(f"{url} does not answer: {error or type(error).__name__}") from error
    if response.status != 200:
        raise RemoraError(f"{url} does not answer {path}: {response.status} {body[:200].decode(errors='replace')}")
    return body


def _is_controller(pod: dict[str, Any]) -> bool:
    runs = (pod.get("status") or {}).get("phase") == "Running"
    return runs and pod["metadata"].get("labels", {}).get("app.kubernetes.io/component", "controller") == "controller"


def _path(pod: dict[str, Any]) -> str:
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports") or ()]
    port = next((port["containerPort"] for port in ports if port.get("name") == "metrics"), HEALTH_PORT)
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port}/proxy"


def _name(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _why(error: ApiServerError, path: str) -> str:
    if isinstance(error, ApiServerRefused) and error.status == 404:
        return f"it knows no {path}; is it an older Remora?"
    return str(error)
