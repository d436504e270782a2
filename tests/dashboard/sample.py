"""A small shop on a local cluster, somebody who visits it, and the dashboard as a command."""

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from remora.testing.local import LocalCluster, eventually

PREFIX = "nginx.ingress.kubernetes.io"
COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
}


def _app(namespace: str, name: str, replicas: int) -> Iterator[dict[str, Any]]:
    labels, meta = {"app": name}, {"name": name, "namespace": namespace}
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    container = {"name": "web", "image": "remora/sticky-session:1", "ports": [{"containerPort": 8080}], "readinessProbe": probe}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": ports}}


def _ingress(namespace: str, name: str, host: str, paths: Mapping[str, str], **annotations: str) -> dict[str, Any]:
    rules = [
        {"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}
        for path, service in paths.items()
    ]
    named = {f"{PREFIX}/{key.replace('_', '-')}": value for key, value in annotations.items()}
    meta = {"name": name, "namespace": namespace, "annotations": named}
    spec = {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": rules}}]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta, "spec": spec}


def shop(*, replicas: int = 2) -> list[dict[str, Any]]:
    """Two namespaces, three hosts, a mistake and a Service that is missing."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        *_app("default", "sticky", replicas),
        *_app("shop", "cart", replicas),
        _ingress("default", "sticky", "sticky.localhost", {"/": "sticky"}, affinity="cookie", session_cookie_name="stick"),
        _ingress(
            "shop",
            "shop",
            "shop.localhost",
            {"/": "cart", "/cart": "cart", "/old": "gone"},
            affinity="cookie",
            proxy_body_size="lots",
        ),
        _ingress("shop", "moved", "old-shop.localhost", {"/": "cart"}, permanent_redirect="http://shop.localhost/"),
    ]


def apply(cluster: LocalCluster, objects: list[dict[str, Any]]) -> None:
    for one in objects:
        cluster.request("POST", COLLECTIONS[one["kind"]].format(one["metadata"].get("namespace", "")), one)


def ask(cluster: LocalCluster, host: str, path: str = "/", cookie: str = "") -> tuple[int, str]:
    """Status, and the cookie that was set or else the one given."""
    entry = urlsplit(cluster.entry)
    connection = http.client.HTTPConnection(entry.hostname or "", entry.port or 80, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host} | ({"Cookie": cookie} if cookie else {}))
        answer = connection.getresponse()
        answer.read()
        return answer.status, (answer.getheader("set-cookie") or cookie).partition(";")[0]
    finally:
        connection.close()


def wait_for_answers(cluster: LocalCluster, *hosts: str) -> None:
    for host in hosts:
        eventually(lambda host=host: ask(cluster, host)[0] == 200, what=f"answer of {host}")  # type: ignore[misc]


@contextmanager
def visitors(cluster: LocalCluster, number: int) -> Iterator[None]:
    """So many clients with sessions, who come and go."""
    ended = threading.Event()

    def visit(seed: int) -> None:
        choice, cookie = random.Random(seed), ""
        while not ended.wait(choice.uniform(0.2, 1.5)):
            host = "sticky.localhost" if seed % 3 else "shop.localhost"
            try:
                _, cookie = ask(cluster, host, cookie=cookie)
            except OSError:
                time.sleep(1)
            cookie = "" if choice.random() < 0.05 else cookie

    threads = [threading.Thread(target=visit, args=(seed,), daemon=True) for seed in range(number)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(20)


@contextmanager
def running_dashboard(cluster: LocalCluster, home: Path, *arguments: str) -> Iterator[str]:
    """The command; gives the first line that it says."""
    command = [sys.executable, "-m", "remora", "dashboard", "--no-open", "--kubeconfig", str(cluster.kubeconfig), *arguments]
    environ = os.environ | {"HOME": str(home)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate(timeout=30)
