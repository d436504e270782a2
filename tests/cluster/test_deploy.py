"""The manifests for real clusters, applied by kubectl and run in a cluster that grants what they say and no more."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from remora.testing.local import LocalCluster, eventually, local_cluster
from tests.cluster.clients.asked import only_if_asked
from tests.cluster.test_walkthrough import identities
from tests.support import helm

pytestmark = [pytest.mark.kubectl, pytest.mark.timeout(120)]

DEPLOY = Path(__file__).parents[2] / "deploy"
NAMESPACE = "ingress-remora"
PATIENCE = 60.0
HOST = "web.test"
COMPONENT = "app.kubernetes.io/component=controller"
APPLICATION = f"""
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: NAMESPACE, labels: {{app: web}}}}
spec: {{containers: [{{name: web, image: "remora/sticky-session:1"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: NAMESPACE}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: NAMESPACE
  annotations: {{nginx.ingress.kubernetes.io/affinity: cookie}}
spec:
  ingressClassName: nginx
  rules:
    - host: {HOST}
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster(authorization_mode="RBAC") as made:
        yield made


def _may_listen_below_1024() -> bool:
    try:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 1023))
    except PermissionError:
        return False
    except OSError:
        return True
    return True


low_ports = pytest.mark.skipif(not _may_listen_below_1024(), reason="the manifests listen at 80, which this user may not")


def controller_pods(cluster: LocalCluster, namespace: str = NAMESPACE) -> list[Any]:
    found = cluster.kubectl.json("get", "pods", "-n", namespace, "-l", COMPONENT)["items"]
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def serves(pod: Any) -> bool:
    """Whether a request for the Ingress's host is answered by the application, through this controller."""
    try:
        return list(identities(f"http://{pod['status']['podIP']}", 1, keep_alive=False, host=HOST)) not in (["404"], ["503"])
    except (OSError, KeyError, json.JSONDecodeError):
        return False


def check_that_it_serves(cluster: LocalCluster, workload: str, namespace: str = NAMESPACE) -> None:
    cluster.kubectl("rollout", "status", "-n", namespace, workload, f"--timeout={PATIENCE:.0f}s", timeout=PATIENCE + 10)
    pods = controller_pods(cluster, namespace)
    assert pods
    for pod in pods:
        eventually(lambda pod=pod: serves(pod), within=PATIENCE, what=f"answer through {pod['metadata']['name']}")  # type: ignore[misc]


def address_of_ingress(cluster: LocalCluster, namespace: str) -> Any:
    return cluster.kubectl("get", "ingress", "web", "-n", namespace, "-o", "jsonpath={.status.loadBalancer.ingress[*].ip}")


def refusals(cluster: LocalCluster, namespace: str = NAMESPACE) -> list[str]:
    """What the controllers say that they may not do."""
    logs = (cluster.kubectl("logs", "-n", namespace, pod["metadata"]["name"]) for pod in controller_pods(cluster, namespace))
    return [line for log in logs for line in log.splitlines() if "forbidden" in line.lower()]


def write_kustomization(place: Path, folder: str, *components: str) -> None:
    parts = {
        "resources": [os.path.relpath(DEPLOY / folder, place.resolve())],
        "components": [os.path.relpath(DEPLOY / "components" / name, place.resolve()) for name in components],
    }
    (place / "kustomization.yaml").write_text(yaml.safe_dump(parts))


def apply_overlay(cluster: LocalCluster, overlay: str) -> None:
    cluster.kubectl("apply", "-k", str(DEPLOY / "overlays" / overlay))


def check_and_remove(cluster: LocalCluster, kind: str, *, replicas: int) -> None:
    check_that_it_serves(cluster, f"{kind}/remora-controller")
    assert len(controller_pods(cluster)) == replicas
    assert refusals(cluster) == []
    # The next one has the same name; what the pods would wait for is not what is looked at here.
    cluster.kubectl("delete", "deployment,daemonset,replicaset", "-n", NAMESPACE, "--all", "--cascade=orphan")
    cluster.kubectl("delete", "pods", "-n", NAMESPACE, "-l", COMPONENT, "--grace-period=0", "--force")


@pytest.fixture(scope="module")
def application(cluster: LocalCluster) -> None:
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("apply", "-f", "-", given=APPLICATION.replace("NAMESPACE", NAMESPACE))


@low_ports
@pytest.mark.usefixtures("application")
def test_a_daemonset_serves(cluster: LocalCluster) -> None:
    apply_overlay(cluster, "daemonset")
    check_and_remove(cluster, "daemonset", replicas=1)


@low_ports
@pytest.mark.usefixtures("application")
def test_haproxy_in_a_container_of_its_own_serves(cluster: LocalCluster, tmp_path: Path) -> None:
    write_kustomization(tmp_path, "overlays/daemonset", "separate-proxy")
    cluster.kubectl("apply", "-k", str(tmp_path))
    check_that_it_serves(cluster, "daemonset/remora-controller")
    (pod,) = controller_pods(cluster)
    assert [one["name"] for one in pod["status"]["initContainerStatuses"] if one["ready"]] == ["proxy"]
    check_and_remove(cluster, "daemonset", replicas=1)


@only_if_asked()
@low_ports
@pytest.mark.usefixtures("application")
@pytest.mark.parametrize(("overlay", "replicas"), [("cloud", 1), ("bare-metal", 2)])
def test_a_deployment_serves(cluster: LocalCluster, overlay: str, replicas: int) -> None:
    apply_overlay(cluster, overlay)
    check_and_remove(cluster, "deployment", replicas=replicas)


@low_ports
@pytest.mark.usefixtures("application")
def test_what_helm_makes_of_the_chart_serves(cluster: LocalCluster) -> None:
    objects = helm.objects_of("scaling")
    for obj in objects:
        if obj["kind"] == "Deployment":
            obj["spec"]["replicas"] = 1
    cluster.kubectl("delete", "ingressclass", "nginx", "--ignore-not-found")
    cluster.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(objects))
    check_and_remove(cluster, "deployment", replicas=1)


@pytest.mark.parametrize("folder", [f"overlays/{name}" for name in ("bare-metal", "cloud", "daemonset", "namespaced")])
@pytest.mark.usefixtures("application")
def test_the_api_server_takes_every_object(cluster: LocalCluster, folder: str, tmp_path: Path) -> None:
    """With the webhook, which nobody would answer."""
    write_kustomization(tmp_path, folder, "webhook", "separate-proxy")
    said = cluster.kubectl("apply", "-k", str(tmp_path), "--dry-run=server", "--validate=strict")
    assert "validatingwebhookconfiguration" in said
    (workload,) = (
        obj
        for obj in yaml.safe_load_all(cluster.kubectl("kustomize", str(tmp_path)))
        if obj["kind"] in ("Deployment", "DaemonSet")
    )
    assert "--validating-webhook=:8443" in workload["spec"]["template"]["spec"]["containers"][0]["args"]


@low_ports
def test_a_namespaced_installation_serves_its_own_namespace_with_rights_in_no_other(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    overlay = os.path.relpath(DEPLOY / "overlays" / "namespaced", tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": [overlay], "namespace": "shop"}))
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", "remora-controller", "--ignore-not-found")
    cluster.kubectl("apply", "-k", str(tmp_path))
    cluster.kubectl("apply", "-f", "-", given=APPLICATION.replace("NAMESPACE", "shop"))
    check_that_it_serves(cluster, "deployment/remora-controller", "shop")
    assert eventually(lambda: address_of_ingress(cluster, "shop"), within=PATIENCE)
    assert refusals(cluster, "shop") == []
    account = "--as=system:serviceaccount:shop:remora-controller"
    assert cluster.kubectl.tried("auth", "can-i", "list", "secrets", "-n", "shop", account).stdout.strip() == "yes"
    assert cluster.kubectl.tried("auth", "can-i", "list", "secrets", "-n", "default", account).stdout.strip() == "no"
