"""Which Events to record. Pure, but for the note of what was recorded already.

An Event's name is made from what it says, so that several replicas, and a controller that was restarted, record one thing
once: the API server refuses the second.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from remora.core.differing import differing
from remora.core.names import ObjectRef
from remora.core.problem import Problem
from remora.core.problems import Problems, problems_of

COMPONENT = "remora-controller"
LONGEST_MESSAGE = 1024
"""Bytes that core/v1 Event takes as `message`."""
SYNC = "Sync"
RELOAD = "RELOAD"
BURST = 25
"""Events that an object may have at once."""
FORGIVEN_AFTER = 60.0
"""Seconds after which it may have one more."""
MOST_KNOWN = 20_000
"""Notes and objects that are remembered, of which the longest past are forgotten."""
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


def event_body(note: Note, *, now: str, instance: str, count: int = 1) -> dict[str, Any]:
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
        "count": count,
    }


def note_of(problem: Problem) -> Note:
    """What a Problem's Event says."""
    return Note(problem.object, WARNING, problem.code, f"{problem.field}: {problem.message}; {problem.consequence}")


class Saying(msgspec.Struct, frozen=True):
    """A Note whose turn it is: how often its cause came since it was said last, and whether it was said before."""

    note: Note
    times: int = 1
    is_again: bool = False


class Budget:
    """How many Events an object may have: some at once, and one more from time to time."""

    def __init__(self) -> None:
        self._spent: dict[ObjectRef, tuple[float, float]] = {}

    def has_any(self, ref: ObjectRef, now: float) -> bool:
        return self._owed(ref, now) <= BURST - 1

    def spend(self, ref: ObjectRef, now: float) -> None:
        self._spent[ref] = self._owed(ref, now) + 1, now
        if len(self._spent) > MOST_KNOWN:
            self._spent = {one: spent for one, spent in self._spent.items() if self._owed(one, now) > 0}

    def _owed(self, ref: ObjectRef, now: float) -> float:
        """Events that are not forgiven yet."""
        spent, at = self._spent.get(ref, (0.0, now))
        return max(0.0, spent - (now - at) / FORGIVEN_AFTER)


class Turns:
    """Notes that wait, and how often the cause of each came; namespaces take turns, so nobody waits for all of another's."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Note, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, note: Note) -> None:
        of_namespace = self._waiting.setdefault(note.namespace, {})
        of_namespace[note] = of_namespace.get(note, 0) + 1

    def has(self, note: Note) -> bool:
        return note in self._waiting.get(note.namespace, ())

    def drop(self, note: Note) -> None:
        """Takes a note out, if it waits."""
        of_namespace = self._waiting.get(note.namespace, {})
        if of_namespace.pop(note, None) and not of_namespace:
            del self._waiting[note.namespace]

    def take(self, may_be_said: Callable[[Note], bool]) -> tuple[Note, int] | None:
        """The note whose turn it is among those that may be said now; its namespace is the last then."""
        for namespace, notes in self._waiting.items():
            note = next(filter(may_be_said, notes), None)
            if note is not None:
                times = notes.pop(note)
                del self._waiting[namespace]
                if notes:
                    self._waiting[namespace] = notes
                return note, times
        return None


class Notebook:
    """What is to be said and what was said. A Problem that went away and came back is said again."""

    def __init__(self, *, sync_events: bool = True) -> None:
        self._sync_events = sync_events
        self._problems = Problems()
        self._published: Sequence[ObjectRef] = ()
        self._wanted: Counter[Note] = Counter()
        # Few are said in a second, and a cluster's first start has a Sync for every Ingress; a Problem is not to wait for them.
        self._warnings, self._others = Turns(), Turns()
        self._known: dict[Note, None] = {}
        self._budget = Budget()

    @property
    def has_waiting(self) -> bool:
        """Whether there is something to say, perhaps not yet."""
        return bool(self._warnings or self._others)

    def take(self, problems: Sequence[Problem], published: Sequence[ObjectRef]) -> None:
        """Takes the Problems and the served Ingresses of now; what is new waits to be said."""
        present = problems_of(problems)
        gone, come = present.since(self._problems)
        former, further = differing(self._published, published) if self._sync_events else ([], [])
        self._problems, self._published = present, published
        news = Counter([*map(note_of, come), *map(_sync_note, further)])
        news.subtract([*map(note_of, gone), *map(_sync_note, former)])
        for note, change in news.items():
            before = self._wanted[note]
            self._wanted[note] += change
            if before and not self._wanted[note]:
                self._turns_of(note).drop(note)
            elif not before and change and not self._turns_of(note).has(note):
                self._turns_of(note).add(note)
            if not self._wanted[note]:
                del self._wanted[note]

    def add(self, note: Note) -> None:
        """Takes something that happened, and is said however it goes on."""
        self._turns_of(note).add(note)

    def next(self, now: float) -> Saying | None:
        """The next thing to say, which counts as said from `now` on; None if there is none, or none of it may be said yet."""

        def may_be_said(note: Note) -> bool:
            return self._budget.has_any(note.object, now)

        found = self._warnings.take(may_be_said) or self._others.take(may_be_said)
        if found is None:
            return None
        note, times = found
        self._budget.spend(note.object, now)
        saying = Saying(note, times, note in self._known)
        self._known.pop(note, None)
        self._known[note] = None
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return saying

    def _turns_of(self, note: Note) -> Turns:
        return self._warnings if note.type == WARNING else self._others


def _sync_note(ref: ObjectRef) -> Note:
    return Note(ref, "Normal", SYNC, "Scheduled for sync")


def _cut(message: str) -> str:
    encoded = message.encode()
    if len(encoded) <= LONGEST_MESSAGE:
        return message
    return encoded[: LONGEST_MESSAGE - 3].decode(errors="ignore") + "…"
