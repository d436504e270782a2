"""The structural schema of a custom resource's version (`openAPIV3Schema`), read once into frozen nodes. Pure."""

from typing import Any, Literal

import msgspec

from remora.cluster.api.schemas import Schema
from remora.cluster.cel import CelError
from remora.cluster.cel.values import regex

Object = dict[str, Any]


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """One of `x-kubernetes-validations`."""

    rule: str
    message: str = ""
    message_expression: str = ""
    reason: str = "FieldValueInvalid"
    field_path: str = ""
    optional_old_self: bool = False


class Node(
    msgspec.Struct,
    frozen=True,
    eq=False,
    rename={
        "values": "additionalProperties",
        "any_of": "anyOf",
        "all_of": "allOf",
        "one_of": "oneOf",
        "negated": "not",
        "exclusive_minimum": "exclusiveMinimum",
        "exclusive_maximum": "exclusiveMaximum",
        "multiple_of": "multipleOf",
        "min_length": "minLength",
        "max_length": "maxLength",
        "min_items": "minItems",
        "max_items": "maxItems",
        "min_properties": "minProperties",
        "max_properties": "maxProperties",
        "list_type": "x-kubernetes-list-type",
        "list_keys": "x-kubernetes-list-map-keys",
        "map_type": "x-kubernetes-map-type",
        "is_open": "x-kubernetes-preserve-unknown-fields",
        "is_embedded": "x-kubernetes-embedded-resource",
        "is_int_or_string": "x-kubernetes-int-or-string",
        "rules": "x-kubernetes-validations",
    },
):
    """One place of a schema; `values` is `additionalProperties`."""

    type: str = ""
    format: str = ""
    nullable: bool = False
    title: str = ""
    description: str = ""
    properties: dict[str, "Node"] = {}
    required: tuple[str, ...] = ()
    items: "Node | None" = None
    values: "Node | bool | None" = None
    enum: tuple[Any, ...] | None = None
    default: Any = msgspec.UNSET
    pattern: str = ""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    min_properties: int | None = None
    max_properties: int | None = None
    any_of: tuple["Node", ...] = ()
    all_of: tuple["Node", ...] = ()
    one_of: tuple["Node", ...] = ()
    negated: "Node | None" = None
    list_type: Literal["", "atomic", "set", "map"] = ""
    list_keys: tuple[str, ...] = ()
    map_type: Literal["", "atomic", "granular"] = ""
    is_open: bool = False
    is_embedded: bool = False
    is_int_or_string: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def value_node(self) -> "Node | None":
        """The schema of a map's values."""
        return self.values if isinstance(self.values, Node) else None

    def field(self, name: str) -> "Node | None":
        return self.properties.get(name) or self.value_node

    @property
    def parts(self) -> "tuple[Node, ...]":
        """The schemas directly below."""
        below = (self.items, self.value_node)
        return (*self.properties.values(), *(part for part in below if part is not None))


def parse_schema(text: Object) -> Node:
    """A schema as it stands in a definition.

    Raises:
        ValueError: it has not the shape of one; the message says where.
    """
    try:
        return msgspec.convert(text, Node)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ValueError(str(error)) from None


def find_pattern_fault(pattern: str) -> str:
    """Why a pattern cannot be used; "" if it can."""
    try:
        regex(pattern)
    except CelError as error:
        return str(error)
    return ""


_TEXT = Schema(type="string")
_META: Schema = Schema(reference="#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")


def merge_schema(text: Object) -> Schema:
    """The same schema as patches and server-side apply read types: list keys, atomic parts, and Kubernetes' own metadata."""
    return _with_type(_merging(text))


def _merging(text: Object) -> Schema:
    schema = Schema(
        type=text.get("type") or "",
        properties={name: _merging(part) for name, part in (text.get("properties") or {}).items()},
        items=_merging(text["items"]) if isinstance(text.get("items"), dict) else None,
        values=_merging(text["additionalProperties"]) if isinstance(text.get("additionalProperties"), dict) else None,
        list_type=text.get("x-kubernetes-list-type") or "",
        list_keys=tuple(text.get("x-kubernetes-list-map-keys") or ()),
        map_type=text.get("x-kubernetes-map-type") or "",
        is_open=bool(text.get("x-kubernetes-preserve-unknown-fields")),
    )
    return _with_type(schema) if text.get("x-kubernetes-embedded-resource") else schema


def _with_type(schema: Schema) -> Schema:
    own = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _META}
    return msgspec.structs.replace(schema, properties={**schema.properties, **own})
