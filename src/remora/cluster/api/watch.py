"""A watch over HTTP: changes of a resource as lines of JSON, as far as they concern what the client selected."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import msgspec

from remora.cluster.api.errors import ApiError, Object
from remora.cluster.api.fields import matches_fields
from remora.cluster.api.http_view import View
from remora.cluster.api.negotiation import TABLE
from remora.cluster.api.registry import Watch, WatchEvent
from remora.cluster.api.selectors import Selector

BOOKMARK_INTERVAL = 60.0
"""Seconds between bookmarks of a watch on which nothing else happens (Kubernetes: about a minute)."""


class Selection(msgspec.Struct, frozen=True):
    """Labels and fields that objects must have."""

    labels: Selector
    fields: Selector

    @property
    def is_narrow(self) -> bool:
        return bool(self.labels.requirements or self.fields.requirements)

    def matches(self, obj: Object) -> bool:
        return self.labels.matches_labels(obj) and matches_fields(obj, self.fields)


class WatchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`timeout` in seconds; `marks_initial_end` asks for a bookmark after what exists."""

    selection: Selection
    timeout: float
    bookmarks: bool
    marks_initial_end: bool


def seen_as(event: WatchEvent, selection: Selection) -> str:
    """The type of event that a change is to a client with this selection; "" if it does not concern it.

    An object that leaves the selection is DELETED to the client, one that enters it ADDED. Where its state before is not
    known, because the log of a restarted process begins after it, it counts as selected: nobody minds a DELETED too many.
    """
    if not selection.is_narrow or event.type == "ADDED":
        return event.type if selection.matches(event.object) else ""
    if event.type == "DELETED":
        return "DELETED" if selection.matches(event.previous or event.object) else ""
    was, is_now = event.previous is None or selection.matches(event.previous), selection.matches(event.object)
    return {(True, True): "MODIFIED", (True, False): "DELETED", (False, True): "ADDED", (False, False): ""}[was, is_now]


async def stream(watch: Watch, view: View, options: WatchOptions, *, version: Callable[[], int]) -> AsyncIterator[bytes]:
    """The watch's lines until its time is over. `version` gives the newest resourceVersion of all."""
    renderer = _Renderer(view)
    deadline = time.monotonic() + options.timeout
    initial_end = version() if options.marks_initial_end else 0
    try:
        while (left := deadline - time.monotonic()) > 0:
            wait = 0.0 if initial_end else min(left, BOOKMARK_INTERVAL)
            event = await _next(watch, wait)
            if event is None:
                # Asking for the version tells watches of what was just written: only what is still silent then is up to date.
                newest = version()
                event = await _next(watch, 0.0)
            if event is None:
                if options.bookmarks:
                    yield renderer.bookmark(newest, ends_initial_events=bool(initial_end))
                initial_end = 0
                continue
            seen = seen_as(event, options.selection)
            if seen:
                yield renderer.line(seen, event)
    except ApiError as error:
        yield _line("ERROR", error.to_wire())
    except StopAsyncIteration:
        return  # the resource itself has changed; clients begin anew


async def _next(watch: Watch, seconds: float) -> WatchEvent | None:
    """The next event; None if none came in that time. With 0 only what is there already is taken."""
    try:
        async with asyncio.timeout(seconds):
            return await anext(watch)
    except TimeoutError:
        return None


class _Renderer:
    """A Table names its columns in the first event only; other forms of an event are made once for all who watch."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._is_first = True

    def line(self, type_: str, event: WatchEvent) -> bytes:
        if event.shown is None or self._view.target == TABLE:
            return self._rendered(type_, event)
        key = (type_, self._view.row.api_version, self._view.target)
        line = event.shown.get(key)
        if line is None:
            line = event.shown[key] = self._rendered(type_, event)
        return line

    def _rendered(self, type_: str, event: WatchEvent) -> bytes:
        return _line(type_, self._shown(event.object if type_ != "DELETED" else _last_state(event)))

    def bookmark(self, version: int, *, ends_initial_events: bool) -> bytes:
        return _line("BOOKMARK", self._view.bookmark(version, ends_initial_events=ends_initial_events))

    def _shown(self, obj: Object) -> Object:
        if self._view.target != TABLE:
            return self._view.one(obj)
        first, self._is_first = self._is_first, False
        view = msgspec.structs.replace(self._view, now=datetime.now(UTC))
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return view.table([obj], metadata=metadata, with_columns=first)


def _last_state(event: WatchEvent) -> Object:
    """What a client that no longer sees an object last saw, under the version of the change."""
    if event.type == "DELETED" or event.previous is None:
        return event.object
    metadata = {**event.previous["metadata"], "resourceVersion": str(event.resource_version)}
    return {**event.previous, "metadata": metadata}


def _line(type_: str, obj: Object) -> bytes:
    return msgspec.json.encode({"type": type_, "object": obj}) + b"\n"
