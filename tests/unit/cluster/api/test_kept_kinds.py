"""Kinds that nothing acts on: defaulted, checked and shown as Kubernetes does."""

from datetime import UTC, datetime
from typing import Any

import pytest

from remora.cluster.api.defaults import set_defaults
from remora.cluster.api.resources import RESOURCES
from remora.cluster.api.table import COLUMNS, render_table
from remora.cluster.api.validation import check, check_update

RBAC = "rbac.authorization.k8s.io"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made(resource: str, **fields: Any) -> dict[str, Any]:
    row = RESOURCES.stored(resource)
    metadata = {"name": "a", "creationTimestamp": "2026-01-01T11:59:30Z", **fields.pop("metadata", {})}
    obj = {"apiVersion": row.api_version, "kind": row.kind, "metadata": metadata, **fields}
    set_defaults(resource, obj)
    return obj


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("configmaps", {"data": {"a b": "1"}}, "data[a b]: Invalid value"),
    ("configmaps", {"data": {"a": "1"}, "binaryData": {"a": "MQ=="}}, "duplicate of key present in binaryData"),
    ("configmaps", {"data": {"a": "x" * (1024 * 1024 + 1)}}, "[]: Too long: may not be more than 1048576 bytes"),
    ("leases.coordination.k8s.io", {"spec": {"leaseDurationSeconds": 0}}, "must be greater than 0"),
    (f"roles.{RBAC}", {"rules": [{"verbs": ["get"]}]}, "rules[0].apiGroups: Required value"),
    (f"roles.{RBAC}", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}, "namespaced rules cannot apply"),
    (f"rolebindings.{RBAC}", {"roleRef": {"kind": "Foo", "name": "x"}}, 'supported values: "Role", "ClusterRole"'),
    (f"clusterrolebindings.{RBAC}", {"roleRef": {"kind": "Role", "name": "x"}}, 'supported values: "ClusterRole"'),
    ("persistentvolumeclaims", {"spec": {"accessModes": ["ReadWriteOnce"]}}, "spec.resources[storage]: Required value"),
    ("persistentvolumes", {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["X"]}}, "Unsupported value"),
    ("storageclasses.storage.k8s.io", {}, "provisioner: Required value"),
    ("priorityclasses.scheduling.k8s.io", {"value": 2_000_000_000}, "maximum allowed value of a user defined priority"),
    ("runtimeclasses.node.k8s.io", {"handler": "A_B"}, "handler: Invalid value"),
    ("ingressclasses.networking.k8s.io", {"spec": {}}, "spec.controller: Required value"),
    ("networkpolicies.networking.k8s.io", {"spec": {"policyTypes": ["X"]}}, "spec.policyTypes[0]: Unsupported value"),
    ("endpointslices.discovery.k8s.io", {"endpoints": [{}]}, "addressType: Required value"),
    ("ipaddresses.networking.k8s.io", {"spec": {}}, "must be a valid IP address"),
    ("servicecidrs.networking.k8s.io", {"spec": {"cidrs": ["10.0.0.1/8"]}}, "must be a valid CIDR value"),
    ("certificatesigningrequests.certificates.k8s.io", {"spec": {}}, "spec.signerName: Required value"),
    ("volumeattachments.storage.k8s.io", {"spec": {}}, "spec.attacher: Required value"),
    ("jobs.batch", {"spec": {"template": {"spec": {"containers": []}}}}, 'valid values: "OnFailure", "Never"'),
    ("cronjobs.batch", {"spec": {"schedule": "* * *"}}, "expected exactly 5 fields, found 3: [* * *]"),
    ("horizontalpodautoscalers.autoscaling", {"spec": {"minReplicas": 3, "maxReplicas": 2}}, "equal to `minReplicas`"),
    ("poddisruptionbudgets.policy", {"spec": {"minAvailable": "x"}}, "a valid percent string"),
]


@pytest.mark.parametrize(("resource", "fields", "said"), REFUSED)
def test_what_kubernetes_refuses_is_refused_in_its_words(resource: str, fields: dict[str, Any], said: str) -> None:
    causes = "\n".join(str(cause) for cause in check(resource, made(resource, **fields)))
    assert said in causes


@pytest.mark.parametrize("resource", RESOURCES.names)
def test_an_empty_object_of_every_kind_can_be_defaulted_checked_and_shown(resource: str) -> None:
    obj = made(resource)
    before = made(resource)
    list(check(resource, obj))
    assert list(check_update(resource, obj, before)) == []
    table = render_table(COLUMNS[resource], [obj], now=NOW, metadata={})
    assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"])


def test_a_limit_range_gives_containers_its_greatest_as_default() -> None:
    obj = made("limitranges", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "1Mi"}}]})
    item = obj["spec"]["limits"][0]
    assert item["default"] == {"cpu": "1"}
    assert item["defaultRequest"] == {"cpu": "1", "memory": "1Mi"}


def test_a_role_binding_keeps_its_role() -> None:
    before = made(f"rolebindings.{RBAC}", roleRef={"kind": "Role", "name": "a"})
    after = made(f"rolebindings.{RBAC}", roleRef={"kind": "Role", "name": "b"})
    assert [
        cause.message.endswith("cannot change roleRef") for cause in check_update(f"rolebindings.{RBAC}", after, before)
    ] == [True]


@pytest.mark.parametrize(
    ("resource", "fields", "cells"),
    [
        ("csidrivers.storage.k8s.io", {}, ["a", True, False, False, "<unset>", False, "Persistent", "30s"]),
        ("priorityclasses.scheduling.k8s.io", {"value": 7}, ["a", 7, False, "30s", "PreemptLowerPriority"]),
        (
            "certificatesigningrequests.certificates.k8s.io",
            {"spec": {"signerName": "x/y", "expirationSeconds": 3600}, "status": {"conditions": [{"type": "Approved"}]}},
            ["a", "30s", "x/y", "", "60m", "Approved"],
        ),
        (
            "resourcequotas",
            {"status": {"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1"}}},
            ["a", "pods: 1/4", "limits.cpu: 0/2", "30s"],
        ),
        (
            "ipaddresses.networking.k8s.io",
            {"spec": {"parentRef": {"resource": "services", "namespace": "default", "name": "x"}}},
            ["a", "services/default/x", "30s"],
        ),
    ],
)
def test_columns_are_those_of_kubernetes(resource: str, fields: dict[str, Any], cells: list[Any]) -> None:
    assert render_table(COLUMNS[resource], [made(resource, **fields)], now=NOW, metadata={})["rows"][0]["cells"] == cells
