"""The registry: what may be stored, and how it is kept. In-process controllers and the HTTP side get the same semantics here.

No method awaits between its last checks and its write, so both are one step for everybody else. Only where webhooks want to see
what is to be written it waits before: if somebody else has changed the object meanwhile, all begins anew, or is a conflict.
Objects go in and out as JSON objects of the storage version and are never changed afterwards: whoever wants another one makes
a copy.
"""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from remora.cluster.api import deletion, errors
from remora.cluster.api.admission.reviewing import ATTEMPTS, RacedError, Reviewer, review_new, review_removal, review_update
from remora.cluster.api.defaults import set_status_defaults
from remora.cluster.api.fields import matches_fields
from remora.cluster.api.kinds import check_change, check_object, type_of, with_defaults
from remora.cluster.api.names import check_metadata
from remora.cluster.api.parts import COUNTED, check_part, with_part
from remora.cluster.api.patch.updates import Writer, entries_after
from remora.cluster.api.resources import RESOURCES, Resource, ResourceTable
from remora.cluster.api.selectors import Selector
from remora.cluster.store import Change, EndedError, Store, Subscription, TooOldError

Object = dict[str, Any]

AdmissionHook = Callable[[Object, Object | None], Object]
"""Given what is about to be stored and what is (None for a new object), returns what to store, or raises an ApiError.

It may change its first argument, which nobody else has yet. A dry run calls it too.
"""

_SET_BY_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' alphabet for generated names: no vowels, hence no words (apimachinery `util/rand`)."""


