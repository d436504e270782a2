"""Map entries that come, change and go, host by host.

Hosts whose part is the identical object before and after are passed over, so with ten thousand of them a change still costs
what it touches.
"""

from collections.abc import Callable, Iterator, Mapping

from remora.core.names import Hostname
from remora.haproxy.command import PREPARED_VERSION, Command
from remora.haproxy.features.client_tls import UNSURE
from remora.haproxy.hosts import NOTHING, HostPart
from remora.haproxy.layout import Layout
from remora.haproxy.maps import ROUTE_TEXTS, Map, encode_record
from remora.plan import commands
from remora.plan.running import Running

Entries = Mapping[str, str]

TEXTS = (Map.CANARY_ROUTES, Map.ERROR_ROUTES, Map.AUTH_ROUTES, *ROUTE_TEXTS)
"""What a route's policies say; before the route is there, and until after it is gone."""

ROUTES = (Map.ROUTES, Map.FOLDED_ROUTES, Map.HOSTS)


def all_entries(running: Running, name: Map) -> Iterator[tuple[str, str]]:
    """Every entry of one map, in the order in which it stands in its file."""
    match name:
        case Map.SLOTS:
            yield from _slots(running).items()
        case Map.CERTIFICATES:
            yield from _certificates(running).items()
        case Map.STREAMS:
            yield from _streams(running).items()
        case Map.UPSTREAM_FILES:
            yield from _files(running).items()
        case Map.REGEX_ROUTES:
            yield from _regexes(running)
        case _:
            for part in running.hosts.values():
                yield from _part_entries(running, part, name).items()


def entries_in(running: Running, after: Running, layout: Layout) -> Iterator[Command]:
    """New entries and new values."""
    for name, before, wanted in _bookkeeping(running, after):
        yield from commands.change_entries(layout.map(name), before, wanted)
    yield from _by_host(running, after, layout, names=(*TEXTS, *ROUTES), write=commands.change_entries)
    if running.hosts is not after.hosts and list(_regexes(running)) != (wanted_regexes := list(_regexes(after))):
        yield from _replace_regexes(layout.map(Map.REGEX_ROUTES), dict(wanted_regexes))


def entries_out(running: Running, after: Running, layout: Layout) -> Iterator[Command]:
    """Entries that are there no more: a guard before what it looks up, without which it would refuse everybody."""
    yield from _by_host(running, after, layout, names=(*ROUTES, *reversed(TEXTS)), write=commands.remove_entries)
    for name, before, wanted in _bookkeeping(running, after):
        yield from commands.remove_entries(layout.map(name), before, wanted)


def authorities_unsure(running: Running, after: Running, layout: Layout) -> Iterator[Command]:
    """Of hosts whose clients are about to be judged by another authority: that it is not known by which."""
    path = layout.map(Map.CLIENT_AUTHORITIES)
    before, wanted = _authorities(running, after)
    yield from commands.change_entries(path, before, before | {key: UNSURE for key in wanted if before.get(key) != wanted[key]})


def authorities_sure(running: Running, after: Running, layout: Layout) -> Iterator[Command]:
    """The end of it: new connections are judged by the new authority."""
    path = layout.map(Map.CLIENT_AUTHORITIES)
    before, wanted = _authorities(running, after)
    yield from (commands.set_entry(path, key, text) for key, text in wanted.items() if before.get(key) != text)
    yield from commands.remove_entries(path, before, wanted)


def _authorities(running: Running, after: Running) -> tuple[dict[str, str], dict[str, str]]:
    before: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for old, new in _changed_hosts(running, after):
        before.update(_part_entries(running, old, Map.CLIENT_AUTHORITIES))
        wanted.update(_part_entries(after, new, Map.CLIENT_AUTHORITIES))
    return before, wanted


def _by_host(
    running: Running,
    after: Running,
    layout: Layout,
    *,
    names: tuple[Map, ...],
    write: Callable[[str, Entries, Entries], Iterator[Command]],
) -> Iterator[Command]:
    changed = list(_changed_hosts(running, after))
    for name in names:
        before: dict[str, str] = {}
        wanted: dict[str, str] = {}
        for old, new in changed:
            before.update(_part_entries(running, old, name))
            wanted.update(_part_entries(after, new, name))
        yield from write(layout.map(name), before, wanted)


def _changed_hosts(running: Running, after: Running) -> Iterator[tuple[HostPart, HostPart]]:
    if running.hosts is after.hosts and running.slots is after.slots:
        return
    moved = {name for name, slot in running.slots.items() if after.slots.get(name, slot) != slot}
    for host, part in after.hosts.items():
        known = running.hosts.get(host, NOTHING)
        if known is not part or (moved and _names_any(part, moved)):
            yield known, part
    yield from ((running.hosts[host], NOTHING) for host in _gone(running, after))


def _gone(running: Running, after: Running) -> Iterator[Hostname]:
    return (host for host in running.hosts if host not in after.hosts)


def _names_any(part: HostPart, backends: set[str]) -> bool:
    regexes = (record for _, record in part.regex_routes)
    by_route = (*part.canary_routes.values(), *part.error_routes.values(), *part.auth_routes.values())
    records = [*part.routes.values(), *part.folded_routes.values(), *regexes, *by_route]
    return any(record.over_tls in backends or record.over_http in backends for record in records)


def _part_entries(running: Running, part: HostPart, name: Map) -> Entries:
    match name:
        case Map.ROUTES:
            return {key: encode_record(record, running.slots) for key, record in part.routes.items()}
        case Map.FOLDED_ROUTES:
            return {key: encode_record(record, running.slots) for key, record in part.folded_routes.items()}
        case Map.CANARY_ROUTES:
            return {key: encode_record(record, running.slots) for key, record in part.canary_routes.items()}
        case Map.ERROR_ROUTES:
            return {key: encode_record(record, running.slots) for key, record in part.error_routes.items()}
        case Map.AUTH_ROUTES:
            return {key: encode_record(record, running.slots) for key, record in part.auth_routes.items()}
        case _:
            return part.texts.get(name, {})


def _regexes(running: Running) -> Iterator[tuple[str, str]]:
    for part in running.hosts.values():
        for pattern, record in part.regex_routes:
            yield pattern, encode_record(record, running.slots)


def _replace_regexes(path: str, wanted: Entries) -> Iterator[Command]:
    """The order of a map of regular expressions decides, and an entry can only be added at its end: so all are replaced, in
    a new version of the map that takes effect at once."""
    yield commands.prepare_map(path)
    yield from commands.add_entries(path, wanted, version=PREPARED_VERSION)
    yield commands.commit_map(path)


def _bookkeeping(running: Running, after: Running) -> Iterator[tuple[Map, Entries, Entries]]:
    if running.slots is not after.slots:
        yield Map.SLOTS, _slots(running), _slots(after)
    if running.certificates != after.certificates:
        yield Map.CERTIFICATES, _certificates(running), _certificates(after)
    if running.streams is not after.streams or running.slots is not after.slots:
        yield Map.STREAMS, _streams(running), _streams(after)
    if running.files != after.files:
        yield Map.UPSTREAM_FILES, _files(running), _files(after)


def _slots(running: Running) -> Entries:
    return {slot: name for name, slot in running.slots.items()}


def _certificates(running: Running) -> Entries:
    return {name: certificate.text for name, certificate in running.certificates.items()}


def _files(running: Running) -> Entries:
    return dict.fromkeys(sorted(running.files), "1")


def _streams(running: Running) -> Entries:
    return {key: running.slots[name] for key, name in running.streams.items()}
