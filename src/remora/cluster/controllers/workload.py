"""What all controllers of pods do alike: they wake when the object, one of its pods, or a pod that it could adopt changes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence

from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.actions import Action, Decision, Note, carry_out
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.controllers.ownership import selector_of
from remora.cluster.events import Events
from remora.cluster.objects import Object, controller_of, key_of, labels_of, selector_matches
from remora.core.names import NamespacedName


class WorkloadController(ABC):
    """Keeps every object of one `resource` as `decide` says. `also` are further resources whose objects it controls."""

    def __init__(
        self, *, registry: Registry, events: Events, resource: str, component: str, also: Sequence[str] = ("pods",)
    ) -> None:
        self.registry = registry
        self.events = events
        self.resource = resource
        self._component = component
        self._also = also
        self._kind = registry.resources.stored(resource).kind
        self.loop: Loop[NamespacedName] = Loop(self._kind.lower(), self._reconcile)

    @abstractmethod
    def decide(self, obj: Object) -> Decision:
        """The next step for one object."""

    def decide_gone(self, key: NamespacedName) -> tuple[Action, ...]:
        """What an object that no longer exists leaves to do."""
        return ()

    def after_refusal(self, obj: Object, error: ApiError) -> tuple[Action, ...]:
        """What to note of an action that the API server refused, before it is tried again."""
        if any(cause.reason == "NamespaceTerminating" for cause in error.causes):
            return ()
        return (Note(obj, "FailedCreate", f"Error creating: {error.message}", "Warning"),)

    async def run(self) -> None:
        await self.run_with()

    async def run_with(self, *others: Coroutine[None, None, None]) -> None:
        """Runs, and with it what else wakes the controller."""
        async with asyncio.TaskGroup() as group:
            for other in others:
                group.create_task(other)
            group.create_task(self.loop.run())
            group.create_task(follow(self.registry, self.resource, lambda event: self.loop.add(key_of(event.object))))
            for resource in self._also:
                group.create_task(follow(self.registry, resource, self._dependent_changed))

    def pods_of(self, obj: Object) -> list[Object]:
        """All pods of the object's namespace, for `decide` to choose from."""
        return self.registry.list("pods", obj["metadata"]["namespace"])[0]

    def _dependent_changed(self, event: WatchEvent) -> None:
        """Wakes the controller of an object, the one that it had before, and who might adopt it."""
        for state in (event.object, event.previous):
            owner = controller_of(state) if state is not None else None
            if owner is not None and owner["kind"] == self._kind:
                self.loop.add(NamespacedName(event.object["metadata"]["namespace"], owner["name"]))
        if event.type != "DELETED" and controller_of(event.object) is None:
            for candidate in self.registry.list(self.resource, event.object["metadata"]["namespace"])[0]:
                if selector_matches(selector_of(candidate), labels_of(event.object)):
                    self.loop.add(key_of(candidate))

    async def _reconcile(self, key: NamespacedName) -> float | None:
        obj = self.registry.find(self.resource, key.namespace, key.name)
        if obj is None:
            await self._carry_out(self.decide_gone(key))
            return None
        decision = self.decide(obj)
        try:
            await self._carry_out(decision.actions)
        except ApiError as error:
            if error.reason not in ("Conflict", "NotFound"):
                await self._carry_out(self.after_refusal(obj, error))
            raise
        return decision.again_in

    async def _carry_out(self, actions: Sequence[Action]) -> None:
        await carry_out(actions, registry=self.registry, events=self.events, component=self._component)
