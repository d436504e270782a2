"""What a schema must be to be structural, in Kubernetes' words (`apiextensions` `schema` and `validation`). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from remora.cluster.api.custom.checks import check_value
from remora.cluster.api.custom.rules import find_rule_fault
from remora.cluster.api.custom.schema import Node, Rule, find_pattern_fault
from remora.cluster.api.custom.shaping import pruned
from remora.cluster.api.errors import Cause, forbidden_field, invalid_value, required, unsupported

Object = dict[str, Any]

_UNSUPPORTED = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_ONLY_STRUCTURAL = (
    "description",
    "type",
    "default",
    "title",
    "nullable",
    "additionalProperties",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
"""What may not stand inside `allOf`, `anyOf`, `oneOf` and `not`."""

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_WHERE_MISSING = {
    "root": "must not be empty at the root",
    "properties": "must not be empty for specified object fields",
    "items": "must not be empty for specified array items",
    "values": "must not be empty for specified object fields",
}


def check_schema(text: Object, node: Node, path: str) -> Iterator[Cause]:
    """Everything that keeps a schema from being served; `node` is the same schema read."""
    if not text.get("type"):
        yield required(f"{path}.type", _WHERE_MISSING["root"])
    elif text["type"] != "object":
        yield invalid_value(f"{path}.type", text["type"], "must be object at the root")
    if text.get("additionalProperties") is not None:
        yield forbidden_field(f"{path}.additionalProperties", "must not be used at the root")
    yield from _check_metadata(text, path)
    yield from _check_node(text, node, path, "root")


def _check_metadata(text: Object, path: str) -> Iterator[Cause]:
    metadata = (text.get("properties") or {}).get("metadata")
    if not isinstance(metadata, dict):
        return
    if set(metadata) - {"type", "properties", "description"} or set(metadata.get("properties") or {}) - {
        "name",
        "generateName",
    }:
        why = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden_field(f"{path}.properties[metadata]", why)


def _check_node(text: Object, node: Node, path: str, place: str) -> Iterator[Cause]:
    yield from _check_words(text, node, path)
    yield from _check_type(text, node, path, place)
    yield from _check_list(node, path)
    yield from _check_rules(node.rules, path)
    for name in ("allOf", "anyOf", "oneOf"):
        for index, branch in enumerate(text.get(name) or ()):
            if not _is_int_or_string(text, name):
                yield from _check_branch(branch, text, f"{path}.{name}[{index}]")
    if isinstance(text.get("not"), dict):
        yield from _check_branch(text["not"], text, f"{path}.not")
    if node.default is not msgspec.UNSET:
        yield from _check_default(node, path)
    yield from _check_below(text, node, path)


def _check_below(text: Object, node: Node, path: str) -> Iterator[Cause]:
    for name, part in node.properties.items():
        is_root_metadata = name == "metadata" and path.endswith("openAPIV3Schema")
        if not is_root_metadata:
            yield from _check_node(text["properties"][name], part, f"{path}.properties[{name}]", "properties")
    if node.value_node is not None:
        yield from _check_node(text["additionalProperties"], node.value_node, f"{path}.additionalProperties", "values")
    if node.items is not None:
        yield from _check_node(text["items"], node.items, f"{path}.items", "items")


def _is_int_or_string(text: Object, name: str) -> bool:
    """The one shape in which branches may name types: an anyOf of integer and string."""
    return bool(text.get("x-kubernetes-int-or-string")) and name in ("anyOf", "allOf")


def _check_words(text: Object, node: Node, path: str) -> Iterator[Cause]:
    yield from (forbidden_field(f"{path}.{name}", f"{name} is not supported") for name in _UNSUPPORTED if text.get(name))
    if text.get("uniqueItems"):
        yield forbidden_field(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if node.properties and node.values not in (None, False):
        yield forbidden_field(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if node.values is False:
        yield forbidden_field(f"{path}.additionalProperties", "additionalProperties cannot be set to false")
    if node.pattern and (fault := find_pattern_fault(node.pattern)):
        yield invalid_value(f"{path}.pattern", node.pattern, f"must be a valid regular expression, but isn't: {fault}")


def _check_type(text: Object, node: Node, path: str, place: str) -> Iterator[Cause]:
    if node.type and node.type not in _TYPES:
        yield unsupported(f"{path}.type", node.type, _TYPES)
    if node.is_int_or_string:
        if node.type:
            yield forbidden_field(f"{path}.type", "must be empty if x-kubernetes-int-or-string is true")
    elif not node.type and place != "root" and not node.is_open:
        yield required(f"{path}.type", _WHERE_MISSING[place])
    if node.type == "array" and node.items is None:
        yield required(f"{path}.items", "must be specified")
    if node.is_embedded and node.type != "object":
        yield invalid_value(f"{path}.type", node.type, "must be object if x-kubernetes-embedded-resource is true")
    if node.is_embedded and not node.is_open and not node.properties:
        yield required(
            f"{path}.properties",
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        )


def _check_list(node: Node, path: str) -> Iterator[Cause]:
    if node.list_type and node.type != "array":
        yield invalid_value(f"{path}.type", node.type, "must be array if x-kubernetes-list-type is specified")
    if node.list_type == "map":
        yield from _check_map_keys(node, path)
    elif node.list_keys:
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield invalid_value(f"{path}.x-kubernetes-list-type", node.list_type, why)


def _check_map_keys(node: Node, path: str) -> Iterator[Cause]:
    if not node.list_keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    properties: Mapping[str, Node] = node.items.properties if node.items is not None else {}
    for index, key in enumerate(node.list_keys):
        part = properties.get(key)
        if part is None:
            why = "entries must all be names of item properties"
            yield invalid_value(f"{path}.x-kubernetes-list-map-keys[{index}]", key, why)
        elif part.type in ("array", "object"):
            where = f"{path}.items.properties[{key}].type"
            yield invalid_value(where, part.type, "must be a scalar type if parent array's x-kubernetes-list-type is map")
        elif node.items is not None and key not in node.items.required and part.default is msgspec.UNSET:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield required(f"{path}.items.properties[{key}].default", why)


def _check_branch(branch: Any, whole: Object, path: str) -> Iterator[Cause]:
    if not isinstance(branch, dict):
        return
    for name in _ONLY_STRUCTURAL:
        if branch.get(name) not in (None, False, "", [], {}):
            yield forbidden_field(f"{path}.{name}", "must be empty to be structural")
    for name, part in (branch.get("properties") or {}).items():
        known = (whole.get("properties") or {}).get(name)
        if known is None and whole.get("additionalProperties") in (None, False):
            where = f"{path.rpartition('.')[0]}.properties[{name}]"
            yield required(where, f"because it is defined in {path}.properties[{name}]")
        else:
            yield from _check_branch(part, known or {}, f"{path}.properties[{name}]")


def _check_default(node: Node, path: str) -> Iterator[Cause]:
    unknown: list[str] = []
    pruned(node.default, node, "", unknown.append)
    if unknown:
        yield invalid_value(f"{path}.default", node.default, f"must not have unknown fields: {', '.join(unknown)}")
    yield from check_value(node, node.default, f"{path}.default")


def _check_rules(rules: tuple[Rule, ...], path: str) -> Iterator[Cause]:
    for index, rule in enumerate(rules):
        where = f"{path}.x-kubernetes-validations[{index}]"
        if not rule.rule.strip():
            yield required(f"{where}.rule", "rule is not specified")
            continue
        fault = find_rule_fault(rule)
        if fault.startswith("Syntax error"):
            yield invalid_value(f"{where}.rule", rule.rule, f"compilation failed: ERROR: <input>:1:1: {fault}")
        if "\n" in rule.message.strip():
            yield invalid_value(f"{where}.message", rule.message, "message must not contain line breaks")
        if rule.reason not in _REASONS:
            yield unsupported(f"{where}.reason", rule.reason, _REASONS)


def unanswerable_rules(node: Node, path: str = "") -> Iterator[tuple[str, str]]:
    """Rules that cannot be asked here, and why."""
    for rule in node.rules:
        if fault := find_rule_fault(rule):
            yield f"{path}: {rule.rule.strip()}", fault
    for name, part in node.properties.items():
        yield from unanswerable_rules(part, f"{path}.{name}" if path else name)
    if node.items is not None:
        yield from unanswerable_rules(node.items, f"{path}[]")
    if node.value_node is not None:
        yield from unanswerable_rules(node.value_node, f"{path}.*")
