"""Whose fields are which after a write that is no apply: who sets or changes a field owns it, alone. Pure.

A write's entry in `metadata.managedFields` has the operation `Update`; entries are of a manager, an operation, an API version
and a subresource (structured-merge-diff `Updater.Update`).
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from remora.cluster.api.patch.ownership import (
    Path,
    fields_from_wire,
    fields_to_wire,
    is_granular,
    is_readable,
    items_of,
    key_step,
    list_type,
    value_step,
)
from remora.cluster.api.schemas import Schema, field_of

Object = dict[str, Any]

_LONGEST_MANAGER = 128
_UNOWNED = frozenset(
    {("f:apiVersion",), ("f:kind",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)
_ALWAYS_THERE = frozenset(
    {"metadata", "spec", "status", "strategy", "updateStrategy", "template", "jobTemplate", "containers", "loadBalancer",
     "scaleTargetRef", "involvedObject", "source", "roleRef", "rules",
     "reportingComponent", "reportingInstance"}
)  # fmt: skip
"""Structs and lists that Go writes even when they are empty, so that nobody has brought them."""


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes, when (RFC 3339), and through which subresource."""

    manager: str
    time: str
    subresource: str = ""


def manager_of(given: str, user_agent: str) -> str:
    """`fieldManager`, or else the first word of the User-Agent."""
    if given:
        return given
    first = user_agent.partition("/")[0]
    return "".join(letter for letter in first if letter.isprintable())[:_LONGEST_MANAGER] or "unknown"


def entries_after(new: Object, before: Object | None, writer: Writer, schema: Schema) -> list[Object]:
    """`managedFields` of an object that was written; `before` is None for a new one."""
    entries = _base(new, before)
    if before is None and not entries:
        return [_entry(tree, new["apiVersion"], writer)] if (tree := _tree_of_new(new, schema, writer)) else []
    changed, removed = _differences(before, new, schema, writer)
    if not changed and not removed:
        return entries
    mine = next((entry for entry in entries if _is_by(entry, writer, new["apiVersion"])), None)
    kept = [_reduced(entry, changed, removed) for entry in entries if entry is not mine]
    own = changed | _left(mine, removed)
    if own:
        kept.append(_entry(fields_to_wire(own), new["apiVersion"], writer))
    return in_order(entry for entry in kept if entry.get("fieldsV1"))


def _base(new: Object, before: Object | None) -> list[Object]:
    """Owners before the write: those that the client names, or else those that are stored; one empty entry forgets them all."""
    given = new["metadata"].get("managedFields")
    if given == [{}]:
        return []
    if given and all(is_readable(entry) for entry in given):
        return list(given)
    return list(((before or {}).get("metadata") or {}).get("managedFields") or ())


def _differences(before: Object | None, new: Object, schema: Schema, writer: Writer) -> tuple[frozenset[Path], frozenset[Path]]:
    found = list(_compare({} if before is None else before, new, schema, (), is_plain=True))
    if not writer.subresource:
        found = [(path, is_set) for path, is_set in found if path[0].removeprefix("f:") not in _not_given(new)]
    changed = frozenset(path for path, is_set in found if is_set and path[:2] not in _UNOWNED)
    removed = frozenset(path for path, is_set in found if not is_set and path[:2] not in _UNOWNED)
    return changed - {("f:metadata",)} - _UNOWNED, removed - _UNOWNED


def _compare(before: Any, new: Any, schema: Schema | None, prefix: Path, *, is_plain: bool) -> Iterator[tuple[Path, bool]]:
    """Paths that were set or changed (True) or removed (False)."""
    if isinstance(before, dict) and isinstance(new, dict) and is_granular(schema):
        for key in (*new, *(key for key in before if key not in new)):
            place, field = (*prefix, f"f:{key}"), field_of(schema, key)
            plain = is_plain and key in _ALWAYS_THERE
            if key not in new:
                yield from ((path, False) for path in _all_of(before[key], field, place, is_plain=plain))
            elif key not in before:
                yield from ((path, True) for path in _all_of(new[key], field, place, is_plain=plain))
            elif before[key] != new[key]:
                yield from _compare(before[key], new[key], field, place, is_plain=plain)
    elif isinstance(before, list) and isinstance(new, list) and schema is not None and list_type(schema) in ("map", "set"):
        yield from _compare_lists(before, new, schema, prefix)
    elif before != new:
        yield (prefix, new is not None)


