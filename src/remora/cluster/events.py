"""Records Events (core/v1) about objects. A repeated one is counted on the first instead of being stored again.

Recording never waits and never fails: Events are best effort, and a full queue drops the newest, as client-go does.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.objects import Object, now, parse_time, render_time

_log = logging.getLogger(__name__)

_QUEUE = 1000
_REMEMBERED = 4096
_KEPT_FOR = timedelta(hours=1)
"""How long an Event lives (kube-apiserver `--event-ttl`)."""
_SWEEP_EVERY = 300.0


class Happening(msgspec.Struct, frozen=True):
    """Something to tell about an object; equal ones are repeats of each other."""

    component: str
    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    field_path: str
    type: str
    reason: str
    message: str
    host: str = ""


class Events:
    """Takes Events from the whole cluster and writes them to the registry."""

    def __init__(self, *, registry: Registry) -> None:
        self._registry = registry
        self._queue: asyncio.Queue[tuple[Happening, str, datetime]] = asyncio.Queue(_QUEUE)
        self._known: OrderedDict[Happening, Object] = OrderedDict()

    def record(
        self,
        about: Mapping[str, Any],
        component: str,
        reason: str,
        message: str,
        *,
        type: str = "Normal",
        field_path: str = "",
        host: str = "",
    ) -> None:
        """Tells that something happened to `about`; `component` is who tells, `type` is Normal or Warning."""
        metadata = about["metadata"]
        happening = Happening(
            component=component,
            api_version=about.get("apiVersion", "v1"),
            kind=about.get("kind", ""),
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            field_path=field_path,
            type=type,
            reason=reason,
            message=message[:1024],
            host=host,
        )
        try:
            self._queue.put_nowait((happening, metadata.get("resourceVersion", ""), now()))
        except asyncio.QueueFull:
            _log.warning("event dropped: %s %s/%s: %s", happening.kind, happening.namespace, happening.name, message)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + _SWEEP_EVERY
        while True:
            try:
                async with asyncio.timeout_at(sweep_at):
                    happening, version, moment = await self._queue.get()
            except TimeoutError:
                await self._sweep(now())
                sweep_at = loop.time() + _SWEEP_EVERY
                continue
            try:
                await self._write(happening, version, moment)
            except ApiError as error:
                # The object's namespace may just be going away.
                _log.debug("event about %s/%s not written: %s", happening.namespace, happening.name, error)

    async def _write(self, happening: Happening, version: str, moment: datetime) -> None:
        known = self._known.pop(happening, None)
        if known is not None and (written := await self._count(known, moment)) is not None:
            self._known[happening] = written
            return
        self._known[happening] = await self._registry.create("events", event(happening, version=version, moment=moment))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    async def _count(self, known: Object, moment: datetime) -> Object | None:
        """The Event counted up, or None if it no longer exists."""
        current = self._registry.find("events", known["metadata"]["namespace"], known["metadata"]["name"])
        if current is None:
            return None
        return await self._registry.update("events", repeated(current, moment=moment))

    async def _sweep(self, moment: datetime) -> None:
        events, _ = self._registry.list("events")
        for found in events:
            if is_expired(found, moment=moment):
                await self._registry.delete("events", found["metadata"]["namespace"], found["metadata"]["name"])


def event(happening: Happening, *, version: str, moment: datetime) -> Object:
    """The core/v1 Event of a happening seen for the first time. One about a cluster-scoped object lies in `default`."""
    involved: Object = {
        "apiVersion": happening.api_version,
        "kind": happening.kind,
        "name": happening.name,
        "uid": happening.uid,
    }
    involved |= {"namespace": happening.namespace} if happening.namespace else {}
    involved |= {"resourceVersion": version} if version else {}
    involved |= {"fieldPath": happening.field_path} if happening.field_path else {}
    source = {"component": happening.component} | ({"host": happening.host} if happening.host else {})
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "namespace": happening.namespace or "default",
            "name": f"{happening.name}.{int(moment.timestamp() * 1e9):x}",
        },
        "involvedObject": involved,
        "reason": happening.reason,
        "message": happening.message,
        "source": source,
        "firstTimestamp": render_time(moment),
        "lastTimestamp": render_time(moment),
        "count": 1,
        "type": happening.type,
        "eventTime": None,
        "reportingComponent": happening.component,
        "reportingInstance": happening.host,
    }


def repeated(known: Mapping[str, Any], *, moment: datetime) -> Object:
    """The Event after the same thing happened again."""
    return {**known, "count": known.get("count", 1) + 1, "lastTimestamp": render_time(moment)}


def is_expired(found: Mapping[str, Any], *, moment: datetime) -> bool:
    last = found.get("lastTimestamp") or found.get("eventTime") or found["metadata"].get("creationTimestamp")
    return bool(last) and moment - parse_time(last) > _KEPT_FOR
