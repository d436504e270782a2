"""`remora.testing`, used as another project would."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from subprocess import run

import pytest
from kubernetes_asyncio.client import ApiClient, CoreV1Api

from remora.testing.kubectl import Kubectl, KubectlFailed
from remora.testing.local import LocalCluster, RequestFailed, eventually

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {"containers": [{"name": "c", "image": "sleeper"}]},
}


def phase(cluster: LocalCluster, namespace: str) -> str:
    pod = cluster.request("GET", f"/api/v1/namespaces/{namespace}/pods/one")
    return str(pod.get("status", {}).get("phase"))


def test_a_pod_runs_an_image_that_a_test_adds(remora_cluster: LocalCluster, remora_namespace: str) -> None:
    remora_cluster.add_image("sleeper", sys.executable, "-c", "import time; time.sleep(600)")
    remora_cluster.request("POST", f"/api/v1/namespaces/{remora_namespace}/pods", POD)
    assert eventually(lambda: phase(remora_cluster, remora_namespace) == "Running")


async def test_a_client_of_kubernetes_asyncio_reads_what_was_written(
    remora_client: Callable[[], AbstractAsyncContextManager[ApiClient]], remora_namespace: str
) -> None:
    async with remora_client() as client:
        core = CoreV1Api(client)
        await core.create_namespaced_config_map(remora_namespace, {"metadata": {"name": "made"}, "data": {"a": "b"}})
        assert (await core.read_namespaced_config_map("made", remora_namespace)).data == {"a": "b"}


@pytest.mark.kubectl
def test_kubectl_fails_a_test_with_what_it_said(kubectl: Kubectl, remora_namespace: str) -> None:
    kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "made", "namespace": remora_namespace}})
    assert kubectl.json("get", "configmap", "made", "-n", remora_namespace)["kind"] == "ConfigMap"
    with pytest.raises(KubectlFailed, match='configmaps "missing" not found'):
        kubectl("get", "configmap", "missing", "-n", remora_namespace)


def test_fresh_clusters_know_nothing_of_each_other_and_leave_nothing(
    fresh_cluster: Callable[..., LocalCluster], remora_cluster: LocalCluster
) -> None:
    one, other = fresh_cluster(), fresh_cluster(node=False)
    one.request("POST", "/api/v1/namespaces", {"metadata": {"name": "only-here"}})
    for cluster in (other, remora_cluster):
        with pytest.raises(RequestFailed, match='"only-here" not found'):
            cluster.request("GET", "/api/v1/namespaces/only-here")


def test_without_a_node_pods_wait(fresh_cluster: Callable[..., LocalCluster]) -> None:
    cluster = fresh_cluster(node=False)
    cluster.request("POST", "/api/v1/namespaces/default/pods", POD)
    assert cluster.request("GET", "/api/v1/nodes")["items"] == []
    assert phase(cluster, "default") == "Pending"


def test_the_plugin_costs_nothing_where_it_is_not_used() -> None:
    code = "import sys, remora.testing.plugin; print(*sys.modules)"
    loaded = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith(("remora.cluster", "aiohttp", "kubernetes_asyncio", "msgspec"))] == []
