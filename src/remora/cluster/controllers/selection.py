"""Which Services a changed pod concerns, now and before the change, and which pods a Service concerns."""

import asyncio
from collections.abc import Callable

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.endpoints_of import is_selecting, selects
from remora.cluster.controllers.loop import follow
from remora.cluster.objects import Object, key_of, labels_of
from remora.core.names import NamespacedName


class Selection:
    """Follows pods and Services and calls `changed` with the name of every Service whose endpoints may differ now."""

    def __init__(self, *, registry: Registry, changed: Callable[[NamespacedName], None]) -> None:
        self._registry = registry
        self._changed = changed
        self._services_of: dict[NamespacedName, frozenset[NamespacedName]] = {}
        self._selecting: dict[str, dict[NamespacedName, Object]] = {}
        """The Services with a selector, by namespace."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self._registry, "services", self._service_changed))
            group.create_task(follow(self._registry, "pods", self._pod_changed))

    def _service_changed(self, event: WatchEvent) -> None:
        key = key_of(event.object)
        services = self._selecting.setdefault(key.namespace, {})
        services.pop(key, None)
        if event.type != "DELETED" and is_selecting(event.object):
            services[key] = event.object
        self._changed(key)

    def pods_of(self, service: Object) -> list[Object]:
        if not is_selecting(service):
            return []
        pods, _ = self._registry.list("pods", service["metadata"]["namespace"])
        return [pod for pod in pods if selects(service, labels_of(pod))]

    def _pod_changed(self, event: WatchEvent) -> None:
        pod, key = event.object, key_of(event.object)
        services = self._selecting.get(key.namespace, {})
        current = frozenset(name for name, service in services.items() if selects(service, labels_of(pod)))
        before = self._services_of.pop(key, frozenset())
        if event.type != "DELETED" and current:
            self._services_of[key] = current
        for service in sorted(current | before):
            self._changed(service)
