"""The site as Kubernetes objects in the local API server, for the peers that read them from there: Remora and Traefik."""

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.api_load import Api, Connection
from bench.peers.site import ADDED_HEADER, COOKIE, ORIGIN, PREFIX, Place, Route, Site

NAMESPACE = "default"
SECRET, HEADERS, CONTROLLER = "certificate", "headers", "controller"
CLIENTS = 8

Object = dict[str, Any]

_CORE, _NETWORKING = f"/api/v1/namespaces/{NAMESPACE}", f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}"
_DISCOVERY = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}"
_ANNOTATION = "nginx.ingress.kubernetes.io/"


@contextmanager
def api_server(directory: Path) -> Iterator[Api]:
    """An API server without controllers, in a process of its own."""
    directory.mkdir()
    command = [sys.executable, str(Path(__file__).parents[1] / "api_process.py"), str(directory)]
    with (directory / "api.log").open("ab") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        try:
            assert process.stdout is not None
            yield Api(directory, int(process.stdout.readline()), process.pid)
        finally:
            process.kill()


class Objects:
    """Keeps the API server's objects at what the site says."""

    def __init__(self, api: Api, place: Place) -> None:
        self._api = api
        self._certificate = place.certificate
        self._site: Site | None = None

    async def configure(self, site: Site) -> None:
        """Writes what is different from the last site."""
        connections = [await self._api.connect() for _ in range(CLIENTS)]
        before = self._site or Site((), ())
        if self._site is None:
            for path, made in self._shared():
                await connections[0].ask("POST", path, _text(made))
        old, new = set(before.routes), set(site.routes)
        await _all(connections, [_creations(route, site) for route in site.routes if route not in old])
        await _all(connections, [_deletions(route) for route in before.routes if route not in new])
        if before.pods != site.pods:
            kept = [route for route in site.routes if route in old]
            await _all(connections, [_changes(route, site) for route in kept])
        for connection in connections:
            connection.close()
        self._site = site

    async def change_settings(self, header: str) -> None:
        """Another header in the controller's ConfigMap, for which Remora has to reload its proxy."""
        connection = await self._api.connect()
        allowed = {"global-allowed-response-headers": f"{ADDED_HEADER[0]},{header}"}
        made = {**_object("v1", "ConfigMap", CONTROLLER), "data": allowed}
        await connection.ask("PUT", f"{_CORE}/configmaps/{CONTROLLER}", _text(made))
        connection.close()

    def _shared(self) -> Iterator[tuple[str, Object]]:
        spec = {"controller": "k8s.io/ingress-nginx"}
        metadata = {"name": "nginx"}
        made: Object = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": metadata, "spec": spec}
        yield "/apis/networking.k8s.io/v1/ingressclasses", made
        text = self._certificate.read_text()
        mark = "-----BEGIN PRIVATE KEY-----"
        certificate, _, key = text.partition(mark)
        data = {"tls.crt": _base64(certificate), "tls.key": _base64(mark + key)}
        yield f"{_CORE}/secrets", {**_object("v1", "Secret", SECRET), "type": "kubernetes.io/tls", "data": data}
        yield f"{_CORE}/configmaps", {**_object("v1", "ConfigMap", HEADERS), "data": dict([ADDED_HEADER])}
        allowed = {"global-allowed-response-headers": ADDED_HEADER[0]}
        yield f"{_CORE}/configmaps", {**_object("v1", "ConfigMap", CONTROLLER), "data": allowed}


def ingress(route: Route) -> Object:
    """As users of ingress-nginx write it."""
    annotations = {"ssl-redirect": "false"}
    if route.sticky:
        annotations |= {"affinity": "cookie", "affinity-mode": "persistent", "session-cookie-name": COOKIE}
        # Else a session whose pod does not answer goes anywhere with each request, until its pod is back (as with
        # ingress-nginx).
        annotations["session-cookie-change-on-failure"] = "true"
    path = {"path": "/", "pathType": "Prefix"}
    if route.shaped:
        path = {"path": f"{PREFIX}(/|$)(.*)", "pathType": "ImplementationSpecific"}
        annotations |= {
            "use-regex": "true",
            "rewrite-target": "/$2",
            "enable-cors": "true",
            "cors-allow-origin": ORIGIN,
            "cors-allow-methods": "GET, PUT, POST",
            "cors-max-age": "600",
            "custom-headers": f"{NAMESPACE}/{HEADERS}",
        }
    backend = {"service": {"name": route.name, "port": {"number": 80}}}
    made = _object("networking.k8s.io/v1", "Ingress", route.name)
    made["metadata"]["annotations"] = {f"{_ANNOTATION}{name}": value for name, value in annotations.items()}
    made["spec"] = {
        "ingressClassName": "nginx",
        "rules": [{"host": route.host, "http": {"paths": [{**path, "backend": backend}]}}],
    }
    if route.secure:
        made["spec"]["tls"] = [{"hosts": [route.host], "secretName": SECRET}]
    return made


def service(route: Route) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": route.port, "protocol": "TCP"}]
    return {**_object("v1", "Service", route.name), "spec": {"selector": {"app": route.name}, "ports": ports}}


def endpoint_slice(route: Route, site: Site) -> Object:
    made = _object("discovery.k8s.io/v1", "EndpointSlice", route.name)
    made["metadata"]["labels"] = {"kubernetes.io/service-name": route.name}
    endpoints = [
        {
            "addresses": [pod.address],
            "conditions": {"ready": not pod.going, "serving": True, "terminating": pod.going},
            "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": pod.name, "uid": f"uid-of-{pod.name}"},
        }
        for pod in site.pods
    ]
    ports = [{"name": "http", "port": route.port, "protocol": "TCP"}]
    return {**made, "addressType": "IPv4", "ports": ports, "endpoints": endpoints}


Question = tuple[str, str, bytes]


def _creations(route: Route, site: Site) -> list[Question]:
    return [
        ("POST", f"{_CORE}/services", _text(service(route))),
        ("POST", f"{_DISCOVERY}/endpointslices", _text(endpoint_slice(route, site))),
        ("POST", f"{_NETWORKING}/ingresses", _text(ingress(route))),
    ]


def _changes(route: Route, site: Site) -> list[Question]:
    return [("PUT", f"{_DISCOVERY}/endpointslices/{route.name}", _text(endpoint_slice(route, site)))]


def _deletions(route: Route) -> list[Question]:
    paths = (f"{_NETWORKING}/ingresses", f"{_DISCOVERY}/endpointslices", f"{_CORE}/services")
    return [("DELETE", f"{path}/{route.name}", b"") for path in paths]


async def _all(connections: Sequence[Connection], questions: Sequence[Sequence[Question]]) -> None:
    async def one(number: int) -> None:
        for some in questions[number :: len(connections)]:
            for method, path, body in some:
                await connections[number].ask(method, path, body)

    await asyncio.gather(*map(one, range(len(connections))))


def _object(version: str, kind: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}}


def _text(made: Object) -> bytes:
    return json.dumps(made).encode()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
