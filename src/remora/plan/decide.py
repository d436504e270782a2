"""Running and wanted to a plan.

The order of a runtime update is that of need: what a request may be sent to exists before a route names it, and is taken
away after no route does.
"""

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from remora.haproxy.command import PREPARED_VERSION, Command
from remora.haproxy.configuration import Configuration, Server, ServerName
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map, RouteRecord, encode_record
from remora.haproxy.pool import Slot
from remora.model import Certificate
from remora.plan import commands
from remora.plan.running import LoadedCertificate, Running
from remora.plan.slots import Assignment, assign, assign_afresh


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


def decide(running: Running, wanted: Configuration, layout: Layout) -> Plan:
    """The least that makes HAProxy run what is wanted."""
    if running.digest != wanted.digest:
        return Reload(("the program changed",))
    assignment = assign(running, wanted.backends)
    reasons = (*assignment.missing, *_oversized_certificates(running, wanted))
    if reasons:
        return Reload(reasons)
    after = running_after(wanted, assignment, running)
    update = tuple(_update(running, after, wanted=wanted, layout=layout))
    if not update:
        return Unchanged()
    return RuntimeUpdate(update, after, assignment.low)


def started(wanted: Configuration) -> Running:
    """What runs after a start or a reload with the wanted Configuration in files."""
    slots, pool = assign_afresh(wanted.backends)
    blank = Running(digest=wanted.digest, pool=pool)
    return running_after(wanted, Assignment(slots), blank)


def sweep(running: Running) -> Iterator[tuple[Slot, ServerName, Command]]:
    """Servers in maintenance, and the command that takes each away once nothing is connected to it."""
    for slot, servers in running.leaving.items():
        for name in servers:
            yield slot, name, commands.delete_server(slot, name)


def swept(running: Running, slot: Slot, name: ServerName) -> Running:
    """What runs after a leaving server was deleted."""
    remaining = {key: server for key, server in running.leaving[slot].items() if key != name}
    leaving = {key: servers for key, servers in running.leaving.items() if key != slot}
    return msgspec.structs.replace(running, leaving=leaving | ({slot: remaining} if remaining else {}))


def running_after(wanted: Configuration, assignment: Assignment, before: Running) -> Running:
    """What runs when everything wanted is done: servers that are not wanted any more are leaving."""
    servers = {
        slot: {server.name: server for server in wanted.backends[name].servers} for name, slot in assignment.slots.items()
    }
    dedicated = frozenset(name for name, backend in wanted.backends.items() if backend.dedicated)
    certificates = {name: loaded(certificate) for name, certificate in wanted.certificates.items()}
    return Running(
        digest=wanted.digest,
        pool=before.pool,
        dedicated=before.dedicated | dedicated,
        slots=assignment.slots,
        servers={slot: named for slot, named in servers.items() if named},
        leaving=_leaving(before, servers),
        routes=wanted.routes,
        folded_routes=wanted.folded_routes,
        regex_routes=wanted.regex_routes,
        texts={
            **wanted.texts,
            Map.SLOTS: {slot: name for name, slot in assignment.slots.items()},
            Map.CERTIFICATES: {name: certificate.text for name, certificate in certificates.items()},
        },
        certificates=certificates,
    )


def loaded(certificate: Certificate) -> LoadedCertificate:
    """The certificate as it stands in Running."""
    return LoadedCertificate(hashlib.sha256(certificate.pem).hexdigest(), certificate.hosts)


def _leaving(before: Running, servers: Mapping[Slot, Mapping[ServerName, Server]]) -> dict[Slot, Mapping[ServerName, Server]]:
    leaving: dict[Slot, Mapping[ServerName, Server]] = {}
    for slot in before.servers.keys() | before.leaving.keys():
        there = {**before.leaving.get(slot, {}), **before.servers.get(slot, {})}
        gone = {name: server for name, server in there.items() if name not in servers.get(slot, {})}
        if gone:
            leaving[slot] = gone
    return leaving


def _oversized_certificates(running: Running, wanted: Configuration) -> Iterator[str]:
    for name, certificate in wanted.certificates.items():
        if len(certificate.pem) > commands.PAYLOAD_BYTES and running.certificates.get(name) != loaded(certificate):
            yield f"certificate {name} is too large for the runtime socket"


