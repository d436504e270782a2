"""OpenAPI of custom resources: their schemas with what every object has. Pure."""

from typing import Any

from remora.cluster.api.resource import Resource
from remora.cluster.api.schemas import COMPONENTS

Object = dict[str, Any]

_META = f"{COMPONENTS}io.k8s.apimachinery.pkg.apis.meta.v1."
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
"""The types that these schemas refer to."""

_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to "
    f"the latest internal value, and may reject unrecognized values. More info: {_CONVENTIONS}#resources"
)
_KIND = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint "
    f"the client submits requests to. Cannot be updated. In CamelCase. More info: {_CONVENTIONS}#types-kinds"
)
_NOT_IN_V2 = frozenset({"nullable", "anyOf", "oneOf", "not"})


def full_name(row: Resource) -> str:
    """The name of a custom resource's type in the documents."""
    return f"{'.'.join(reversed(row.group.split('.')))}.{row.version}.{row.kind}"


def describe(row: Resource) -> Object:
    """The types of a custom resource and of its list, by their full names."""
    assert row.custom is not None
    name = full_name(row)
    # kubectl says what a kind is with the schema's own words.
    own = {
        "apiVersion": _text(_API_VERSION),
        "kind": _text(_KIND),
        "metadata": _reference("ObjectMeta", "Standard object's metadata."),
    }
    text = row.custom.text
    one = {**text, "type": "object", "properties": {**(text.get("properties") or {}), **own}, **_kind(row, row.kind)}
    items = {"type": "array", "items": {"$ref": COMPONENTS + name}, "description": f"List of {row.plural}."}
    listed = {**own, "metadata": _reference("ListMeta", "Standard list metadata."), "items": items}
    many = {
        "type": "object",
        "description": f"{row.list_kind} is a list of {row.kind}",
        "required": ["items"],
        "properties": listed,
        **_kind(row, row.list_kind),
    }
    return {name: one, f"{name}List": many}


def _text(description: str) -> Object:
    return {"type": "string", "description": description}


def _reference(name: str, description: str) -> Object:
    return {"description": description, "allOf": [{"$ref": _META + name}], "default": {}}


def _kind(row: Resource, kind: str) -> Object:
    return {"x-kubernetes-group-version-kind": [{"group": row.group, "version": row.version, "kind": kind}]}


def without_v3(node: Any, *, is_names: bool = False) -> Any:
    """A schema as version 2 of OpenAPI can say it. `is_names` holds for maps whose keys are names of properties."""
    if isinstance(node, list):
        return [without_v3(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "allOf" in node and not is_names and len(node["allOf"]) == 1 and "$ref" in node["allOf"][0]:
        return {"description": node.get("description", ""), "$ref": node["allOf"][0]["$ref"]}
    kept = {key: value for key, value in node.items() if is_names or key not in _NOT_IN_V2}
    return {
        key: value if key in ("default", "enum") else without_v3(value, is_names=key == "properties")
        for key, value in kept.items()
    }
