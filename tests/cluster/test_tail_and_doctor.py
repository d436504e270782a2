"""`remora tail` and `remora doctor` beside a cluster with pods that run, and an API server that checks rights."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest
import typer
import yaml

from remora.cli.doctoring.examine import Patient, examine_cluster
from remora.cli.main import app
from remora.cluster.kubelet.images import Image
from remora.testing.local import LocalCluster, RequestFailed, eventually, local_cluster
from tests.cluster.terminal import REMORA, ROOT
from tests.support.certificates import self_signed

TALKS = (
    "import itertools, os, time\nfor n in itertools.count():\n  print(os.environ['POD_NAME'], n, flush=True); time.sleep(0.05)"
)
MANIFEST = ROOT / "deploy" / "remora.yaml"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(
        images=[Image(name="talks:1", command=(sys.executable, "-c", TALKS))], authorization_mode="RBAC"
    ) as cluster:
        yield cluster


def deploy(cluster: LocalCluster, name: str, image: str, replicas: int) -> None:
    template: dict[str, Any] = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    cluster.request("POST", "/apis/apps/v1/namespaces/default/deployments", {"metadata": {"name": name}, "spec": spec})


def scale(cluster: LocalCluster, name: str, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/default/deployments/{name}"
    cluster.request("PATCH", path, {"spec": {"replicas": replicas}}, content_type="application/merge-patch+json")


class Tail:
    """A `remora tail` that runs; what it prints and says is collected."""

    def __init__(self, cluster: LocalCluster, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [REMORA, "tail", *arguments], env=environment(cluster), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self.said: list[str] = []
        self._readers = [
            threading.Thread(target=collect, args=(stream, into), daemon=True)
            for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.said))
        ]
        for reader in self._readers:
            reader.start()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(30)
        return code


def collect(stream: IO[str], into: list[str]) -> None:
    with stream:
        for line in stream:
            into.append(line.rstrip("\n"))


@contextlib.contextmanager
def tailing(cluster: LocalCluster, *arguments: str) -> Iterator[Tail]:
    tail = Tail(cluster, *arguments)
    try:
        yield tail
    finally:
        tail.process.kill()
        tail.process.wait()


def environment(cluster: LocalCluster) -> dict[str, str]:
    home = str(cluster.directory)
    return {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": home, "REMORA_HOME": f"{home}/none"}


def test_pods_join_go_and_restart_and_no_number_is_left_out(cluster: LocalCluster) -> None:
    deploy(cluster, "chat", "talks:1", replicas=2)
    with tailing(cluster, "-l", "app=chat", "--tail", "-1") as tail:
        eventually(lambda: len({line.split()[0] for line in tail.lines}) == 2, what="lines of two pods")
        scale(cluster, "chat", 3)
        eventually(lambda: any(line.endswith("joins") for line in tail.said), what="a third pod")
        scale(cluster, "chat", 1)
        eventually(lambda: sum(line.endswith("is gone") for line in tail.said) == 2, what="two pods that go")
        assert tail.end() == 130
    for pod in {line.split()[0] for line in tail.lines}:
        numbers = [int(line.split()[2]) for line in tail.lines if line.startswith(f"{pod} ")]
        assert numbers == list(range(len(numbers))), pod
    assert "\033" not in "".join(tail.lines + tail.said)
    assert "Traceback" not in "".join(tail.said)


def test_it_ends_by_itself_without_following_and_with_a_word_when_nothing_is_meant(
    cluster: LocalCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    def said(pattern: str) -> str:
        words = ["tail", pattern, "--no-follow", "--tail", "1", "-o", "json", "--kubeconfig", str(cluster.kubeconfig)]
        with contextlib.suppress(typer.Exit):
            app(words, standalone_mode=False)
        return capfd.readouterr().out

    eventually(lambda: json.loads(said("chat") or "0"), what="a line")
    with pytest.raises(SystemExit) as ending:
        app(["tail", "nobody", "--no-follow", "--kubeconfig", str(cluster.kubeconfig)])
    nothing = capfd.readouterr()
    assert (ending.value.code, nothing.out) == (1, "")
    assert "no log was read" in nothing.err


def findings(kubeconfig: Path) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for one in asyncio.run(examine_cluster(Patient(kubeconfig=str(kubeconfig), timeout=60)))[0]:
        assert not one.what.startswith("not looked at"), one
        found.setdefault(one.check, []).append((one.level.value, one.what))
    return found


def create(cluster: LocalCluster, *objects: dict[str, Any]) -> None:
    plurals = {
        "Ingress": "ingresses",
        "IngressClass": "ingressclasses",
        "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    }
    for obj in objects:
        version, namespace = obj["apiVersion"], obj["metadata"].get("namespace")
        root = "/apis" if "/" in version else "/api"
        place = f"/namespaces/{namespace}" if namespace else ""
        plural = plurals.get(obj["kind"], f"{obj['kind'].lower()}s")
        cluster.request("POST", f"{root}/{version}{place}/{plural}", obj)


def test_the_doctor_finds_what_is_left_of_ingress_nginx_and_what_the_account_may_not_do(cluster: LocalCluster) -> None:
    documents: list[dict[str, Any]] = [obj for obj in yaml.safe_load_all(MANIFEST.read_text()) if obj]
    roles = [obj for obj in documents if obj["kind"] == "ClusterRole"]
    roles[0]["rules"] = [rule for rule in roles[0]["rules"] if "services" not in rule["resources"]]
    create(cluster, *(obj for obj in documents if obj["kind"] not in ("Deployment", "Service", "PodDisruptionBudget")))
    labels = {"app.kubernetes.io/name": "remora", "app.kubernetes.io/component": "controller"}
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "remora-controller-0", "namespace": "ingress-remora", "labels": labels},
        "spec": {"serviceAccountName": "remora-controller", "containers": [{"name": "c", "image": "not-there:1"}]},
    }
    hook: dict[str, Any] = {
        "name": "validate.nginx.ingress.kubernetes.io",
        "clientConfig": {"service": {"namespace": "ingress-nginx", "name": "ingress-nginx-controller-admission"}},
        "rules": [
            {"apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["ingresses"]}
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    backend = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "gone", "port": {"number": 80}}}}
    ingress: dict[str, Any] = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "a.example", "http": {"paths": [backend]}}]},
    }
    create(
        cluster,
        pod,
        ingress,
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "ingress-nginx-admission"},
            "webhooks": [hook],
        },
    )
    found = findings(cluster.kubeconfig)
    assert found["controller"] == [("problem", "ingress-remora/remora-controller: 0 of 1 pods run")]
    assert found["webhooks"] == [
        (
            "problem",
            "ValidatingWebhookConfiguration ingress-nginx-admission: "
            "Service ingress-nginx/ingress-nginx-controller-admission is gone",
        )
    ]
    ((level, denied),) = [one for one in found["rights"] if one[0] == "problem"]
    assert all(word in denied for word in ("list services", "watch secrets", "list configmaps")), (level, denied)
    assert "ingresses" not in denied
    assert found["references"] == [("problem", "Service default/gone is missing")]
    assert found["classes"] == [
        ("problem", "nginx is served by nobody (1 Ingress)"),
        ("warning", "remora is served by nobody (0 Ingresses)"),
    ]
    assert found["cluster"][0][0] == "ok"


def test_the_doctor_reads_who_leads_and_when_certificates_end(cluster: LocalCluster) -> None:
    webhook = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/ingress-nginx-admission"
    with contextlib.suppress(RequestFailed):  # what the test before left keeps Ingresses from being stored
        cluster.request("DELETE", webhook)
    labels = {"app.kubernetes.io/name": "remora", "app.kubernetes.io/instance": "second"}
    # With standard input it is ready as soon as it runs.
    container = {"name": "c", "image": "talks:1", "args": ["--election-id=second"], "stdin": True}
    pem = self_signed("old.example").decode()  # it ends tomorrow
    backend = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "gone", "port": {"number": 80}}}}
    create(
        cluster,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "second-0", "namespace": "default", "labels": labels},
            "spec": {"containers": [container]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "old", "namespace": "default"},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": pem, "tls.key": pem},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "old", "namespace": "default"},
            "spec": {
                "ingressClassName": "remora",
                "tls": [{"hosts": ["old.example"], "secretName": "old"}],
                "rules": [{"host": "old.example", "http": {"paths": [backend]}}],
            },
        },
    )

    def is_ready() -> bool:
        status = cluster.request("GET", "/api/v1/namespaces/default/pods/second-0")["status"]
        return any(one["ready"] for one in status.get("containerStatuses") or ())

    eventually(is_ready, what="the pod to run")
    found = findings(cluster.kubeconfig)
    assert ("problem", "there is no Lease default/second") in found["leader"]
    assert found["certificates"] == [("warning", "default/old ends in 0 days")]
    lease = {
        "holderIdentity": "second-0",
        "leaseDurationSeconds": 3600,
        "renewTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    cluster.request(
        "POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", {"metadata": {"name": "second"}, "spec": lease}
    )
    assert ("ok", "second-0 leads (Lease default/second)") in findings(cluster.kubeconfig)["leader"]


def test_the_doctor_says_so_where_there_is_no_cluster(tmp_path: Path) -> None:
    assert findings(tmp_path / "none")["cluster"] == [("problem", "the cluster cannot be reached")]
