"""Sessions on the local cluster: counted out of the box, shown, read through the API server, and heeded when it scales down."""

import json
import urllib.request
from collections.abc import Mapping

import pytest

from tests.cluster.terminal import Terminal, wait_for

pytestmark = [pytest.mark.kubectl, pytest.mark.timeout(150)]

OBJECTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: held}
spec:
  replicas: 3
  selector: {matchLabels: {app: held}}
  template:
    metadata: {labels: {app: held}}
    spec: {containers: [{name: c, image: "registry.k8s.io/echoserver:1.10", ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: held}
spec: {selector: {app: held}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: held
  annotations: {nginx.ingress.kubernetes.io/affinity: cookie, nginx.ingress.kubernetes.io/affinity-mode: persistent}
spec:
  ingressClassName: nginx
  rules:
    - host: held.localhost
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: held, port: {number: 80}}}}]}
"""


def visit(entry: str, cookie: str = "") -> str:
    """The cookie that the client has afterwards; "" while nobody answers."""
    headers = {"Host": "held.localhost"} | ({"Cookie": cookie} if cookie else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(entry, headers=headers), timeout=30) as response:
            return (response.headers.get("Set-Cookie") or cookie).partition(";")[0]
    except OSError:
        return ""


def told(cluster: Terminal, *arguments: str) -> dict[str, int]:
    """Sessions by pod, as `remora sessions` tells them."""
    kubeconfig = ("--kubeconfig", str(cluster.home / "test" / "kubeconfig"))
    done = cluster.remora("sessions", "held", *kubeconfig, "--output", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return by_pod(json.loads(done.stdout))


def by_pod(report: Mapping[str, object]) -> dict[str, int]:
    services = report["services"]
    assert isinstance(services, list)
    return {pod["pod"]: pod["sessions"] for service in services for pod in service["pods"]}


def test_sessions_are_counted_shown_and_heeded(cluster: Terminal) -> None:
    manifest = cluster.home / "held.yaml"
    manifest.write_text(OBJECTS)
    cluster.kubectl("apply", "-f", str(manifest))
    cluster.kubectl("rollout", "status", "deployment/held", "--timeout=60s")
    entry = json.loads(cluster.remora("status", "--profile", "test", "--output", "json").stdout)["entry"]
    wait_for(lambda: bool(visit(entry)), "the Ingress to answer")
    cookies = [visit(entry) for _ in range(8)]
    wait_for(lambda: sum(told(cluster).values()) >= 9, "the sessions to be counted")
    counts = told(cluster)
    assert len(counts) == 3
    names = cluster.kubectl("get", "pods", "-n", "ingress-remora", "-o", "name").split()
    path = f"/api/v1/namespaces/ingress-remora/{names[0].replace('pod/', 'pods/')}:10254/proxy/sessions?service=held"
    assert by_pod(json.loads(cluster.kubectl("get", "--raw", path))) == counts
    kubeconfig = ("--kubeconfig", str(cluster.home / "test" / "kubeconfig"))
    found = cluster.remora("sessions", *kubeconfig, "--cookie", cookies[0], "--output", "json")
    whereabouts = json.loads(found.stdout)
    assert [one["pod"] for one in whereabouts["seen"]] == [one["pod"] for one in whereabouts["named"]]
    assert len(whereabouts["seen"]) == 1


def test_scaling_down_ends_the_pods_with_the_fewest_sessions_if_counts_are_published(cluster: Terminal) -> None:
    patch = '[{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--publish-session-counts"}]'
    cluster.kubectl("-n", "ingress-remora", "patch", "deployment", "remora-controller", "--type=json", "-p", patch)
    cluster.kubectl("-n", "ingress-remora", "rollout", "status", "deployment/remora-controller", "--timeout=60s")
    entry = json.loads(cluster.remora("status", "--profile", "test", "--output", "json").stdout)["entry"]
    wait_for(lambda: bool(visit(entry)), "the Ingress to answer")
    kept = wait_for(lambda: fullest(cluster, entry), "one pod with more sessions than the others, published on it")
    cluster.kubectl("scale", "deployment", "held", "--replicas=1")
    wait_for(lambda: list(published(cluster)) == [kept], "the emptiest pods to go")


def fullest(cluster: Terminal, entry: str) -> str:
    """The pod with the most sessions, once it is the only one and the pods say so; else there is one session more."""
    counts = told(cluster)
    most = max(counts, key=lambda pod: counts[pod])
    if list(counts.values()).count(counts[most]) > 1:
        visit(entry)
        return ""
    return most if published(cluster) == counts else ""


def published(cluster: Terminal) -> dict[str, int]:
    pods = json.loads(cluster.kubectl("get", "pods", "-l", "app=held", "-o", "json"))["items"]
    found = {pod["metadata"]["name"]: pod["metadata"].get("annotations", {}) for pod in pods}
    return {name: int(annotations.get("remora.io/sessions", "-1")) for name, annotations in found.items()}


def test_top_shows_routes_and_pods_of_the_controllers_of_a_cluster(cluster: Terminal) -> None:
    kubeconfig = ("--kubeconfig", str(cluster.home / "test" / "kubeconfig"))
    cluster.kubectl("apply", "-f", str(cluster.home / "held.yaml"))
    cluster.kubectl("rollout", "status", "deployment/held", "--timeout=60s")

    def held() -> dict[str, object] | None:
        done = cluster.remora("top", "--once", "--interval", "0.2", "--output", "json", *kubeconfig)
        report = json.loads(done.stdout) if done.returncode == 0 else {"pods": [], "routes": []}
        is_there = any(one["host"] == "held.localhost" and one["to"] == "held:80" for one in report["routes"])
        return report if is_there and any(one["pod"].startswith("held-") for one in report["pods"]) else None

    report = wait_for(held, "the route and its pods")
    assert report["proxy"] is not None
    problems = cluster.remora("problems", *kubeconfig, "--output", "json")
    assert json.loads(problems.stdout) == []
    assert problems.stderr == ""
