"""What a schema does to an object before it is checked: unknown fields go, missing ones get their defaults. Pure.

Nothing that is given is changed; what stays the same is shared with it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from remora.cluster.api.custom.schema import Node

Object = dict[str, Any]

TYPE_FIELDS = ("apiVersion", "kind", "metadata")
"""What every object has, and a schema need not name."""

Note = Callable[[str], None]


def pruned(value: Any, node: Node | None, path: str, note: Note, *, is_object: bool = False) -> Any:
    """Without the fields that the schema does not know; `note` is told the path of each.

    With `is_object` the value is an object of the API, at the root or embedded, whose type fields always stay.
    """
    if node is None:
        return value
    if isinstance(value, dict):
        return _pruned_object(value, node, path, note, is_object=is_object or node.is_embedded)
    if isinstance(value, list) and node.items is not None:
        return [pruned(item, node.items, f"{path}[{index}]", note) for index, item in enumerate(value)]
    return value


def _pruned_object(value: Object, node: Node, path: str, note: Note, *, is_object: bool) -> Object:
    kept = {}
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        part = node.field(name)
        if is_object and name in TYPE_FIELDS:
            kept[name] = item
        elif part is not None:
            kept[name] = pruned(item, part, below, note)
        elif node.is_open or node.values is True:
            kept[name] = item
        else:
            note(below)
    return kept


def defaulted(value: Any, node: Node | None) -> Any:
    """With the schema's defaults; null counts as absent where it is not allowed (`PruneNonNullableDefaults`)."""
    if node is None:
        return value
    if isinstance(value, dict):
        return _defaulted_object(value, node)
    if isinstance(value, list) and node.items is not None:
        return [defaulted(item, node.items) for item in value]
    return value


def _defaulted_object(value: Object, node: Node) -> Object:
    filled = {}
    for name, item in value.items():
        part = node.field(name)
        if item is not None or part is None or part.nullable or _is_anything(part):
            filled[name] = defaulted(item, part)
    for name, part in node.properties.items():
        if name not in filled and part.default is not msgspec.UNSET:
            filled[name] = defaulted(_copied(part.default), part)
    return filled


def _is_anything(node: Node) -> bool:
    return node.is_open and not node.type


def _copied(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value)) if isinstance(value, dict | list) else value
