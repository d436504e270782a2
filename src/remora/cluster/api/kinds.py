"""What is known of a row's kind, whether Kubernetes has it or a definition made it. Pure.

Handlers and the registry ask here, so that nobody else need know that there are two sources of types: Kubernetes' own, with
their defaults and checks in modules here, and the schemas of definitions (`custom`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from remora.cluster.api.custom.checks import BLOCKING, MISSING, ROOT, check_value
from remora.cluster.api.custom.reading import decode_custom
from remora.cluster.api.custom.rows import DEFINITIONS
from remora.cluster.api.custom.rules import check_rules, has_rules
from remora.cluster.api.custom.shaping import defaulted
from remora.cluster.api.decoding import Decoded, decode
from remora.cluster.api.defaults import set_defaults
from remora.cluster.api.errors import Cause, unsupported_media_type
from remora.cluster.api.patch import PATCH_TYPES, STRATEGIC_PATCH, unsupported_patch
from remora.cluster.api.resource import Resource
from remora.cluster.api.schemas import Schema, schema_of
from remora.cluster.api.table import COLUMNS
from remora.cluster.api.table.columns import NAME_AND_AGE, Column
from remora.cluster.api.validation import check, check_update
from remora.cluster.limits import TooLongError, cpu_limit

Object = dict[str, Any]

_LONGEST_CHECK = 1.0
"""Seconds of processor time for all that a definition asks of one object."""


def decode_as(row: Resource, value: Any) -> Decoded:
    """What a body says, as an object of the row's kind and version.

    Raises:
        ApiError: BadRequest; it is none.
    """
    if row.custom is not None:
        return decode_custom(value, row.custom, api_version=row.api_version, kind=row.kind)
    return decode(value, api_version=row.api_version, kind=row.kind)


def with_defaults(row: Resource, obj: Object) -> Object:
    """With what was left out filled in; the object may be changed."""
    if row.custom is not None:
        filled: Object = defaulted(obj, row.custom.node)
        return filled
    set_defaults(row.storage, obj)
    return obj


def check_object(row: Resource, obj: Object) -> Iterator[Cause]:
    """Everything wrong with an object by itself, apart from its metadata."""
    if row.custom is not None:
        return iter(())
    found = check(row.storage, obj)
    return _in_time(found) if row.storage == DEFINITIONS else found


def check_change(row: Resource, obj: Object, before: Object | None) -> Iterator[Cause]:
    """Everything else: what may not change and does, and for custom resources all that their schema and its rules refuse."""
    if row.custom is not None:
        yield from _in_time(_check_custom(row, obj, MISSING if before is None else before))
    elif before is not None:
        yield from check_update(row.storage, obj, before)


def _in_time(causes: Iterator[Cause]) -> Iterator[Cause]:
    """What is found until it takes too long: a definition may hold patterns and rules that never come to an end."""
    found: list[Cause] = []
    try:
        with cpu_limit(_LONGEST_CHECK):
            found.extend(causes)
    except TooLongError:
        why = "validation failed due to running out of cost budget, no further validation rules will be run"
        found.append(Cause(ROOT, "FieldValueInvalid", f"Invalid value: {why}"))
    return iter(found)


def _check_custom(row: Resource, obj: Object, before: Any) -> Iterator[Cause]:
    assert row.custom is not None
    # Metadata has checks of its own, and changes with every write.
    node, content = row.custom.node, _without_metadata(obj)
    found = list(check_value(node, content, "", MISSING if before is MISSING else _without_metadata(before)))
    yield from found
    if not any(cause.reason in BLOCKING for cause in found):
        yield from check_rules(node, obj, "", before)
    elif has_rules(node):
        why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete"
        yield Cause(ROOT, "FieldValueInvalid", f"Invalid value: null: {why} validation")


def _without_metadata(obj: Object) -> Object:
    return {**obj, "metadata": {name: obj["metadata"][name] for name in ("name", "generateName") if name in obj["metadata"]}}


def columns_of(row: Resource) -> Sequence[Column]:
    """The columns of its Table."""
    return row.custom.columns if row.custom is not None else COLUMNS.get(row.storage, NAME_AND_AGE)


def type_of(row: Resource) -> Schema:
    """Its type as patches read it."""
    return row.custom.merge if row.custom is not None else schema_of(row.api_version, row.kind)


def check_patch_type(row: Resource, given: str) -> str:
    """The media type of a patch, if the kind takes it.

    Raises:
        ApiError: 415.
    """
    if given not in PATCH_TYPES:
        raise unsupported_patch()
    if given not in patch_types(row):
        raise unsupported_media_type(patch_types(row))
    return given


def patch_types(row: Resource) -> Sequence[str]:
    """The media types of the patches that the kind takes: a definition's schema has no merge strategies."""
    return PATCH_TYPES if row.custom is None else [name for name in PATCH_TYPES if name != STRATEGIC_PATCH]
