"""Kubernetes' own Python client: an informer's habit (list, then watch from there), patches, exec, logs, utils."""

import json

import pytest
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.stream import stream
from shapes import NAMESPACE, deployment, pod

config.load_kube_config()
core, apps, custom = client.CoreV1Api(), client.AppsV1Api(), client.CustomObjectsApi()

utils.create_from_dict(client.ApiClient(), deployment("web"), namespace=NAMESPACE)
listed = apps.list_namespaced_deployment(NAMESPACE)
watching = watch.Watch()
if not listed.items[0].status.available_replicas:
    version = listed.metadata.resource_version
    for event in watching.stream(apps.list_namespaced_deployment, NAMESPACE, resource_version=version, timeout_seconds=60):
        if event["object"].status.available_replicas == 1:
            watching.stop()
assert apps.read_namespaced_deployment_status("web", NAMESPACE).status.available_replicas == 1
apps.patch_namespaced_deployment("web", NAMESPACE, {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}})

core.create_namespaced_pod(NAMESPACE, pod("p", app="p"))
for event in watching.stream(core.list_namespaced_pod, NAMESPACE, label_selector="app=p", timeout_seconds=60):
    conditions = {one.type: one.status for one in event["object"].status.conditions or ()}
    if conditions.get("Ready") == "True":
        watching.stop()
command = ["sh", "-c", "echo $POD_NAME; echo wrong >&2"]
said = stream(
    core.connect_get_namespaced_pod_exec, "p", NAMESPACE, command=command, stdout=True, stderr=True, stdin=False, tty=False
)
assert sorted(said.split()) == ["p", "wrong"], said
assert core.read_namespaced_pod_log("p", NAMESPACE) == "listening\n"
for line in watching.stream(core.read_namespaced_pod_log, "p", NAMESPACE):
    assert line == "listening", line
    watching.stop()

with pytest.raises(client.ApiException) as refused:
    core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": "Not_A_Name"}})
assert refused.value.status == 422
assert json.loads(refused.value.body)["reason"] == "Invalid"

maps = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
maps.create({"metadata": {"name": "a", "labels": {"x": "y"}}, "data": {"a": "1"}}, namespace=NAMESPACE)
assert [one.metadata.name for one in maps.get(namespace=NAMESPACE, label_selector="x in (y)").items] == ["a"]
widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "one"}, "spec": {"size": 1}}
custom.create_namespaced_custom_object("example.com", "v1", NAMESPACE, "widgets", widget)
patched = custom.patch_namespaced_custom_object("example.com", "v1", NAMESPACE, "widgets", "one", {"spec": {"size": 2}})
assert patched["spec"]["size"] == 2, patched
deleted = apps.delete_namespaced_deployment("web", NAMESPACE)
assert deleted["status"] == "Success", deleted
