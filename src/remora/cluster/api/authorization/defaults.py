"""The roles and bindings that every cluster has from its start (Kubernetes' `bootstrappolicy`), for what is served. Pure."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

_API = "rbac.authorization.k8s.io/v1"
_GROUP = "rbac.authorization.k8s.io"
_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]

_VIEWED: tuple[tuple[str, list[str]], ...] = (
    (
        "",
        [
            "configmaps",
            "endpoints",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "serviceaccounts",
            "services",
            "services/status",
        ],
    ),
    (
        "",
        [
            "bindings",
            "events",
            "limitranges",
            "namespaces/status",
            "pods/log",
            "pods/status",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
        ],
    ),
    ("", ["namespaces"]),
    ("discovery.k8s.io", ["endpointslices"]),
    (
        "apps",
        [
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    ("autoscaling", ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    ("batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    ("extensions", ["ingresses", "ingresses/status"]),
    ("policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    ("networking.k8s.io", ["ingresses", "ingresses/status", "networkpolicies"]),
)

_EDITED: tuple[tuple[str, list[str], list[str]], ...] = (
    ("", ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"], _READ),
    ("", ["serviceaccounts"], ["impersonate"]),
    ("", ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], _WRITE),
    ("", ["pods/eviction"], ["create"]),
    (
        "",
        [
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
        _WRITE,
    ),
    ("", ["serviceaccounts/token"], ["create"]),
    (
        "apps",
        [
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
        _WRITE,
    ),
    ("autoscaling", ["horizontalpodautoscalers"], _WRITE),
    ("batch", ["cronjobs", "jobs"], _WRITE),
    ("extensions", ["ingresses"], _WRITE),
    ("policy", ["poddisruptionbudgets"], _WRITE),
    ("networking.k8s.io", ["ingresses", "networkpolicies"], _WRITE),
    ("coordination.k8s.io", ["leases"], [*_READ, *_WRITE]),
)

_ADMINISTERED: tuple[tuple[str, list[str], list[str]], ...] = (
    ("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
    (_GROUP, ["rolebindings", "roles"], [*_READ, *_WRITE]),
)

_HEALTH = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_HEALTH]


def default_roles() -> Iterator[Object]:
    """Roles first, then what binds them."""
    yield _role("cluster-admin", [_rule(["*"], ["*"], ["*"]), _paths(["*"], ["*"])])
    for name, labels in (("admin", {}), ("edit", {"admin": "true"}), ("view", {"edit": "true"})):
        yield _aggregating(name, labels)
    yield _role("system:aggregate-to-admin", [_rule([g], r, v) for g, r, v in _ADMINISTERED], aggregate_to="admin")
    yield _role("system:aggregate-to-edit", [_rule([g], r, v) for g, r, v in _EDITED], aggregate_to="edit")
    yield _role("system:aggregate-to-view", [_rule([g], r, _READ) for g, r in _VIEWED], aggregate_to="view")
    yield _role("system:discovery", [_paths(_DISCOVERY, ["get"])])
    yield _role("system:public-info-viewer", [_paths(_HEALTH, ["get"])])
    yield _role("system:monitoring", [_paths([*_HEALTH[:3], "/livez/*", "/metrics", "/metrics/slis", "/readyz/*"], ["get"])])
    reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    self_review = _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"])
    yield _role("system:basic-user", [_rule(["authorization.k8s.io"], reviews, ["create"]), self_review])
    delegated = _rule(["authentication.k8s.io"], ["tokenreviews"], ["create"])
    yield _role("system:auth-delegator", [delegated, _rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"])])
    yield _binding("cluster-admin", "system:masters")
    yield _binding("system:basic-user", "system:authenticated")
    yield _binding("system:discovery", "system:authenticated")
    yield _binding("system:monitoring", "system:monitoring")
    yield _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated")


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _paths(paths: list[str], verbs: list[str]) -> Object:
    return {"nonResourceURLs": paths, "verbs": verbs}


def _metadata(name: str, labels: dict[str, str] | None = None) -> Object:
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }


def _role(name: str, rules: list[Object], *, aggregate_to: str = "") -> Object:
    labels = {f"{_AGGREGATE}{aggregate_to}": "true"} if aggregate_to else {}
    return {"apiVersion": _API, "kind": "ClusterRole", "metadata": _metadata(name, labels), "rules": rules}


def _aggregating(name: str, labels: dict[str, str]) -> Object:
    """Its rules are gathered by the controller that aggregates."""
    metadata = _metadata(name, {f"{_AGGREGATE}{key}": value for key, value in labels.items()})
    selectors = [{"matchLabels": {f"{_AGGREGATE}{name}": "true"}}]
    rule = {"clusterRoleSelectors": selectors}
    return {"apiVersion": _API, "kind": "ClusterRole", "metadata": metadata, "aggregationRule": rule}


def _binding(role: str, *groups: str) -> Object:
    return {
        "apiVersion": _API,
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(role),
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _GROUP, "kind": "Group", "name": group} for group in groups],
    }
