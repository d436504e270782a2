"""kubernetes_asyncio: typed calls, watch, pages, faults, exec, logs and the dynamic client."""

import asyncio

import pytest
from kubernetes_asyncio import watch
from kubernetes_asyncio.client import ApiClient, ApiException, AppsV1Api, CoreV1Api
from kubernetes_asyncio.config import load_kube_config
from kubernetes_asyncio.dynamic import DynamicClient
from kubernetes_asyncio.stream import WsApiClient
from shapes import NAMESPACE, deployment, patience, pod


async def see_a_deployment_become_available(client: ApiClient) -> None:
    apps = AppsV1Api(client)
    made = await apps.create_namespaced_deployment(NAMESPACE, deployment("web"))
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    seen = []
    async with patience(), watch.Watch() as watching:
        async for event in watching.stream(apps.list_namespaced_deployment, NAMESPACE):
            seen.append(event["type"])
            if event["object"].status.available_replicas == 1:
                break
    assert set(seen) <= {"ADDED", "MODIFIED"}, seen
    scaled = await apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 0}})
    assert not scaled.spec.replicas  # 0 is left out, as in Kubernetes
    deleted = await apps.delete_namespaced_deployment("web", NAMESPACE, propagation_policy="Background")
    assert deleted.status == "Success", deleted


async def read_faults_and_pages(client: ApiClient) -> None:
    core = CoreV1Api(client)
    made = await core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "a"}, "data": {"a": "1"}})
    await core.patch_namespaced_config_map("a", NAMESPACE, {"data": {"a": "2"}})
    for expected, asking in (
        (404, core.read_namespaced_pod("none", NAMESPACE)),
        (409, core.replace_namespaced_config_map("a", NAMESPACE, made)),
        (422, core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "Not_A_Name"}})),
    ):
        with pytest.raises(ApiException) as refused:
            await asking
        assert refused.value.status == expected
    page = await core.list_namespaced_config_map(NAMESPACE, limit=1)
    rest = await core.list_namespaced_config_map(NAMESPACE, limit=5, _continue=page.metadata._continue)
    assert [item.metadata.name for item in (*page.items, *rest.items)] == ["a", "kube-root-ca.crt"]


async def enter_a_pod(client: ApiClient) -> None:
    core = CoreV1Api(client)
    await core.create_namespaced_pod(NAMESPACE, pod("p"))
    async with patience():
        while (await core.read_namespaced_pod("p", NAMESPACE)).status.phase != "Running":
            await asyncio.sleep(0.05)
        while "listening" not in await core.read_namespaced_pod_log("p", NAMESPACE):
            await asyncio.sleep(0.05)
    async with WsApiClient() as streaming:
        said = await CoreV1Api(streaming).connect_get_namespaced_pod_exec(
            "p", NAMESPACE, command=["sh", "-c", "echo $POD_NAME"], stdout=True, stderr=True, stdin=False, tty=False
        )
    assert said == "p\n", said


async def find_kinds_by_discovery(client: ApiClient) -> None:
    dynamic = await DynamicClient(client)
    maps = await dynamic.resources.get(api_version="v1", kind="ConfigMap")
    await dynamic.create(maps, {"metadata": {"name": "d"}, "data": {"a": "1"}}, namespace=NAMESPACE)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}, "data": {"b": "2"}}
    changed = await dynamic.server_side_apply(maps, body, namespace=NAMESPACE, field_manager="test")
    assert changed.data.to_dict() == {"a": "1", "b": "2"}, changed


async def main() -> None:
    await load_kube_config()
    async with ApiClient() as client:
        await read_faults_and_pages(client)
        await asyncio.gather(see_a_deployment_become_available(client), enter_a_pod(client), find_kinds_by_discovery(client))


asyncio.run(main())