def _compare_lists(before: list[Any], new: list[Any], schema: Schema, prefix: Path) -> Iterator[tuple[Path, bool]]:
    olds, news = _by_step(before, schema), _by_step(new, schema)
    below = items_of(schema)
    for step, item in news.items():
        if step not in olds:
            yield from ((path, True) for path in _all_of(item, below, (*prefix, step), is_plain=False))
        else:
            yield from _compare(olds[step], item, below, (*prefix, step), is_plain=False)
    for step, item in olds.items():
        if step not in news:
            yield from ((path, False) for path in _all_of(item, below, (*prefix, step), is_plain=False))


def _by_step(items: list[Any], schema: Schema) -> dict[str, Any]:
    make = value_step if list_type(schema) == "set" else lambda item: key_step(item, schema)
    return {make(item): item for item in items}


def _all_of(value: Any, schema: Schema | None, prefix: Path, *, is_plain: bool) -> Iterator[Path]:
    """A value's own path, unless it is always there, and all below it."""
    if isinstance(value, dict) and value and is_granular(schema):
        if not is_plain:
            yield prefix
        for key, item in value.items():
            yield from _all_of(item, field_of(schema, key), (*prefix, f"f:{key}"), is_plain=is_plain and key in _ALWAYS_THERE)
    elif isinstance(value, list) and value and schema is not None and list_type(schema) in ("map", "set"):
        if not is_plain:
            yield prefix
        below = items_of(schema)
        for step, item in _by_step(value, schema).items():
            yield from _all_of(item, below, (*prefix, step), is_plain=False)
    elif value is not None and not (is_plain and _is_nothing(value)):
        yield prefix


def _not_given(obj: Object) -> tuple[str, ...]:
    """Parts that the server fills in, whoever writes the rest."""
    return {"Node": (), "Namespace": ("spec", "status")}.get(obj["kind"], ("status",))


def _tree_of_new(new: Object, schema: Schema, writer: Writer) -> Object:
    """What `_all_of` and `fields_to_wire` say of a new object, in a third of the time: most writes are such."""
    shown = {key: value for key, value in new.items() if key not in ("apiVersion", "kind")}
    shown["metadata"] = {key: value for key, value in new["metadata"].items() if ("f:metadata", f"f:{key}") not in _UNOWNED}
    if not writer.subresource:
        shown = {key: value for key, value in shown.items() if key not in _not_given(new)}
    return _tree(shown, schema, is_plain=True) or {}


def _tree(value: Any, schema: Schema | None, *, is_plain: bool) -> Object | None:
    if isinstance(value, dict) and value and is_granular(schema):
        steps = ((f"f:{key}", value[key], field_of(schema, key), is_plain and key in _ALWAYS_THERE) for key in sorted(value))
    elif isinstance(value, list) and value and schema is not None and list_type(schema) in ("map", "set"):
        below = items_of(schema)
        steps = ((step, item, below, False) for step, item in sorted(_by_step(value, schema).items()))
    else:
        return None if value is None or (is_plain and _is_nothing(value)) else {}
    tree: Object = {} if is_plain else {".": {}}
    for step, item, below, plain in steps:
        found = _tree(item, below, is_plain=plain)
        if found is not None:
            tree[step] = found
    return tree or None


def _is_nothing(value: Any) -> bool:
    return value in ({}, [], "", None)


def _is_by(entry: Object, writer: Writer, api_version: str) -> bool:
    found = (entry.get("manager"), entry.get("operation"), entry.get("apiVersion"), entry.get("subresource", ""))
    return found == (writer.manager, "Update", api_version, writer.subresource)


def _reduced(entry: Object, changed: frozenset[Path], removed: frozenset[Path]) -> Object:
    """Another's entry, without what changed and what is gone."""
    paths = frozenset(fields_from_wire(entry.get("fieldsV1") or {}))
    kept = frozenset(path for path in paths if path not in changed and not _is_gone(path, removed))
    return entry if kept == paths else {**entry, "fieldsV1": fields_to_wire(kept)}


def _left(mine: Object | None, removed: frozenset[Path]) -> frozenset[Path]:
    if mine is None:
        return frozenset()
    return frozenset(path for path in fields_from_wire(mine.get("fieldsV1") or {}) if not _is_gone(path, removed))


def _is_gone(path: Path, removed: frozenset[Path]) -> bool:
    return any(path[:length] in removed for length in range(1, len(path) + 1)) if removed else False


def _entry(tree: Object, api_version: str, writer: Writer) -> Object:
    entry: Object = {"manager": writer.manager, "operation": "Update", "apiVersion": api_version, "time": writer.time}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": tree}
    return entry | ({"subresource": writer.subresource} if writer.subresource else {})


def in_order(entries: Iterable[Object]) -> list[Object]:
    """As Kubernetes sorts them: applied before updated, then by time and name."""
    keys = ("operation", "time", "manager", "apiVersion", "subresource")
    return sorted(entries, key=lambda entry: tuple(str(entry.get(key, "")) for key in keys))