class WatchEvent(NamedTuple):
    """`previous` is the state before, for whoever must know whether the object has just left a selection."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object
    resource_version: int
    previous: Object | None = None
    shown: dict[tuple[str, ...], bytes] | None = None
    """What was made of it for watchers, if others see the same event."""


class Watch(AsyncIterator[WatchEvent]):
    """What exists at the moment of the call, if asked for, then every change. Ends only if the resource changes or goes.

    Raises while iterating:
        ApiError: Expired, when the reader was too slow; a new watch has to begin with what exists then.
    """

    def __init__(self, initial: Iterable[WatchEvent], subscription: Subscription) -> None:
        self._initial = iter(initial)
        self._subscription = subscription

    async def __anext__(self) -> WatchEvent:
        for event in self._initial:
            return event
        try:
            return _event(await self._subscription.next())
        except TooOldError:
            raise errors.expired("The resourceVersion for the provided watch is too old.") from None
        except EndedError:
            raise StopAsyncIteration from None


def _event(change: Change) -> WatchEvent:
    return WatchEvent(change.type, change.object, change.version, change.previous, change.shown)


class Registry:
    """`admission` is by the registry's resource names; `now` tells the time in UTC."""

    def __init__(
        self,
        *,
        store: Store,
        admission: Mapping[str, AdmissionHook] | None = None,
        resources: ResourceTable = RESOURCES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.resources = resources
        self._store = store
        self._admission = dict(admission or {})
        self._now = now
        self._reviewer: Reviewer | None = None
        self._replaced = asyncio.Event()

    @property
    def version(self) -> int:
        """The newest resourceVersion given."""
        return self._store.version

    def now(self) -> datetime:
        return self._now()

    def replace_resources(self, table: ResourceTable) -> None:
        """Serves what another table says; watches of what has changed in it or is gone end."""
        before, self.resources = self.resources, table
        for resource in {row.storage for row in set(before.custom_rows) ^ set(table.custom_rows)}:
            self._store.end_subscriptions(resource)
        replaced, self._replaced = self._replaced, asyncio.Event()
        replaced.set()

    async def another_table(self, known: ResourceTable) -> ResourceTable:
        """The table of resources, as soon as it is another than the one that is known."""
        while self.resources is known:
            await self._replaced.wait()
        return self.resources

    def add_reviewer(self, reviewer: Reviewer) -> None:
        """Who is asked, and may take their time, before objects of some kinds are written."""
        self._reviewer = reviewer

    def add_admission(self, resource: str, hook: AdmissionHook) -> None:
        """For a hook that itself reads the registry and so cannot exist before it."""
        self._admission[resource] = hook

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        return self._store.find(resource, namespace, name)

    async def settled(self) -> None:
        """Returns when what was written can no longer be lost; to be awaited before anybody outside is told of it.

        Raises:
            sqlite3.Error: it could not be written, and is undone.
        """
        await self._store.settled()

    def touched(self, resource: str) -> int:
        """The version of the newest change of a resource since the start: what was made of it before then is old."""
        return self._store.touched(resource)

    def list(
        self, resource: str, namespace: str = "", *, labels: Selector | None = None, fields: Selector | None = None
    ) -> tuple[list[Object], int]:
        """The objects, ordered by namespace and name, and the version at which they are all that there is."""
        found = self._store.list(resource, namespace)
        if labels is not None:
            found = [obj for obj in found if labels.matches_labels(obj)]
        if fields is not None:
            found = [obj for obj in found if matches_fields(obj, fields)]
        return found, self._store.version

    def watch(self, resource: str, namespace: str = "", *, since: int | None = None) -> Watch:
        """Changes after the version `since`; without it first everything that exists, as ADDED.

        Raises:
            ApiError: Expired, when the log does not reach back to `since`.
        """
        version = self._store.version if since is None else since
        try:
            subscription = self._store.subscribe(resource, since=version, namespace=namespace)
        except TooOldError:
            raise errors.expired(f"too old resource version: {version} ({self._store.version})") from None
        existing = [] if since is not None else self._store.list(resource, namespace)
        initial = [WatchEvent("ADDED", obj, int(obj["metadata"]["resourceVersion"])) for obj in existing]
        return Watch(initial, subscription)

    async def create(self, resource: str, obj: Object, *, dry_run: bool = False, writer: Writer | None = None) -> Object:
        """Stores a new object; with `writer` its fields get that owner.

        Raises:
            ApiError: AlreadyExists, Invalid, NotFound or Forbidden (its namespace), or what an admission hook refuses.
        """
        row = self.resources.stored(resource)
        new = self._prepared(row, obj)
        if self._reviewer is not None and self._reviewer.concern(row):
            self._check_namespace(row, new["metadata"])
            new = await review_new(
                self._reviewer,
                row,
                new,
                defaulted=lambda draft: with_defaults(row, draft),
                settled=lambda changed: self._settled_new(row, copy_of(changed)),
                dry_run=dry_run,
            )
        new = self._settled_new(row, new, writer)
        name = new["metadata"]["name"]
        if self._store.find(resource, new["metadata"].get("namespace", ""), name) is not None:
            raise errors.already_exists(row.plural, name, group=row.group)
        return new if dry_run else self._store.put(resource, new)

    def _settled_new(self, row: Resource, new: Object, writer: Writer | None = None) -> Object:
        """The object as it is to be stored, which is checked: in one step with storing it, if it is stored."""
        self._check_namespace(row, new["metadata"])
        if row.has_status and not row.keeps_new_status:
            new.pop("status", None)
        new = self._admit(row, new, None, writer)
        self._refuse_invalid(row, new, None)
        return new

    def _prepared(self, row: Resource, obj: Object) -> Object:
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

    def _check_namespace(self, row: Resource, metadata: Object) -> None:
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

    async def update(
        self, resource: str, obj: Object, *, subresource: str = "", dry_run: bool = False, writer: Writer | None = None
    ) -> Object:
        """Replaces an object; with `subresource` only that part of it. With `writer` what changes gets that owner.

        One that awaits its removal goes when its last finalizer does.

        Raises:
            ApiError: NotFound, Conflict when `metadata.resourceVersion` or `uid` is given and another, or Invalid.
        """
        row = self.resources.stored(resource)
        given = obj["metadata"]
        before = self._store.find(resource, given.get("namespace", "") if row.namespaced else "", given["name"])
        if before is None:
            raise errors.not_found(row.plural, given["name"], group=row.group)
        _check_preconditions(row, given, before["metadata"])
        if self._reviewer is not None and self._reviewer.concern(row):
            obj, before = await self._reviewed(self._reviewer, row, obj, before, subresource, dry_run=dry_run)
        new = self._settled(row, obj, before, subresource, writer)
        if _content(new) == _content(before):
            return before
        if (
            row.has_generation
            and (not subresource or subresource in COUNTED)
            and _specification(row, new) != _specification(row, before)
        ):
            new["metadata"] = {**new["metadata"], "generation": before["metadata"].get("generation", 0) + 1}
        if dry_run:
            return new
        return self._store.remove(resource, new) if deletion.is_done(resource, new) else self._store.put(resource, new)

    async def _reviewed(
        self, reviewer: Reviewer, row: Resource, obj: Object, before: Object, subresource: str, *, dry_run: bool
    ) -> tuple[Object, Object]:
        """What is to be stored, reviewed, and what is stored now, which nobody has changed since the review."""
        for _ in range(ATTEMPTS):
            drafted = self._merged(row, copy_of(obj), before, subresource)
            final = await review_update(
                reviewer,
                row,
                drafted if subresource else with_defaults(row, drafted),
                before,
                subresource=subresource,
                settled=partial(self._settled, row, before=before, subresource=subresource),
                dry_run=dry_run,
            )
            found = self._store.find(row.storage, *_place(before))
            if found is before:
                return final, before
            if found is None:
                raise errors.not_found(row.plural, before["metadata"]["name"], group=row.group)
            try:
                _check_preconditions(row, obj["metadata"], found["metadata"])
            except errors.ApiError as error:
                raise RacedError.of(error) from None
            before = found
        raise errors.conflict(row.plural, before["metadata"]["name"], group=row.group)

    def _settled(self, row: Resource, obj: Object, before: Object, subresource: str, writer: Writer | None = None) -> Object:
        """What an update makes of the object, which is checked: in one step with storing it, if it is stored."""
        new = self._merged(row, copy_of(obj), before, subresource)
        if not subresource:
            new = self._admit(row, new, before, writer)
            self._refuse_invalid(row, new, before)
        elif subresource == "status":
            set_status_defaults(row.storage, new)
            if row.custom is not None:
                self._refuse_invalid(row, new, before)
        elif subresource in COUNTED:
            new = self._checked_part(row, new, before, subresource)
        return _owned(row, new, before, writer) if subresource else new

    def _merged(self, row: Resource, obj: Object, before: Object, subresource: str) -> Object:
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

    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        grace_period_seconds: int | None = None,
        uid: str | None = None,
        propagation: str = "Background",
    ) -> Object | None:
        """Deletes an object; returned is what still exists of it and awaits its end, or None.

        Raises:
            ApiError: NotFound, Conflict when it has another uid, or Forbidden.
        """
        options = deletion.Options(grace_period_seconds=grace_period_seconds, uid=uid or "", propagation=propagation)
        await self.review_removal(resource, namespace, name, options)
        remaining, is_gone = self.remove(resource, namespace, name, options)
        return None if is_gone else remaining

    async def review_removal(self, resource: str, namespace: str, name: str, options: deletion.Options) -> None:
        """Lets webhooks look at what is to be removed; `remove` has to follow at once.

        Raises:
            ApiError: NotFound, Conflict, or what a webhook refuses.
        """
        row = self.resources.stored(resource)
        if self._reviewer is None or not self._reviewer.concern(row):
            return
        # While webhooks think, what was removed before could be lost without anybody being told.
        await self.settled()
        for _ in range(ATTEMPTS):
            obj = self._store.find(resource, namespace, name)
            if obj is None:
                raise errors.not_found(row.plural, name, group=row.group)
            deletion.check_preconditions(row, obj, options)
            await review_removal(self._reviewer, row, obj, dry_run=options.dry_run)
            if self._store.find(resource, namespace, name) is obj:
                return
        raise errors.conflict(row.plural, name, group=row.group)

    def remove(self, resource: str, namespace: str, name: str, options: deletion.Options) -> tuple[Object, bool]:
        """As `delete`; returned are the object's (last) state and whether it is gone."""
        row = self.resources.stored(resource)
        obj = self._store.find(resource, namespace, name)
        if obj is None:
            raise errors.not_found(row.plural, name, group=row.group)
        deletion.check_preconditions(row, obj, options)
        decision = deletion.decide(row, obj, options, now=self._now())
        if options.dry_run or (decision.object == obj and not decision.is_gone):
            return decision.object, decision.is_gone
        if decision.is_gone:
            return self._store.remove(resource, decision.object), True
        return self._store.put(resource, decision.object), False

    async def delete_collection(
        self,
        resource: str,
        namespace: str,
        options: deletion.Options,
        *,
        labels: Selector | None = None,
        fields: Selector | None = None,
    ) -> tuple[Object, ...]:
        """Deletes what is selected, as `remove` does each; returned are the objects' (last) states."""
        found, _ = self.list(resource, namespace, labels=labels, fields=fields)
        gone = []
        for obj in found:
            try:
                await self.review_removal(resource, *_place(obj), options)
                gone.append(self.remove(resource, *_place(obj), options)[0])
            except errors.ApiError as error:
                if error.status != 404:  # somebody else was quicker
                    raise
        return tuple(gone)


