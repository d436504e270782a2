"""Drafts: what an object becomes by a write, filled in, admitted and checked. Nothing here waits or stores.

Whoever stores a draft does so in one step with making it, so that what was checked still holds.
"""

import random
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from remora.cluster.api import deletion, errors
from remora.cluster.api.defaults import set_status_defaults
from remora.cluster.api.kinds import check_change, check_object, type_of, with_defaults
from remora.cluster.api.names import check_metadata
from remora.cluster.api.parts import COUNTED, check_part, with_part
from remora.cluster.api.patch.updates import Writer, entries_after
from remora.cluster.api.resources import Resource
from remora.cluster.objects import render_time
from remora.cluster.store import Store

Object = dict[str, Any]

AdmissionHook = Callable[[Object, Object | None], Object]
"""Given what is about to be stored and what is (None for a new object), returns what to store, or raises an ApiError.

It may change its first argument, which nobody else has yet. A dry run calls it too.
"""

_SET_BY_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, hence no words (apimachinery `util/rand`)."""


class Drafts:
    """Makes them. `admission` is by the registry's resource names; `now` tells the time in UTC."""

    def __init__(self, store: Store, admission: Mapping[str, AdmissionHook], now: Callable[[], datetime]) -> None:
        self._store = store
        self._admission = dict(admission)
        self._now = now

    def add_admission(self, resource: str, hook: AdmissionHook) -> None:
        self._admission[resource] = hook

    def new(self, row: Resource, new: Object, writer: Writer | None = None) -> Object:
        """The object as it is to be stored, which is checked: in one step with storing it, if it is stored."""
        self.check_namespace(row, new["metadata"])
        if row.has_status and not row.keeps_new_status:
            new.pop("status", None)
        new = self._admit(row, new, None, writer)
        self._refuse_invalid(row, new, None)
        return new

    def prepared(self, row: Resource, obj: Object) -> Object:
        """What a client wants to create, with what only the server says of it."""
        new = copy_of(obj) | {"apiVersion": row.api_version, "kind": row.kind}
        given = new.get("metadata") or {}
        if given.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        metadata = {key: value for key, value in given.items() if key not in (*_SET_BY_SERVER, "resourceVersion", "selfLink")}
        if not row.namespaced:
            metadata.pop("namespace", None)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._generated_name(row, metadata["generateName"], metadata.get("namespace", ""))
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": render_time(self._now())}
        if row.has_generation:
            metadata["generation"] = 1
        return new | {"metadata": metadata}

    def _generated_name(self, row: Resource, prefix: str, namespace: str) -> str:
        while True:
            suffix = "".join(random.choices(_NAME_LETTERS, k=5))  # noqa: S311 - a name, not a secret
            name = prefix[:58] + suffix
            if self._store.find(row.storage, namespace, name) is None:
                return name

    def check_namespace(self, row: Resource, metadata: Object) -> None:
        """Refuses what has no place to be in.

        Raises:
            ApiError: NotFound, or Forbidden where the namespace is being deleted.
        """
        if not row.namespaced:
            return
        name = metadata.get("namespace", "")
        namespace = self._store.find("namespaces", "", name)
        if namespace is None:
            raise errors.not_found("namespaces", name)
        if namespace["metadata"].get("deletionTimestamp"):
            cause = errors.Cause("metadata.namespace", "NamespaceTerminating", f"namespace {name} is being terminated")
            why = f"unable to create new content in namespace {name} because it is being terminated"
            raise errors.forbidden(row.plural, metadata.get("name", ""), why, group=row.group, causes=[cause])

    def _admit(self, row: Resource, new: Object, before: Object | None, writer: Writer | None) -> Object:
        new = _owned(row, with_defaults(row, new), before, writer)
        hook = self._admission.get(row.storage)
        # A hook need not cope with what will be refused anyway.
        return new if hook is None or any(True for _ in check_object(row, new)) else hook(new, before)

    def _refuse_invalid(self, row: Resource, new: Object, before: Object | None) -> None:
        causes = [*check_metadata(new["metadata"], name_rule=row.name_rule), *check_object(row, new)]
        causes += check_change(row, new, before)
        if causes:
            raise errors.invalid(row.kind, new["metadata"].get("name", ""), causes, group=row.group)

    def _checked_part(self, row: Resource, given: Object, before: Object, subresource: str) -> Object:
        new = with_defaults(row, copy_of(given))
        if causes := [*check_object(row, new), *check_part(new, before, subresource)]:
            raise errors.invalid(row.kind, new["metadata"]["name"], causes, group=row.group)
        return new

    def changed(self, row: Resource, obj: Object, before: Object, subresource: str, writer: Writer | None = None) -> Object:
        """What an update makes of the object, which is checked: in one step with storing it, if it is stored."""
        new = self.merged(row, copy_of(obj), before, subresource)
        if not subresource:
            new = self._admit(row, new, before, writer)
            self._refuse_invalid(row, new, before)
        elif subresource == "status":
            set_status_defaults(row.storage, new)
            if row.custom is not None:
                self._refuse_invalid(row, new, before)
        elif subresource in COUNTED:
            new = self._checked_part(row, new, before, subresource)
        new = _owned(row, new, before, writer) if subresource else new
        return _counted(row, new, before) if not subresource or subresource in COUNTED else new

    def merged(self, row: Resource, obj: Object, before: Object, subresource: str) -> Object:
        """What an update means: the parts that it may change from `obj`, the rest from what is stored."""
        if subresource:
            return with_part(before, obj, subresource)
        metadata = obj["metadata"] | {key: before["metadata"][key] for key in _SET_BY_SERVER if key in before["metadata"]}
        for key in (*_SET_BY_SERVER, "selfLink"):
            if key not in before["metadata"]:
                metadata.pop(key, None)
        if before["metadata"].get("deletionTimestamp"):
            deletion.check_finalizers(row, metadata, before["metadata"])
        metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
        if "managedFields" in before["metadata"]:
            metadata.setdefault("managedFields", before["metadata"]["managedFields"])
        new = obj | {"metadata": metadata, "apiVersion": row.api_version, "kind": row.kind}
        return _with(new, "status", before.get("status")) if row.has_status else new


def copy_of(obj: Object) -> Object:
    """A deep copy; going through JSON is the quickest way and leaves nothing in it that cannot be stored."""
    copied: Object = msgspec.json.decode(msgspec.json.encode(obj))
    return copied


def _with(obj: Object, key: str, value: Any) -> Object:
    rest = {name: part for name, part in obj.items() if name != key}
    return rest if value is None else rest | {key: value}


def _owned(row: Resource, new: Object, before: Object | None, writer: Writer | None) -> Object:
    if writer is None:
        return new
    entries = entries_after(new, before, writer, type_of(row))
    return new | {"metadata": _with(new["metadata"], "managedFields", entries or None)}


def _counted(row: Resource, new: Object, before: Object) -> Object:
    if not row.has_generation or _specification(row, new) == _specification(row, before):
        return new
    return new | {"metadata": new["metadata"] | {"generation": before["metadata"].get("generation", 0) + 1}}


def _specification(row: Resource, obj: Object) -> Object:
    """Everything that `metadata.generation` counts the changes of."""
    uncounted = ("apiVersion", "metadata", "status") if row.has_status or row.custom is None else ("apiVersion", "metadata")
    return {key: value for key, value in obj.items() if key not in uncounted}
