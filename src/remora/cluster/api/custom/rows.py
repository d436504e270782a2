"""Definitions to rows of the table of resources. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from remora.cluster.api.custom.version import CustomVersion, digest_of, parse_version
from remora.cluster.api.resource import Resource

Object = dict[str, Any]

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


def version_rank(name: str) -> tuple[object, ...]:
    """Sorts versions as Kubernetes does: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name."""
    found = _VERSION.fullmatch(name)
    if found is None:
        return (1, name)
    return (0, -_STABILITY[found[2]], -int(found[1]), -int(found[3] or 0))


def rows_of(definitions: Iterable[Object], known: dict[tuple[str, str, str], Resource]) -> tuple[Resource, ...]:
    """The rows of all definitions whose names are accepted; what has not changed since `known` is not read again."""
    found = [row for definition in definitions for row in _rows(definition, known)]
    return tuple(sorted(found, key=lambda row: (row.group, version_rank(row.version), row.plural)))


def is_established(definition: Object) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)


def _rows(definition: Object, known: dict[tuple[str, str, str], Resource]) -> Iterator[Resource]:
    if not is_established(definition):
        return
    spec = definition["spec"]
    for version in spec["versions"]:
        before = known.get((spec["group"], version["name"], spec["names"]["plural"]))
        custom = before.custom if before is not None else None
        if custom is None or custom.digest != digest_of(version):
            custom = parse_version(version)
        yield _row(definition, version, custom)


def _row(definition: Object, version: Object, custom: CustomVersion) -> Resource:
    spec, accepted = definition["spec"], definition["status"]["acceptedNames"]
    name = f"{spec['group']}/{version['name']} {spec['names']['kind']}"
    warning = version.get("deprecationWarning") or f"{name} is deprecated"
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=accepted["plural"],
        kind=accepted["kind"],
        storage=definition["metadata"]["name"],
        is_stored=bool(version.get("storage")),
        is_served=bool(version.get("served")),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(accepted.get("shortNames") or ()),
        categories=tuple(accepted.get("categories") or ()),
        subresources=tuple(sorted(name for name in ("scale", "status") if name in (version.get("subresources") or {}))),
        has_generation=True,
        deprecation=warning if version.get("deprecated") else "",
        singular_name=accepted.get("singular") or "",
        list_kind_name=accepted.get("listKind") or "",
        custom=custom,
    )
