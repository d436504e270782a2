"""Small objects for the controllers' tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from remora.cluster.controllers.rollout import replicas_of
from remora.cluster.objects import Object, controller_reference

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def deployment(replicas: int = 3, *, image: str = "web:1", status: Object | None = None, **spec: Any) -> Object:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1, "resourceVersion": "1"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
        "status": status or {},
    }


def rolling(surge: int | str, unavailable: int | str) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def replicaset(owner: Object, size: int, *, name: str = "web-a", available: int | None = None, **metadata: Any) -> Object:
    """A ReplicaSet with the owner's template; all its pods are available unless said otherwise."""
    count = size if available is None else available
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "generation": 1,
            "labels": owner["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [controller_reference(owner)],
            **metadata,
        },
        "spec": {"replicas": size, "selector": owner["spec"]["selector"], "template": owner["spec"]["template"]},
        "status": {"replicas": size, "readyReplicas": count, "availableReplicas": count, "observedGeneration": 1},
    }


def pod(name: str, *, owner: Object | None = None, ready: bool = True, **metadata: Any) -> Object:
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": "2026-05-01T11:00:00Z"}
    references = [controller_reference(owner)] if owner else []
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": {"app": "web"},
            "ownerReferences": references,
            **metadata,
        },
        "spec": {"nodeName": "remora", "containers": [{"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": f"127.64.0.{sum(name.encode()) % 200 + 1}", "conditions": [condition]},
    }


def sizes(replicasets: list[Object]) -> dict[str, int]:
    return {found["metadata"]["name"]: replicas_of(found) for found in replicasets}
