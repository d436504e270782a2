"""What a HAProxy that somebody else started is running, read from HAProxy itself."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter, itemgetter

import msgspec

from remora.apply.runtime import RuntimeSocket
from remora.core.errors import HAProxyRefused
from remora.core.names import ANY_HOST, Hostname
from remora.haproxy.certificates import LoadedCertificate
from remora.haproxy.configuration import FIXED, Server, ServerName
from remora.haproxy.features.canary import route_of_pattern
from remora.haproxy.features.counting import UNROUTED
from remora.haproxy.features.peers import VARIABLE
from remora.haproxy.features.streams import HTTPS_BACKEND, parse_ports
from remora.haproxy.features.streams import VARIABLE as PORTS
from remora.haproxy.features.upstream import FILES_BACKEND, PLACEHOLDER
from remora.haproxy.hosts import HostPart
from remora.haproxy.layout import Layout
from remora.haproxy.maps import (
    AGENT_MARK,
    ANY_HOST_KEY,
    CANARY_MARK,
    ROUTE_TEXTS,
    Map,
    RouteRecord,
    host_of_key,
    host_of_pattern,
)
from remora.haproxy.pool import CLASSES, BackendClass, Slot
from remora.plan.running import Running

_FORCED_MAINTENANCE = 0x01
_FORCED_DRAIN = 0x08
"""Bits of `srv_admin_state` in `show servers state` (management guide, section 9.3)."""

_SERVER_COLUMNS = ("be_name", "srv_name", "srv_addr", "srv_port", "srv_id", "srv_admin_state", "srv_uweight")
_OF_POOL = re.compile(r"(.+)-[0-9]+")

Entries = list[tuple[str, str]]
Servers = dict[Slot, tuple[Server, ...]]


async def read_running(socket: RuntimeSocket, layout: Layout) -> Running:
    """The state of the worker behind the socket.

    Raises:
        HAProxyUnreachable: it does not answer.
        HAProxyRefused: it answers what no controller has brought about, after a change by hand for example.
    """
    try:
        return await _read_running(socket, layout)
    except (ValueError, LookupError) as error:
        raise HAProxyRefused(f"what it runs cannot be read: {error}") from error


class Replies(msgspec.Struct, frozen=True):
    """HAProxy's words: its maps, and its replies to other questions."""

    maps: Mapping[Map, str]
    servers: str
    backends: str
    program: str
    peers: str
    ports: str


async def _read_running(socket: RuntimeSocket, layout: Layout) -> Running:
    replies = Replies(
        maps={name: await socket.read(f"show map {layout.map(name)}") for name in Map},
        servers=await socket.read("show servers state"),
        backends=await socket.read("show backend"),
        program=await socket.read("get var proc.program"),
        peers=await socket.read(f"get var {VARIABLE}"),
        ports=await socket.read(f"get var {PORTS}"),
    )
    # With ten thousand hosts it takes a second.
    return await asyncio.to_thread(parse_running, replies)


def parse_running(replies: Replies) -> Running:
    """What runs, as HAProxy tells it.

    Raises:
        ValueError or LookupError: it is nothing that a controller has brought about.
    """
    maps = {name: parse_map(text) for name, text in replies.maps.items()}
    names = {Slot(slot): backend for slot, backend in maps[Map.SLOTS]}
    former_keys = {f"{key.partition('/')[0]}/{name}": key.partition("/")[2] for key, name in maps[Map.SERVERS]}
    servers, leaving = parse_servers(replies.servers, former_keys)
    pool, dedicated = parse_pools(replies.backends.splitlines(), names)
    given_up = {slot: found for slot, found in servers.items() if slot not in names and _is_slot(slot)}
    return Running(
        digest=parse_digest(replies.program),
        peers=parse_digest(replies.peers),
        pool=pool,
        dedicated=dedicated,
        slots={backend: slot for slot, backend in names.items()},
        servers={backend: servers.get(slot, ()) for slot, backend in names.items()},
        leaving=leaving,
        given_up=given_up,
        orphaned=frozenset(leaving) - names.keys() - given_up.keys(),
        hosts=parse_hosts(maps, names),
        certificates={name: LoadedCertificate.parse(text) for name, text in maps[Map.CERTIFICATES]},
        streams={key: names[Slot(slot)] for key, slot in maps[Map.STREAMS]},
        ports=parse_ports(parse_digest(replies.ports)),
        files=frozenset(name for name, _ in maps[Map.UPSTREAM_FILES]),
    )


def parse_digest(reply: str) -> str:
    """From `get var`: `proc.program: type=str value=<...>`."""
    match = re.search(r"value=<(.*)>", reply)
    return match[1] if match else ""


def parse_map(reply: str) -> Entries:
    """Keys and values, in their order, from `show map`: an address, the key, the value."""
    entries = []
    for line in reply.split("\n"):  # not `splitlines`, which ends lines at U+2028 as well
        _, _, entry = line.partition(" ")
        key, _, value = entry.partition(" ")
        if key:
            entries.append((key, value))
    return entries


def parse_record(value: str, backends: Mapping[Slot, str]) -> RouteRecord:
    """The reverse of `haproxy.maps.encode_record`."""
    marks, route, cookie_name, over_tls, over_http = value.split("|")
    over_tls, over_http = (backends.get(Slot(text), text) for text in (over_tls, over_http))
    return RouteRecord(over_tls, over_http, route, cookie_name, AGENT_MARK in marks, CANARY_MARK in marks)


