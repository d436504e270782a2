"""What a controller decided to do, as values, and the thin edge that does it."""

from collections.abc import Sequence

import msgspec

from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.events import Events
from remora.cluster.objects import Object


class Note(msgspec.Struct, frozen=True):
    """An Event to record about `object`. `{name}` in the message stands for the name that a created object was given."""

    object: Object
    reason: str
    message: str
    type: str = "Normal"


class Create(msgspec.Struct, frozen=True):
    resource: str
    object: Object
    note: Note | None = None


class Update(msgspec.Struct, frozen=True):
    """Replaces an object, or only its status; refused if the object has changed since it was read."""

    resource: str
    object: Object
    subresource: str = ""
    note: Note | None = None


class Delete(msgspec.Struct, frozen=True):
    """Deletes an object if it still is the one with this uid; without seconds of grace a pod has its own."""

    resource: str
    namespace: str
    name: str
    uid: str
    note: Note | None = None
    propagation: str = "Background"
    grace_period_seconds: int | None = None


Action = Create | Update | Delete | Note


class Decision(msgspec.Struct, frozen=True):
    """Actions in their order, and after how many seconds to look again although nothing changed (None: never)."""

    actions: tuple[Action, ...] = ()
    again_in: float | None = None


def delete(
    resource: str,
    obj: Object,
    note: Note | None = None,
    *,
    propagation: str = "Background",
    grace_period_seconds: int | None = None,
) -> Delete:
    metadata = obj["metadata"]
    place = (resource, metadata.get("namespace", ""), metadata["name"], metadata.get("uid", ""))
    return Delete(*place, note, propagation, grace_period_seconds)


def update_status(resource: str, obj: Object, status: Object) -> tuple[Update, ...]:
    """Replaces the status if it differs.

    The write names no resourceVersion: nobody else writes this status, and an update of the same decision may have preceded it.
    """
    if obj.get("status") == status:
        return ()
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return (Update(resource, {**obj, "metadata": metadata, "status": status}, "status"),)


async def carry_out(actions: Sequence[Action], *, registry: Registry, events: Events, component: str) -> list[Object]:
    """Does everything in order and gives the objects that were created; what is gone already counts as deleted.

    Raises:
        ApiError: an action was refused; those before it were carried out.
    """
    created: list[Object] = []
    for action in actions:
        name = ""
        match action:
            case Create():
                created.append(await registry.create(action.resource, action.object))
                name = created[-1]["metadata"]["name"]
            case Update():
                await registry.update(action.resource, action.object, subresource=action.subresource)
            case Delete():
                await _delete(registry, action)
            case Note():
                pass
        note = action if isinstance(action, Note) else action.note
        if note is not None:
            events.record(note.object, component, note.reason, note.message.replace("{name}", name), type=note.type)
    return created


async def _delete(registry: Registry, action: Delete) -> None:
    try:
        await registry.delete(
            action.resource,
            action.namespace,
            action.name,
            grace_period_seconds=action.grace_period_seconds,
            uid=action.uid or None,
            propagation=action.propagation,
        )
    except ApiError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise
