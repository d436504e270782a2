"""OpenAPI documents for `kubectl explain`, generated clients, validation and patches: a version's types and its paths.

Documents are made when they are first asked for: reading the types takes longer than starting everything else.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.metadata import version as package_version
from typing import Any

import msgspec

from remora.cluster.api.custom.documents import LIST_METADATA, METADATA, describe, without_v3
from remora.cluster.api.errors import Object
from remora.cluster.api.openapi_paths import paths, without_bodies
from remora.cluster.api.resources import Resource, ResourceTable
from remora.cluster.api.schemas import COMPONENTS, definitions, find_name

DOCUMENT_WITHOUT_TYPES = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.0"
"""`/openapi/v2` in Protocol Buffers (gnostic's OpenAPIv2.proto: `swagger`, `info`). kubectl takes types from version 3, and
looks here for a kind that it did not find there: it goes on to say that there is no such kind, which an error would hide."""

_V2 = "#/definitions/"
_MOST_DOCUMENTS = 64


def path_of(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index(table: ResourceTable) -> Object:
    """`/openapi/v3`: a document for each version. The hash lets clients keep it until the document is another."""
    digests = {path_of(*version): _digest(table.of(*version)) for version in table.group_versions}
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digests[path]}"} for path in sorted(digests)}}


def find_document(table: ResourceTable, path: str) -> bytes | None:
    """`/openapi/v3/PATH` as JSON."""
    for group, version in table.group_versions:
        if path_of(group, version) == path:
            return _document(table.of(group, version))
    return None


@lru_cache(_MOST_DOCUMENTS)
def _document(rows: tuple[Resource, ...]) -> bytes:
    types = definitions()
    listed = _paths(rows)
    wanted = _reachable(types, (*_references(listed), *(name for row in rows for name in _type_names(row))))
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": listed,
        "components": {"schemas": {**{name: types[name] for name in sorted(wanted)}, **_converted(rows)}},
    }
    return msgspec.json.encode(document)


@lru_cache(1)
def whole_document(table: ResourceTable) -> bytes:
    """`/openapi/v2` as JSON."""
    document = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.0"},
        "paths": without_bodies(_paths(table.rows)),
        "definitions": {**definitions(), **without_v3(_converted(table.rows), is_names=True)},
    }
    return msgspec.json.encode(document).replace(COMPONENTS.encode(), _V2.encode())


def etag(table: ResourceTable, path: str) -> str:
    """Of the document at a path such as `/openapi/v3/apis/apps/v1`."""
    found = path.removeprefix("/openapi/v3/")
    rows = next((table.of(*version) for version in table.group_versions if path_of(*version) == found), table.rows)
    return f'"{hashlib.sha256(f"{_digest(rows)} {path}".encode()).hexdigest().upper()}"'


def _digest(rows: Iterable[Resource]) -> str:
    """Changes with the release, and with the definitions of custom resources."""
    custom = " ".join(f"{row.storage} {row.kind} {row.custom.digest}" for row in rows if row.custom is not None)
    return hashlib.sha512(f"{_release()} {custom}".encode()).hexdigest().upper()


@cache
def _release() -> str:
    return f"{package_version('remora')} {package_version('kubernetes-validate')}"


def _type_names(row: Resource) -> Iterator[str]:
    if row.custom is not None:
        yield from (METADATA, LIST_METADATA)
    for kind in (row.kind, row.list_kind):
        name = find_name(row.api_version, kind)
        if name is not None:
            yield name


def _converted(rows: Iterable[Resource]) -> Object:
    """The kinds that are not among Kubernetes' types: custom resources, and old versions, whose fields nobody describes."""
    found: Object = {}
    for row in rows:
        if row.custom is not None:
            found |= describe(row)
        elif find_name(row.api_version, row.kind) is None:
            name = f"io.k8s.api.{row.group.split('.')[0] or 'core'}.{row.version}.{row.kind}"
            kind = {"group": row.group, "version": row.version, "kind": row.kind}
            found[name] = {
                "type": "object",
                "description": f"{row.kind} of {row.api_version}. {row.deprecation}",
                "x-kubernetes-group-version-kind": [kind],
                "x-kubernetes-preserve-unknown-fields": True,
            }
    return found


def _reachable(types: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in types:
            found.add(name)
            waiting += _references(types[name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(COMPONENTS)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _paths(rows: Iterable[Resource]) -> Object:
    listed = tuple(rows)
    return dict(paths(listed, {(row.group, row.version): path_of(row.group, row.version) for row in listed}))
