"""ClusterRoles that gather the rules of others by label (`aggregationRule`): `admin`, `edit` and `view` are such."""

import asyncio
from collections.abc import Iterable

from remora.cluster.api.registry import Registry, WatchEvent
from remora.cluster.controllers.loop import Loop, follow
from remora.cluster.objects import Object, labels_of, selector_matches

RESOURCE = "clusterroles.rbac.authorization.k8s.io"


def gathered(role: Object, others: Iterable[Object]) -> list[Object]:
    """The rules that a role gathers from others, each once, in the order of the selectors and of the others' names."""
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    by_name = sorted(others, key=lambda other: str(other["metadata"]["name"]))
    rules: list[Object] = []
    for selector in selectors:
        for other in by_name:
            if other["metadata"]["name"] != role["metadata"]["name"] and selector_matches(selector, labels_of(other)):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


class ClusterRoleAggregation:
    """Keeps the rules of gathering roles."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry
        self._loop: Loop[str] = Loop("clusterrole-aggregation", self._reconcile)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop.run())
            group.create_task(follow(self._registry, RESOURCE, self._changed))

    def _changed(self, _: WatchEvent) -> None:
        for role in self._registry.list(RESOURCE)[0]:
            if role.get("aggregationRule"):
                self._loop.add(role["metadata"]["name"])

    async def _reconcile(self, name: str) -> None:
        role = self._registry.find(RESOURCE, "", name)
        if role is None or not role.get("aggregationRule"):
            return
        rules = gathered(role, self._registry.list(RESOURCE)[0])
        if rules != (role.get("rules") or []):
            await self._registry.update(RESOURCE, {**role, "rules": rules})
