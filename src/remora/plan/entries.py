"""Map entries that come, change and go, host by host.

Only the hosts of the step are looked at, so with ten thousand of them a change still costs what it touches.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from remora.core.persistent import keys_differing
from remora.haproxy.command import PREPARED_VERSION, Command
from remora.haproxy.features.client_tls import UNSURE
from remora.haproxy.hosts import NOTHING, HostPart
from remora.haproxy.layout import Layout
from remora.haproxy.maps import ROUTE_TEXTS, Map, encode_record
from remora.plan import commands
from remora.plan.running import Running, Step

Entries = Mapping[str, str]

TEXTS = (Map.CANARY_ROUTES, Map.ERROR_ROUTES, Map.AUTH_ROUTES, *ROUTE_TEXTS)
"""What a route's policies say; before the route is there, and until after it is gone."""

ROUTES = (Map.ROUTES, Map.FOLDED_ROUTES, Map.HOSTS)


_RECORDS = frozenset((Map.ROUTES, Map.FOLDED_ROUTES, Map.CANARY_ROUTES, Map.ERROR_ROUTES, Map.AUTH_ROUTES))
"""The maps whose values name slots."""


def parts_in_order(running: Running) -> tuple[HostPart, ...]:
    """The parts of all hosts, in the order in which they stand in files."""
    return tuple(part for _, part in sorted(running.hosts.items(), key=itemgetter(0)))


def all_entries(running: Running, name: Map, parts: Sequence[HostPart] | None = None) -> Iterator[tuple[str, str]]:
    """Every entry of one map, in the order in which it stands in its file. Who asks for several knows the `parts` in order."""
    parts = parts_in_order(running) if parts is None else parts
    match name:
        case Map.SLOTS:
            yield from _slots(running, running.slots).items()
        case Map.CERTIFICATES:
            yield from _certificates(running, sorted(running.certificates)).items()
        case Map.STREAMS:
            yield from _streams(running).items()
        case Map.UPSTREAM_FILES:
            yield from _files(running).items()
        case Map.REGEX_ROUTES:
            yield from ((text, encode_record(record, running.slots)) for part in parts for text, record in part.regex_routes)
        case _ if name in _RECORDS:
            for part in parts:
                yield from _part_entries(running, part, name).items()
        case _:
            for part in parts:
                if entries := part.texts.get(name):
                    yield from entries.items()


def entries_in(step: Step, layout: Layout) -> Iterator[Command]:
    """New entries and new values."""
    for name, before, wanted in _bookkeeping(step):
        yield from commands.change_entries(layout.map(name), before, wanted)
    yield from _by_host(step, layout, names=(*TEXTS, *ROUTES), write=commands.change_entries)
    if any(part.regex_routes for pair in _changed_parts(step) for part in pair):
        wanted_regexes = list(_regexes(step.after))
        if list(_regexes(step.before)) != wanted_regexes:
            yield from _replace_regexes(layout.map(Map.REGEX_ROUTES), dict(wanted_regexes))


def entries_out(step: Step, layout: Layout) -> Iterator[Command]:
    """Entries that are there no more: a guard before what it looks up, without which it would refuse everybody."""
    yield from _by_host(step, layout, names=(*ROUTES, *reversed(TEXTS)), write=commands.remove_entries)
    for name, before, wanted in _bookkeeping(step):
        yield from commands.remove_entries(layout.map(name), before, wanted)


def authorities_unsure(step: Step, layout: Layout) -> Iterator[Command]:
    """Of hosts whose clients are about to be judged by another authority: that it is not known by which."""
    path = layout.map(Map.CLIENT_AUTHORITIES)
    before, wanted = _authorities(step)
    yield from commands.change_entries(path, before, before | {key: UNSURE for key in wanted if before.get(key) != wanted[key]})


def authorities_sure(step: Step, layout: Layout) -> Iterator[Command]:
    """The end of it: new connections are judged by the new authority."""
    path = layout.map(Map.CLIENT_AUTHORITIES)
    before, wanted = _authorities(step)
    yield from (commands.set_entry(path, key, text) for key, text in wanted.items() if before.get(key) != text)
    yield from commands.remove_entries(path, before, wanted)


def _authorities(step: Step) -> tuple[dict[str, str], dict[str, str]]:
    before: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for old, new in _changed_parts(step):
        before.update(_part_entries(step.before, old, Map.CLIENT_AUTHORITIES))
        wanted.update(_part_entries(step.after, new, Map.CLIENT_AUTHORITIES))
    return before, wanted


def _by_host(
    step: Step,
    layout: Layout,
    *,
    names: tuple[Map, ...],
    write: Callable[[str, Entries, Entries], Iterator[Command]],
) -> Iterator[Command]:
    changed = list(_changed_parts(step))
    if not changed:
        return
    for name in names:
        before: dict[str, str] = {}
        wanted: dict[str, str] = {}
        for old, new in changed:
            before.update(_part_entries(step.before, old, name))
            wanted.update(_part_entries(step.after, new, name))
        if before or wanted:
            yield from write(layout.map(name), before, wanted)


def _changed_parts(step: Step) -> Iterator[tuple[HostPart, HostPart]]:
    return ((step.before.hosts.get(host, NOTHING), step.after.hosts.get(host, NOTHING)) for host in step.hosts)


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
    for _, part in sorted(((host, part) for host, part in running.hosts.items() if part.regex_routes), key=itemgetter(0)):
        for pattern, record in part.regex_routes:
            yield pattern, encode_record(record, running.slots)


def _replace_regexes(path: str, wanted: Entries) -> Iterator[Command]:
    """The order of a map of regular expressions decides, and an entry can only be added at its end: so all are replaced, in
    a new version of the map that takes effect at once."""
    yield commands.prepare_map(path)
    yield from commands.add_entries(path, wanted, version=PREPARED_VERSION)
    yield commands.commit_map(path)


def _bookkeeping(step: Step) -> Iterator[tuple[Map, Entries, Entries]]:
    running, after = step.before, step.after
    if running.slots is not after.slots:
        yield Map.SLOTS, _slots(running, step.backends), _slots(after, step.backends)
    if certificates := sorted(keys_differing(running.certificates, after.certificates)):
        yield Map.CERTIFICATES, _certificates(running, certificates), _certificates(after, certificates)
    if running.streams is not after.streams or running.slots is not after.slots:
        yield Map.STREAMS, _streams(running), _streams(after)
    if running.files != after.files:
        yield Map.UPSTREAM_FILES, _files(running), _files(after)


def _slots(running: Running, backends: Iterable[str]) -> Entries:
    return {running.slots[name]: name for name in backends if name in running.slots}


def _certificates(running: Running, names: Iterable[str]) -> Entries:
    return {name: running.certificates[name].text for name in names if name in running.certificates}


def _files(running: Running) -> Entries:
    return dict.fromkeys(sorted(running.files), "1")


def _streams(running: Running) -> Entries:
    return {key: running.slots[name] for key, name in sorted(running.streams.items())}
