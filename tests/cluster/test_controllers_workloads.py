"""Deployments, Services, namespaces and garbage collection with real pods behind them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remora.cluster.api.errors import ApiError
from remora.cluster.bootstrap import storage_class
from remora.cluster.objects import Object, condition, is_ready, is_terminating, uid_of, with_metadata
from tests.cluster.small_cluster import SmallCluster, deployment, pod, small_cluster, until

SLICES = "endpointslices.discovery.k8s.io"


async def _change(cluster: SmallCluster, name: str, **spec: Any) -> None:
    found = cluster.registry.find("deployments.apps", "default", name)
    assert found is not None
    await cluster.registry.update("deployments.apps", {**found, "spec": {**found["spec"], **spec}})


def _template(cluster: SmallCluster, name: str, version: str) -> Object:
    found = cluster.registry.find("deployments.apps", "default", name)
    assert found is not None
    return with_metadata(found["spec"]["template"], annotations={"version": version})


def _is_complete(cluster: SmallCluster, name: str, replicas: int) -> bool:
    found = cluster.registry.find("deployments.apps", "default", name)
    assert found is not None
    status = found.get("status") or {}
    return (
        status.get("observedGeneration") == found["metadata"]["generation"]
        and all(status.get(part) == replicas for part in ("replicas", "updatedReplicas", "availableReplicas"))
        and condition(found, "Progressing")["reason"] == "NewReplicaSetAvailable"  # type: ignore[index]
    )


def _service(name: str, app: str, **spec: Any) -> Object:
    ports = [{"port": 80, "targetPort": "http"}]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": {"app": app}, "ports": ports, **spec}}


def _endpoints(cluster: SmallCluster, service: str) -> dict[str, Object]:
    """Endpoints by the uid of their pod."""
    found = [
        s for s in cluster.registry.list(SLICES)[0] if s["metadata"]["labels"].get("kubernetes.io/service-name") == service
    ]
    return {endpoint["targetRef"]["uid"]: endpoint for slice_ in found for endpoint in slice_["endpoints"] or ()}


async def test_deployment_runs_scales_and_replaces_a_deleted_pod(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("deployments.apps", deployment("web", replicas=2))
        await until(lambda: _is_complete(cluster, "web", 2))
        first = cluster.pods()[0]
        assert first["metadata"]["name"].startswith("web-")
        await cluster.registry.delete("pods", "default", first["metadata"]["name"])
        # The replacement is there while the old one still stops.
        await until(lambda: len([pod for pod in cluster.pods() if not is_terminating(pod)]) == 2)
        await until(lambda: uid_of(first) not in map(uid_of, cluster.pods()))
        await _change(cluster, "web", replicas=1)
        await until(lambda: len(cluster.pods()) == 1 and _is_complete(cluster, "web", 1))
        await until(lambda: "ScalingReplicaSet" in {event["reason"] for event in cluster.events_of("web")})


async def test_rolling_update_keeps_its_promise_and_can_be_undone(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
        await cluster.registry.create("deployments.apps", deployment("web", replicas=2, strategy=rolling))
        await until(lambda: _is_complete(cluster, "web", 2))
        old_template = _template(cluster, "web", "1")
        watcher = asyncio.create_task(_watch_promise(cluster))
        for version, revision in (("1", "2"), ("2", "3")):
            await _change(cluster, "web", template=_template(cluster, "web", version))
            await until(lambda: _is_complete(cluster, "web", 2))
            found = cluster.registry.find("deployments.apps", "default", "web")
            assert found is not None
            assert found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == revision
        await _change(cluster, "web", template=old_template)
        await until(lambda: _is_complete(cluster, "web", 2))
        watcher.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watcher
        replicasets = cluster.registry.list("replicasets.apps")[0]
        assert len(replicasets) == 3
        current = next(rs for rs in replicasets if rs["spec"]["replicas"])
        assert current["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"
        assert current["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "2"


async def _watch_promise(cluster: SmallCluster) -> None:
    async for _ in cluster.registry.watch("pods"):
        living = [pod for pod in cluster.pods() if not is_terminating(pod)]
        assert sum(map(is_ready, living)) >= 2
        assert len(living) <= 3


async def test_recreate_ends_all_old_pods_first(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("deployments.apps", deployment("web", replicas=2, strategy={"type": "Recreate"}))
        await until(lambda: _is_complete(cluster, "web", 2))
        old = set(map(uid_of, cluster.pods()))
        await _change(cluster, "web", template=_template(cluster, "web", "1"))
        await until(lambda: old - set(map(uid_of, cluster.pods())))
        await until(lambda: _is_complete(cluster, "web", 2))
        assert not old & set(map(uid_of, cluster.pods()))


def _addresses(cluster: SmallCluster, service: str) -> list[str]:
    """Those of the Endpoints of before EndpointSlices."""
    found = cluster.registry.find("endpoints", "default", service) or {}
    return [one["ip"] for subset in found.get("subsets", ()) for one in subset.get("addresses", ())]


async def test_service_gets_addresses_and_endpoints_follow_pods(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("deployments.apps", deployment("web", replicas=2))
        service = await cluster.registry.create("services", _service("web", "web", type="LoadBalancer"))
        assert service["spec"]["clusterIP"]
        assert service["spec"]["ports"][0]["nodePort"] in range(30000, 32768)
        assert service["status"]["loadBalancer"]["ingress"][0]["ip"]
        await until(lambda: [e["conditions"]["ready"] for e in _endpoints(cluster, "web").values()] == [True, True])
        slice_ = next(s for s in cluster.registry.list(SLICES)[0])
        assert slice_["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
        await until(lambda: len(_addresses(cluster, "web")) == 2)  # written after the slice
        victim = cluster.pods()[0]
        await cluster.registry.delete("pods", "default", victim["metadata"]["name"])
        await until(lambda: uid_of(victim) not in _endpoints(cluster, "web"))
        await until(lambda: len(_endpoints(cluster, "web")) == 2)
        await cluster.registry.delete("services", "default", "web")
        await until(lambda: not cluster.registry.list(SLICES)[0] and not cluster.registry.list("endpoints")[0])


async def test_pod_that_drains_is_serving_and_terminating(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        slow = pod("slow", labels={"app": "web"}, lifecycle={"preStop": {"exec": {"command": ["sleep", "2"]}}})
        slow["spec"]["terminationGracePeriodSeconds"] = 3
        await cluster.registry.create("services", _service("web", "web", ports=[{"port": 80, "targetPort": 8080}]))
        await cluster.registry.create("pods", slow)
        await until(lambda: [e["conditions"]["ready"] for e in _endpoints(cluster, "web").values()] == [True])
        await cluster.registry.delete("pods", "default", "slow")
        draining = {"ready": False, "serving": True, "terminating": True}
        await until(lambda: [e["conditions"] for e in _endpoints(cluster, "web").values()] == [draining])
        await until(lambda: not _endpoints(cluster, "web"))


async def test_contested_node_port_is_refused(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        ports = [{"port": 80, "nodePort": 30080}]
        await cluster.registry.create("services", _service("one", "web", type="NodePort", ports=ports))
        with pytest.raises(ApiError) as refused:
            await cluster.registry.create("services", _service("two", "web", type="NodePort", ports=ports))
        assert refused.value.message == (
            'Service "two" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated'
        )
        await cluster.registry.delete("services", "default", "one")
        await cluster.registry.create("services", _service("two", "web", type="NodePort", ports=ports))


async def test_deleted_deployment_takes_its_replicaset_and_pods_along(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("deployments.apps", deployment("web", replicas=2))
        await until(lambda: _is_complete(cluster, "web", 2))
        await cluster.registry.delete("deployments.apps", "default", "web")
        await until(lambda: not cluster.registry.list("replicasets.apps")[0] and not cluster.pods())


async def test_foreground_deletion_keeps_the_owner_to_the_last(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("deployments.apps", deployment("web"))
        await until(lambda: _is_complete(cluster, "web", 1))
        await cluster.registry.delete("deployments.apps", "default", "web", propagation="Foreground")
        assert cluster.registry.find("deployments.apps", "default", "web") is not None
        await until(lambda: not cluster.registry.list("deployments.apps")[0])
        assert not cluster.registry.list("replicasets.apps")[0]
        await until(lambda: not cluster.pods())


async def test_orphans_stay_and_are_adopted_by_an_equal_deployment(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("deployments.apps", deployment("web"))
        await until(lambda: _is_complete(cluster, "web", 1))
        before = set(map(uid_of, cluster.pods()))
        await cluster.registry.delete("deployments.apps", "default", "web", propagation="Orphan")
        await until(lambda: not cluster.registry.list("deployments.apps")[0])
        assert not cluster.registry.list("replicasets.apps")[0][0]["metadata"].get("ownerReferences")
        await cluster.registry.create("deployments.apps", deployment("web"))
        await until(lambda: _is_complete(cluster, "web", 1))
        assert set(map(uid_of, cluster.pods())) == before


async def test_namespace_is_filled_and_ends_with_everything_in_it(tmp_path: Path) -> None:
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("namespaces", {"metadata": {"name": "team"}})
        await until(lambda: cluster.registry.find("serviceaccounts", "team", "default"))
        await until(lambda: cluster.registry.find("configmaps", "team", "kube-root-ca.crt"))
        obj = deployment("web")
        await cluster.registry.create("deployments.apps", with_metadata(obj, namespace="team"))
        await until(lambda: [pod for pod in cluster.pods("team") if is_ready(pod)])
        await cluster.registry.delete("namespaces", "", "team")
        await until(lambda: cluster.registry.find("namespaces", "", "team") is None)
        assert not cluster.pods("team")


async def test_claim_of_a_statefulset_outlives_its_pod_and_keeps_what_it_wrote(tmp_path: Path) -> None:
    write = "import os, time; open(os.environ['REMORA_VOLUME_DATA'] + '/log', 'a').write('x'); time.sleep(600)"
    container = {
        "name": "main",
        "image": "python",
        "args": ["-c", write],
        "volumeMounts": [{"name": "data", "mountPath": "/d"}],
    }
    size = {"resources": {"requests": {"storage": "1Mi"}}}
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], **size}}
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"selector": {"matchLabels": {"app": "db"}}, "template": template, "volumeClaimTemplates": [claim]}
    async with small_cluster(tmp_path) as cluster:
        await cluster.registry.create("storageclasses.storage.k8s.io", storage_class())
        await cluster.registry.create("statefulsets.apps", {"metadata": {"name": "db", "namespace": "default"}, "spec": spec})
        (file,) = await until(lambda: list((tmp_path / "volumes").glob("*/log")))
        await until(lambda: file.read_text() == "x")
        first = uid_of(cluster.pod("db-0"))
        await cluster.registry.delete("pods", "default", "db-0")
        await until(lambda: [uid_of(found) for found in cluster.pods()] not in ([], [first]))
        await until(lambda: file.read_text() == "xx")
        await cluster.registry.delete("statefulsets.apps", "default", "db")
        await cluster.registry.delete("persistentvolumeclaims", "default", "data-db-0")
        await until(lambda: not cluster.registry.list("persistentvolumes")[0] and not file.exists())
