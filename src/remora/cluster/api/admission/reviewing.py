"""A change with webhooks: they see it as it would be stored, before the one step in which it is checked again and written."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from remora.cluster.api.admission.hooks import Change, Operation
from remora.cluster.api.caller import current_caller
from remora.cluster.api.errors import ApiError, invalid, invalid_value
from remora.cluster.api.resources import Resource

Object = dict[str, Any]

ATTEMPTS = 5
"""Times that something is asked anew because somebody else changed the object meanwhile."""

_NOT_THE_CLIENTS = ("uid", "creationTimestamp", "generation")


class RacedError(ApiError):
    """A conflict with somebody who wrote while webhooks were asked."""

    @classmethod
    def of(cls, error: ApiError) -> "RacedError":
        return cls(error.status, error.reason, error.message, causes=error.causes, details=error.details)


class Reviewer(Protocol):
    """Whoever is asked before something is written."""

    def concern(self, row: Resource) -> bool:
        """Whether a change of such an object may have to be reviewed."""
        ...

    async def mutate(self, change: Change) -> Object | None:
        """The object of the change as it is to be.

        Raises:
            ApiError: it is refused.
        """
        ...

    async def validate(self, change: Change) -> None:
        """Raises:
        ApiError: it is refused.
        """
        ...


def change_of(
    operation: Operation,
    row: Resource,
    place: Object,
    *,
    subresource: str = "",
    dry_run: bool = False,
    **objects: Object | None,
) -> Change:
    """`place` is the metadata by which the object is found; the objects are `object` and `old`."""
    caller = current_caller()
    asked = caller.row if caller is not None and caller.row is not None and caller.row.storage == row.storage else row
    name = place.get("name") or ""
    namespace = name if row.storage == "namespaces" else place.get("namespace") or ""
    return Change(
        operation=operation,
        row=asked,
        subresource=subresource,
        namespace=namespace,
        name=name,
        dry_run=dry_run,
        object=objects.get("object"),
        old=objects.get("old"),
    )


async def review_new(
    reviewer: Reviewer,
    row: Resource,
    new: Object,
    *,
    defaulted: Callable[[Object], Object],
    settled: Callable[[Object], Object],
    dry_run: bool,
) -> Object:
    """What is to be created, reviewed. `settled` makes and checks what would be stored."""
    draft = defaulted({**new, "metadata": dict(new["metadata"])})
    metadata = {key: value for key, value in draft["metadata"].items() if key not in _NOT_THE_CLIENTS}
    change = change_of("CREATE", row, metadata, dry_run=dry_run, object={**draft, "metadata": metadata})
    mutated = await reviewer.mutate(change) or draft
    ours = {key: new["metadata"][key] for key in (*_NOT_THE_CLIENTS, "namespace") if key in new["metadata"]}
    final = settled({**mutated, "metadata": {**mutated["metadata"], **ours}})
    await reviewer.validate(msgspec.structs.replace(change, object=final))
    return final


async def review_update(
    reviewer: Reviewer,
    row: Resource,
    drafted: Object,
    before: Object,
    *,
    subresource: str,
    settled: Callable[[Object], Object],
    dry_run: bool,
) -> Object:
    """What an object is to become, reviewed. `drafted` has its defaults."""
    place, caller = before["metadata"], current_caller()
    if not subresource and caller is not None and caller.subresource == "scale":
        return await _review_scale(reviewer, row, drafted, before, settled=settled, dry_run=dry_run)
    change = change_of("UPDATE", row, place, subresource=subresource, dry_run=dry_run, object=drafted, old=before)
    mutated = await reviewer.mutate(change) or drafted
    moved = [
        invalid_value(f"metadata.{key}", mutated["metadata"].get(key, ""), "field is immutable")
        for key in ("name", "namespace")
        if mutated["metadata"].get(key, "") != place.get(key, "")
    ]
    if moved:
        raise invalid(row.kind, place["name"], moved, group=row.group)
    final = settled(mutated)
    await reviewer.validate(msgspec.structs.replace(change, object=final))
    return final


async def _review_scale(
    reviewer: Reviewer, row: Resource, drafted: Object, before: Object, *, settled: Callable[[Object], Object], dry_run: bool
) -> Object:
    """Who scales an object changes its Scale, and only that is what webhooks see and may change."""
    change = change_of(
        "UPDATE", row, before["metadata"], subresource="scale", dry_run=dry_run, object=_scale(drafted), old=_scale(before)
    )
    change = msgspec.structs.replace(change, kind=("autoscaling", "v1", "Scale"))
    mutated = await reviewer.mutate(change) or _scale(drafted)
    replicas = (mutated.get("spec") or {}).get("replicas", 0)
    final = settled({**drafted, "spec": {**drafted["spec"], "replicas": replicas}})
    await reviewer.validate(msgspec.structs.replace(change, object=_scale(final)))
    return final


def _scale(obj: Object) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "labels")
    metadata = {key: obj["metadata"][key] for key in kept if key in obj["metadata"]}
    status = {"replicas": (obj.get("status") or {}).get("replicas", 0)}
    spec = {"replicas": obj["spec"].get("replicas", 0)}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


async def review_removal(reviewer: Reviewer, row: Resource, obj: Object, *, dry_run: bool) -> None:
    """Raises:
    ApiError: somebody keeps the object from being deleted.
    """
    change = change_of("DELETE", row, obj["metadata"], dry_run=dry_run, old=obj)
    await reviewer.mutate(change)
    await reviewer.validate(change)
