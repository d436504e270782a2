"""Discovery: which groups, versions and resources there are, in the old form and in the aggregated one. Pure."""

import base64
import hashlib
from collections.abc import Iterable

from remora.cluster.api.errors import Object
from remora.cluster.api.resources import STATUS_VERBS, Resource, ResourceTable

_SUBRESOURCES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "status": ("", "", "", STATUS_VERBS),
    "approval": ("", "", "", STATUS_VERBS),
    "binding": ("", "", "Binding", ("create",)),
    "ephemeralcontainers": ("", "", "", STATUS_VERBS),
    "resize": ("", "", "", STATUS_VERBS),
    "scale": ("autoscaling", "v1", "Scale", STATUS_VERBS),
    "log": ("", "", "", ("get",)),
    "attach": ("", "", "PodAttachOptions", ("create", "get")),
    "exec": ("", "", "PodExecOptions", ("create", "get")),
    "portforward": ("", "", "PodPortForwardOptions", ("create", "get")),
    "proxy": ("", "", "", ("create", "delete", "get", "patch", "update")),
    "finalize": ("", "", "", ("update",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
}
"""Group, version and kind, where they are not the resource's own, and verbs."""

_LAST = ("extensions",)
"""Groups that only old manifests name. A client that is asked for `ingresses` takes the first group that has them."""


_STORED_ELSEWHERE = {
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): "apiextensions.k8s.io/v1beta1",
    ("events.k8s.io/v1", "Event"): "/v1",
}
"""Groups and versions in which Kubernetes stores what it serves in others."""


def api_versions(address: str) -> Object:
    """`/api`; `address` is host and port, by which clients reach this server."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups(table: ResourceTable) -> tuple[str, ...]:
    """The named groups, those that people mean first."""
    names = dict.fromkeys(group for group, _ in table.group_versions if group)
    return (*(name for name in names if name not in _LAST), *(name for name in names if name in _LAST))


def group_list(table: ResourceTable) -> Object:
    """`/apis`."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(table, name) for name in groups(table)]}


def find_group(table: ResourceTable, name: str) -> Object | None:
    """`/apis/GROUP`."""
    if name not in groups(table):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(table, name)}


def find_resource_list(table: ResourceTable, group: str, version: str) -> Object | None:
    """`/api/v1` or `/apis/GROUP/VERSION`."""
    rows = table.of(group, version)
    if not rows:
        return None
    resources = [entry for row in _by_name(rows) for entry in _entries(row)]
    head = {"kind": "APIResourceList"} if not group else {"kind": "APIResourceList", "apiVersion": "v1"}
    return {**head, "groupVersion": rows[0].api_version, "resources": resources}


def aggregated(table: ResourceTable, *, core: bool) -> Object:
    """Everything of `/api` or of `/apis` in one document (`apidiscovery.k8s.io/v2`)."""
    items: list[Object] = []
    for group in ("",) if core else groups(table):
        versions = [
            {
                "version": version,
                "resources": [_aggregated(row) for row in _by_name(table.of(group, version))],
                "freshness": "Current",
            }
            for version in _versions(table, group)
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _versions(table: ResourceTable, group: str) -> list[str]:
    return [version for name, version in table.group_versions if name == group]


def _group(table: ResourceTable, name: str) -> Object:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in _versions(table, name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _by_name(rows: Iterable[Resource]) -> list[Resource]:
    return sorted(rows, key=lambda row: row.plural)


def _entries(row: Resource) -> Iterable[Object]:
    entry: Object = {
        "name": row.plural,
        "singularName": row.singular,
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if _short_names(row):
        entry["shortNames"] = _short_names(row)
    if row.categories:
        entry["categories"] = list(row.categories)
    if "create" in row.verbs and not row.is_review:
        entry["storageVersionHash"] = _storage_version_hash(row)
    yield entry
    for name in sorted(row.subresources):
        group, version, kind, verbs = subresource_of(row, name)
        own = {"group": group, "version": version} if group else {}
        yield {
            "name": f"{row.plural}/{name}",
            "singularName": "",
            "namespaced": row.namespaced,
            **own,
            "kind": kind or row.kind,
            "verbs": list(verbs),
        }


def subresource_of(row: Resource, name: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Group, version and kind of a subresource, "" where they are its resource's, and its verbs."""
    group, version, kind, verbs = _SUBRESOURCES[name]
    return group, version, f"{row.kind}ProxyOptions" if name == "proxy" else kind, verbs


def _short_names(row: Resource) -> list[str]:
    """A version that is given up has none, lest kubectl warn that `ing` may mean another."""
    return [] if row.deprecation and not row.is_stored and row.custom is None else list(row.short_names)


def _storage_version_hash(row: Resource) -> str:
    """Kubernetes' `discovery.StorageVersionHash`."""
    version = _STORED_ELSEWHERE.get((row.api_version, row.kind), f"{row.group}/{row.version}")
    digest = hashlib.sha256(f"{version}/{row.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _aggregated(row: Resource) -> Object:
    entry: Object = {
        "resource": row.plural,
        "responseKind": _kind(row),
        "scope": "Namespaced" if row.namespaced else "Cluster",
        "singularResource": row.singular,
        "verbs": list(row.verbs),
    }
    if _short_names(row):
        entry["shortNames"] = _short_names(row)
    if row.categories:
        entry["categories"] = list(row.categories)
    if row.subresources:
        entry["subresources"] = [_aggregated_subresource(row, name) for name in sorted(row.subresources)]
    return entry


def _kind(row: Resource) -> Object:
    """Kubernetes names group and version only for custom resources."""
    group, version = (row.group, row.version) if row.custom is not None else ("", "")
    return {"group": group, "version": version, "kind": row.kind}


def _aggregated_subresource(row: Resource, name: str) -> Object:
    group, version, kind, verbs = subresource_of(row, name)
    response = {"group": group, "version": version, "kind": kind} if kind else _kind(row)
    return {"subresource": name, "responseKind": response, "verbs": list(verbs)}
