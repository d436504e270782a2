"""Server-side apply: an object's fields have owners, and who applies a manifest changes only what is theirs. Pure.

Owners are those who applied (operation `Apply`) and those who wrote otherwise (`Update`, see `updates`).
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from remora.cluster.api.errors import ApiError, Cause, bad_request, invalid_options, render_value, required
from remora.cluster.api.names import are_too_long
from remora.cluster.api.patch.ownership import (
    MISSING,
    Finder,
    Path,
    fields_from_wire,
    fields_to_wire,
    is_granular,
    items_of,
    key_step,
    list_type,
    paths_of,
    render_path,
    value_step,
    without,
)
from remora.cluster.api.patch.updates import in_order
from remora.cluster.api.schemas import Schema, field_of

Object = dict[str, Any]

_KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_IDENTITY = frozenset(
    {("f:apiVersion",), ("f:kind",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
        )
    }
    | {("f:metadata",)}
)
"""What says which object is meant, and so has no owner."""


class Applier(msgspec.Struct, frozen=True, kw_only=True):
    """Who applies: `manager` from the query's `fieldManager`, `force` to take fields from others, `time` as RFC 3339."""

    manager: str
    time: str
    force: bool = False
    subresource: str = ""


def check_manager(manager: str) -> None:
    """Refuses an apply that does not say whose it is.

    Raises:
        ApiError: Invalid.
    """
    if not manager:
        raise invalid_options("PatchOptions", required("fieldManager", "is required for apply patch"))