def parse_hosts(maps: Mapping[Map, Entries], backends: Mapping[Slot, str]) -> dict[Hostname, HostPart]:
    """The maps' entries, put together by host as `haproxy.hosts` made them."""
    routes: dict[Hostname, dict[str, RouteRecord]] = {}
    folded: dict[Hostname, dict[str, RouteRecord]] = {}
    regexes: dict[Hostname, list[tuple[str, RouteRecord]]] = {}
    owners: dict[str, Hostname] = {}
    for key, value in maps[Map.ROUTES]:
        record = parse_record(value, backends)
        host = FIXED if record.route == UNROUTED else host_of_key(key)
        routes.setdefault(host, {})[key] = record
        owners[record.route] = host
    for key, value in maps[Map.FOLDED_ROUTES]:
        record = parse_record(value, backends)
        folded.setdefault(host_of_key(key), {})[key] = record
        owners[record.route] = host_of_key(key)
    for key, value in maps[Map.REGEX_ROUTES]:
        record = parse_record(value, backends)
        regexes.setdefault(host_of_pattern(key), []).append((key, record))
        owners[record.route] = host_of_pattern(key)
    canaries: dict[Hostname, dict[str, RouteRecord]] = {}
    for key, value in maps[Map.CANARY_ROUTES]:
        record = parse_record(value, backends)
        canaries.setdefault(owners.get(key, FIXED), {})[key] = record
        owners[record.route] = owners.get(key, FIXED)
    errors: dict[Hostname, dict[str, RouteRecord]] = {}
    for key, value in maps[Map.ERROR_ROUTES]:
        errors.setdefault(owners.get(key, FIXED), {})[key] = parse_record(value, backends)
    asked: dict[Hostname, dict[str, RouteRecord]] = {}
    for key, value in maps[Map.AUTH_ROUTES]:
        asked.setdefault(owners.get(key, FIXED), {})[key] = parse_record(value, backends)
    texts = _texts_by_host(maps, owners)
    return {
        host: HostPart(
            routes.get(host, {}),
            folded.get(host, {}),
            tuple(regexes.get(host, ())),
            texts.get(host, {}),
            canaries.get(host, {}),
            errors.get(host, {}),
            asked.get(host, {}),
        )
        for host in sorted({*routes, *folded, *regexes, *texts, *canaries, *errors, *asked})  # as the virtual hosts of a Model
    }


def _texts_by_host(maps: Mapping[Map, Entries], owners: Mapping[str, Hostname]) -> dict[Hostname, dict[Map, dict[str, str]]]:
    texts: dict[Hostname, dict[Map, dict[str, str]]] = {}
    for key, value in maps[Map.HOSTS]:
        has_routes = ANY_HOST in owners.values() if key == ANY_HOST_KEY else True
        host = FIXED if not has_routes else ANY_HOST if key == ANY_HOST_KEY else Hostname(key)
        texts.setdefault(host, {}).setdefault(Map.HOSTS, {})[key] = value
    for key, value in maps[Map.CLIENT_AUTHORITIES]:
        texts.setdefault(Hostname(key), {}).setdefault(Map.CLIENT_AUTHORITIES, {})[key] = value
    for name in ROUTE_TEXTS:
        for key, value in maps[name]:
            route = route_of_pattern(key) if name in (Map.CANARY_PATTERNS, Map.CLIENT_SUBJECTS) else key.partition("/")[0]
            # An entry whose route is gone belongs to nobody, and goes with the first update.
            texts.setdefault(owners.get(route, FIXED), {}).setdefault(name, {})[key] = value
    return texts


def parse_servers(reply: str, former_keys: Mapping[str, str]) -> tuple[Servers, Servers]:
    """Servers in use, and servers in maintenance, by slot and ordered by name. `former_keys` are those of `slot/server`."""
    used: dict[Slot, list[Server]] = {}
    leaving: dict[Slot, list[Server]] = {}
    for backend, server, address, port, number, admin_state, weight in _rows(reply, _SERVER_COLUMNS):
        if backend in (FILES_BACKEND, HTTPS_BACKEND) or server == PLACEHOLDER:
            continue
        state = int(admin_state)
        draining = bool(state & _FORCED_DRAIN) or weight == "0"
        former = former_keys.get(f"{backend}/{server}", "")
        found = Server(ServerName(server), address, int(port), int(number), draining=draining, former_key=former)
        (leaving if state & _FORCED_MAINTENANCE else used).setdefault(Slot(backend), []).append(found)
    return _ordered(used), _ordered(leaving)


def _ordered(servers: Mapping[Slot, list[Server]]) -> Servers:
    return {slot: tuple(sorted(found, key=attrgetter("name"))) for slot, found in servers.items()}


def _is_slot(backend: str) -> bool:
    """Whether backends of routes stand there; others have servers of HAProxy's own."""
    numbered = _OF_POOL.fullmatch(backend)
    return ":" in backend or bool(numbered and numbered[1] in {kind.name for kind in CLASSES})


def parse_pools(names: list[str], backends: Mapping[Slot, str]) -> tuple[dict[BackendClass, int], frozenset[str]]:
    """How many backends of each class are declared, and which are declared by name."""
    declared = set(names)
    numbered = Counter(found[1] for name in declared if (found := _OF_POOL.fullmatch(name)))
    pool = {kind: numbered[kind.name] for kind in CLASSES}
    return pool, frozenset(backend for slot, backend in backends.items() if slot in declared and ":" in slot)


def _rows(reply: str, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Some columns of a table whose header line begins with `# `."""
    pick: Callable[[list[str]], tuple[str, ...]] | None = None
    for line in reply.splitlines():
        if line.startswith("# "):
            header = line[2:].split()
            pick = itemgetter(*map(header.index, columns))
        elif pick and line.strip():
            yield pick(line.split())
