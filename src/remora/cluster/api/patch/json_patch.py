"""JSON Patch (RFC 6902) with JSON pointers (RFC 6901). Pure: the document given is left as it is."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from remora.cluster.api.patch.faults import PatchError

Json = Any

MOST_OPERATIONS = 10_000
_MOST_COPIED = 3 * 1024 * 1024
"""Bytes that `copy` may add in all: a few operations can otherwise double a document until memory is full."""


def apply_json_patch(document: Json, operations: Sequence[Mapping[str, Any]]) -> Json:
    """The document after all operations.

    Raises:
        PatchError: one of them is malformed, fails its test or names what does not exist; then none counts.
    """
    result, copied = copy.deepcopy(document), 0
    for operation in operations:
        if not isinstance(operation, Mapping):
            raise PatchError("an operation must be an object")
        apply = _OPERATIONS.get(str(operation.get("op")))
        if apply is None:
            raise PatchError(f"unexpected kind: {operation.get('op')}")
        if apply is _copy:
            copied += len(msgspec.json.encode(_find(result, parse_pointer(operation.get("from")))))
            if copied > _MOST_COPIED:
                raise PatchError(
                    f"Unable to complete the copy, the accumulated size increase of copy is {copied}, "
                    f"exceeding the limit {_MOST_COPIED}"
                )
        result = apply(result, operation)
    return result


def parse_pointer(text: Any) -> list[str]:
    """A JSON pointer's parts; the empty pointer is the whole document.

    Raises:
        PatchError: it is no pointer.
    """
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"not a JSON pointer: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def is_same(one: Json, other: Json) -> bool:
    """Equality of JSON values: unlike Python's, `true` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return bool(one == other)


def _index(part: str, length: int) -> int:
    if not re.fullmatch("0|[1-9][0-9]*", part) or int(part) >= length:
        raise PatchError(f"no such index: {part}")
    return int(part)


def _step(node: Json, part: str) -> Json:
    if isinstance(node, dict) and part in node:
        return node[part]
    if isinstance(node, list):
        return node[_index(part, len(node))]
    raise PatchError(f"no such path: {part}")


def _find(document: Json, path: Sequence[str]) -> Json:
    for part in path:
        document = _step(document, part)
    return document


def _add_at(document: Json, path: Sequence[str], value: Json) -> Json:
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        raise PatchError(f"nothing can be added below a plain value: {last}")
    return document


def _remove_at(document: Json, path: Sequence[str]) -> Json:
    if not path:
        raise PatchError("the whole document cannot be removed")
    parent, last = _find(document, path[:-1]), path[-1]
    _step(parent, last)
    del parent[int(last) if isinstance(parent, list) else last]
    return document


def _value(operation: Mapping[str, Any]) -> Json:
    if "value" not in operation:
        raise PatchError("the operation has no value")
    return copy.deepcopy(operation["value"])


def _add(document: Json, operation: Mapping[str, Any]) -> Json:
    return _add_at(document, parse_pointer(operation.get("path")), _value(operation))


def _remove(document: Json, operation: Mapping[str, Any]) -> Json:
    return _remove_at(document, parse_pointer(operation.get("path")))


def _replace(document: Json, operation: Mapping[str, Any]) -> Json:
    path, value = parse_pointer(operation.get("path")), _value(operation)
    if not path:
        return value
    parent, last = _find(document, path[:-1]), path[-1]
    _step(parent, last)
    parent[int(last) if isinstance(parent, list) else last] = value
    return document


def _move(document: Json, operation: Mapping[str, Any]) -> Json:
    source, target = parse_pointer(operation.get("from")), parse_pointer(operation.get("path"))
    if source == target[: len(source)] and source != target:
        raise PatchError("nothing can be moved into itself")
    value = _find(document, source)
    return value if not target else _add_at(_remove_at(document, source), target, value)


def _copy(document: Json, operation: Mapping[str, Any]) -> Json:
    value = copy.deepcopy(_find(document, parse_pointer(operation.get("from"))))
    return _add_at(document, parse_pointer(operation.get("path")), value)


def _test(document: Json, operation: Mapping[str, Any]) -> Json:
    wanted = _value(operation)
    try:
        found = _find(document, parse_pointer(operation.get("path")))
    except PatchError:
        # As the library that Kubernetes uses does: what is absent is null.
        if wanted is not None:
            raise
        return document
    if not is_same(found, wanted):
        raise PatchError(f"testing value {operation.get('path')} failed")
    return document


_OPERATIONS: Mapping[str, Callable[[Json, Mapping[str, Any]], Json]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}
