"""Changes of stored objects as whoever watches them meets them."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal, NamedTuple

from remora.cluster.api import errors
from remora.cluster.store import Change, EndedError, Subscription, TooOldError

Object = dict[str, Any]


class WatchEvent(NamedTuple):
    """`previous` is the state before, for whoever must know whether the object has just left a selection."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object
    resource_version: int
    previous: Object | None = None
    shown: dict[tuple[str, ...], bytes] | None = None
    """What was made of it for watchers, if others see the same event."""


class Watch(AsyncIterator[WatchEvent]):
    """What exists at the moment of the call, if asked for, then every change. Ends only if the resource changes or goes.

    Raises while iterating:
        ApiError: Expired, when the reader was too slow; a new watch has to begin with what exists then.
    """

    def __init__(self, initial: Iterable[WatchEvent], subscription: Subscription) -> None:
        self._initial = iter(initial)
        self._subscription = subscription

    async def __anext__(self) -> WatchEvent:
        for event in self._initial:
            return event
        try:
            return _event(await self._subscription.next())
        except TooOldError:
            raise errors.expired("The resourceVersion for the provided watch is too old.") from None
        except EndedError:
            raise StopAsyncIteration from None


def _event(change: Change) -> WatchEvent:
    return WatchEvent(change.type, change.object, change.version, change.previous, change.shown)
