"""Which slot of the pool serves which backend."""

from collections.abc import Iterable, Mapping

import msgspec

from remora.haproxy.configuration import ProxyBackend
from remora.haproxy.pool import CLASSES, BackendClass, Slot, dedicated_slot, is_low, pool_size
from remora.plan.running import Running


class Assignment(msgspec.Struct, frozen=True):
    """`slots` serves every wanted backend unless `missing` says which must be declared first, and why."""

    slots: Mapping[str, Slot]
    missing: tuple[str, ...] = ()
    low: tuple[str, ...] = ()


def assign(running: Running, wanted: Mapping[str, ProxyBackend]) -> Assignment:
    """A backend keeps its slot for as long as it is wanted; a new one takes the first that is free and empty."""
    if running.slots.keys() == wanted.keys():
        return Assignment(running.slots)
    slots = {name: slot for name, slot in running.slots.items() if name in wanted}
    missing = []
    free = {kind: _free_slots(running, kind) for kind in {backend.kind for backend in wanted.values()}}
    for name, backend in wanted.items():
        if name in slots:
            continue
        if backend.dedicated:
            slots[name] = dedicated_slot(name)
            if name not in running.dedicated:
                missing.append(f"{name} needs directives of its own")
        elif free[backend.kind]:
            slots[name] = free[backend.kind].pop()
        else:
            missing.append(f"the pool {backend.kind.name} has no free backend")
    return Assignment(slots, tuple(dict.fromkeys(missing)), tuple(_low_pools(running, wanted.values())))


def assign_afresh(wanted: Mapping[str, ProxyBackend]) -> tuple[Mapping[str, Slot], Mapping[BackendClass, int]]:
    """Slots and pool sizes for a HAProxy that is about to start: the same on every replica."""
    used = dict.fromkeys(CLASSES, 0)
    slots: dict[str, Slot] = {}
    for name, backend in wanted.items():
        if backend.dedicated:
            slots[name] = dedicated_slot(name)
        else:
            used[backend.kind] += 1
            slots[name] = backend.kind.slot(used[backend.kind])
    return slots, {kind: pool_size(count) for kind, count in used.items()}


def _free_slots(running: Running, kind: BackendClass) -> list[Slot]:
    """Last first, so that `pop` gives the lowest number. One with a server in it is not free, be it only leaving."""
    taken = {*running.slots.values(), *running.leaving}
    slots = (kind.slot(number) for number in range(running.pool.get(kind, 0), 0, -1))
    return [slot for slot in slots if slot not in taken]


def _low_pools(running: Running, wanted: Iterable[ProxyBackend]) -> Iterable[str]:
    used = dict.fromkeys(CLASSES, 0)
    for backend in wanted:
        if not backend.dedicated:
            used[backend.kind] += 1
    for kind in CLASSES:
        if is_low(used[kind], running.pool.get(kind, 0)):
            yield f"the pool {kind.name} runs low: {used[kind]} of {running.pool.get(kind, 0)} are in use"
