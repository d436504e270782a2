"""Which Events to record. Pure, but for the note of what was recorded already.

An Event's name is made from what it says, so that several replicas, and a controller that was restarted, record one thing
once: the API server refuses the second.
"""

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from remora.core.names import ObjectRef
from remora.core.problem import Problem

COMPONENT = "remora-controller"
LONGEST_MESSAGE = 1024
"""Bytes that core/v1 Event takes as `message`."""
SYNC = "Sync"
WARNING = "Warning"

_API_VERSIONS = {
    "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
}


class Note(msgspec.Struct, frozen=True):
    """Something to say about an object: `type` is Normal or Warning, `reason` one CamelCase word."""

    object: ObjectRef
    type: str
    reason: str
    message: str

    @property
    def namespace(self) -> str:
        """Where its Event is kept: beside the object; in `default`, where kubectl looks, if it has no namespace."""
        return self.object.name.namespace or "default"


def event_name(note: Note) -> str:
    """Unique for object and content."""
    text = "\0".join((str(note.object), note.object.uid, note.type, note.reason, note.message))
    return f"{note.object.name.name[:200]}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def event_body(note: Note, *, now: str, instance: str) -> dict[str, Any]:
    """A core/v1 Event. `now` is RFC 3339; `instance` the pod that reports."""
    name = note.object.name
    involved = {"kind": note.object.kind, "name": name.name, "apiVersion": _API_VERSIONS.get(note.object.kind, "v1")}
    involved |= {"namespace": name.namespace} if name.namespace else {}
    involved |= {"uid": note.object.uid} if note.object.uid else {}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": event_name(note), "namespace": note.namespace},
        "involvedObject": involved,
        "type": note.type,
        "reason": note.reason,
        "message": _cut(note.message),
        "source": {"component": COMPONENT, "host": instance},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def note_of(problem: Problem) -> Note:
    """What a Problem's Event says."""
    return Note(problem.object, WARNING, problem.code, f"{problem.field}: {problem.message}; {problem.consequence}")


class Notebook:
    """What is to be said and what was said. A Problem that went away and came back is said again."""

    def __init__(self, *, sync_events: bool = True) -> None:
        self._sync_events = sync_events
        self._told: set[Note] = set()
        self._waiting: deque[Note] = deque()

    def take(self, problems: Iterable[Problem], published: Iterable[ObjectRef]) -> None:
        """Takes the Problems and the served Ingresses of now; what is new waits to be said."""
        wanted = dict.fromkeys(map(note_of, problems))
        if self._sync_events:
            wanted |= dict.fromkeys(Note(ref, "Normal", SYNC, "Scheduled for sync") for ref in published)
        waiting = [note for note in self._waiting if note in wanted]
        known = self._told | set(waiting)
        waiting += [note for note in wanted if note not in known]
        # Few are said in a second, and a cluster's first start has a Sync for every Ingress; a Problem is not to wait for them.
        self._waiting = deque(sorted(waiting, key=lambda note: note.type != WARNING))
        self._told &= wanted.keys()

    def next(self) -> Note | None:
        """The next thing to say, which counts as said from now on."""
        if not self._waiting:
            return None
        note = self._waiting.popleft()
        self._told.add(note)
        return note


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= LONGEST_MESSAGE:
        return message
    return encoded[: LONGEST_MESSAGE - 3].decode(errors="ignore") + "…"