def applied(live: Object | None, config: Object, applier: Applier, schema: Schema) -> Object:
    """The live object (None: a new one) with a manifest applied, and `metadata.managedFields` that say so.

    Raises:
        ApiError: Conflict, naming the fields that others applied with other values.
    """
    if (config.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    wanted = frozenset(paths_of(config, schema)) - _IDENTITY
    entries = list(((live or {}).get("metadata") or {}).get("managedFields") or ())
    mine = next((entry for entry in entries if _is_by(entry, applier)), None)
    others = [entry for entry in entries if entry is not mine]
    if live is not None:
        contested = _contested(live, config, others, wanted, schema)
        if not applier.force and not _is_left_by_client(contested, live, applier, schema):
            refuse_conflicts(contested)
        others = [_reduced(entry, frozenset(path for name, path in contested if name == _name(entry))) for entry in others]
    merged = _merged(live or {}, config, schema)
    if mine is not None:
        lost = frozenset(fields_from_wire(mine["fieldsV1"])) - wanted
        merged = _without_lost(merged, lost, others, wanted, schema)
    noted = _with_note(merged, config, applier)
    return _with_entries(noted, [*others, _entry(mine, wanted, config["apiVersion"], applier)])


def _is_by(entry: Object, applier: Applier) -> bool:
    found = (entry.get("manager"), entry.get("operation"), entry.get("subresource", ""))
    return found == (applier.manager, "Apply", applier.subresource)


def _name(entry: Object) -> str:
    """An owner as conflicts name it (managedfields `printManager`)."""
    name = render_value(str(entry.get("manager", "")))
    if entry.get("subresource"):
        name += f" with subresource {render_value(entry['subresource'])}"
    return f"{name} using {entry.get('apiVersion', '')}" if entry.get("operation") == "Update" else name


def _is_left_by_client(contested: Iterable[tuple[str, Path]], live: Object, applier: Applier, schema: Schema) -> bool:
    """Whether `kubectl apply --server-side` follows `kubectl apply`: what that one noted as its own is no conflict.

    Only where its note still says what the field has, and only for the manager that kubectl itself is.
    """
    if applier.manager != _KUBECTL:
        return False
    noted, found = Finder(_noted(live), schema), Finder(live, schema)
    return all(noted.find(path) is not MISSING and noted.find(path) == found.find(path) for _, path in contested)


def _noted(live: Object) -> Object:
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED, "")
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _with_note(obj: Object, config: Object, applier: Applier) -> Object:
    """The object with the note of `kubectl apply` brought up to date, if it has one (`LastAppliedUpdater`)."""
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    if applier.manager != _KUBECTL or LAST_APPLIED not in annotations:
        return obj
    text = json.dumps(config, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    noted = {**annotations, LAST_APPLIED: text}
    if are_too_long(noted):
        # Large definitions are applied on the server for want of room for the note.
        del noted[LAST_APPLIED]
    return {**obj, "metadata": {**obj["metadata"], "annotations": noted}}


def _paths(entry: Object) -> frozenset[Path]:
    return frozenset(fields_from_wire(entry.get("fieldsV1") or {}))


def _contested(
    live: Object, config: Object, others: Sequence[Object], wanted: frozenset[Path], schema: Schema
) -> list[tuple[str, Path]]:
    """Fields that others own and that the manifest would change, with their owners."""
    if not others:
        return []
    before, after = Finder(live, schema), Finder(config, schema)
    changed = [path for path in sorted(wanted) if _differs(before, after, path)]
    return [(_name(entry), path) for entry in others for paths in (_paths(entry),) for path in changed if path in paths]


def _differs(before: Finder, after: Finder, path: Path) -> bool:
    if path[-1][0] != "f":
        return False  # an element exists or not; its fields are compared one by one
    found = before.find(path)
    return found is not MISSING and found != after.find(path)


def refuse_conflicts(contested: list[tuple[str, Path]]) -> None:
    """Refuses an apply that others' fields stand in the way of.

    Raises:
        ApiError: Conflict.
    """
    if not contested:
        return
    causes = [Cause(render_path(path), "FieldManagerConflict", f"conflict with {name}") for name, path in contested]
    texts = []
    for name in dict.fromkeys(name for name, _ in contested):
        fields = [render_path(path) for owner, path in contested if owner == name]
        listed = "".join(f"\n- {field}" for field in fields)
        texts.append(f"conflict with {name}: {fields[0]}" if len(fields) == 1 else f"conflicts with {name}:{listed}")
    count = f"{len(contested)} conflict{'s' if len(contested) != 1 else ''}"
    raise ApiError(409, "Conflict", f"Apply failed with {count}: " + "\n".join(texts), causes=causes)


def _reduced(entry: Object, taken: frozenset[Path]) -> Object:
    return {**entry, "fieldsV1": fields_to_wire(_paths(entry) - taken)} if taken else entry


def _merged(live: Any, config: Any, schema: Schema | None) -> Any:
    if isinstance(live, dict) and isinstance(config, dict) and is_granular(schema):
        return {**live, **{key: _merged(live.get(key), value, field_of(schema, key)) for key, value in config.items()}}
    if isinstance(live, list) and isinstance(config, list) and schema is not None:
        if list_type(schema) == "set":
            known = {value_step(item) for item in live}
            return [*live, *(item for item in config if value_step(item) not in known)]
        if list_type(schema) == "map":
            return _merged_list(live, config, schema)
    return config


def _merged_list(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    wanted = {key_step(item, schema): item for item in config}
    merged = []
    for item in live:
        step = key_step(item, schema)
        merged.append(_merged(item, wanted.pop(step), items_of(schema)) if step in wanted else item)
    return [*merged, *wanted.values()]


def _without_lost(
    merged: Object, lost: frozenset[Path], others: list[Object], wanted: frozenset[Path], schema: Schema
) -> Object:
    """Without what this applier had set, sets no longer, and nobody else does."""
    owned = frozenset().union(wanted, *(_paths(entry) for entry in others))
    kept = {path[:length] for path in owned for length in range(1, len(path) + 1)}
    gone: Object = without(merged, sorted(lost - kept, key=len), schema)
    return gone


def _entry(mine: Object | None, wanted: frozenset[Path], api_version: str, applier: Applier) -> Object:
    fields = fields_to_wire(wanted)
    if mine is not None and mine.get("fieldsV1") == fields and mine.get("apiVersion") == api_version:
        return mine
    entry: Object = {"manager": applier.manager, "operation": "Apply", "apiVersion": api_version, "time": applier.time}
    entry |= {"fieldsType": "FieldsV1", "fieldsV1": fields}
    return entry | ({"subresource": applier.subresource} if applier.subresource else {})


def _with_entries(obj: Object, entries: Iterable[Object]) -> Object:
    kept = in_order(entry for entry in entries if entry.get("fieldsV1"))
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    return {**obj, "metadata": metadata | ({"managedFields": kept} if kept else {})}
