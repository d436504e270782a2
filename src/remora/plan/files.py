"""Everything that HAProxy reads when it starts or reloads, as file contents."""

from collections.abc import Iterable, Iterator

from remora.haproxy.configuration import WEIGHT, Configuration, Server
from remora.haproxy.features.affinity import choosing_rules
from remora.haproxy.grammar import Directive, Section, address_and_port, directive, render_sections, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map, encode_record
from remora.haproxy.pool import BackendClass, Slot
from remora.plan.running import Running
from remora.plan.slots import dedicated_slot


def render_files(wanted: Configuration, running: Running, layout: Layout) -> dict[str, bytes]:
    """Path to content, for `running` as `decide.started` foresees it. The default certificate's file is not among them."""
    maps = {layout.map(name): "".join(f"{key} {value}\n" for key, value in _entries(name, running)) for name in Map}
    certificates = {layout.certificate(name): certificate.pem for name, certificate in wanted.certificates.items()}
    texts = {
        layout.program: wanted.program,
        layout.backends: render_sections(_backend_sections(wanted, running, layout)),
        layout.crt_list: "".join(f"{line}\n" for line in _crt_list(running, layout)),
        **maps,
    }
    return {path: text.encode() for path, text in texts.items()} | certificates


def render_check(wanted: Configuration, name: str, layout: Layout) -> bytes:
    """A file with just one dedicated backend, to ask HAProxy what it thinks of it."""
    backend = wanted.backends[name]
    slot = dedicated_slot(name)
    return render_sections([_backend_section(slot, backend.kind, layout, (), backend.dedicated)]).encode()


def _entries(name: Map, running: Running) -> Iterator[tuple[str, str]]:
    match name:
        case Map.ROUTES | Map.FOLDED_ROUTES:
            routes = running.routes if name is Map.ROUTES else running.folded_routes
            yield from ((key, encode_record(record, running.slots)) for key, record in routes.items())
        case Map.REGEX_ROUTES:
            yield from ((key, encode_record(record, running.slots)) for key, record in running.regex_routes)
        case _:
            yield from running.texts.get(name, {}).items()


def _crt_list(running: Running, layout: Layout) -> Iterator[str]:
    """The first line is served to clients that name no host, or one that has no certificate."""
    yield layout.certificate("default")
    for name, certificate in running.certificates.items():
        yield " ".join((layout.certificate(name), *certificate.hosts))


def _backend_sections(wanted: Configuration, running: Running, layout: Layout) -> Iterator[Section]:
    for kind, size in running.pool.items():
        for number in range(1, size + 1):
            slot = kind.slot(number)
            yield _backend_section(slot, kind, layout, running.servers.get(slot, {}).values())
    for name, backend in wanted.backends.items():
        if backend.dedicated:
            yield _backend_section(dedicated_slot(name), backend.kind, layout, backend.servers, backend.dedicated)


def _backend_section(
    slot: Slot,
    kind: BackendClass,
    layout: Layout,
    servers: Iterable[Server],
    dedicated: tuple[Directive, ...] = (),
) -> Section:
    lines = [*choosing_rules(kind.algorithm, layout.map(Map.SERVERS)), *dedicated, *map(_server_line, servers)]
    return section("backend", slot, "from", kind.name, lines=lines)


def _server_line(server: Server) -> Directive:
    # Weight 0 is how a file says "keeps its sessions, gets no new ones".
    weight = 0 if server.draining else WEIGHT
    return directive("server", server.name, address_and_port(server.address, server.port), "id", server.id, "weight", weight)
