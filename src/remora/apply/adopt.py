"""What a HAProxy that somebody else started is running, read from HAProxy itself."""

import re
from collections.abc import Iterator, Mapping

from remora.apply.runtime import RuntimeSocket
from remora.haproxy.configuration import Server, ServerName
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map, RouteRecord
from remora.haproxy.pool import CLASSES, BackendClass, Slot
from remora.plan.running import LoadedCertificate, Running

_FORCED_MAINTENANCE = 0x01
_FORCED_DRAIN = 0x08
"""Bits of `srv_admin_state` in `show servers state` (management guide, section 9.3)."""


async def read_running(socket: RuntimeSocket, layout: Layout) -> Running:
    """The state of the worker behind the socket.

    Raises:
        HAProxyUnreachable: it does not answer.
    """
    maps = {name: parse_map(await socket.read(f"show map {layout.map(name)}")) for name in Map}
    slots = {backend: Slot(slot) for slot, backend in maps[Map.SLOTS]}
    backends = {slot: backend for backend, slot in slots.items()}
    servers, leaving = parse_servers(await socket.read("show servers state"))
    pool, dedicated = parse_pools((await socket.read("show backend")).splitlines(), backends)
    records = {Map.ROUTES, Map.FOLDED_ROUTES, Map.REGEX_ROUTES}
    return Running(
        digest=parse_digest(await socket.read("get var proc.program")),
        pool=pool,
        dedicated=dedicated,
        slots=slots,
        servers=servers,
        leaving=leaving,
        routes={key: parse_record(value, backends) for key, value in maps[Map.ROUTES]},
        folded_routes={key: parse_record(value, backends) for key, value in maps[Map.FOLDED_ROUTES]},
        regex_routes=tuple((key, parse_record(value, backends)) for key, value in maps[Map.REGEX_ROUTES]),
        texts={name: dict(entries) for name, entries in maps.items() if name not in records},
        certificates={name: LoadedCertificate.parse(text) for name, text in maps[Map.CERTIFICATES]},
    )


def parse_digest(reply: str) -> str:
    """From `get var`: `proc.program: type=str value=<...>`."""
    match = re.search(r"value=<(.*)>", reply)
    return match[1] if match else ""


def parse_map(reply: str) -> list[tuple[str, str]]:
    """Keys and values, in their order, from `show map`: an address, the key, the value."""
    entries = []
    for line in reply.splitlines():
        _, _, entry = line.partition(" ")
        key, _, value = entry.partition(" ")
        if key:
            entries.append((key, value))
    return entries


def parse_record(value: str, backends: Mapping[Slot, str]) -> RouteRecord:
    """The reverse of `haproxy.maps.encode_record`."""
    over_tls, over_http, route, cookie_name, *agent = value.split("|")
    over_tls, over_http = (backends.get(Slot(text), text) for text in (over_tls, over_http))
    return RouteRecord(over_tls, over_http, route, cookie_name, bool(agent))


def parse_servers(
    reply: str,
) -> tuple[dict[Slot, dict[ServerName, Server]], dict[Slot, dict[ServerName, Server]]]:
    """Servers in use, and servers in maintenance, by slot."""
    used: dict[Slot, dict[ServerName, Server]] = {}
    leaving: dict[Slot, dict[ServerName, Server]] = {}
    for row in _rows(reply):
        state = int(row["srv_admin_state"])
        draining = bool(state & _FORCED_DRAIN) or row["srv_uweight"] == "0"
        server = Server(
            ServerName(row["srv_name"]), row["srv_addr"], int(row["srv_port"]), int(row["srv_id"]), draining=draining
        )
        group = leaving if state & _FORCED_MAINTENANCE else used
        group.setdefault(Slot(row["be_name"]), {})[server.name] = server
    return used, leaving


def parse_pools(names: list[str], backends: Mapping[Slot, str]) -> tuple[dict[BackendClass, int], frozenset[str]]:
    """How many backends of each class are declared, and which are declared by name."""
    declared = set(names)
    pool = {kind: sum(1 for name in declared if re.fullmatch(f"{kind.name}-[0-9]+", name)) for kind in CLASSES}
    dedicated = frozenset(backend for slot, backend in backends.items() if slot in declared and ":" in slot)
    return pool, dedicated


def _rows(reply: str) -> Iterator[dict[str, str]]:
    """The rows of a table whose header line begins with `# `."""
    header: list[str] = []
    for line in reply.splitlines():
        if line.startswith("# "):
            header = line[2:].split()
        elif header and line.strip():
            yield dict(zip(header, line.split(), strict=False))
