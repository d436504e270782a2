"""The walk-through of the README, typed as a new user would, with the machine's kubectl: one test, one story."""

import http.client
import json
import re
import subprocess
import sys
from collections import Counter
from urllib.parse import urlsplit

import pytest

from tests.cluster.terminal import ROOT, Terminal, wait_for

pytestmark = [pytest.mark.kubectl, pytest.mark.timeout(200)]

PROFILE = ("--profile", "test")
IMAGE = "mopckou/sticky-session:0.0.5"
HOST = "sticky.localhost"


def identities(url: str, count: int, *, keep_alive: bool, host: str = "") -> Counter[str]:
    """How often which process answered."""
    address = urlsplit(url)
    found: Counter[str] = Counter()
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=30)
    for _ in range(count):
        connection.request("GET", "/", headers={"Host": host} if host else {})
        response = connection.getresponse()
        body = response.read()
        found[json.loads(body)["uuid"] if response.status == 200 else str(response.status)] += 1
        if not keep_alive:
            connection.close()
    connection.close()
    return found


def pod_names(cluster: Terminal) -> list[str]:
    return cluster.kubectl("get", "pods", "-l", "app=sticky-d", "-o", "name").split()


def wait_replicas(cluster: Terminal, count: int) -> None:
    """Waits until so many pods answer at their own address, none of them on its way out."""

    def settled() -> bool:
        pods = json.loads(cluster.kubectl("get", "pods", "-l", "app=sticky-d", "-o", "json"))["items"]
        addresses = [pod["status"].get("podIP") for pod in pods]
        return len(pods) == count and all(address and answers(f"http://{address}:8080") for address in addresses)

    wait_for(settled, f"{count} answering pods")


def answers(url: str, host: str = "") -> bool:
    try:
        return list(identities(url, 1, keep_alive=False, host=host)) not in (["404"], ["503"])
    except (OSError, http.client.HTTPException):
        return False


def test_the_walk_through(cluster: Terminal) -> None:
    the_controller_is_a_pod(cluster)
    a_deployment_runs_and_scales(cluster)
    url = the_service_balances_connections(cluster)
    entry = the_ingress_balances_requests(cluster)
    the_sticky_ingress_keeps_a_client(cluster, entry)
    kubectl_tells_what_happened(cluster)
    deleting_takes_it_away(cluster, url)


def the_controller_is_a_pod(cluster: Terminal) -> None:
    lines = cluster.kubectl("get", "po", "-A").splitlines()
    assert re.search(r"^ingress-remora\s+remora-controller-\S+\s+1/1\s+Running", "\n".join(lines), re.MULTILINE), lines


def a_deployment_runs_and_scales(cluster: Terminal) -> None:
    command = ("uvicorn", "app:app", "--host", "$(POD_IP)", "--port", "8080")
    added = cluster.remora("image", "add", *PROFILE, IMAGE, "--workdir", "examples/sticky-session", "--", *command)
    assert added.returncode == 0, added.stderr
    assert "created" in cluster.kubectl("create", "deployment", "sticky-d", f"--image={IMAGE}")
    cluster.kubectl("rollout", "status", "deployment/sticky-d", "--timeout=60s")
    shown = cluster.kubectl("get", "deployment,pods", "-l", "app=sticky-d")
    assert re.search(r"^deployment\.apps/sticky-d\s+1/1", shown, re.MULTILINE), shown
    assert "scaled" in cluster.kubectl("scale", "deployment", "sticky-d", "--replicas=2")
    wait_replicas(cluster, 2)
    victim, kept = pod_names(cluster)
    cluster.kubectl("delete", victim)
    wait_replicas(cluster, 2)
    assert victim not in pod_names(cluster)
    assert kept in pod_names(cluster)


