"""The registry: what may be stored, and how it is kept. In-process controllers and the HTTP side get the same semantics here.

No method awaits between its last checks and its write, so both are one step for everybody else. Only where webhooks want to see
what is to be written it waits before: if somebody else has changed the object meanwhile, all begins anew, or is a conflict.
Objects go in and out as JSON objects of the storage version and are never changed afterwards: whoever wants another one makes
a copy.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from remora.cluster.api import deletion, errors
from remora.cluster.api.admission.reviewing import ATTEMPTS, RacedError, Reviewer, review_new, review_removal, review_update
from remora.cluster.api.changes import Watch, WatchEvent
from remora.cluster.api.drafts import AdmissionHook, Drafts, copy_of
from remora.cluster.api.fields import matches_fields
from remora.cluster.api.kinds import with_defaults
from remora.cluster.api.patch.updates import Writer
from remora.cluster.api.resources import RESOURCES, Resource, ResourceTable
from remora.cluster.api.selectors import Selector
from remora.cluster.objects import render_time
from remora.cluster.store import Store, TooOldError

Object = dict[str, Any]

__all__ = ["AdmissionHook", "Registry", "Watch", "WatchEvent", "render_time"]


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
        self._drafts = Drafts(store, admission or {}, now)
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
        self._drafts.add_admission(resource, hook)

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
        new = self._drafts.prepared(row, obj)
        if self._reviewer is not None and self._reviewer.concern(row):
            self._drafts.check_namespace(row, new["metadata"])
            new = await review_new(
                self._reviewer,
                row,
                new,
                defaulted=lambda draft: with_defaults(row, draft),
                settled=lambda changed: self._drafts.new(row, copy_of(changed)),
                dry_run=dry_run,
            )
        new = self._drafts.new(row, new, writer)
        name = new["metadata"]["name"]
        if self._store.find(resource, new["metadata"].get("namespace", ""), name) is not None:
            raise errors.already_exists(row.plural, name, group=row.group)
        return new if dry_run else self._store.put(resource, new)

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
        new = self._drafts.changed(row, obj, before, subresource, writer)
        if _content(new) == _content(before):
            return before
        if dry_run:
            return new
        return self._store.remove(resource, new) if deletion.is_done(resource, new) else self._store.put(resource, new)

    async def _reviewed(
        self, reviewer: Reviewer, row: Resource, obj: Object, before: Object, subresource: str, *, dry_run: bool
    ) -> tuple[Object, Object]:
        """What is to be stored, reviewed, and what is stored now, which nobody has changed since the review."""
        for _ in range(ATTEMPTS):
            drafted = self._drafts.merged(row, copy_of(obj), before, subresource)
            final = await review_update(
                reviewer,
                row,
                drafted if subresource else with_defaults(row, drafted),
                before,
                subresource=subresource,
                settled=partial(self._drafts.changed, row, before=before, subresource=subresource),
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


def _place(obj: Object) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _content(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return obj | {"metadata": metadata}


def _check_preconditions(row: Resource, given: Object, before: Object) -> None:
    if given.get("uid") and given["uid"] != before["uid"]:
        why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: {before['uid']}"
        raise errors.conflict(row.plural, before["name"], why, group=row.group)
    version = given.get("resourceVersion")
    if version and str(version) != before["resourceVersion"]:
        raise errors.conflict(row.plural, before["name"], group=row.group)
