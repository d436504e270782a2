"""What the API server serves: one table, and lookups in it.

A row is a resource of one API version. Rows of one resource in several versions share the `storage` name, by which the registry
knows it; the row with `is_stored` is the version in which objects are kept. What is not a plain fact about a kind (defaults,
checks, table columns, conversion) is found by its storage name or kind in a module of its own.
"""

from collections.abc import Iterable

from remora.cluster.api.kept import KEPT
from remora.cluster.api.resource import STANDARD_VERBS, STATUS_VERBS, Resource, rows

__all__ = ["RESOURCES", "STANDARD_VERBS", "STATUS_VERBS", "Resource", "ResourceTable"]

_ALL = ("all",)
_CLUSTER = {"namespaced": False}
_EXTENSION = {**_CLUSTER, "has_generation": True, "categories": ("api-extensions",)}
_OLD_COMPONENTS = "v1 ComponentStatus is deprecated in v1.19+"
_DEPRECATED_INGRESS = (
    "{0} Ingress is deprecated in v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress"  # Kubernetes 1.19's words
)


def _old_ingress(api_version: str) -> dict[str, object]:
    return {
        "storage": "ingresses.networking.k8s.io",
        "is_stored": False,
        "short_names": ("ing",),
        "subresources": ("status",),
        "has_generation": True,
        "deprecation": _DEPRECATED_INGRESS.format(api_version),
    }


def _review(*, namespaced: bool = False) -> dict[str, object]:
    return {"namespaced": namespaced, "verbs": ("create",)}


