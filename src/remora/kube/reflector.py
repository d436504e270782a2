"""Follows one scope of the API: lists, watches from there, and begins anew when the API server has forgotten.

The transitions are a pure function of where we stand and what happened:

| where we stand | what happened        | next                                              |
| -------------- | -------------------- | ------------------------------------------------- |
| nowhere        | Listed(version)      | watch from version                                |
| at a version   | Seen(version)        | the same watch, from version on (also bookmarks)  |
| at a version   | Ended                | watch again from the version                      |
| anywhere       | Gone (410)           | list                                              |
| anywhere       | Failed               | the same again, after a wait that grows           |
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec

from remora.core.errors import ApiServerError, ApiServerRefused, ConfigurationError
from remora.core.names import NamespacedName
from remora.kube.client import ApiClient
from remora.kube.objects import IngressClass, KubernetesObject, Pod
from remora.kube.resources import RESOURCES, Kind, Scope
from remora.kube.wire import Decoder, Unreadable, WatchEvent

FIRST_WAIT = 0.25
LONGEST_WAIT = 10.0
FORBIDDEN_WAIT = 300.0
"""How long to leave a kind alone that we need not have."""

_DISPENSABLE: dict[Kind, str] = {
    IngressClass: "IngressClasses may not be read, so only the annotation kubernetes.io/ingress.class counts",
    Pod: "Pods may not be read, so no annotation remora.io/session-drain counts",
}
"""What can be done without, and what that means."""

_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})

_log = logging.getLogger(__name__)


class Listed(msgspec.Struct, frozen=True):
    """A complete list was taken."""

    resource_version: str


class Seen(msgspec.Struct, frozen=True):
    """The watch told of a change, or of nothing but where it stands (a bookmark)."""

    resource_version: str


class Ended(msgspec.Struct, frozen=True):
    """The API server closed the watch in order."""


class Gone(msgspec.Struct, frozen=True):
    """The API server no longer knows the version (410)."""


class Failed(msgspec.Struct, frozen=True):
    """No answer, or an error."""


Happening = Listed | Seen | Ended | Gone | Failed


class Position(msgspec.Struct, frozen=True):
    """Where a reflector stands: the version to watch from, "" if it must list; and failures in a row."""

    resource_version: str = ""
    failures: int = 0


def moved(position: Position, happening: Happening) -> Position:
    """Where a reflector stands after something happened."""
    match happening:
        case Listed(resource_version=version) | Seen(resource_version=version):
            return Position(version or position.resource_version)
        case Ended():
            return position
        case Gone():
            # Counted as a failure, so that a server which forgets at once is not listed without pause.
            return Position("", position.failures + 1)
        case Failed():
            return Position(position.resource_version, position.failures + 1)


def wait_of(position: Position, jitter: float) -> float:
    """Seconds to wait before the next attempt: doubled with each failure, spread by `jitter` (0 to 1) over its upper half."""
    if position.failures == 0:
        return 0.0
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(position.failures - 1, 16))
    return longest * (0.5 + 0.5 * jitter)


class Relisted(msgspec.Struct, frozen=True):
    """Everything in a scope; what is not here is gone."""

    scope: Scope
    objects: tuple[KubernetesObject, ...]
    unreadable: tuple[Unreadable, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """A change of one object: `type` is ADDED, MODIFIED or DELETED."""

    scope: Scope
    type: str
    object: KubernetesObject | Unreadable


Sink = Callable[[Relisted | Told], Awaitable[None]]


class Reflector:
    """Feeds `sink` with what is and what happens in a scope. `jitter` gives numbers from 0 to 1."""

    def __init__(self, client: ApiClient, scope: Scope, *, sink: Sink, jitter: Callable[[], float]) -> None:
        self._client = client
        self._scope = scope
        self._sink = sink
        self._jitter = jitter
        self._decoder = Decoder(scope.kind)
        self._position = Position()
        self._synced = asyncio.Event()
        self._is_forbidden = False
        self._chooses = RESOURCES[scope.kind].keeps is not None
        self._chosen: set[NamespacedName] = set()

    @property
    def scope(self) -> Scope:
        return self._scope

    @property
    def has_synced(self) -> bool:
        """Whether the sink was given a complete list."""
        return self._synced.is_set()

    @property
    def is_current(self) -> bool:
        """Whether the last attempt to list or watch succeeded."""
        return self._position.failures == 0

    async def run(self) -> None:
        """Lists and watches for ever; what the API server does wrong is logged and tried again."""
        while True:
            try:
                happening = await self._watch() if self._position.resource_version else await self._list()
            except ApiServerRefused as error:
                happening = await self._refused(error)
            except (ApiServerError, ConfigurationError) as error:
                happening = self._failed(error)
            self._position = moved(self._position, happening)
            await asyncio.sleep(wait_of(self._position, self._jitter()))

    async def _list(self) -> Happening:
        objects: list[KubernetesObject] = []
        unreadable: list[Unreadable] = []
        version = ""
        async for page in self._client.list_pages(self._scope, self._decoder):
            objects += page.objects
            unreadable += page.unreadable
            version = page.resource_version
        if self._chooses:
            self._chosen = {obj.key for obj in objects}
        await self._sink(Relisted(self._scope, tuple(objects), tuple(unreadable)))
        if self._position.failures:
            _log.info("%s: listed again", self._scope)
        self._synced.set()
        return Listed(version)

    async def _watch(self) -> Happening:
        position = self._position
        async for event in self._client.watch(self._scope, self._decoder, since=position.resource_version):
            if event.type == "ERROR":
                return self._error(event)
            if event.type not in _TYPES:
                # What it meant is not known, so nothing that was known is certain.
                _log.warning("%s: an event of the unknown type %r; everything is listed again", self._scope, event.type)
                return Gone()
            if event.object is not None and self._is_news(event.type, event.object):
                await self._sink(Told(self._scope, event.type, event.object))
            self._position = moved(self._position, Seen(event.resource_version))
        # A watch that ends without having told anything is an answer of a server in trouble, not its usual timeout.
        return Ended() if self._position != position else Failed()

    def _is_news(self, type_: str, obj: KubernetesObject | Unreadable) -> bool:
        """Whether to tell of an object; of a kind of which few are followed, most come and go unnoticed."""
        if not self._chooses or isinstance(obj, Unreadable):
            return True
        was_chosen = obj.key in self._chosen
        if type_ != "DELETED":
            self._chosen.add(obj.key)
            return True
        self._chosen.discard(obj.key)
        return was_chosen

    def _error(self, event: WatchEvent) -> Happening:
        assert event.status is not None
        if event.status.code == 410:
            return Gone()
        return self._failed(
            ApiServerRefused(status=event.status.code, reason=event.status.reason, message=event.status.message)
        )

    async def _refused(self, error: ApiServerRefused) -> Happening:
        if error.status == 410:
            return Gone()
        if error.status == 403 and self._scope.kind in _DISPENSABLE:
            return await self._do_without(error)
        return self._failed(error)

    async def _do_without(self, error: ApiServerRefused) -> Happening:
        """Takes a kind that may not be read for empty."""
        if not self._is_forbidden:
            _log.warning("%s: %s", _DISPENSABLE[self._scope.kind], error)
            self._is_forbidden = True
            await self._sink(Relisted(self._scope, ()))
            self._synced.set()
        await asyncio.sleep(FORBIDDEN_WAIT)
        return Gone()

    def _failed(self, error: Exception) -> Happening:
        failures = self._position.failures + 1
        level = logging.WARNING if failures < 3 or failures % 10 == 0 else logging.DEBUG
        _log.log(level, "%s: attempt %d failed, what was known goes on being served: %s", self._scope, failures, error)
        return Failed()
