"""Servers that come and go: the commands, and the entries of the map `servers` that say how each is."""

from collections.abc import Iterable, Iterator, Mapping

from remora.haproxy.command import Command
from remora.haproxy.configuration import ProxyBackend, Server
from remora.haproxy.features.affinity import ACTIVE, DRAINING
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.haproxy.pool import Slot
from remora.plan import commands
from remora.plan.running import Running, Step

Named = Mapping[str, Server]


def server_entries(slot: Slot, servers: tuple[Server, ...]) -> dict[str, str]:
    """The slot's entries of the map `servers`: how each is, and who is meant by a key of ingress-nginx."""
    states = {f"{slot}/{server.name}": DRAINING if server.draining else ACTIVE for server in servers}
    return states | {f"{slot}/{server.former_key}": server.name for server in servers if server.former_key}


def servers_in(step: Step, layout: Layout, *, backends: Mapping[str, ProxyBackend]) -> Iterator[Command]:
    """New servers, and those that are taken back. `backends` tell how new ones are spoken to."""
    path = layout.map(Map.SERVERS)
    for name, slot, before, wanted in _changes(step):
        yield from commands.change_entries(path, server_entries(slot, before), server_entries(slot, wanted))
        present = _by_name(before)
        leaving = _by_name(step.before.leaving.get(slot, ()))
        for server in wanted:
            known = present.get(server.name) or leaving.get(server.name)
            if known is not None and (known.address, known.port) != (server.address, server.port):
                # The same pod elsewhere: it has addresses of two families, or was given another.
                yield commands.move_server(slot, server)
            if server.name in leaving:
                yield from commands.take_back(slot, server)
            elif known is None:
                yield from commands.add_server(slot, server, backends[name].words)
            elif known.draining and not server.draining:
                yield from commands.take_back(slot, server)


def servers_out(step: Step, layout: Layout) -> Iterator[Command]:
    """Servers that drain, and those that go: into maintenance now, deleted when nothing is connected any more.

    Those of a slot that is given up stay as they are: whoever was led there by the route of before may still be asked who it
    is, and comes then. `servers_left` takes them away.
    """
    path = layout.map(Map.SERVERS)
    for name, slot, before, wanted in _changes(step):
        if name not in step.after.slots:
            continue
        kept = _by_name(wanted)
        for server in before:
            if server.name not in kept:
                yield commands.set_server_state(slot, server.name, "maint")
            elif kept[server.name].draining and not server.draining:
                yield commands.set_server_state(slot, server.name, "drain")
        yield from commands.remove_entries(path, server_entries(slot, before), server_entries(slot, wanted))


def servers_left(slot: Slot, servers: tuple[Server, ...], layout: Layout) -> Iterator[Command]:
    """The servers of a slot that was given up, once no request is in it: into maintenance."""
    yield from (commands.set_server_state(slot, server.name, "maint") for server in servers)
    yield from commands.remove_entries(layout.map(Map.SERVERS), server_entries(slot, servers), {})


def leaving_after(
    before: Running, changed: Iterable[str], servers: Mapping[str, tuple[Server, ...]], slots: Mapping[str, Slot]
) -> Mapping[Slot, tuple[Server, ...]]:
    """Who is on the way out of slots that are used on, by slot, when `servers` is what the backends that `changed` may use."""
    leaving = dict(before.leaving)
    for name in changed:
        slot = slots.get(name)
        if slot in leaving:
            leaving[slot] = _missing(leaving[slot], servers[name])
    for name in changed:
        if name in slots and (gone := _missing(_ready(before, name, slots[name]), servers[name])):
            leaving[slots[name]] = (*leaving.get(slots[name], ()), *gone)
    return {slot: gone for slot, gone in leaving.items() if gone}


def _missing(servers: tuple[Server, ...], kept: tuple[Server, ...]) -> tuple[Server, ...]:
    names = {server.name for server in kept}
    return tuple(server for server in servers if server.name not in names)


def _changes(step: Step) -> Iterator[tuple[str, Slot, tuple[Server, ...], tuple[Server, ...]]]:
    """Backends whose servers differ: what they are called, their slots, what they have, and what they are to have."""
    for name in step.backends:
        slot = step.after.slots.get(name) or step.before.slots[name]
        before, wanted = _ready(step.before, name, slot), step.after.servers.get(name, ())
        if before != wanted:
            yield name, slot, before, wanted


def _ready(running: Running, name: str, slot: Slot) -> tuple[Server, ...]:
    """What a backend may use, or finds in its slot when it comes back to it."""
    return running.servers.get(name) or running.given_up.get(slot, ())


def _by_name(servers: tuple[Server, ...]) -> Named:
    return {server.name: server for server in servers}
