"""What a cluster has from its start, and how an older one is brought up to date."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

from remora.cluster.addresses import Network
from remora.cluster.api.registry import Registry
from remora.cluster.bootstrap import adjusted, controller_obstacle, keep_kubernetes_service, kubernetes_service, upgraded
from remora.cluster.entry import Entry
from remora.cluster.store import Store

ENTRY = Entry("127.0.0.1", 8080, 8443)


def service(*ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    meta = {"name": "remora-controller", "namespace": "ingress-remora"}
    return {"kind": "Service", "metadata": meta, "spec": {"ports": list(ports), **spec}}


def pod(*conditions: tuple[str, str], waiting: dict[str, str] | None = None) -> dict[str, Any]:
    containers = [{"state": {"waiting": waiting}}] if waiting else []
    listed = [{"type": type_, "status": status} for type_, status in conditions]
    return {"metadata": {"name": "c-1"}, "status": {"phase": "Running", "conditions": listed, "containerStatuses": containers}}


def test_the_controllers_service_answers_at_the_entry() -> None:
    packaged = service({"name": "http", "port": 80}, {"name": "https", "port": 443}, {"name": "metrics", "port": 10254})
    spec = adjusted(packaged, ENTRY, may_bind_low_ports=True)["spec"]
    assert spec["loadBalancerIP"] == "127.0.0.1"
    assert [port["port"] for port in spec["ports"]] == [8080, 8443, 10254]


def test_sessions_are_tracked_in_a_local_cluster_and_what_else_the_configmap_says_stays() -> None:
    packaged = {"kind": "ConfigMap", "metadata": {"name": "remora-controller"}, "data": {"other": "1"}}
    assert adjusted(packaged, ENTRY, may_bind_low_ports=True)["data"] == {"other": "1", "session-tracking": "true"}


def test_nothing_else_of_the_manifest_is_changed() -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "remora-controller"}}
    assert adjusted(account, ENTRY, may_bind_low_ports=True) is account


def test_an_ingress_without_a_class_is_of_the_class_nginx_in_a_local_cluster() -> None:
    classes = [{"kind": "IngressClass", "metadata": {"name": name, "annotations": {"a": "b"}}} for name in ("nginx", "remora")]
    nginx, remora = (adjusted(found, ENTRY, may_bind_low_ports=True) for found in classes)
    assert nginx["metadata"]["annotations"] == {"a": "b", "ingressclass.kubernetes.io/is-default-class": "true"}
    assert remora is classes[1]


def test_requests_are_measured_in_a_local_cluster_and_ingresses_without_a_class_served() -> None:
    spec = {"template": {"spec": {"containers": [{"args": ["--x"]}]}}}
    deployment = {"kind": "Deployment", "metadata": {"name": "remora-controller"}, "spec": spec}
    found = adjusted(deployment, ENTRY, may_bind_low_ports=True)["spec"]["template"]["spec"]["containers"]
    assert found == [{"args": ["--x", "--enable-metrics", "--watch-ingress-without-class"]}]


def test_an_ordinary_users_controller_listens_on_high_ports() -> None:
    container = {"args": ["--x"], "ports": [{"name": "http", "containerPort": 80}, {"name": "metrics", "containerPort": 10254}]}
    spec = {"template": {"spec": {"containers": [container]}}}
    deployment = {"kind": "Deployment", "metadata": {"name": "remora-controller"}, "spec": spec}
    found = adjusted(deployment, ENTRY, may_bind_low_ports=False)["spec"]["template"]["spec"]["containers"][0]
    local = ["--enable-metrics", "--watch-ingress-without-class"]
    assert found["args"] == ["--x", *local, "--http-port=8080", "--https-port=8443"]
    assert [port["containerPort"] for port in found["ports"]] == [8080, 10254]


def test_the_kubernetes_service_leads_to_the_api_server() -> None:
    found, slice_, endpoints = kubernetes_service(Network(3), 6443)
    assert found["spec"]["clusterIP"] == "127.67.128.1"
    assert slice_["endpoints"][0]["addresses"] == ["127.0.0.1"]
    assert slice_["ports"][0]["port"] == 6443
    port = {"name": "https", "port": 6443, "protocol": "TCP"}
    assert endpoints["subsets"] == [{"addresses": [{"ip": "127.0.0.1"}], "ports": [port]}]


async def test_the_kubernetes_service_comes_back_when_it_is_deleted(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "store.sqlite")) as store:
        registry = Registry(store=store)
        await registry.create("namespaces", {"metadata": {"name": "default"}})
        keeper = asyncio.create_task(keep_kubernetes_service(registry, network=Network(3), api_port=6443))
        async with asyncio.timeout(30):
            for resource in ("services", "endpointslices.discovery.k8s.io", "endpoints"):
                first = await _appears(registry, resource, besides="")
                await registry.delete(resource, "default", "kubernetes")
                await _appears(registry, resource, besides=first)
        keeper.cancel()
        await asyncio.wait([keeper])


async def _appears(registry: Registry, resource: str, *, besides: str) -> str:
    """The uid of the object `kubernetes`, once it is there and is another than `besides`."""
    while True:
        found = registry.find(resource, "default", "kubernetes")
        if found is not None and found["metadata"]["uid"] != besides:
            return str(found["metadata"]["uid"])
        await asyncio.sleep(0.01)


def test_an_upgrade_keeps_what_the_cluster_gave() -> None:
    meta = {"name": "remora-controller", "uid": "u", "annotations": {"mine": "1"}}
    existing = service({"name": "http", "port": 80, "nodePort": 30001}, clusterIP="127.64.128.5") | {"metadata": meta}
    packaged = service({"name": "http", "port": 8080}) | {"metadata": {"name": "remora-controller", "annotations": {"x": "2"}}}
    found = upgraded(existing, packaged)
    assert found["metadata"] == {"name": "remora-controller", "uid": "u", "annotations": {"mine": "1", "x": "2"}}
    assert found["spec"] == {"clusterIP": "127.64.128.5", "ports": [{"name": "http", "port": 8080, "nodePort": 30001}]}


def test_a_ready_controller_is_no_obstacle() -> None:
    assert controller_obstacle([pod(("Ready", "True"))]) == ""


def test_why_the_controller_is_not_ready_is_told() -> None:
    assert controller_obstacle([]) == "its pod does not exist yet"
    assert controller_obstacle([pod(("Ready", "False"))]) == "pod c-1 is Running and not ready"
    crashed = pod(waiting={"reason": "CrashLoopBackOff", "message": "back-off 10s"})
    assert controller_obstacle([crashed]) == "pod c-1 waits: CrashLoopBackOff back-off 10s"
