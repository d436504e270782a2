"""lightkube: apply, patches, lists, waiting and logs, by the plain and the asynchronous client."""

import asyncio

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, ContainerPort, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType
from shapes import KUBECONFIG, NAMESPACE, patience


def change_a_configmap() -> None:
    client = Client(KubeConfig.from_file(KUBECONFIG), namespace=NAMESPACE, field_manager="test")
    client.create(ConfigMap(metadata=ObjectMeta(name="a", labels={"x": "y"}), data={"a": "1"}))
    assert client.apply(ConfigMap(metadata=ObjectMeta(name="a"), data={"b": "2"})).data == {"a": "1", "b": "2"}
    client.patch(ConfigMap, "a", {"data": {"a": None}}, patch_type=PatchType.MERGE)
    client.patch(ConfigMap, "a", [{"op": "add", "path": "/data/c", "value": "3"}], patch_type=PatchType.JSON)
    assert client.get(ConfigMap, "a").data == {"b": "2", "c": "3"}
    listed = client.list(ConfigMap, labels={"x": "y"}, chunk_size=1)
    assert [one.metadata.name for one in listed if one.metadata] == ["a"]
    client.delete(ConfigMap, "a")
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, "a")
    assert missing.value.status.reason == "NotFound"
    widget = create_namespaced_resource("example.com", "v1", "Widget", "widgets")
    made = client.create(widget(metadata=ObjectMeta(name="light"), spec={"size": 2}))
    assert made["spec"]["size"] == 2


async def wait_for_a_deployment() -> None:
    client = AsyncClient(KubeConfig.from_file(KUBECONFIG), namespace=NAMESPACE)
    container = Container(name="main", image="server", ports=[ContainerPort(containerPort=8080)])
    template = PodTemplateSpec(metadata=ObjectMeta(labels={"app": "web"}), spec=PodSpec(containers=[container]))
    spec = DeploymentSpec(replicas=1, selector=LabelSelector(matchLabels={"app": "web"}), template=template)
    await client.create(Deployment(metadata=ObjectMeta(name="web"), spec=spec))
    async with patience():
        await client.wait(Deployment, "web", for_conditions=["Available"])
    (one,) = [item async for item in client.list(Pod, labels={"app": "web"})]
    assert one.metadata
    assert one.metadata.name
    assert [line async for line in client.log(one.metadata.name)] == ["listening\n"]
    async with patience():
        async for operation, seen in client.watch(Pod, labels={"app": "web"}):
            assert operation == "ADDED", operation
            assert seen.status
            break


change_a_configmap()
asyncio.run(wait_for_a_deployment())
