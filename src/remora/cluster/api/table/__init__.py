"""Tables: what `kubectl get` shows (`meta.k8s.io/v1` Table). Pure; columns by the registry's name of the resource."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from remora.cluster.api.table import kept, network, others, pods, workloads
from remora.cluster.api.table.columns import GENERIC, Column

Object = dict[str, Any]

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "clusterrolebindings.rbac.authorization.k8s.io": others.ROLE_BINDINGS,
    "clusterroles.rbac.authorization.k8s.io": others.ROLES,
    "configmaps": others.CONFIG_MAPS,
    "controllerrevisions.apps": workloads.CONTROLLER_REVISIONS,
    "cronjobs.batch": workloads.CRONJOBS,
    "customresourcedefinitions.apiextensions.k8s.io": GENERIC,
    "daemonsets.apps": workloads.DAEMONSETS,
    "deployments.apps": workloads.DEPLOYMENTS,
    "endpoints": network.ENDPOINTS,
    "endpointslices.discovery.k8s.io": network.ENDPOINT_SLICES,
    "events": others.EVENTS,
    "horizontalpodautoscalers.autoscaling": workloads.AUTOSCALERS,
    "ingressclasses.networking.k8s.io": network.INGRESS_CLASSES,
    "ingresses.networking.k8s.io": network.INGRESSES,
    "jobs.batch": workloads.JOBS,
    "leases.coordination.k8s.io": others.LEASES,
    "namespaces": others.NAMESPACES,
    "networkpolicies.networking.k8s.io": network.NETWORK_POLICIES,
    "nodes": others.NODES,
    "persistentvolumeclaims": others.CLAIMS,
    "persistentvolumes": others.VOLUMES,
    "poddisruptionbudgets.policy": workloads.DISRUPTION_BUDGETS,
    "pods": pods.PODS,
    "podtemplates": workloads.PODTEMPLATES,
    "replicasets.apps": workloads.REPLICASETS,
    "replicationcontrollers": workloads.REPLICATION_CONTROLLERS,
    "rolebindings.rbac.authorization.k8s.io": others.ROLE_BINDINGS,
    "roles.rbac.authorization.k8s.io": others.ROLES,
    "secrets": others.SECRETS,
    "serviceaccounts": others.SERVICE_ACCOUNTS,
    "services": network.SERVICES,
    "statefulsets.apps": workloads.STATEFULSETS,
    "storageclasses.storage.k8s.io": others.STORAGE_CLASSES,
    **kept.KEPT,
}

INCLUDE = ("None", "Metadata", "Object")
"""What `includeObject` may ask for."""


def render_table(
    columns: Sequence[Column],
    objects: Sequence[Object],
    *,
    now: datetime,
    metadata: Object,
    include: str = "Metadata",
    with_columns: bool = True,
) -> Object:
    """A Table of objects as they are kept; a watch names the columns only once."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.to_wire() for column in columns] if with_columns else None,
        "rows": [_row(columns, obj, now, include) for obj in objects],
    }


def partial(obj: Object) -> Object:
    """Only an object's metadata (`PartialObjectMetadata`)."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _row(columns: Sequence[Column], obj: Object, now: datetime, include: str) -> Object:
    row: Object = {"cells": [column.cell(obj, now) for column in columns]}
    shown = {"None": None, "Metadata": partial(obj), "Object": obj}[include]
    return row if shown is None else row | {"object": shown}
