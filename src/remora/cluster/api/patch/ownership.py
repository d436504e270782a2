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


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


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


def find_value(value: Any, path: Path, schema: Schema | None) -> Any:
    """What stands at a path, or `MISSING`."""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            if not isinstance(value, dict) or name not in value:
                return MISSING
            value, schema = value[name], field_of(schema, name)
            continue
        if not isinstance(value, list) or schema is None:
            return MISSING
        value = next((item for item in value if _step_to(item, kind, schema) == step), MISSING)
        schema = items_of(schema)
    return value


def without(value: Any, path: Path, schema: Schema | None) -> Any:
    """A copy without what stands at a path; parents that are empty for want of it go too."""
    step, rest = path[0], path[1:]
    kind, _, name = step.partition(":")
    if kind == "f":
        if not isinstance(value, dict) or name not in value:
            return value
        kept = {key: item for key, item in value.items() if key != name}
        below = without(value[name], rest, field_of(schema, name)) if rest else None
        return {**value, name: below} if below else kept
    if not isinstance(value, list) or schema is None:
        return value
    if not rest:
        return [item for item in value if _step_to(item, kind, schema) != step]
    below = items_of(schema)
    return [without(item, rest, below) if _step_to(item, kind, schema) == step else item for item in value]


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