_CORE = rows(
    "",
    "v1",
    ("bindings", "Binding", {"verbs": ("create",)}),
    (
        "componentstatuses",
        "ComponentStatus",
        {**_CLUSTER, "short_names": ("cs",), "verbs": ("get", "list"), "deprecation": _OLD_COMPONENTS},
    ),
    ("configmaps", "ConfigMap", {"short_names": ("cm",)}),
    (
        "endpoints",
        "Endpoints",
        {"short_names": ("ep",), "deprecation": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"},
    ),
    ("events", "Event", {"short_names": ("ev",), "name_rule": "path"}),
    ("limitranges", "LimitRange", {"short_names": ("limits",)}),
    (
        "namespaces",
        "Namespace",
        {
            "namespaced": False,
            "short_names": ("ns",),
            "subresources": ("finalize", "status"),
            "name_rule": "label",
            "returns_deleted": True,
            # Emptying one is not done: Kubernetes leaves deletecollection out here, too.
            "verbs": ("create", "delete", "get", "list", "patch", "update", "watch"),
        },
    ),
    (
        "nodes",
        "Node",
        {**_CLUSTER, "short_names": ("no",), "subresources": ("proxy", "status"), "keeps_new_status": True},
    ),
    (
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        {"short_names": ("pvc",), "subresources": ("status",), "returns_deleted": True},
    ),
    (
        "persistentvolumes",
        "PersistentVolume",
        {**_CLUSTER, "short_names": ("pv",), "subresources": ("status",), "returns_deleted": True},
    ),
    (
        "pods",
        "Pod",
        {
            "short_names": ("po",),
            "categories": _ALL,
            "subresources": (
                "attach",
                "binding",
                "ephemeralcontainers",
                "eviction",
                "exec",
                "log",
                "portforward",
                "proxy",
                "resize",
                "status",
            ),
            "has_generation": True,
            "returns_deleted": True,
        },
    ),
    ("podtemplates", "PodTemplate", {"has_generation": True, "returns_deleted": True}),
    (
        "replicationcontrollers",
        "ReplicationController",
        {"short_names": ("rc",), "categories": _ALL, "subresources": ("scale", "status"), "has_generation": True},
    ),
    ("resourcequotas", "ResourceQuota", {"short_names": ("quota",), "subresources": ("status",), "returns_deleted": True}),
    ("secrets", "Secret", {}),
    ("serviceaccounts", "ServiceAccount", {"short_names": ("sa",), "subresources": ("token",), "returns_deleted": True}),
    (
        "services",
        "Service",
        {
            "short_names": ("svc",),
            "categories": _ALL,
            "subresources": ("proxy", "status"),
            "name_rule": "label1035",
            "returns_deleted": True,
        },
    ),
)

_APPS = rows(
    "apps",
    "v1",
    ("controllerrevisions", "ControllerRevision", {}),
    (
        "daemonsets",
        "DaemonSet",
        {"short_names": ("ds",), "categories": _ALL, "subresources": ("status",), "has_generation": True},
    ),
    (
        "deployments",
        "Deployment",
        {"short_names": ("deploy",), "categories": _ALL, "subresources": ("scale", "status"), "has_generation": True},
    ),
    (
        "replicasets",
        "ReplicaSet",
        {"short_names": ("rs",), "categories": _ALL, "subresources": ("scale", "status"), "has_generation": True},
    ),
    (
        "statefulsets",
        "StatefulSet",
        {"short_names": ("sts",), "categories": _ALL, "subresources": ("scale", "status"), "has_generation": True},
    ),
)

_AUTOSCALER: dict[str, object] = {"short_names": ("hpa",), "categories": _ALL, "subresources": ("status",)}
_STATUS: dict[str, object] = {"subresources": ("status",)}

_OTHERS = (
    rows(
        "apiextensions.k8s.io",
        "v1",
        (
            "customresourcedefinitions",
            "CustomResourceDefinition",
            {
                **_CLUSTER,
                "short_names": ("crd", "crds"),
                "categories": ("api-extensions",),
                "subresources": ("status",),
                "has_generation": True,
            },
        ),
    ),
    rows(
        "admissionregistration.k8s.io",
        "v1",
        ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", {**_EXTENSION}),
        (
            "validatingadmissionpolicies",
            "ValidatingAdmissionPolicy",
            {**_EXTENSION, "subresources": ("status",)},
        ),
        ("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", {**_EXTENSION}),
        ("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", {**_EXTENSION}),
    ),
    rows(
        "authentication.k8s.io",
        "v1",
        ("selfsubjectreviews", "SelfSubjectReview", _review()),
        ("tokenreviews", "TokenReview", _review()),
    ),
    rows(
        "authorization.k8s.io",
        "v1",
        ("localsubjectaccessreviews", "LocalSubjectAccessReview", _review(namespaced=True)),
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview", _review()),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview", _review()),
        ("subjectaccessreviews", "SubjectAccessReview", _review()),
    ),
    rows("autoscaling", "v2", ("horizontalpodautoscalers", "HorizontalPodAutoscaler", {**_AUTOSCALER})),
    rows("autoscaling", "v1", ("horizontalpodautoscalers", "HorizontalPodAutoscaler", {**_AUTOSCALER, "is_stored": False})),
    rows(
        "batch",
        "v1",
        ("cronjobs", "CronJob", {**_STATUS, "short_names": ("cj",), "categories": _ALL, "has_generation": True}),
        ("jobs", "Job", {**_STATUS, "categories": _ALL, "has_generation": True}),
    ),
    rows("coordination.k8s.io", "v1", ("leases", "Lease", {})),
    rows("discovery.k8s.io", "v1", ("endpointslices", "EndpointSlice", {"has_generation": True})),
    rows(
        "events.k8s.io",
        "v1",
        ("events", "Event", {"short_names": ("ev",), "storage": "events", "is_stored": False, "name_rule": "path"}),
    ),
    rows(
        "metrics.k8s.io",
        "v1beta1",
        # Made when they are asked for, from what is measured.
        ("nodes", "NodeMetrics", {**_CLUSTER, "verbs": ("get", "list"), "is_stored": False}),
        ("pods", "PodMetrics", {"verbs": ("get", "list"), "is_stored": False}),
    ),
    rows("extensions", "v1beta1", ("ingresses", "Ingress", _old_ingress("extensions/v1beta1"))),
    rows(
        "networking.k8s.io",
        "v1",
        ("ingressclasses", "IngressClass", {**_CLUSTER, "has_generation": True}),
        ("ingresses", "Ingress", {**_STATUS, "short_names": ("ing",), "has_generation": True}),
        ("networkpolicies", "NetworkPolicy", {"short_names": ("netpol",), "has_generation": True}),
    ),
    rows("networking.k8s.io", "v1beta1", ("ingresses", "Ingress", _old_ingress("networking.k8s.io/v1beta1"))),
    rows(
        "policy",
        "v1",
        ("poddisruptionbudgets", "PodDisruptionBudget", {**_STATUS, "short_names": ("pdb",), "has_generation": True}),
    ),
    rows(
        "rbac.authorization.k8s.io",
        "v1",
        ("clusterrolebindings", "ClusterRoleBinding", {**_CLUSTER, "name_rule": "path"}),
        ("clusterroles", "ClusterRole", {**_CLUSTER, "name_rule": "path"}),
        ("rolebindings", "RoleBinding", {"name_rule": "path"}),
        ("roles", "Role", {"name_rule": "path"}),
    ),
    rows(
        "storage.k8s.io",
        "v1",
        ("storageclasses", "StorageClass", {**_CLUSTER, "short_names": ("sc",), "returns_deleted": True}),
    ),
)


