"""Garbage collection by `metadata.ownerReferences`.

Background: an object whose owners are all gone is deleted. Foreground (finalizer `foregroundDeletion`): the owner stays until
the dependents that block it are gone. Orphan (finalizer `orphan`): dependents lose the reference before the owner goes.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.api.resources import ResourceTable
from remora.cluster.controllers.actions import Action, Update, carry_out, delete
from remora.cluster.controllers.loop import Loop, follow_all
from remora.cluster.events import Events
from remora.cluster.objects import Object, Reference, is_terminating, uid_of, with_metadata

COMPONENT = "garbage-collector"
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

FindOwner = Callable[[Mapping[str, Any]], Object | None]
"""The object of an owner reference, or None if it is gone; raises LookupError for a kind that is not served."""


def decide_dependent(resource: str, obj: Object, find_owner: FindOwner) -> tuple[Action, ...]:
    """Deletes an object none of whose owners is left, and drops references to those that are gone from one that has others."""
    references = owner_references(obj)
    if not references or is_terminating(obj):
        return ()
    try:
        present = [reference for reference in references if find_owner(reference) is not None]
    except LookupError:
        return ()  # an owner of a kind that is not served may still exist
    if not present:
        return (delete(resource, obj),)
    waiting = [reference for reference in present if _is_waiting(find_owner(reference))]
    if len(waiting) == len(present):
        return (delete(resource, obj, propagation="Foreground"),)
    if len(present) < len(references):
        return (Update(resource, with_metadata(obj, ownerReferences=present)),)
    return ()


def decide_owner(resource: str, owner: Object, dependents: Iterable[tuple[str, Object]]) -> tuple[Action, ...]:
    """The next step of an owner that is being deleted with one of the two finalizers."""
    finalizers = owner["metadata"].get("finalizers") or ()
    if not is_terminating(owner):
        return ()
    if ORPHAN in finalizers:
        freed = (Update(kind, _without_owner(dependent, owner)) for kind, dependent in dependents)
        return (*freed, _without_finalizer(resource, owner, ORPHAN))
    if FOREGROUND not in finalizers:
        return ()
    own = list(dependents)
    doomed = tuple(_part(kind, dependent, owner) for kind, dependent in own if not is_terminating(dependent))
    if any(_blocks(dependent, owner) for _, dependent in own):
        return doomed
    return (*doomed, _without_finalizer(resource, owner, FOREGROUND))


def _part(resource: str, dependent: Object, owner: Object) -> Action:
    """A dependent goes with its only owner; from others' it is only set free."""
    is_shared = any(reference.get("uid") != uid_of(owner) for reference in owner_references(dependent))
    if is_shared:
        return Update(resource, _without_owner(dependent, owner))
    # In the foreground itself, so that the owner outlives what its dependents own.
    return delete(resource, dependent, propagation="Foreground")


def owner_references(obj: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = obj["metadata"].get("ownerReferences") or ()
    return found


def _is_waiting(owner: Mapping[str, Any] | None) -> bool:
    """Whether the owner only waits for its dependents to go."""
    return owner is not None and is_terminating(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())


def _blocks(dependent: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    return any(r.get("uid") == uid_of(owner) and r.get("blockOwnerDeletion") for r in owner_references(dependent))


def _without_owner(dependent: Object, owner: Object) -> Object:
    return with_metadata(dependent, ownerReferences=[r for r in owner_references(dependent) if r.get("uid") != uid_of(owner)])


def _without_finalizer(resource: str, owner: Object, finalizer: str) -> Update:
    return Update(resource, with_metadata(owner, finalizers=[f for f in owner["metadata"]["finalizers"] if f != finalizer]))


class GarbageCollector:
    """Follows all resources that the table of the moment has, save those of `passed_over`."""

    def __init__(
        self,
        *,
        registry: Registry,
        events: Events,
        passed_over: frozenset[str] = frozenset(),
    ) -> None:
        self._registry = registry
        self._events = events
        self._passed_over = passed_over
        self._dependents: dict[str, set[Reference]] = {}
        self._owners: dict[Reference, frozenset[str]] = {}
        self._loop: Loop[Reference] = Loop("garbage", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow_all(self._registry, self._chosen, self._changed))

    def _chosen(self, table: ResourceTable) -> list[str]:
        return [name for name in table.names if name not in self._passed_over]

    def _changed(self, resource: str, event: WatchEvent) -> None:
        obj = event.object
        metadata = obj["metadata"]
        reference = Reference(resource, metadata.get("namespace", ""), metadata["name"])
        gone = event.type == "DELETED"
        owners = frozenset() if gone else frozenset(str(r.get("uid")) for r in owner_references(obj))
        self._index(reference, owners)
        if owners or metadata.get("finalizers"):
            self._loop.add(reference)
        if gone:
            for dependent in sorted(self._dependents.get(uid_of(obj), ())):
                self._loop.add(dependent)
            self._wake_owners(obj)
        elif is_terminating(obj) and FOREGROUND in (metadata.get("finalizers") or ()):
            for dependent in sorted(self._dependents.get(uid_of(obj), ())):
                self._loop.add(dependent)

    def _index(self, reference: Reference, owners: frozenset[str]) -> None:
        before = self._owners.pop(reference, frozenset())
        for uid in before - owners:
            self._dependents[uid].discard(reference)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in owners - before:
            self._dependents.setdefault(uid, set()).add(reference)
        if owners:
            self._owners[reference] = owners

    def _wake_owners(self, obj: Object) -> None:
        """An owner deleted in the foreground waits for this one."""
        for reference in owner_references(obj):
            owner = self._locate(reference, obj["metadata"].get("namespace", ""))
            if owner is not None:
                self._loop.add(owner)

    async def _reconcile(self, reference: Reference) -> float | None:
        obj = self._registry.find(reference.resource, reference.namespace, reference.name)
        if obj is None:
            return None
        finalizers = obj["metadata"].get("finalizers") or ()
        if is_terminating(obj) and (FOREGROUND in finalizers or ORPHAN in finalizers):
            actions = decide_owner(reference.resource, obj, self._dependents_of(obj))
        else:
            actions = decide_dependent(reference.resource, obj, partial(self._find_owner, reference.namespace))
        await carry_out(actions, registry=self._registry, events=self._events, component=COMPONENT)
        return None

    def _find_owner(self, namespace: str, reference: Mapping[str, Any]) -> Object | None:
        place = self._locate(reference, namespace)
        if place is None:
            raise LookupError(f"{reference['apiVersion']} {reference['kind']} is not served")
        found = self._registry.find(place.resource, place.namespace, place.name)
        return found if found is not None and uid_of(found) == reference.get("uid") else None

    def _locate(self, reference: Mapping[str, Any], namespace: str) -> Reference | None:
        resource = self._registry.resources.find_name(reference["apiVersion"], reference["kind"])
        if resource is None:
            return None
        return Reference(resource, namespace if self._registry.resources.is_namespaced(resource) else "", reference["name"])

    def _dependents_of(self, owner: Object) -> list[tuple[str, Object]]:
        """Read from the registry, not from the index, which may be a moment late: an orphan must not be missed."""
        namespace = owner["metadata"].get("namespace", "")
        table = self._registry.resources
        searched = [name for name in self._chosen(table) if not namespace or table.is_namespaced(name)]
        return [
            (resource, obj)
            for resource in searched
            for obj in self._registry.list(resource, namespace if table.is_namespaced(resource) else "")[0]
            if any(reference.get("uid") == uid_of(owner) for reference in owner_references(obj))
        ]
