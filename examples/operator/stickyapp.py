"""An operator for StickyApps: each becomes a Deployment, a Service and an Ingress that keeps every client on its pod.

Run it with `kopf run stickyapp.py --all-namespaces`, in a cluster that knows `crd.yaml`.
"""

from typing import Any

import kopf
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, ApiException
from kubernetes_asyncio.dynamic import DynamicClient

APP = ("example.com", "v1", "stickyapps")


@kopf.on.startup()
async def read_credentials(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = True
    try:
        config.load_incluster_config()
    except config.ConfigException:
        await config.load_kube_config()


@kopf.on.create(*APP)
@kopf.on.update(*APP, field="spec")
@kopf.on.resume(*APP)
async def build(body: kopf.Body, spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> None:
    """What is missing is made, and what is there becomes what the StickyApp says."""
    if spec["replicas"] > 20:
        raise kopf.PermanentError("20 replicas are enough for a sticky application")
    parts = objects(body["metadata"]["name"], dict(spec))
    kopf.adopt(parts, owner=body)
    async with ApiClient() as client:
        dynamic = await DynamicClient(client)
        for part in parts:
            kind = await dynamic.resources.get(api_version=part["apiVersion"], kind=part["kind"])
            await dynamic.server_side_apply(kind, part, namespace=part["metadata"]["namespace"], field_manager="stickyapp")
    patch.status["url"] = f"http://{spec['host']}/"


@kopf.on.field("apps", "v1", "deployments", field="status.readyReplicas", labels={"stickyapp": kopf.PRESENT})
async def count(new: int | None, namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
    """The ready replicas of the Deployment are told in the StickyApp's status."""
    async with ApiClient() as client:
        dynamic = await DynamicClient(client)
        kind = await dynamic.resources.get(api_version="example.com/v1", kind="StickyApp")
        body = {"status": {"ready": new or 0}}
        try:
            await dynamic.patch(
                kind, body, name=labels["stickyapp"], namespace=namespace, content_type="application/merge-patch+json"
            )
        except ApiException as error:
            if error.status != 404:  # it has gone, and takes the Deployment with it
                raise


def objects(name: str, spec: dict[str, Any]) -> list[dict[str, Any]]:
    """What a StickyApp consists of."""
    labels = {"stickyapp": name}
    container = {"name": "app", "image": spec["image"], "ports": [{"containerPort": spec["port"], "name": "http"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    backend = {"service": {"name": name, "port": {"name": "http"}}}
    rule = {"host": spec["host"], "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    sticky = {
        "nginx.ingress.kubernetes.io/affinity": "cookie",
        "nginx.ingress.kubernetes.io/affinity-mode": "persistent",
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {"replicas": spec["replicas"], "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name, "labels": labels, "annotations": sticky},
            "spec": {"rules": [rule]},
        },
    ]
