"""A value held against a schema, in the words of Kubernetes (`kube-openapi` `validate`, `apiextensions` `validation`). Pure.

On an update what has not changed is not looked at again: a definition that became stricter must not make old objects
unchangeable (Kubernetes' validation ratcheting).
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from remora.cluster.api.custom.formats import has_format
from remora.cluster.api.custom.schema import Node
from remora.cluster.api.errors import Cause, duplicate, invalid_value, render_value, required, unsupported
from remora.cluster.cel import CelError
from remora.cluster.cel.values import regex

MISSING: Any = object()
ROOT = "<nil>"
"""How Kubernetes names the whole object."""

BLOCKING = frozenset({"FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"})
"""Faults after which rules are not asked."""


def check_value(node: Node, value: Any, path: str = "", before: Any = MISSING) -> Iterator[Cause]:
    """Everything wrong with a value; `before` is what stood there."""
    if before is not MISSING and before == value:
        return
    if value is None and node.nullable:
        return
    shown = path or ROOT
    wrong_type = _find_wrong_type(node, value)
    if wrong_type:
        yield _type_fault(shown, path, wrong_type, value)
        return
    if node.enum is not None and value not in node.enum:
        yield unsupported(shown, value, [option if isinstance(option, str) else render_value(option) for option in node.enum])
    match value:
        case str():
            yield from _check_text(node, value, shown, path)
        case bool() | None:
            pass
        case int() | float():
            yield from _check_number(node, value, shown, path)
        case list():
            yield from _check_list(node, value, path, before)
        case dict():
            yield from _check_object(node, value, path, before)
    yield from _check_combined(node, value, path)


_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "null")


def _find_wrong_type(node: Node, value: Any) -> str:
    """The type that a value should have and has not."""
    if node.is_int_or_string:
        return "" if json_type(value) in ("integer", "string") else "integer,string"
    found = json_type(value)
    if not node.type or found == node.type:
        return ""
    if node.type == "number" and found == "integer":
        return ""
    if node.type == "integer" and isinstance(value, float) and value.is_integer():
        return ""
    return node.type


def _type_fault(shown: str, path: str, wanted: str, value: Any) -> Cause:
    found = render_value(json_type(value))
    return Cause(shown, "FieldValueTypeInvalid", f"Invalid value: {found}: {path} in body must be of type {wanted}: {found}")


def _body(path: str, value: Any, why: str) -> Cause:
    return invalid_value(path or ROOT, value, f"{path} in body {why}")


def _check_text(node: Node, value: str, shown: str, path: str) -> Iterator[Cause]:
    if node.max_length is not None and len(value) > node.max_length:
        yield Cause(shown, "FieldValueTooLong", f"Too long: may not be more than {node.max_length} bytes")
    if node.min_length is not None and len(value) < node.min_length:
        yield _body(path, value, f"should be at least {node.min_length} chars long")
    if node.pattern and not _fits(node.pattern, value):
        yield _body(path, value, f"should match '{node.pattern}'")
    if node.format and not has_format(value, node.format):
        yield _body(path, value, f"must be of type {node.format}: {render_value(value)}")


def _fits(pattern: str, value: str) -> bool:
    try:
        return regex(pattern).search(value) is not None
    except CelError:
        return True  # said once, when the definition was made


def _check_number(node: Node, value: float, shown: str, path: str) -> Iterator[Cause]:
    if node.minimum is not None and (value < node.minimum or (node.exclusive_minimum and value == node.minimum)):
        than = "" if node.exclusive_minimum else " or equal to"
        yield _body(path, value, f"should be greater than{than} {_plain(node.minimum)}")
    if node.maximum is not None and (value > node.maximum or (node.exclusive_maximum and value == node.maximum)):
        than = "" if node.exclusive_maximum else " or equal to"
        yield _body(path, value, f"should be less than{than} {_plain(node.maximum)}")
    if node.multiple_of and abs(value / node.multiple_of - round(value / node.multiple_of)) > 1e-9:
        yield _body(path, value, f"should be a multiple of {_plain(node.multiple_of)}")
    bits = {"int32": 31, "int64": 63}.get(node.format)
    if bits is not None and not -(2**bits) <= value < 2**bits:
        yield _body(path, value, f"must be of type {node.format}: {render_value(value)}")


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _too_many(shown: str, count: int, most: int) -> Cause:
    return Cause(shown, "FieldValueTooMany", f"Too many: {count}: must have at most {most} item{'s' if most != 1 else ''}")


def _check_list(node: Node, value: list[Any], path: str, before: Any) -> Iterator[Cause]:
    if node.max_items is not None and len(value) > node.max_items:
        yield _too_many(path or ROOT, len(value), node.max_items)
    if node.min_items is not None and len(value) < node.min_items:
        yield _body(path, len(value), f"should have at least {node.min_items} items")
    if node.list_type in ("set", "map"):
        yield from _check_unique(node, value, path)
    if node.items is not None:
        old = finding_before(node, before)
        for index, item in enumerate(value):
            yield from check_value(node.items, item, f"{path}[{index}]", old(item))


def finding_before(node: Node, before: Any) -> Callable[[Any], Any]:
    """Tells what a list's element was before: by its keys, or, where it has none, whether it was there."""
    if not isinstance(before, list):
        return lambda item: MISSING
    known: dict[bytes, Any] = {}
    for old in before:
        known.setdefault(_identity(node, old), old)
    return lambda item: known.get(_identity(node, item), MISSING)


