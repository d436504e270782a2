"""Strategic merge patch: a merge patch in which lists of named things merge by key (apimachinery `strategicpatch`). Pure.

Which lists do, and by which key, the types say. Directives in the patch say the rest: `$patch: delete|replace|merge`,
`$retainKeys`, `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from remora.cluster.api.patch.faults import PatchError
from remora.cluster.api.schemas import Schema, field_of, resolved

Object = dict[str, Any]

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def apply_strategic_patch(target: Object, patch: Object, schema: Schema | None) -> Object:
    """The target with the patch merged into it, as the type says.

    Raises:
        PatchError: a directive or a list's element is malformed.
    """
    match patch.get(_PATCH):
        case None | "merge":
            return _merge(target, {key: value for key, value in patch.items() if key != _PATCH}, schema)
        case "replace":
            return {key: value for key, value in patch.items() if key != _PATCH}
        case "delete":
            return {}
        case other:
            raise PatchError(f"Unknown patch type found: {other}")


def _merge(target: Object, patch: Object, schema: Schema | None) -> Object:
    merged = _retained(target, patch)
    for key, value in patch.items():
        if key.startswith("$"):
            continue
        if value is None:
            merged.pop(key, None)
            continue
        merged[key] = _merged_value(merged.get(key), value, field_of(schema, key), order=patch.get(_ORDER + key))
    for key, doomed in _directives(patch, _DELETE):
        if isinstance(merged.get(key), list):
            merged[key] = [item for item in merged[key] if item not in doomed]
    for key, order in _directives(patch, _ORDER):
        if key not in patch and isinstance(merged.get(key), list):
            merged[key] = _merged_list(merged[key], [], field_of(schema, key), order=order)
    return merged


def _retained(target: Object, patch: Object) -> Object:
    retained = patch.get(_RETAIN)
    if retained is None:
        return dict(target)
    if not isinstance(retained, list) or not all(isinstance(key, str) for key in retained):
        raise PatchError(f"{_RETAIN} must be a list of names")
    if missing := [key for key in patch if not key.startswith("$") and key not in retained]:
        raise PatchError(f"{_RETAIN} lacks what the patch sets: {', '.join(missing)}")
    return {key: value for key, value in target.items() if key in retained}


def _directives(patch: Object, prefix: str) -> list[tuple[str, list[Any]]]:
    found = [(key.removeprefix(prefix), value) for key, value in patch.items() if key.startswith(prefix)]
    for key, value in found:
        if not isinstance(value, list):
            raise PatchError(f"{prefix}{key} must be a list")
    return found


def _merged_value(before: Any, value: Any, field: Schema | None, *, order: Any) -> Any:
    strategies = field.strategies if field is not None else frozenset()
    if isinstance(value, dict):
        base = before if isinstance(before, dict) and "replace" not in strategies else {}
        return apply_strategic_patch(base, value, field)
    if isinstance(value, list) and "merge" in strategies:
        return _merged_list(before if isinstance(before, list) else [], value, field, order=order)
    return value


def _merged_list(before: list[Any], patch: list[Any], field: Schema | None, *, order: Any) -> list[Any]:
    whole = resolved(field) if field is not None else Schema()
    merge_key = field.merge_key if field is not None else ""
    if not merge_key:
        known = _ranks(before)
        added = {rank: item for item in patch if (rank := _rank(item)) not in known}.values()
        return _ordered([*before, *added], before, order if order is not None else patch, key=lambda item: item)
    if any(_is_directive(item, "replace") for item in patch):
        return [item for item in patch if not _is_directive(item, "replace")]
    for item in [*patch, *before]:
        if not isinstance(item, dict) or merge_key not in item:
            raise PatchError(f"{item} does not contain declared merge key: {merge_key}")
    merged, kept = _merged_by_key(before, patch, merge_key, whole.items)
    return _ordered(merged, before, order if order is not None else kept, key=lambda item: item.get(merge_key))


def _is_directive(item: Any, directive: str) -> bool:
    return isinstance(item, dict) and item.get(_PATCH) == directive


def _merged_by_key(
    before: list[Object], patch: list[Object], merge_key: str, items: Schema | None
) -> tuple[list[Object], list[Object]]:
    """The merged list in the order of `before`, and the patch's elements without its deletions."""
    doomed = {_rank(item[merge_key]) for item in patch if _is_directive(item, "delete")}
    kept = [item for item in patch if not _is_directive(item, "delete")]
    merged = [item for item in before if _rank(item[merge_key]) not in doomed]
    places: dict[bytes, int] = {}
    for index, item in enumerate(merged):
        places.setdefault(_rank(item[merge_key]), index)
    for item in kept:
        place = places.setdefault(_rank(item[merge_key]), len(merged))
        if place == len(merged):
            merged.append(apply_strategic_patch({}, item, items))
        else:
            merged[place] = apply_strategic_patch(merged[place], item, items)
    return merged, kept


_rank = msgspec.json.Encoder(order="deterministic").encode
"""A key by which anything can be looked up."""


def _ranks(keys: Iterable[Any]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for index, key in enumerate(keys):
        found.setdefault(_rank(key), index)
    return found


def _ordered(merged: list[Any], before: list[Any], order: Sequence[Any], *, key: Callable[[Any], Any]) -> list[Any]:
    """What the patch names in its order, the rest in its own; a new element comes before what it has no order with."""
    ranks = _ranks(key(item) if isinstance(item, dict) else item for item in order)
    places = _ranks(key(item) for item in before)
    ranked = [(_rank(key(item)), item) for item in merged]
    named = deque(sorted((pair for pair in ranked if pair[0] in ranks), key=lambda pair: ranks[pair[0]]))
    others = deque(pair for pair in ranked if pair[0] not in ranks)
    result: list[Any] = []
    while named and others:
        first, second = places.get(others[0][0]), places.get(named[0][0])
        is_other_first = first is not None and second is not None and first < second
        result.append((others if is_other_first else named).popleft()[1])
    return [*result, *(item for _, item in named), *(item for _, item in others)]
