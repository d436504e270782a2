"""Running and wanted to a plan.

The order of a runtime update is that of need: what a request may be sent to exists before a route names it, and is taken
away after no route does; the servers of a slot that no route leads to any more, after the last request has left it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from remora.core.names import Hostname
from remora.core.options import changed_keys
from remora.core.persistent import keys_differing, persistent
from remora.haproxy.certificates import LoadedCertificate, crt_list_line
from remora.haproxy.command import Command
from remora.haproxy.configuration import Configuration, ServerName
from remora.haproxy.layout import Layout
from remora.haproxy.pool import Slot
from remora.plan import commands
from remora.plan.entries import authorities_sure, authorities_unsure, entries_in, entries_out
from remora.plan.running import Running, Step
from remora.plan.servers import leaving_after, servers_in, servers_out
from remora.plan.slots import Assignment, assign, assign_afresh, with_freed


class Unchanged(msgspec.Struct, frozen=True):
    """Nothing to do."""


class RuntimeUpdate(msgspec.Struct, frozen=True):
    """Commands, and what runs when all of them are done. `reload_after` are reasons for a reload that can wait until then."""

    commands: tuple[Command, ...]
    after: Running
    reload_after: tuple[str, ...] = ()


class Reload(msgspec.Struct, frozen=True):
    """A new worker is needed, for these reasons."""

    reasons: tuple[str, ...]


Plan = Unchanged | RuntimeUpdate | Reload

MOST_AT_ONCE = 16
"""Hosts or backends that are other."""


def decide(running: Running, wanted: Configuration, layout: Layout) -> Plan:
    """The least that makes HAProxy run what is wanted."""
    if running.digest != wanted.digest:
        return Reload((_program_reason(running, wanted),))
    if running.peers != wanted.peers.digest:
        return Reload(("peers changed",))
    if running.ports != wanted.ports:
        return Reload(("the ports of TCP services changed",))
    changed = _changed_backends(running, wanted)
    assignment = assign(running, wanted.backends, changed)
    reasons = (*assignment.missing, *_oversized_certificates(running, wanted), *_oversized_files(running, wanted))
    if reasons:
        return Reload(reasons)
    after = _running_after(running, wanted, assignment, changed)
    update = tuple(_update(Step(running, after, changed, _changed_hosts(running, wanted)), wanted=wanted, layout=layout))
    if not update:
        return Unchanged()
    return RuntimeUpdate(update, after, assignment.low)


def is_light(running: Running, wanted: Configuration) -> bool:
    """Whether deciding is a matter of a millisecond: little is other than what was decided last."""
    if not running.backends or len(keys_differing(running.hosts, wanted.hosts)) > MOST_AT_ONCE:
        return False
    changed = keys_differing(running.backends, wanted.backends)
    come = (wanted.backends[name] for name in changed if name in wanted.backends and name not in running.slots)
    # Without a note of the free slots a whole pool is looked through.
    return len(changed) <= MOST_AT_ONCE and all(backend.kind.name in running.unused for backend in come)


def _changed_backends(running: Running, wanted: Configuration) -> tuple[str, ...]:
    """Those that come or go, or have other servers."""
    if running.backends:
        return tuple(sorted(keys_differing(running.backends, wanted.backends)))
    known = running.servers
    changed = [name for name, backend in wanted.backends.items() if known.get(name) is not backend.servers]
    return (*sorted(changed), *(name for name in running.slots if name not in wanted.backends))


def _changed_hosts(running: Running, wanted: Configuration) -> tuple[Hostname, ...]:
    return tuple(sorted(keys_differing(running.hosts, wanted.hosts)))


def _program_reason(running: Running, wanted: Configuration) -> str:
    keys = tuple(changed_keys(running.options, wanted.options)) if running.options else ()
    return f"the ConfigMap's {', '.join(keys)} changed" if keys else "the program changed"


def started(wanted: Configuration) -> Running:
    """What runs after a start or a reload with the wanted Configuration in files."""
    slots, pool = assign_afresh(wanted.backends)
    return _running_after(Running(digest=wanted.digest, pool=pool), wanted, Assignment(slots, {}), wanted.backends)


def sweep(running: Running) -> Iterator[tuple[Slot, ServerName, Command]]:
    """Servers in maintenance, and the command that takes each away once nothing is connected to it."""
    for slot, servers in running.leaving.items():
        for server in servers:
            yield slot, server.name, commands.delete_server(slot, server.name)


def swept(running: Running, deleted: Iterable[tuple[Slot, ServerName]]) -> Running:
    """What runs after leaving servers were deleted."""
    leaving = dict(running.leaving)
    for slot, name in deleted:
        leaving[slot] = tuple(server for server in leaving[slot] if server.name != name)
    leaving = {slot: servers for slot, servers in leaving.items() if servers}
    freed = running.orphaned - leaving.keys()
    unused = with_freed(running.unused, freed)
    return msgspec.structs.replace(running, leaving=leaving, orphaned=running.orphaned - freed, unused=unused)


def left(running: Running, slots: Collection[Slot]) -> Running:
    """What runs after `servers_left` of these slots, which were given up."""
    leaving = {slot: (*running.leaving.get(slot, ()), *running.given_up[slot]) for slot in slots}
    given_up = {slot: servers for slot, servers in running.given_up.items() if slot not in leaving}
    orphaned = running.orphaned | leaving.keys()
    return msgspec.structs.replace(running, leaving={**running.leaving, **leaving}, given_up=given_up, orphaned=orphaned)


def _running_after(before: Running, wanted: Configuration, assignment: Assignment, changed: Collection[str]) -> Running:
    """What runs when everything wanted is done: servers that are not wanted any more are leaving."""
    slots = assignment.slots
    found = ((name, wanted.backends.get(name)) for name in changed)
    servers = persistent(before.servers).changed({name: backend.servers if backend else None for name, backend in found})
    leaving = leaving_after(before, changed, servers, slots)
    kept = {slots[name] for name in changed if name in slots}
    gone = {before.slots[name]: before.servers.get(name, ()) for name in changed if name in before.slots and name not in slots}
    emptied = frozenset(slot for slot, present in gone.items() if not present)
    return Running(
        digest=wanted.digest,
        peers=wanted.peers.digest,
        pool=before.pool,
        dedicated=before.dedicated | {name for name in changed if name in slots and wanted.backends[name].dedicated},
        slots=slots,
        servers=servers,
        backends=wanted.backends,
        leaving=leaving,
        given_up={slot: present for slot, present in {**before.given_up, **gone}.items() if present and slot not in kept},
        orphaned=before.orphaned | (emptied & leaving.keys()),
        unused=with_freed(assignment.unused, emptied - leaving.keys()),
        hosts=wanted.hosts,
        certificates=wanted.loaded,
        streams=wanted.streams,
        ports=wanted.ports,
        files=before.files | wanted.files.keys(),
        options=wanted.options,
    )


def _oversized_certificates(running: Running, wanted: Configuration) -> Iterator[str]:
    for name in keys_differing(running.certificates, wanted.loaded):
        certificate = wanted.certificates.get(name)
        is_large = certificate is not None and len(certificate.pem) > commands.PAYLOAD_BYTES
        if is_large and running.certificates.get(name) != wanted.loaded[name]:
            yield f"certificate {name} is too large for the runtime socket"


def _oversized_files(running: Running, wanted: Configuration) -> Iterator[str]:
    for name, file in wanted.files.items():
        if name not in running.files and len(file.pem) > commands.PAYLOAD_BYTES:
            yield f"{name} is too large for the runtime socket"


def _files_in(running: Running, wanted: Configuration, layout: Layout) -> Iterator[Command]:
    for name, file in wanted.files.items():
        if name not in running.files:
            yield from commands.load_upstream_file(layout.upstream_file(name), file)


def _update(step: Step, *, wanted: Configuration, layout: Layout) -> Iterator[Command]:
    before, after = step.before.certificates, step.after.certificates
    # Whoever connects in between is known to have been judged neither by the old authority nor by the new one.
    yield from authorities_unsure(step, layout)
    yield from _files_in(step.before, wanted, layout)
    yield from _certificates_in(before, after, wanted=wanted, layout=layout)
    replaced, gone = _certificates_to_go(before, after)
    yield from _certificates_out(replaced, layout)
    yield from authorities_sure(step, layout)
    yield from servers_in(step, layout, backends=wanted.backends)
    yield from entries_in(step, layout)
    yield from entries_out(step, layout)
    yield from servers_out(step, layout)
    yield from _certificates_out(gone, layout)


def _certificates_in(
    before: Mapping[str, LoadedCertificate],
    after: Mapping[str, LoadedCertificate],
    *,
    wanted: Configuration,
    layout: Layout,
) -> Iterator[Command]:
    for name in sorted(name for name in keys_differing(before, after) if name in after):
        known, certificate = before.get(name), after[name]
        path = layout.certificate(name)
        if not certificate.hosts:
            # The default certificate is always there and listed first; only its content changes.
            if known != certificate:
                yield from commands.load_certificate(path, wanted.certificates[name].pem, is_new=False)
            continue
        if known is None or known.digest != certificate.digest:
            yield from commands.load_certificate(path, wanted.certificates[name].pem, is_new=known is None)
        if known is None:
            yield commands.list_certificate(layout.crt_list, crt_list_line(wanted.certificates[name], layout))


def _certificates_to_go(
    before: Mapping[str, LoadedCertificate], after: Mapping[str, LoadedCertificate]
) -> tuple[list[str], list[str]]:
    """The entries that others have taken the place of, and those whose hosts are gone."""
    changed = keys_differing(before, after)
    going = sorted(name for name in changed if name not in after and before[name].hosts)
    # A host has one certificate, so another one that it is served with now is among those that changed.
    served = {host for name in changed if name in after for host in after[name].hosts}
    replaced = [name for name in going if served.issuperset(before[name].hosts)]
    return replaced, [name for name in going if name not in replaced]


def _certificates_out(names: Iterable[str], layout: Layout) -> Iterator[Command]:
    for name in names:
        yield commands.unlist_certificate(layout.crt_list, layout.certificate(name))
        yield commands.forget_certificate(layout.certificate(name))