def _update(running: Running, after: Running, *, wanted: Configuration, layout: Layout) -> Iterator[Command]:
    yield from _certificates_in(running, after, wanted=wanted, layout=layout)
    yield from _servers_in(running, after)
    records = _record_maps(running, after)
    texts = [(name, running.texts.get(name, {}), after.texts[name]) for name in after.texts]
    for name, old_text, new_text in texts:
        yield from _entries_in(layout.map(name), old_text, new_text)
    for name, old, new in records:
        yield from _entries_in(layout.map(name), old, new)
    if _encoded_regexes(running) != _encoded_regexes(after):
        yield from _replace_regexes(layout.map(Map.REGEX_ROUTES), after)
    for name, old, new in records:
        yield from _entries_out(layout.map(name), old, new)
    for name, old_text, new_text in texts:
        yield from _entries_out(layout.map(name), old_text, new_text)
    yield from _servers_out(running, after)
    yield from _certificates_out(running, after, layout)


def _record_maps(running: Running, after: Running) -> list[tuple[Map, dict[str, str], dict[str, str]]]:
    """Only entries whose text differs; nearly all routes are the identical object before and after."""
    changed = []
    pairs = ((Map.ROUTES, running.routes, after.routes), (Map.FOLDED_ROUTES, running.folded_routes, after.folded_routes))
    for name, old, new in pairs:
        before = dict.fromkeys(old.keys() - new.keys(), "")
        wanted: dict[str, str] = {}
        for key, record in new.items():
            known = old.get(key)
            text = encode_record(record, after.slots) if known is not record or _moved(record, running, after) else None
            if text is None:
                continue
            if known is not None:
                before[key] = encode_record(known, running.slots)
            wanted[key] = text
        changed.append((name, before, wanted))
    return changed


def _moved(record: RouteRecord, running: Running, after: Running) -> bool:
    """Whether the same record is written otherwise because its backend has another slot."""
    return running.slots is not after.slots and any(
        running.slots.get(name) != after.slots.get(name) for name in (record.over_tls, record.over_http)
    )


def _entries_in(path: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Command]:
    if old is new:
        return
    yield from commands.add_entries(path, {key: value for key, value in new.items() if key not in old})
    for key, value in new.items():
        if key in old and old[key] != value:
            yield commands.set_entry(path, key, value)


def _entries_out(path: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Command]:
    if old is new:
        return
    for key in old:
        if key not in new:
            yield commands.delete_entry(path, key)


def _encoded_regexes(running: Running) -> list[tuple[str, str]]:
    return [(pattern, encode_record(record, running.slots)) for pattern, record in running.regex_routes]


def _replace_regexes(path: str, after: Running) -> Iterator[Command]:
    """The order of a map of regular expressions decides, and an entry can only be added at its end: so all are replaced, in
    a new version of the map that takes effect at once."""
    yield commands.prepare_map(path)
    yield from commands.add_entries(path, dict(_encoded_regexes(after)), version=PREPARED_VERSION)
    yield commands.commit_map(path)


def _servers_in(running: Running, after: Running) -> Iterator[Command]:
    for slot, servers in after.servers.items():
        present = running.servers.get(slot, {})
        leaving = running.leaving.get(slot, {})
        for name, server in servers.items():
            if name in leaving:
                yield commands.set_server_state(slot, name, "drain" if server.draining else "ready")
            elif name not in present:
                yield from commands.add_server(slot, server)
            elif present[name].draining and not server.draining:
                yield commands.set_server_weight(slot, name)
                yield commands.set_server_state(slot, name, "ready")


def _servers_out(running: Running, after: Running) -> Iterator[Command]:
    for slot, servers in running.servers.items():
        kept = after.servers.get(slot, {})
        for name, server in servers.items():
            if name not in kept:
                yield commands.set_server_state(slot, name, "maint")
            elif kept[name].draining and not server.draining:
                yield commands.set_server_state(slot, name, "drain")


def _certificates_in(running: Running, after: Running, *, wanted: Configuration, layout: Layout) -> Iterator[Command]:
    for name, certificate in after.certificates.items():
        known = running.certificates.get(name)
        path = layout.certificate(name)
        if known is None or known.digest != certificate.digest:
            yield from commands.load_certificate(path, wanted.certificates[name].pem, is_new=known is None)
        if known is not None and known.hosts != certificate.hosts:
            yield commands.unlist_certificate(layout.crt_list, path)
        if known is None or known.hosts != certificate.hosts:
            yield commands.list_certificate(layout.crt_list, path, certificate.hosts)


def _certificates_out(running: Running, after: Running, layout: Layout) -> Iterator[Command]:
    for name in running.certificates:
        if name not in after.certificates:
            yield commands.unlist_certificate(layout.crt_list, layout.certificate(name))
            yield commands.forget_certificate(layout.certificate(name))