def _identity(node: Node, item: Any) -> bytes:
    """Two elements of a list that have the same one are the same element."""
    has_keys = node.list_type == "map" and isinstance(item, dict)
    return msgspec.json.encode(element_keys(node, item) if has_keys else item, order="deterministic")


def element_keys(node: Node, item: dict[str, Any]) -> dict[str, Any]:
    return {key: item[key] for key in node.list_keys if key in item}


def _check_unique(node: Node, value: list[Any], path: str) -> Iterator[Cause]:
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        identity = _identity(node, item)
        if identity in seen:
            yield duplicate(f"{path}[{index}]", msgspec.json.decode(identity))
        seen.add(identity)


def _check_object(node: Node, value: dict[str, Any], path: str, before: Any) -> Iterator[Cause]:
    if node.max_properties is not None and len(value) > node.max_properties:
        yield _too_many(path or ROOT, len(value), node.max_properties)
    if node.min_properties is not None and len(value) < node.min_properties:
        yield _body(path, len(value), f"should have at least {node.min_properties} properties")
    for name in node.required:
        if name not in value:
            yield required(f"{path}.{name}" if path else name)
    for name, item in value.items():
        part = node.field(name)
        if part is not None:
            old = before.get(name, MISSING) if isinstance(before, dict) else MISSING
            yield from check_value(part, item, f"{path}.{name}" if path else name, old)
    if node.is_embedded:
        yield from _check_embedded(value, path)


def _check_embedded(value: dict[str, Any], path: str) -> Iterator[Cause]:
    for name in ("apiVersion", "kind"):
        if not value.get(name):
            yield required(f"{path}.{name}", "must not be empty")


def _check_combined(node: Node, value: Any, path: str) -> Iterator[Cause]:
    """`allOf`, `anyOf`, `oneOf` and `not`; where no branch fits, the first one's faults say what is missing."""
    for part in node.all_of:
        yield from check_value(part, value, path)
    if node.any_of:
        faults = [list(check_value(part, value, path)) for part in node.any_of]
        if all(faults):
            yield _combined(path, "must validate at least one schema (anyOf)")
            yield from faults[0]
    if node.one_of:
        faults = [list(check_value(part, value, path)) for part in node.one_of]
        fitting = sum(not found for found in faults)
        if fitting != 1:
            more = "Found none valid" if not fitting else f"Found {fitting} valid alternatives"
            yield _combined(path, f"must validate one and only one schema (oneOf). {more}")
            yield from faults[0] if not fitting else ()
    if node.negated is not None and not any(True for _ in check_value(node.negated, value, path)):
        yield _combined(path, "must not validate the schema (not)")


def _combined(path: str, why: str) -> Cause:
    return invalid_value(path or ROOT, "", f'"{path}" {why}')
