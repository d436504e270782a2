"""Which slot of the pool serves which backend."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter

import msgspec

from remora.core.persistent import persistent
from remora.haproxy.configuration import ProxyBackend
from remora.haproxy.pool import CLASSES, BackendClass, Slot, dedicated_slot, is_low, pool_size
from remora.plan.running import Running


class Assignment(msgspec.Struct, frozen=True):
    """`slots` serves every wanted backend unless `missing` says which must be declared first, and why."""

    slots: Mapping[str, Slot]
    unused: Mapping[str, tuple[Slot, ...]]
    missing: tuple[str, ...] = ()
    low: tuple[str, ...] = ()


def assign(running: Running, wanted: Mapping[str, ProxyBackend], changed: Iterable[str]) -> Assignment:
    """A backend keeps its slot for as long as it is wanted; a new one takes the first that is free and empty.

    All that came or went are among the `changed`.
    """
    gone = [name for name in changed if name not in wanted]
    come = sorted(name for name in changed if name in wanted and name not in running.slots)
    if not (gone or come):
        return Assignment(running.slots, running.unused)
    slots: dict[str, Slot | None] = dict.fromkeys(gone)
    missing = []
    free: dict[BackendClass, list[Slot]] = {}
    for name in come:
        backend = wanted[name]
        if backend.dedicated:
            slots[name] = dedicated_slot(name)
            if name not in running.dedicated:
                missing.append(f"{name} needs directives of its own")
            continue
        if backend.kind not in free:
            free[backend.kind] = list(running.unused.get(backend.kind.name) or free_slots(running, backend.kind))
        if free[backend.kind]:
            slots[name] = free[backend.kind].pop()
        else:
            missing.append(f"the pool {backend.kind.name} has no free backend")
    return Assignment(
        persistent(running.slots).changed(slots),
        {**running.unused, **{kind.name: tuple(left) for kind, left in free.items()}},
        tuple(dict.fromkeys(missing)),
        tuple(_low_pools(running, free)),
    )


def assign_afresh(wanted: Mapping[str, ProxyBackend]) -> tuple[Mapping[str, Slot], Mapping[BackendClass, int]]:
    """Slots and pool sizes for a HAProxy that is about to start: the same on every replica."""
    used = dict.fromkeys(CLASSES, 0)
    slots: dict[str, Slot] = {}
    for name, backend in sorted(wanted.items(), key=itemgetter(0)):
        if backend.dedicated:
            slots[name] = dedicated_slot(name)
        else:
            used[backend.kind] += 1
            slots[name] = backend.kind.slot(used[backend.kind])
    return slots, {kind: pool_size(count) for kind, count in used.items()}


def with_freed(unused: Mapping[str, tuple[Slot, ...]], freed: Iterable[Slot]) -> Mapping[str, tuple[Slot, ...]]:
    """The free slots of the classes that were looked through, with those that have become free, each in its place.

    Of a class that has none left nothing is kept, so it is looked through again.
    """
    after = {pool: slots for pool, slots in unused.items() if slots}
    for slot in freed:
        if known := after.get(_pool_of(slot)):
            place = bisect_left(known, -_number_of(slot), key=lambda one: -_number_of(one))
            after[_pool_of(slot)] = (*known[:place], slot, *known[place:])
    return after


def _pool_of(slot: Slot) -> str:
    return slot.rpartition("-")[0]


def _number_of(slot: Slot) -> int:
    return int(slot.rpartition("-")[2])


def free_slots(running: Running, kind: BackendClass) -> list[Slot]:
    """Last first, so that `pop` gives the lowest number. One with a server in it is not free, be it only leaving."""
    taken = {*running.slots.values(), *running.leaving, *running.given_up}
    return [slot for slot in _declared(kind, running.pool.get(kind, 0)) if slot not in taken]


@lru_cache(maxsize=2 * len(CLASSES))
def _declared(kind: BackendClass, size: int) -> tuple[Slot, ...]:
    """The slots of a pool, last first."""
    return tuple(kind.slot(number) for number in range(size, 0, -1))


def _low_pools(running: Running, free: Mapping[BackendClass, list[Slot]]) -> Iterator[str]:
    """The pools of which something was taken, and of which little is left."""
    for kind, left in sorted(free.items(), key=lambda item: CLASSES.index(item[0])):
        declared = running.pool.get(kind, 0)
        used = declared - len(left)
        if is_low(used, declared):
            yield f"the pool {kind.name} runs low: {used} of {declared} are in use"
