"""Paths of the OpenAPI documents: what can be done where, with which parameters and bodies. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from remora.cluster.api.custom.documents import full_name
from remora.cluster.api.discovery import subresource_of
from remora.cluster.api.errors import Object
from remora.cluster.api.kinds import patch_types
from remora.cluster.api.resource import Resource
from remora.cluster.api.schemas import COMPONENTS, find_name

_TEXT: Object = {"type": "string"}
_FLAG: Object = {"type": "boolean"}
_NUMBER: Object = {"type": "integer"}
_WRITE = {"dryRun": _TEXT, "fieldManager": _TEXT, "fieldValidation": _TEXT}
_DELETE = {
    "dryRun": _TEXT,
    "gracePeriodSeconds": _NUMBER,
    "ignoreStoreReadErrorWithClusterBreakingPotential": _FLAG,
    "orphanDependents": _FLAG,
    "propagationPolicy": _TEXT,
}
_SELECT = {
    "continue": _TEXT,
    "fieldSelector": _TEXT,
    "labelSelector": _TEXT,
    "limit": _NUMBER,
    "resourceVersion": _TEXT,
    "resourceVersionMatch": _TEXT,
    "sendInitialEvents": _FLAG,
    "timeoutSeconds": _NUMBER,
}
_PARAMETERS: Mapping[str, Mapping[str, Object]] = {
    "list": {**_SELECT, "allowWatchBookmarks": _FLAG, "watch": _FLAG},
    "deletecollection": {**_SELECT, **_DELETE},
    "delete": _DELETE,
    "post": _WRITE,
    "put": _WRITE,
    "patch": {**_WRITE, "force": _FLAG},
}
_METHODS = {"list": "get", "deletecollection": "delete"}
_ACTIONS = {"create": "post", "update": "put"}
_WORDS = {"get": "read", "post": "create", "put": "replace", "deletecollection": "deleteCollection"}
_CONNECTING = ("attach", "exec", "portforward", "proxy")
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."


class _Target(NamedTuple):
    """What an operation is about: a resource, or a subresource of it; `where` makes operations of one verb differ in name."""

    row: Resource
    kind: tuple[str, str, str]
    subresource: str = ""
    where: str = ""


def paths(rows: Iterable[Resource], prefix_of: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, Object]]:
    """Every path of these rows; `prefix_of` is by group and version."""
    for row in rows:
        root = f"/{prefix_of[row.group, row.version]}"
        base = f"{root}/namespaces/{{namespace}}/{row.plural}" if row.namespaced else f"{root}/{row.plural}"
        target = _Target(row, (row.group, row.version, row.kind))
        yield base, _operations(target, ("list", "create", "deletecollection"), row.verbs, base)
        if row.namespaced and "list" in row.verbs:
            everywhere = f"{root}/{row.plural}"
            yield everywhere, _operations(target._replace(where="ForAllNamespaces"), ("list",), row.verbs, everywhere)
        one = f"{base}/{{name}}"
        if "get" in row.verbs:
            yield one, _operations(target, ("get", "update", "patch", "delete"), row.verbs, one)
        for name in row.subresources:
            yield from _below(row, name, f"{one}/{name}")


def _below(row: Resource, name: str, path: str) -> Iterator[tuple[str, Object]]:
    group, version, kind, verbs = subresource_of(row, name)
    own = (group, version, kind) if group else (row.group, row.version, kind or row.kind)
    target = _Target(row, own, subresource=name)
    wanted = ("get", "create", "update", "patch", "delete")
    yield path, _operations(target, wanted, verbs, path)
    if name == "proxy":
        yield f"{path}/{{path}}", _operations(target._replace(where="WithPath"), wanted, verbs, f"{path}/{{path}}")


def _operations(target: _Target, wanted: Sequence[str], verbs: Sequence[str], path: str) -> Object:
    found: Object = {}
    for verb in wanted:
        if verb in verbs:
            action = _ACTIONS.get(verb, verb)
            found[_METHODS.get(action, action)] = _operation(target, action)
    if not found:
        return found
    inside = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    shared = [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in inside]
    return {**found, "parameters": [*shared, {"name": "pretty", "in": "query", "schema": _TEXT}]}


def _operation(target: _Target, action: str) -> Object:
    is_connecting = target.subresource in _CONNECTING
    group, version, kind = target.kind
    given = {} if is_connecting else _PARAMETERS.get(action, {})
    listed = [{"name": name, "in": "query", "schema": schema} for name, schema in given.items()]
    answer = _answer(target, action)
    statuses = {"post": ("200", "201", "202"), "put": ("200", "201"), "patch": ("200", "201"), "delete": ("200", "202")}
    operation: Object = {
        "operationId": _operation_id(target, action),
        **({"parameters": listed} if listed else {}),
        "responses": {
            **{status: {"description": "OK", **answer} for status in statuses.get(action, ("200",))},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": "connect" if is_connecting else action,
        "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
    }
    body = None if is_connecting else _body(target, action)
    return operation if body is None else {**operation, "requestBody": body}


def _operation_id(target: _Target, action: str) -> str:
    row = target.row
    group = "".join(part.capitalize() for part in row.group.removesuffix(".k8s.io").split(".")) or "Core"
    scope = "Namespaced" if row.namespaced and target.where != "ForAllNamespaces" else ""
    below = "".join(_CAPITALS.get(target.subresource, target.subresource.capitalize()))
    kind = "Collection" if action == "deletecollection" else ""
    if target.subresource in _CONNECTING:
        return f"connect{group}{row.version.capitalize()}{action.capitalize()}{scope}{row.kind}{below}{target.where}"
    word = "delete" if kind else _WORDS.get(action, action)
    return f"{word}{group}{row.version.capitalize()}{kind}{scope}{row.kind}{below}{target.where}"


_CAPITALS = {"ephemeralcontainers": "Ephemeralcontainers", "portforward": "Portforward"}


def _answer(target: _Target, action: str) -> Object:
    if action in ("delete", "deletecollection"):
        return _content(f"{_META}Status")
    row = target.row
    name = _list_name(row) if action == "list" else _type_name(target)
    return {} if name is None or target.subresource in ("log", *_CONNECTING) else _content(name)


def _body(target: _Target, action: str) -> Object | None:
    if action == "patch":
        whole = {"schema": {"$ref": f"{COMPONENTS}{_META}Patch"}}
        return {"required": True, "content": dict.fromkeys(patch_types(target.row), whole)}
    if action in ("delete", "deletecollection"):
        return _content(f"{_META}DeleteOptions")
    if action not in ("post", "put"):
        return None
    name = _type_name(target)
    schema: Object = {"type": "object"} if name is None else {"$ref": f"{COMPONENTS}{name}"}
    return {"required": True, "content": {"*/*": {"schema": schema}}}


def _list_name(row: Resource) -> str | None:
    return find_name(row.api_version, row.list_kind) if row.custom is None else f"{full_name(row)}List"


def _type_name(target: _Target) -> str | None:
    group, version, kind = target.kind
    if target.row.custom is not None and kind == target.row.kind:
        return full_name(target.row)
    return find_name(f"{group}/{version}" if group else version, kind)


def _content(name: str) -> Object:
    return {"content": {"application/json": {"schema": {"$ref": f"{COMPONENTS}{name}"}}}}


def without_bodies(document: Object) -> Object:
    """Paths in the form of version 2: bodies are parameters, and parameters have their type themselves."""
    return {path: {method: _as_v2(part) for method, part in found.items()} for path, found in document.items()}


def _as_v2(part: object) -> object:
    if isinstance(part, list):
        return [_parameter_as_v2(parameter) for parameter in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if key not in ("parameters", "requestBody", "responses")}
    parameters = [_parameter_as_v2(parameter) for parameter in part.get("parameters", ())]
    body = part.get("requestBody")
    if body is not None:
        content = next(iter(body["content"].values()))
        parameters.append({"name": "body", "in": "body", "required": body.get("required", False), "schema": content["schema"]})
        kept["consumes"] = list(body["content"])
    kept["responses"] = {status: _response_as_v2(response) for status, response in part["responses"].items()}
    return {**kept, "parameters": parameters, "produces": ["application/json", "application/yaml"]}


def _parameter_as_v2(parameter: Object) -> Object:
    schema: Object = parameter["schema"]
    return {key: value for key, value in parameter.items() if key != "schema"} | schema


def _response_as_v2(response: Object) -> Object:
    content: Object = next(iter(response.get("content", {}).values()), {})
    return {"description": response["description"], **content}
