"""Field sets of server-side apply: which fields an object sets, and `metadata.managedFields` as text of them. Pure.

A path is a tuple of Kubernetes' own steps (structured-merge-diff `FieldsV1`): `f:name` is a field, `k:{"name":"c"}` the element
of a list with these keys, `v:"x"` a value of a set.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from remora.cluster.api.schemas import Schema, field_of, resolved

Path = tuple[str, ...]
Object = dict[str, Any]

_KEY_DEFAULTS = {"protocol": "TCP"}
"""List keys that may be left out: the port lists' protocol."""


def is_granular(schema: Schema | None) -> bool:
    """Whether an object's fields have owners of their own, and not just the whole."""
    return schema is None or "atomic" not in (schema.map_type, resolved(schema).map_type)


def list_type(schema: Schema | None) -> str:
    return "atomic" if schema is None else schema.list_type or "atomic"


def items_of(schema: Schema | None) -> Schema | None:
    return resolved(schema).items if schema is not None else None


def key_step(item: Any, schema: Schema) -> str:
    """The step to a list's element by its keys."""
    keys = {key: item.get(key, _KEY_DEFAULTS.get(key)) for key in schema.list_keys} if isinstance(item, dict) else {}
    return "k:" + _compact({key: value for key, value in sorted(keys.items()) if value is not None})


def value_step(item: Any) -> str:
    return "v:" + _compact(item)


def _step_to(item: Any, kind: str, schema: Schema) -> str:
    return value_step(item) if kind == "v" else key_step(item, schema)


_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def paths_of(value: Any, schema: Schema | None, prefix: Path = ()) -> Iterator[Path]:
    """The paths of everything that a value sets."""
    if isinstance(value, dict) and value and is_granular(schema):
        for key, item in value.items():
            yield from paths_of(item, field_of(schema, key), (*prefix, f"f:{key}"))
    elif isinstance(value, list) and value and schema is not None and list_type(schema) in ("map", "set"):
        yield from _element_paths(value, schema, prefix)
    else:
        yield prefix


def _element_paths(value: list[Any], schema: Schema, prefix: Path) -> Iterator[Path]:
    for item in value:
        if schema.list_type == "set":
            yield (*prefix, value_step(item))
            continue
        place = (*prefix, key_step(item, schema))
        yield place
        yield from (path for path in paths_of(item, items_of(schema), place) if path != place)


def fields_to_wire(paths: Iterable[Path]) -> Object:
    """`fieldsV1`."""
    every = set(paths)
    tree: Object = {}
    for path in sorted(every):
        node = tree
        for depth, step in enumerate(path, start=1):
            is_owned_parent = path[:depth] in every and depth < len(path)
            node = node.setdefault(step, {})
            if is_owned_parent:
                node.setdefault(".", {})
    return tree


def fields_from_wire(tree: Object, prefix: Path = ()) -> Iterator[Path]:
    for step, below in tree.items():
        if step == ".":
            yield prefix
        elif not below:
            yield (*prefix, step)
        else:
            yield from fields_from_wire(below, (*prefix, step))


def is_readable(entry: Any) -> bool:
    """Whether an entry of `managedFields` that a client sent says what such an entry says."""
    return (
        isinstance(entry, dict)
        and entry.get("operation") in ("Apply", "Update")
        and entry.get("fieldsType") == "FieldsV1"
        and _is_tree(entry.get("fieldsV1"))
    )


def _is_tree(tree: Any) -> bool:
    return isinstance(tree, dict) and all((step == "." or _is_step(step)) and _is_tree(below) for step, below in tree.items())


def _is_step(step: str) -> bool:
    kind, _, text = step.partition(":")
    if kind == "f":
        return True
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return kind == "v" or (kind == "k" and isinstance(found, dict))


MISSING = object()


class Finder:
    """Finds what stands at paths of one value, which must not change; elements of long lists by looking up."""

    def __init__(self, value: Any, schema: Schema | None) -> None:
        self._value = value
        self._schema = schema
        self._elements: dict[int, dict[str, Any]] = {}

    def find(self, path: Path) -> Any:
        """What stands there, or `MISSING`."""
        value, schema = self._value, self._schema
        for step in path:
            kind, _, name = step.partition(":")
            if kind == "f":
                if not isinstance(value, dict) or name not in value:
                    return MISSING
                value, schema = value[name], field_of(schema, name)
                continue
            if not isinstance(value, list) or schema is None:
                return MISSING
            value = self._by_step(value, kind, schema).get(step, MISSING)
            schema = items_of(schema)
        return value

    def _by_step(self, items: list[Any], kind: str, schema: Schema) -> dict[str, Any]:
        found = self._elements.get(id(items))
        if found is None:
            found = self._elements[id(items)] = {_step_to(item, kind, schema): item for item in reversed(items)}
        return found


def without(value: Any, paths: Iterable[Path], schema: Schema | None) -> Any:
    """A copy without what stands at the paths; parents that are empty for want of it go too."""
    tree: Object = {}
    for path in paths:
        node = tree
        for step in path[:-1]:
            node = node.setdefault(step, {})
            if node is _WHOLE:
                break
        else:
            node[path[-1]] = _WHOLE
    return _pruned(value, tree, schema)


_WHOLE: Object = {}


def _pruned(value: Any, tree: Object, schema: Schema | None) -> Any:
    if isinstance(value, dict):
        kept = {}
        for name, item in value.items():
            below = tree.get(f"f:{name}")
            if below is None:
                kept[name] = item
            elif below is not _WHOLE and (rest := _pruned(item, below, field_of(schema, name))):
                kept[name] = rest
        return kept
    if not isinstance(value, list) or schema is None or not tree:
        return value
    kind = next(iter(tree))[0]
    found = ((item, tree.get(_step_to(item, kind, schema))) for item in value)
    return [item if below is None else _pruned(item, below, items_of(schema)) for item, below in found if below is not _WHOLE]


def render_path(path: Path) -> str:
    """As conflicts name it: `.spec.containers[name="c"].image`."""
    return "".join(_render_step(step) for step in path)


def _render_step(step: str) -> str:
    kind, _, text = step.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "v":
        return f"[={text}]"
    return "[" + ",".join(f"{key}={_compact(value)}" for key, value in json.loads(text).items()) + "]"
