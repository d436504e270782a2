"""Stored objects in the form in which a client wants them: of its API version, as a Table, or only their metadata. Pure."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from remora.cluster.api.conversion import from_stored
from remora.cluster.api.errors import Object, invalid_options, unsupported
from remora.cluster.api.kinds import columns_of
from remora.cluster.api.negotiation import PARTIAL, PARTIAL_LIST, TABLE
from remora.cluster.api.resources import Resource
from remora.cluster.api.table import INCLUDE, partial, render_table


class View(msgspec.Struct, frozen=True, kw_only=True):
    """`target` and `include` as the client asked; `now` is when ages are reckoned to."""

    row: Resource
    target: str
    include: str
    now: datetime

    def one(self, obj: Object) -> Object:
        if self.target == TABLE:
            return self.table([obj], metadata={"resourceVersion": obj["metadata"].get("resourceVersion", "")})
        if self.target in (PARTIAL, PARTIAL_LIST):
            return partial(obj)
        return from_stored(self.row, obj)

    def many(self, objects: Sequence[Object], metadata: Object) -> Object:
        """A list; `metadata` is that of the list."""
        if self.target == TABLE:
            return self.table(objects, metadata=metadata)
        if self.target in (PARTIAL, PARTIAL_LIST):
            head = {"kind": PARTIAL_LIST, "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
            return {**head, "items": [partial(obj) for obj in objects]}
        head = {"kind": self.row.list_kind, "apiVersion": self.row.api_version, "metadata": metadata}
        return {**head, "items": [_without_type(from_stored(self.row, obj)) for obj in objects]}

    def table(self, objects: Sequence[Object], *, metadata: Object, with_columns: bool = True) -> Object:
        shown = render_table(
            columns_of(self.row), objects, now=self.now, metadata=metadata, include=self.include, with_columns=with_columns
        )
        if self.include == "Object":
            rows = [{**row, "object": from_stored(self.row, obj)} for row, obj in zip(shown["rows"], objects, strict=True)]
            return {**shown, "rows": rows}
        return shown

    def bookmark(self, version: int, *, ends_initial_events: bool) -> Object:
        """An object that says nothing but how far the watch has come."""
        metadata: Object = {"resourceVersion": str(version)}
        if ends_initial_events:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self.target == TABLE:
            return self.table([], metadata=metadata, with_columns=False)
        if self.target:
            return {"kind": PARTIAL, "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return {"kind": self.row.kind, "apiVersion": self.row.api_version, "metadata": metadata}


def check_include(text: str) -> str:
    """What `includeObject` says, Metadata by default.

    Raises:
        ApiError: Invalid; it is none of the known words.
    """
    if text and text not in INCLUDE:
        raise invalid_options("TableOptions", unsupported("includeObject", text, INCLUDE))
    return text or "Metadata"


def _without_type(obj: Object) -> Object:
    """Items of a list do not repeat what the list says."""
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}
