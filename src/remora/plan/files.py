"""Everything that HAProxy reads when it starts or reloads, as file contents."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import itemgetter

from remora.haproxy.certificates import crt_list_line
from remora.haproxy.configuration import WEIGHT, Configuration, ProxyBackend, Server, ServerName
from remora.haproxy.features import hashing, learning, limits, placement
from remora.haproxy.features.affinity import choosing_rules
from remora.haproxy.features.streams import port_sections
from remora.haproxy.features.upstream import files_section
from remora.haproxy.grammar import Directive, Section, address_and_port, render_section, render_sections, section
from remora.haproxy.hosts import HostPart
from remora.haproxy.layout import Layout
from remora.haproxy.lua import Script, script_text
from remora.haproxy.maps import Map
from remora.haproxy.pool import BackendClass, Slot, dedicated_slot
from remora.plan.entries import all_entries, parts_in_order
from remora.plan.running import Running
from remora.plan.servers import server_entries

NO_NAME = "none.invalid"

_LINES = 1000
"""Of a map that are put together at a time."""


def render_files(wanted: Configuration, running: Running, layout: Layout) -> dict[str, bytes]:
    """Path to content, for `running` as `decide.started` foresees it. The default certificate's file is not among them."""
    return dict(files_in_turn(wanted, running, layout))


def files_in_turn(wanted: Configuration, running: Running, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The same one by one: with ten thousand hosts all of them are 20 MB, and the largest 8."""
    yield layout.program, wanted.program.encode()
    yield layout.peers, wanted.peers.text.encode()
    yield layout.backends, b"\n".join(render_section(part).encode() for part in _backend_sections(wanted, running, layout))
    yield layout.crt_list, "".join(f"{line}\n" for line in _crt_list(wanted, layout)).encode()
    yield from ((layout.script(script), script_text(script).encode()) for script in Script)
    parts = parts_in_order(running)
    yield from ((layout.map(name), _map_text(_entries(running, name, parts))) for name in Map)
    yield from ((layout.certificate(name), certificate.pem) for name, certificate in wanted.certificates.items())
    if wanted.peers.identity:
        yield layout.peers_identity, wanted.peers.identity
    yield from ((layout.upstream_file(name), file.pem) for name, file in wanted.files.items())
    yield from ((file.path, file.content.encode()) for file in wanted.process_files)


def render_check(wanted: Configuration, name: str, layout: Layout) -> bytes:
    """A file with just one dedicated backend, to ask HAProxy what it thinks of it."""
    backend = wanted.backends[name]
    slot = dedicated_slot(name)
    sample = Server(ServerName("sample"), "127.0.0.1", 1, 1)
    lines = (*backend.dedicated, _server_line(sample, backend.words))
    parts = (backend.application, _backend_section(slot, backend.kind, layout, (), lines))
    return render_sections([part for part in parts if part]).encode()


def _entries(running: Running, name: Map, parts: Sequence[HostPart]) -> Iterator[tuple[str, str]]:
    if name is Map.SERVERS:
        for backend, slot in running.slots.items():
            yield from server_entries(slot, running.servers[backend]).items()
    else:
        yield from all_entries(running, name, parts)


def _map_text(entries: Iterable[tuple[str, str]]) -> bytes:
    # As single texts a hundred thousand lines take twice the memory of the file.
    lines = (f"{key} {value}\n" for key, value in entries)
    return b"".join(iter(lambda: "".join(islice(lines, _LINES)).encode(), b""))


def _crt_list(wanted: Configuration, layout: Layout) -> Iterator[str]:
    """The first line is served to clients that name no host, or one that has no certificate."""
    # A name that nobody has, or the names in the certificate would go before lines for single hosts.
    yield f"{layout.certificate('default')} {NO_NAME}"
    for _, certificate in sorted(wanted.certificates.items(), key=itemgetter(0)):
        if certificate.hosts:
            yield crt_list_line(certificate, layout)


def _backend_sections(wanted: Configuration, running: Running, layout: Layout) -> Iterator[Section]:
    servers = {slot: wanted.backends[name] for name, slot in running.slots.items()}
    if wanted.settings:
        yield from port_sections(wanted.ports, wanted.settings, layout)
    yield files_section(wanted.files.values(), layout)
    for kind, size in running.pool.items():
        fixed = _fixed_lines(kind, layout)
        for number in range(1, size + 1):
            slot = kind.slot(number)
            served = servers.get(slot)
            yield section("backend", slot, "from", kind.name, lines=(*fixed, *(_server_lines(served) if served else ())))
    for name in sorted(name for name, backend in wanted.backends.items() if backend.dedicated):
        backend = wanted.backends[name]
        if backend.application:
            yield backend.application
        yield _backend_section(dedicated_slot(name), backend.kind, layout, _server_lines(backend), backend.dedicated)


def _backend_section(
    slot: Slot, kind: BackendClass, layout: Layout, servers: Iterable[Directive], dedicated: tuple[Directive, ...]
) -> Section:
    return section("backend", slot, "from", kind.name, lines=(*_fixed_lines(kind, layout), *dedicated, *servers))


def _fixed_lines(kind: BackendClass, layout: Layout) -> tuple[Directive, ...]:
    """What stands in every backend of a class."""
    learned = (*learning.choosing_rules(), *placement.choosing_rules()) if kind.sessions else ()
    chosen = (*choosing_rules(kind.algorithm, layout.map(Map.SERVERS)), *hashing.choosing_rules(kind.algorithm))
    guarding = limits.backend_rules() if kind.guarded else ()
    return (*guarding, *learned, *chosen)


def _server_lines(backend: ProxyBackend) -> Iterator[Directive]:
    return (_server_line(server, backend.words) for server in backend.servers)


def _server_line(server: Server, words: tuple[str, ...]) -> Directive:
    # Weight 0 is how a file says "keeps its sessions, gets no new ones".
    weight = 0 if server.draining else WEIGHT
    address = address_and_port(server.address, server.port)
    return Directive(("server", server.name, address, "id", str(server.id), "weight", str(weight), *words))