def the_service_balances_connections(cluster: Terminal) -> str:
    cluster.kubectl("expose", "deployment", "sticky-d", "--type=LoadBalancer", "--port=8080")
    wait_for(lambda: "<pending>" not in cluster.kubectl("get", "services", "sticky-d"), "address of the Service")
    url = cluster.remora("service", *PROFILE, "sticky-d").stdout.strip()
    assert re.fullmatch(r"http://127\.\d+\.\d+\.\d+:8080", url)
    wait_for(lambda: answers(url), "answer of the Service")
    assert len(identities(url, 40, keep_alive=False)) == 2
    assert len(identities(url, 40, keep_alive=True)) == 1
    return url


def the_ingress_balances_requests(cluster: Terminal) -> str:
    assert "created" in cluster.kubectl("apply", "-f", "examples/sticky-session/ingress.yml")

    def address() -> str:
        return cluster.kubectl("get", "ingresses", "sticky", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")

    host = wait_for(address, "address of the Ingress")
    status = json.loads(cluster.remora("status", *PROFILE, "--output", "json").stdout)
    entry: str = status["entry"]
    assert urlsplit(entry).hostname == host
    wait_for(lambda: answers(entry, HOST), "answer through the Ingress")
    assert len(identities(entry, 40, keep_alive=True, host=HOST)) == 2
    assert len(identities(entry, 40, keep_alive=False, host=HOST)) == 2
    return entry


def the_sticky_ingress_keeps_a_client(cluster: Terminal, entry: str) -> None:
    assert "configured" in cluster.kubectl("apply", "-f", "examples/sticky-session/ingress-sticky.yml")

    def cookie() -> str:
        connection = http.client.HTTPConnection(urlsplit(entry).hostname or "", urlsplit(entry).port or 80, timeout=30)
        connection.request("GET", "/", headers={"Host": HOST})
        found = connection.getresponse().headers.get("Set-Cookie", "")
        connection.close()
        return found

    assert re.match(r"sticky-session=\S+;.*Max-Age=60", wait_for(cookie, "cookie"))
    command = [sys.executable, "examples/sticky-session/client.py", f"{entry}/", HOST, "--count", "3"]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout.splitlines()
    assert len(lines) == 3
    assert len({line.partition("  cookie: ")[0] for line in lines}) == 1
    assert all("cookie: sticky-session=" in line for line in lines)


def kubectl_tells_what_happened(cluster: Terminal) -> None:
    assert "GET / HTTP/1.1" in cluster.kubectl("logs", "deployment/sticky-d")
    described = cluster.kubectl("describe", "ingress", "sticky")
    assert "sticky-d:8080" in described
    assert "nginx.ingress.kubernetes.io/affinity-mode: persistent" in described
    assert "ScalingReplicaSet" in cluster.kubectl("get", "events")
    assert "pathType" in cluster.kubectl("explain", "ingress.spec.rules.http.paths")


def deleting_takes_it_away(cluster: Terminal, url: str) -> None:
    cluster.kubectl("delete", "-f", "examples/sticky-session/ingress-sticky.yml")
    cluster.kubectl("delete", "service,deployment", "sticky-d")
    wait_for(lambda: not pod_names(cluster), "end of the pods")
    wait_for(lambda: not answers(url), "end of the Service")


def test_logs_can_be_followed(cluster: Terminal) -> None:
    cluster.kubectl("create", "deployment", "echo", "--image=remora/echo:1")
    cluster.kubectl("rollout", "status", "deployment/echo", "--timeout=60s")
    environment = {**cluster.environment, "KUBECONFIG": str(cluster.home / "test" / "kubeconfig")}
    command = ["kubectl", "logs", "-f", "deployment/echo"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout
        assert "listening" in follower.stdout.readline()
        follower.terminate()
    cluster.kubectl("delete", "deployment", "echo")


def test_an_unknown_image_says_which_command_would_help(cluster: Terminal) -> None:
    cluster.kubectl("create", "deployment", "stranger", "--image=nobody/knows:1")
    wait_for(
        lambda: "ErrImagePull" in cluster.kubectl("get", "pods") or "ImagePullBackOff" in cluster.kubectl("get", "pods"),
        "refusal",
    )
    assert "remora image add --profile test nobody/knows:1" in cluster.kubectl("describe", "pods", "-l", "app=stranger")
    cluster.kubectl("delete", "deployment", "stranger")
