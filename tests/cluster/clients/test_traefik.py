"""Traefik as a second, foreign Ingress controller: its informers see all, with the rights of its service account alone."""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remora.cluster.ports import free_port
from remora.testing.local import LocalCluster, eventually
from tests.cluster.clients.asked import only_if_asked

TRAEFIK = Path(sys.executable).parent / "traefik"
HOST = "127.0.0.1"
PROVIDERS = {
    "kubernetesingress": ["ingressendpoint.ip=127.0.0.9", "ingressclass=CLASS"],
    "kubernetesingressnginx": ["publishstatusaddress=127.0.0.9", "ingressclass=CLASS", "controllerclass=example.com/foreign"],
}

pytestmark = [
    only_if_asked(),
    pytest.mark.skipif(not TRAEFIK.exists(), reason="traefik is not installed: `make clients` does that"),
]

READ = ["get", "list", "watch"]
RULES = [
    {
        "apiGroups": [""],
        "resources": ["services", "secrets", "nodes", "namespaces", "configmaps"],
        "verbs": READ,
    },
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"], "verbs": READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses/status"], "verbs": ["update"]},
]


class Traefik:
    """Traefik at work; its class is called as its namespace."""

    def __init__(self, cluster: LocalCluster, namespace: str, port: int, log: Path, *, controller: str) -> None:
        self.controller = controller
        self._cluster = cluster
        self._port = port
        self.namespace = namespace
        self.log = log

    def path(self, group: str, plural: str, name: str = "") -> str:
        root = f"/apis/{group}/v1" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def create(self, group: str, plural: str, obj: dict[str, Any]) -> None:
        self._cluster.request("POST", self.path(group, plural), obj)

    def ask(self, host: str, path: str = "/") -> tuple[int, str]:
        request = urllib.request.Request(f"http://{HOST}:{self._port}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except OSError:
            return 0, ""

    def address(self, ingress: str) -> object:
        found = self._cluster.request("GET", self.path("networking.k8s.io", "ingresses", ingress))
        return (found.get("status", {}).get("loadBalancer") or {}).get("ingress")


def service_account(cluster: LocalCluster, namespace: str) -> str:
    """The token of one that may do what Traefik's documentation asks for."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "traefik"}})
    cluster.request("POST", f"{rbac}/clusterroles", {"metadata": {"name": namespace}, "rules": RULES})
    subject = {"kind": "ServiceAccount", "name": "traefik", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace}
    cluster.request(
        "POST", f"{rbac}/clusterrolebindings", {"metadata": {"name": namespace}, "roleRef": role, "subjects": [subject]}
    )
    asked = {"spec": {"expirationSeconds": 3600}}
    answer = cluster.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/traefik/token", asked)
    return str(answer["status"]["token"])


@pytest.fixture(params=PROVIDERS)
def traefik(
    request: pytest.FixtureRequest, serving_cluster: LocalCluster, remora_namespace: str, tmp_path: Path
) -> Iterator[Traefik]:
    provider, port, log = request.param, free_port(HOST), tmp_path / "traefik.log"
    prefix = f"--providers.{provider}"
    options = [
        f"--entrypoints.web.address={HOST}:{port}",
        "--providers.providersthrottleduration=200ms",
        "--log.level=INFO",
        f"{prefix}.endpoint={serving_cluster.server}",
        f"{prefix}.token={service_account(serving_cluster, remora_namespace)}",
        f"{prefix}.certauthfilepath={serving_cluster.directory / 'pki' / 'ca.crt'}",
        *(f"{prefix}.{option}".replace("CLASS", remora_namespace) for option in PROVIDERS[provider]),
    ]
    with log.open("w") as said:
        process = subprocess.Popen([str(TRAEFIK), *options], stdout=said, stderr=said, cwd=tmp_path)
        controller = "example.com/foreign" if provider.endswith("nginx") else "traefik.io/ingress-controller"
        yield Traefik(serving_cluster, remora_namespace, port, log, controller=controller)
        process.terminate()
        process.wait(20)


def ingress(name: str, host: str, class_name: str) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"name": "http"}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {"metadata": {"name": name}, "spec": {"ingressClassName": class_name, "rules": [rule]}}


def pod(name: str) -> dict[str, Any]:
    container = {"name": "c", "image": "server", "ports": [{"containerPort": 8080, "name": "http"}]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}


def test_traefik_routes_ingresses_and_tells_their_address(traefik: Traefik, serving_cluster: LocalCluster) -> None:
    own = {"metadata": {"name": traefik.namespace}, "spec": {"controller": traefik.controller}}
    serving_cluster.request("POST", "/apis/networking.k8s.io/v1/ingressclasses", own)
    traefik.create("", "pods", pod("one"))
    port = {"name": "http", "port": 80, "targetPort": "http"}
    traefik.create("", "services", {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [port]}})
    host = f"{traefik.namespace}.example.com"
    traefik.create("networking.k8s.io", "ingresses", ingress("web", host, traefik.namespace))
    try:
        assert eventually(lambda: traefik.ask(host) == (200, "one"), within=60, what="answer of the pod")
        assert eventually(lambda: traefik.address("web") == [{"ip": "127.0.0.9"}], within=60, what="address of the Ingress")
        traefik.create("", "pods", pod("two"))
        assert eventually(lambda: traefik.ask(host) == (200, "two"), within=60, what="answer of the second pod")
        serving_cluster.request("DELETE", traefik.path("", "pods", "one"))
        assert eventually(lambda: {traefik.ask(host) for _ in range(4)} == {(200, "two")}, within=60)
        serving_cluster.request("DELETE", traefik.path("networking.k8s.io", "ingresses", "web"))
        assert eventually(lambda: traefik.ask(host)[0] == 404, within=60, what="404")
        assert not re.search(r" (ERR|FTL) ", traefik.log.read_text())
    except AssertionError as error:
        raise AssertionError(f"{error}\n{traefik.log.read_text()}") from None
