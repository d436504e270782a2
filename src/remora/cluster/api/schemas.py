"""Kubernetes' own types: field names, list keys and patch strategies, from the OpenAPI data that `kubernetes-validate` carries.

`definitions` is the whole text, for the OpenAPI endpoints; it is read anew at each call, because its descriptions are most of a
megabyte that nobody else needs. What decoding and patches need is kept in `schemas`.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

_DATA = "kubernetes-json-schema/v1.36.0-local/_definitions.json"
_REFERENCE = "#/$defs/"
COMPONENTS = "#/components/schemas/"


class GroupVersionKind(msgspec.Struct, frozen=True):
    group: str
    version: str
    kind: str


class Schema(
    msgspec.Struct,
    frozen=True,
    rename={
        "reference": "$ref",
        "values": "additionalProperties",
        "list_type": "x-kubernetes-list-type",
        "list_keys": "x-kubernetes-list-map-keys",
        "map_type": "x-kubernetes-map-type",
        "merge_key": "x-kubernetes-patch-merge-key",
        "strategy": "x-kubernetes-patch-strategy",
        "kinds": "x-kubernetes-group-version-kind",
        "is_open": "x-kubernetes-preserve-unknown-fields",
    },
):
    """One type, or one field of a type: then mostly a reference with the field's merge rules beside it.

    `strategy` and `merge_key` rule strategic merge patches, `list_type` and `list_keys` server-side apply.
    """

    reference: str = ""
    type: str | tuple[str, ...] = ""
    format: str = ""
    properties: dict[str, "Schema"] = {}
    items: "Schema | None" = None
    values: "Schema | bool | None" = None
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""
    merge_key: str = ""
    strategy: str = ""
    kinds: tuple[GroupVersionKind, ...] = ()
    is_open: bool = False

    @property
    def name(self) -> str:
        """The full name of the type referred to, such as `io.k8s.api.core.v1.Pod`; "" where there is none."""
        return self.reference.removeprefix(_REFERENCE)

    @property
    def strategies(self) -> frozenset[str]:
        return frozenset(self.strategy.split(",")) - {""}

    @property
    def type_name(self) -> str:
        """The JSON type, without the "null" that every optional field has."""
        if isinstance(self.type, str):
            return self.type
        return next((name for name in self.type if name != "null"), "")


class _File(msgspec.Struct, rename={"schemas": "$defs"}):
    schemas: dict[str, Schema]


def _read() -> bytes:
    return files("kubernetes_validate").joinpath(_DATA).read_bytes()


@cache
def schemas() -> Mapping[str, Schema]:
    """Every type by its full name."""
    return msgspec.json.decode(_read(), type=_File).schemas


@cache
def _names_by_kind() -> Mapping[tuple[str, str], str]:
    names = {}
    for name, schema in schemas().items():
        # Options and WatchEvent belong to every group; an object's own type belongs to one.
        if len(schema.kinds) == 1:
            found = schema.kinds[0]
            names[f"{found.group}/{found.version}" if found.group else found.version, found.kind] = name
    return names


def find_name(api_version: str, kind: str) -> str | None:
    """The full name of the type of a kind; None for versions that Kubernetes 1.36 no longer has."""
    return _names_by_kind().get((api_version, kind))


_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def schema_of(api_version: str, kind: str) -> Schema:
    """The type of a kind. Of a version that is only served through conversion nothing but the metadata is known."""
    name = find_name(api_version, kind)
    if name is not None:
        return schemas()[name]
    metadata = Schema(reference=_REFERENCE + _METADATA)
    text = Schema(type="string")
    return Schema(type="object", properties={"apiVersion": text, "kind": text, "metadata": metadata}, is_open=True)


def resolved(schema: Schema) -> Schema:
    """The type that a field refers to, or the field itself."""
    return _referred(schema.reference) if schema.reference else schema


@cache
def _referred(reference: str) -> Schema:
    return schemas()[reference.removeprefix(_REFERENCE)]


def field_of(schema: Schema | None, name: str) -> Schema | None:
    """The field of an object or the values of a map; None where nothing is known about it."""
    if schema is None:
        return None
    whole = resolved(schema)
    if name in whole.properties:
        return whole.properties[name]
    return whole.values if isinstance(whole.values, Schema) else None


def definitions() -> dict[str, Any]:
    """Every type's OpenAPI v3 schema by its full name, with references into `#/components/schemas/`."""
    raw = msgspec.json.decode(_read())["$defs"]
    return {name: _as_component(schema) for name, schema in raw.items()}


def _as_component(node: Any) -> Any:
    if isinstance(node, list):
        return [_as_component(item) for item in node]
    if not isinstance(node, dict):
        return node
    cleaned = {key: _as_component(value) for key, value in node.items()}
    reference, kind = cleaned.get("$ref"), cleaned.get("type")
    if isinstance(reference, str):
        cleaned["$ref"] = COMPONENTS + reference.removeprefix(_REFERENCE)
    if isinstance(kind, list):
        cleaned["type"] = next(name for name in kind if name != "null")
        cleaned.pop("enum", None)
    return cleaned
