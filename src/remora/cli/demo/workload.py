"""The demonstration's Deployment, Service and Ingress, and the changes that the story makes to them."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from remora.cli.api import Api
from remora.cli.demo.visitor import HOST
from remora.core.errors import RemoraError

NAME = "sticky-d"
PORT = 8080
IMAGE = "remora/sticky-session:1"
PREFIX = "nginx.ingress.kubernetes.io/"

_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_INGRESSES = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
_PODS = f"/api/v1/namespaces/default/pods?labelSelector=app%3D{NAME}"

Object = dict[str, Any]
T = TypeVar("T")


class Workload:
    """The application as it is deployed in one cluster."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def deploy(self, replicas: int) -> None:
        """Creates the three objects; the Ingress has no affinity yet."""
        self._api.create(_DEPLOYMENTS, _deployment(replicas))
        self._api.create("/api/v1/namespaces/default/services", _service())
        self._api.create(_INGRESSES, _ingress())

    def scale(self, replicas: int) -> None:
        """Changes `spec.replicas`."""
        self._api.merge(f"{_DEPLOYMENTS}/{NAME}", {"spec": {"replicas": replicas}})

    def stick(self, *, mode: str, cookie: str) -> None:
        """Gives the Ingress affinity by cookie."""
        annotations = {
            f"{PREFIX}affinity": "cookie",
            f"{PREFIX}affinity-mode": mode,
            f"{PREFIX}session-cookie-name": cookie,
            f"{PREFIX}session-cookie-max-age": "60",
        }
        self._api.merge(f"{_INGRESSES}/{NAME}", {"metadata": {"annotations": annotations}})

    def delete_pod(self, name: str) -> None:
        """As `kubectl delete pod`."""
        self._api.delete(f"/api/v1/namespaces/default/pods/{name}")

    def pods(self) -> dict[str, str]:
        """Names of the ready pods by the id with which each answers."""
        found = {}
        for pod in self._api.read(_PODS)["items"]:
            if _is_ready(pod) and (identity := _identity(pod["status"]["podIP"])):
                found[identity] = str(pod["metadata"]["name"])
        return found

    def wait_pods(self, count: int, *, within: float) -> dict[str, str]:
        """Waits until there are exactly so many pods, all ready; as `pods`."""

        def settled() -> dict[str, str] | None:
            everything = self._api.read(_PODS)["items"]
            found = self.pods() if len(everything) == count else {}
            return found if len(found) == count else None

        return wait_for(settled, f"{count} ready pods", within=within)


def wait_for(find: Callable[[], T | None], what: str, *, within: float) -> T:
    """Asks until there is an answer.

    Raises:
        RemoraError: there was none in `within` seconds.
    """
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.05)
    raise RemoraError(f"still no {what} after {within:.0f} s")


def _identity(ip: str) -> str:
    connection = http.client.HTTPConnection(ip, PORT, timeout=2)
    try:
        connection.request("GET", "/")
        return str(json.loads(connection.getresponse().read())["uuid"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return ""
    finally:
        connection.close()


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return not pod["metadata"].get("deletionTimestamp") and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def _deployment(replicas: int) -> Object:
    probe = {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1}
    container = {"name": "app", "image": IMAGE, "ports": [{"containerPort": PORT}], "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": {"containers": [container]}},
        },
    }


def _service() -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": {"app": NAME}, "ports": [{"port": PORT, "targetPort": PORT}]},
    }


def _ingress() -> Object:
    backend = {"service": {"name": NAME, "port": {"number": PORT}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": NAME},
        "spec": {
            "ingressClassName": "nginx",
            "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
    }
