"""Follows the CustomResourceDefinitions: accepts names, puts their rows into the table, and clears away after a deletion.

As in Kubernetes a definition is served a moment after it is created, and says so by its condition `Established`, which is
written after the table was replaced. Those that were established before a restart are in the table from the start.
"""

import asyncio
import logging
from typing import Any

from remora.cluster.api import deletion
from remora.cluster.api.caller import current_caller
from remora.cluster.api.custom.definition import definition_warnings
from remora.cluster.api.custom.naming import CLEANUP, decide_status
from remora.cluster.api.custom.rows import DEFINITIONS, is_established, rows_of
from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry, Watch, render_time

Object = dict[str, Any]

_log = logging.getLogger(__name__)
_PAUSE = 0.05
"""Seconds between two looks at a definition whose objects wait for their finalizers."""


class Definitions:
    """Keeps the registry's table in step with the definitions in it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._clearing: set[str] = set()
        registry.add_admission(DEFINITIONS, _warn)
        self._replace_table()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                watch = self._registry.watch(DEFINITIONS)
                while True:
                    await self._next(watch)
            except ApiError as error:
                _log.info("watch of definitions begins anew: %s", error)
            await asyncio.sleep(_PAUSE)

    async def _next(self, watch: Watch) -> None:
        try:
            async with asyncio.timeout(_PAUSE if self._clearing else None):
                event = await anext(watch)
        except TimeoutError:
            for name in sorted(self._clearing):
                await self._changed(name)
        else:
            await self._changed(event.object["metadata"]["name"], event.object)

    async def _changed(self, name: str, last: Object | None = None) -> None:
        """`last` is the state of a definition that may be gone."""
        definition = self._registry.find(DEFINITIONS, "", name)
        self._clearing.discard(name)
        if definition is None:
            self._replace_table()
            await self._accept_waiting(last["spec"]["group"] if last is not None else "")
        elif definition["metadata"].get("deletionTimestamp"):
            await self._clear(definition)
        else:
            await self._accept(definition)

    async def _accept(self, definition: Object) -> None:
        now = render_time(self._registry.now())
        status = decide_status(definition, self._siblings(definition), now=now)
        accepted = {**definition, "status": status}
        self._replace_table(accepted)
        if status != definition.get("status"):
            await self._registry.update(DEFINITIONS, accepted, subresource="status")

    async def _accept_waiting(self, group: str) -> None:
        """Names that are free again may be what another definition waits for."""
        for definition in self._all():
            if definition["spec"]["group"] == group and not definition["metadata"].get("deletionTimestamp"):
                await self._accept(definition)

    def _siblings(self, definition: Object) -> list[Object]:
        return [
            other
            for other in self._all()
            if other["spec"]["group"] == definition["spec"]["group"]
            and other["metadata"]["name"] != definition["metadata"]["name"]
        ]

    def _all(self) -> list[Object]:
        return self._registry.list(DEFINITIONS)[0]

    def _replace_table(self, changed: Object | None = None) -> None:
        """`changed` is a definition as it is about to be stored."""
        found = {definition["metadata"]["name"]: definition for definition in self._all()}
        if changed is not None:
            found[changed["metadata"]["name"]] = changed
        table = self._registry.resources
        known = {(row.group, row.version, row.plural): row for row in table.custom_rows}
        rows = rows_of(found.values(), known)
        if rows != table.custom_rows:
            self._registry.replace_resources(table.with_custom(rows))

    async def _clear(self, definition: Object) -> None:
        """Deletes the objects of a definition that is being deleted, and lets it go once there are none."""
        name = definition["metadata"]["name"]
        if CLEANUP not in (definition["metadata"].get("finalizers") or ()):
            return
        if is_established(definition):
            await self._registry.delete_collection(name, "", deletion.Options())
        if self._registry.list(name)[0]:
            self._clearing.add(name)
            return
        finalizers = [found for found in definition["metadata"]["finalizers"] if found != CLEANUP]
        metadata = {**definition["metadata"], "finalizers": finalizers}
        await self._registry.update(DEFINITIONS, {**definition, "metadata": metadata})
        self._replace_table()


def _warn(new: Object, before: Object | None) -> Object:
    """Tells the client what will not be done as a definition says."""
    caller = current_caller()
    if caller is not None and (before is None or before["spec"] != new["spec"]):
        caller.warnings.extend(definition_warnings(new))
    return new