class ResourceTable:
    """Finds rows by storage name, by address, and by kind."""

    def __init__(self, rows: Iterable[Resource]) -> None:
        known = tuple(rows)
        self.rows = tuple(row for row in known if row.is_served)
        self._stored = {row.storage: row for row in known if row.is_stored and not row.is_review}
        self._by_path = {(row.group, row.version, row.plural): row for row in self.rows}
        self._by_kind = {(row.api_version, row.kind): row for row in self.rows}

    def with_custom(self, rows: Iterable[Resource]) -> "ResourceTable":
        """Another table, with these rows of custom resources instead of those that this one has."""
        own = [row for row in self.rows if row.custom is None]
        taken = {(row.group, row.version, row.plural) for row in own}
        return ResourceTable((*own, *(row for row in rows if (row.group, row.version, row.plural) not in taken)))

    @property
    def custom_rows(self) -> tuple[Resource, ...]:
        return (*(row for row in self.rows if row.custom), *(row for row in self._stored.values() if not row.is_served))

    def stored(self, resource: str) -> Resource:
        """The row in whose version the objects of a resource are kept.

        Raises:
            KeyError: no such resource is served.
        """
        return self._stored[resource]

    @property
    def names(self) -> tuple[str, ...]:
        """The registry's names of all resources that are kept."""
        return tuple(self._stored)

    @property
    def group_versions(self) -> tuple[tuple[str, str], ...]:
        """Every served group and version; a group's preferred version is its first."""
        return tuple(dict.fromkeys((row.group, row.version) for row in self.rows))

    def of(self, group: str, version: str) -> tuple[Resource, ...]:
        return tuple(row for row in self.rows if (row.group, row.version) == (group, version))

    def find_by_path(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def find_by_kind(self, api_version: str, kind: str) -> Resource | None:
        return self._by_kind.get((api_version, kind))

    def find_name(self, api_version: str, kind: str) -> str | None:
        """The registry's name of the resource of a kind, in whichever served version it is named."""
        row = self._by_kind.get((api_version, kind))
        return row.storage if row is not None and row.storage in self._stored else None

    def is_namespaced(self, resource: str) -> bool:
        return self._stored[resource].namespaced


def _allrows() -> Iterable[Resource]:
    for group in (_CORE, _APPS, *_OTHERS, *KEPT):
        yield from group


RESOURCES = ResourceTable(_allrows())
