"""From what the proxy runs to what it should run: nothing, runtime commands, or a reload with its reasons. Pure.

A server that goes away is put in maintenance at once, so that no new connection reaches it, and is deleted when its last
connection has ended: HAProxy refuses to delete it before. Until then it is `leaving`.
"""

from collections.abc import Iterator

import msgspec

from remora.cluster.services.table import Backend, Listener, Server

ACCEPTED = frozenset({"", "New server registered."})
"""HAProxy's answers to commands of an `Update` that were carried out."""
DELETED = "Server deleted."
"""HAProxy's answer to a `del server` that was carried out."""


class Place(msgspec.Struct, frozen=True, order=True):
    """A server in its backend, as runtime commands name it."""

    backend: str
    server: str

    def __str__(self) -> str:
        return f"{self.backend}/{self.server}"


class Running(msgspec.Struct, frozen=True):
    """What HAProxy has confirmed."""

    listeners: tuple[Listener, ...]
    backends: tuple[Backend, ...]
    leaving: frozenset[Place] = frozenset()


class Unchanged(msgspec.Struct, frozen=True):
    """Nothing to do."""


class Update(msgspec.Struct, frozen=True):
    """Commands for the runtime socket, and what is true after they were accepted."""

    commands: tuple[str, ...]
    after: Running


class Reload(msgspec.Struct, frozen=True):
    """The configuration has to be read anew."""

    reasons: tuple[str, ...]


def decide(running: Running | None, wanted: Running) -> Unchanged | Update | Reload:
    """The cheapest way from `running` to `wanted` (whose `leaving` is ignored)."""
    if running is None:
        return Reload(("first start",))
    reasons = tuple(_reasons(running, wanted))
    if reasons:
        return Reload(reasons)
    commands: list[str] = []
    leaving = set(running.leaving)
    for before, after in zip(running.backends, wanted.backends, strict=True):
        for server in sorted(set(before.servers) - set(after.servers)):
            commands.append(f"set server {Place(after.name, server.name)} state maint")
            leaving.add(Place(after.name, server.name))
        for server in sorted(set(after.servers) - set(before.servers)):
            place = Place(after.name, server.name)
            commands += _arrive(place, server, known=place in leaving)
            leaving.discard(place)
    if not commands:
        return Unchanged()
    return Update(tuple(commands), Running(wanted.listeners, wanted.backends, frozenset(leaving)))


def deletions(running: Running) -> tuple[tuple[Place, str], ...]:
    """The commands that try to remove what is leaving, each with the server that it removes."""
    return tuple((place, f"del server {place}") for place in sorted(running.leaving))


def _reasons(running: Running, wanted: Running) -> Iterator[str]:
    for listener in sorted(set(wanted.listeners) - set(running.listeners)):
        yield f"{listener} begins to listen for {listener.service}"
    for listener in sorted(set(running.listeners) - set(wanted.listeners)):
        yield f"{listener} no longer listens for {listener.service}"
    if [_fixed(b) for b in running.backends] != [_fixed(b) for b in wanted.backends]:
        yield "the set of service ports changed"


def _fixed(backend: Backend) -> tuple[str, bool]:
    """What of a backend HAProxy takes from its configuration only."""
    return (backend.name, backend.by_client_address)


def _arrive(place: Place, server: Server, *, known: bool) -> Iterator[str]:
    if known:
        yield f"set server {place} state ready"
    else:
        yield f"add server {place} {server.name}"
        yield f"enable server {place}"