def copy_of(obj: Object) -> Object:
    """A deep copy; going through JSON is the quickest way and leaves nothing in it that cannot be stored."""
    copied: Object = msgspec.json.decode(msgspec.json.encode(obj))
    return copied


def render_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _with(obj: Object, key: str, value: Any) -> Object:
    rest = {name: part for name, part in obj.items() if name != key}
    return rest if value is None else rest | {key: value}


def _owned(row: Resource, new: Object, before: Object | None, writer: Writer | None) -> Object:
    if writer is None:
        return new
    entries = entries_after(new, before, writer, type_of(row))
    return new | {"metadata": _with(new["metadata"], "managedFields", entries or None)}


def _content(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return obj | {"metadata": metadata}


def _specification(row: Resource, obj: Object) -> Object:
    """Everything that `metadata.generation` counts the changes of."""
    uncounted = ("apiVersion", "metadata", "status") if row.has_status or row.custom is None else ("apiVersion", "metadata")
    return {key: value for key, value in obj.items() if key not in uncounted}


def _check_preconditions(row: Resource, given: Object, before: Object) -> None:
    if given.get("uid") and given["uid"] != before["uid"]:
        why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {before['uid']}"
        raise errors.conflict(row.plural, before["name"], why, group=row.group)
    version = given.get("resourceVersion")
    if version and str(version) != before["resourceVersion"]:
        raise errors.conflict(row.plural, before["name"], group=row.group)
