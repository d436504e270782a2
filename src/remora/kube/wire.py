"""From bytes of the API to values. Pure: one object that does not decode costs only itself."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from remora.core.names import NamespacedName, ObjectRef
from remora.core.problem import Problem, Severity
from remora.kube.objects import KubernetesObject
from remora.kube.objects.meta import Wire
from remora.kube.resources import RESOURCES, Kind

UNREADABLE = "Unreadable"

AT_ONCE = 1 << 18
"""Bytes of a list that are decoded without a pause: two to four milliseconds."""


class ListMeta(Wire, frozen=True):
    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class _Page(Wire, frozen=True):
    metadata: ListMeta = ListMeta()
    items: list[msgspec.Raw] | None = ()  # type: ignore[assignment]  # read only


class _Event(Wire, frozen=True):
    type: str
    object: msgspec.Raw = msgspec.Raw()


class _Version(Wire, frozen=True):
    resource_version: str = ""


class _Versioned(Wire, frozen=True):
    """An object of which only the version is read, since its metadata may be long."""

    metadata: _Version = _Version()


class _AnyObject(Wire, frozen=True):
    """An object of which nothing is taken for granted, so that even one with unusable metadata costs only itself."""

    metadata: Any = None

    def text(self, field: str) -> str:
        """A field of the metadata; "" if it is not there or no text."""
        found = self.metadata.get(field) if isinstance(self.metadata, dict) else None
        return found if isinstance(found, str) else ""


class StatusCause(Wire, frozen=True):
    """One of several faults: the field that has it, and what is wrong."""

    field: str = ""
    message: str = ""


class StatusDetails(Wire, frozen=True):
    causes: tuple[StatusCause, ...] = ()


class Status(Wire, frozen=True):
    """The API's answer to what it does not do (meta/v1 Status)."""

    reason: str = ""
    message: str = ""
    code: int = 0
    details: StatusDetails | None = None


class Unreadable(msgspec.Struct, frozen=True):
    """An object that is not of its kind's shape: which one, and what is wrong."""

    kind: Kind
    name: NamespacedName
    problem: Problem


class Page(msgspec.Struct, frozen=True):
    """One page of a list."""

    resource_version: str
    continuation: str
    objects: tuple[KubernetesObject, ...]
    unreadable: tuple[Unreadable, ...]


class WatchEvent(msgspec.Struct, frozen=True):
    """One line of a watch. `object` is None for a BOOKMARK; `status` is set for an ERROR alone.

    An object that the kind does not keep is DELETED, whatever happened to it.
    """

    type: str
    resource_version: str = ""
    object: KubernetesObject | Unreadable | None = None
    status: Status | None = None


class Decoder:
    """Decodes lists and watch lines of one kind, and leaves out the objects that the kind does not keep."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._keeps = RESOURCES[kind].keeps
        self._versioned = msgspec.json.Decoder(_Versioned)
        self._page = msgspec.json.Decoder(_Page)
        self._event = msgspec.json.Decoder(_Event)
        self._object = msgspec.json.Decoder(kind)
        self._any = msgspec.json.Decoder(_AnyObject)

    def page(self, body: bytes) -> Page:
        """A list's answer.

        Raises:
            msgspec.MsgspecError: it is not a list at all.
        """
        parts = tuple(self.parts(body))
        objects = tuple(one for part in parts for one in part.objects)
        unreadable = tuple(one for part in parts for one in part.unreadable)
        return msgspec.structs.replace(parts[-1], objects=objects, unreadable=unreadable)

    def parts(self, body: bytes) -> Iterator[Page]:
        """The same in parts that take a few milliseconds each, at least one, for who has other things to do in between.

        Raises:
            msgspec.MsgspecError: it is not a list at all; before the first part.
        """
        page = self._page.decode(body)
        for raws in _portions(page.items or ()):
            decoded = [self._read(raw) for raw in raws]
            yield Page(
                page.metadata.resource_version,
                page.metadata.continue_,
                tuple(one for one in decoded if isinstance(one, KubernetesObject) and self._is_kept(one)),
                tuple(one for one in decoded if isinstance(one, Unreadable)),
            )

    def event(self, line: bytes) -> WatchEvent:
        """A line of a watch.

        Raises:
            msgspec.MsgspecError: it is not an event at all.
        """
        event = self._event.decode(line)
        if event.type == "ERROR":
            return WatchEvent("ERROR", status=msgspec.json.decode(event.object, type=Status))
        version = self._version(event.object)
        if event.type == "BOOKMARK":
            return WatchEvent("BOOKMARK", version)
        found = self._read(event.object)
        is_kept = isinstance(found, Unreadable) or self._is_kept(found)
        return WatchEvent(event.type if is_kept else "DELETED", version, found)

    def _is_kept(self, obj: KubernetesObject) -> bool:
        return self._keeps is None or self._keeps(obj)

    def _version(self, raw: msgspec.Raw) -> str:
        try:
            return self._versioned.decode(raw).metadata.resource_version
        except msgspec.MsgspecError:
            return self._any.decode(raw).text("resourceVersion")

    def _read(self, raw: msgspec.Raw) -> KubernetesObject | Unreadable:
        try:
            return self._object.decode(raw)
        except msgspec.MsgspecError as error:
            return self._unreadable(raw, str(error))

    def _unreadable(self, raw: msgspec.Raw, error: str) -> Unreadable:
        obj = self._any.decode(raw)
        name = NamespacedName(obj.text("namespace"), obj.text("name"))
        message, _, path = error.partition(" - at ")
        field = path.strip("`").removeprefix("$.") or "metadata"
        ref = ObjectRef(self._kind.__name__, name, obj.text("uid"))
        problem = Problem(ref, field, UNREADABLE, f"cannot be read: {message}", "the object is left out", Severity.ERROR)
        return Unreadable(self._kind, name, problem)


def _portions(raws: Sequence[msgspec.Raw]) -> Iterator[list[msgspec.Raw]]:
    """All in their order, so that no portion but one of a single object has more bytes than AT_ONCE; one if there are none."""
    portion: list[msgspec.Raw] = []
    size = 0
    for raw in raws:
        length = len(memoryview(raw))
        if portion and size + length > AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(raw)
        size += length
    yield portion


def parse_status(body: bytes, http_status: int) -> Status:
    """The Status of an error answer; what is no Status gives its own first words as message."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.MsgspecError:
        return Status(reason="", message=body[:200].decode("utf-8", "replace").strip(), code=http_status)
    return status if status.code else msgspec.structs.replace(status, code=http_status)
