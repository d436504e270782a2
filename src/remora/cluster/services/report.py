"""Tells on the Service itself what the layer-4 proxy could not do: the condition `remora.io/Listening` and an Event."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.events import Events
from remora.cluster.objects import Object, condition, key_of, now, render_time, with_conditions
from remora.cluster.ports import Unbindable
from remora.cluster.services.table import Listener
from remora.core.names import NamespacedName
from remora.core.problem import Problem

CONDITION = "remora.io/Listening"
COMPONENT = "remora-service-proxy"

Trouble = tuple[str, str]
"""A reason (one CamelCase word) and a message."""


class Report:
    """Writes conditions and Events about Services."""

    def __init__(self, *, registry: Registry, events: Events) -> None:
        self._registry = registry
        self._events = events

    async def publish(
        self, services: Iterable[Object], problems: Sequence[Problem], blocked: Mapping[Listener, Unbindable]
    ) -> None:
        """Brings every Service's condition up to date."""
        troubles = gather(problems, blocked)
        for service in services:
            await self._publish(service, troubles.get(key_of(service)))

    async def _publish(self, service: Object, trouble: Trouble | None) -> None:
        wanted = listening(service, trouble, at=render_time(now()))
        if wanted is None:
            return
        if trouble:
            self._events.record(service, COMPONENT, trouble[0], trouble[1], type="Warning")
        conditions = with_conditions(service.get("status", {}).get("conditions") or (), [wanted])
        status = {**service.get("status", {}), "conditions": conditions}
        try:
            await self._registry.update("services", {**service, "status": status}, subresource="status")
        except ApiError as error:
            # Somebody else changed or removed it: that change comes back here and is looked at again.
            if error.reason not in ("Conflict", "NotFound"):
                raise


def gather(problems: Sequence[Problem], blocked: Mapping[Listener, Unbindable]) -> dict[NamespacedName, Trouble]:
    """All that is wrong with each Service, in one sentence; the first reason names it."""
    found: dict[NamespacedName, list[Trouble]] = defaultdict(list)
    for problem in problems:
        found[problem.object.name].append((problem.code, problem.message))
    for listener, obstacle in sorted(blocked.items()):
        reason = "AddressInUse" if obstacle.in_use else "AddressNotPermitted"
        found[listener.service].append((reason, f"{listener.role} {obstacle}"))
    return {name: (items[0][0], "; ".join(message for _, message in items)) for name, items in found.items()}


def listening(service: Object, trouble: Trouble | None, *, at: str) -> Object | None:
    """The condition to write, or None if the Service says so already. A Service without trouble needs none."""
    current = condition(service, CONDITION)
    if trouble is None:
        if current is None or current["status"] == "True":
            return None
        return _condition("True", "Listening", "", at)
    if current is not None and (current["reason"], current["message"]) == trouble:
        return None
    return _condition("False", *trouble, at)


def _condition(status: str, reason: str, message: str, at: str) -> Object:
    return {"type": CONDITION, "status": status, "reason": reason, "message": message, "lastTransitionTime": at}
