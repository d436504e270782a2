"""What a definition says of one version of its resource, ready for use: part of that version's row in the table. Pure."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.api.custom.jsonpath import find_all
from remora.cluster.api.custom.schema import Node, merge_schema, parse_schema
from remora.cluster.api.schemas import Schema
from remora.cluster.api.table.columns import NAME, UNKNOWN, Column, MakeCell, since

Object = dict[str, Any]

_AGE: Object = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": (
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to "
        "be set in happens-before order across separate operations. Clients may not set this value. It is represented in "
        "RFC3339 form and is in UTC."
    ),
}


class ScalePaths(msgspec.Struct, frozen=True):
    """Where an object keeps what its `scale` subresource shows; "" for a selector that there is not."""

    replicas: str
    status_replicas: str
    selector: str = ""


class CustomVersion(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """`text` is the schema as it was written, `node` and `merge` the same read for checks and for patches."""

    text: Object
    node: Node
    merge: Schema
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    scale: ScalePaths | None = None
    digest: str
    """Says whether two are the same, also across restarts."""


def parse_version(version: Object) -> CustomVersion:
    """One of `spec.versions`.

    Raises:
        ValueError: its schema is none.
    """
    text = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    scale = (version.get("subresources") or {}).get("scale")
    return CustomVersion(
        text=text,
        node=parse_schema(text),
        merge=merge_schema(text),
        columns=(NAME, *(_column(given) for given in version.get("additionalPrinterColumns") or (_AGE,))),
        selectable=tuple(field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ()),
        scale=None if scale is None else _scale(scale),
        digest=digest_of(version),
    )


def digest_of(version: Object) -> str:
    """Of everything that one of `spec.versions` says."""
    return hashlib.sha256(msgspec.json.encode(version, order="deterministic")).hexdigest()


def _scale(given: Object) -> ScalePaths:
    return ScalePaths(given["specReplicasPath"], given["statusReplicasPath"], given.get("labelSelectorPath") or "")


def _column(given: Object) -> Column:
    return Column(
        given["name"],
        _cell(given["jsonPath"], given["type"]),
        priority=given.get("priority") or 0,
        type=given["type"],
        format=given.get("format") or "",
        description=given.get("description") or f"Custom resource definition column (in JSONPath format): {given['jsonPath']}",
    )


def _cell(path: str, type_: str) -> MakeCell:
    def cell(obj: Object, now: datetime) -> Any:
        found = find_all(obj, path)
        return None if not found else _rendered(found[0], type_, now)

    return cell


def _rendered(value: Any, type_: str, now: datetime) -> Any:
    """As a cell shows it (`tableconvertor.cellForJSONValue`); None where the value is not of the column's type."""
    match type_, value:
        case "string", _:
            return _as_text(value)
        case "boolean", bool():
            return value
        case (("integer" | "number"), bool()):
            return None
        case "integer", int() | float():
            return int(value)
        case "number", int() | float():
            return value
        case "date", str():
            return _since(value, now)
        case _:
            return None


def _since(text: str, now: datetime) -> str:
    try:
        return since(text, now)
    except (ValueError, TypeError):
        return "<invalid>" if text else UNKNOWN


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "<nil>" if value is None else msgspec.json.encode(value).decode()
