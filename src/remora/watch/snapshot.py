"""Everything that is cached, at one moment, as a value: objects by kind and name, and the indexes over them.

A Snapshot is never changed; `changed` makes the next one from it and shares what did not change.
"""

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeVar, cast

import msgspec

from remora.core.names import ANY_HOST, Hostname, NamespacedName
from remora.core.persistent import PersistentMap
from remora.kube.objects import (
    ConfigMap,
    DnsAnswer,
    EndpointSlice,
    Ingress,
    IngressClass,
    KubernetesObject,
    Pod,
    Secret,
    Service,
)

KINDS: tuple[type[KubernetesObject], ...] = (Ingress, IngressClass, Service, EndpointSlice, Secret, ConfigMap, Pod)
"""The kinds of the API that routing depends on; it reads DnsAnswers too. Of Pods only those with an annotation of ours:
EndpointSlices name the others and know whether they are ready."""

FEW = 16
"""Names that are put into an entry of an index one by one."""

Kind = type[KubernetesObject]
K = TypeVar("K", bound=KubernetesObject)
Table = PersistentMap[NamespacedName, KubernetesObject]
IndexTable = PersistentMap[Any, tuple[NamespacedName, ...]]


class Index(Enum):
    """A way to find objects other than by their own name."""

    INGRESSES_OF_HOST = "ingresses of a host"
    """Hostname to the Ingresses that have a rule for it; "" also to those that have a default backend and no rules."""
    SLICES_OF_SERVICE = "slices of a service"
    """A Service's name to its EndpointSlices."""


class IndexKey(msgspec.Struct, frozen=True, gc=False):
    """One entry of an index. As something that was read, it stands for the set of names found there."""

    index: Index
    key: Hostname | NamespacedName


class Change(msgspec.Struct, frozen=True, gc=False):
    """An object that came, went, or changed in something that we read. Which of them, the snapshots tell."""

    kind: Kind
    name: NamespacedName


def normal_host(text: str) -> Hostname:
    """The host of a rule or of a TLS section in the form in which hosts are compared."""
    return Hostname(text.lower().removesuffix("."))


def www_counterpart(host: Hostname) -> Hostname | None:
    """The name with `www.` of one without, and the other way round; None for wildcards and "any host"."""
    if host == ANY_HOST or host.startswith("*"):
        return None
    return Hostname(host.removeprefix("www.") if host.startswith("www.") else f"www.{host}")


def alias_hosts(item: str) -> tuple[Hostname, ...]:
    """The hosts that an item of a list of aliases stands for; `.example.com` stands for itself and all below it."""
    name = normal_host(item)
    return (Hostname(name[1:]), Hostname(f"*{name}")) if name.startswith(".") else (name,)


def hosts_of(ingress: Ingress) -> frozenset[Hostname]:
    """The hosts that an Ingress says something about, or may: whether its annotations count, translation decides."""
    if not ingress.spec.rules:
        return frozenset((ANY_HOST,)) if ingress.spec.default_backend else frozenset()
    hosts = frozenset(normal_host(rule.host) for rule in ingress.spec.rules)
    further: set[Hostname] = set()
    for key, text in ingress.metadata.annotations.items():
        name = key.rpartition("/")[2]
        if name == "server-alias":
            further.update(host for item in re.split(r"[,\n]", text) if item.strip() for host in alias_hosts(item.strip()))
        elif name == "from-to-www-redirect":
            further.update(other for host in hosts if (other := www_counterpart(host)))
    return hosts | further


def _services_of(endpoint_slice: EndpointSlice) -> frozenset[NamespacedName]:
    service = endpoint_slice.service
    return frozenset((service,)) if service else frozenset()


_INDEXED: dict[Kind, tuple[Index, Callable[[Any], frozenset[Any]]]] = {
    Ingress: (Index.INGRESSES_OF_HOST, hosts_of),
    EndpointSlice: (Index.SLICES_OF_SERVICE, _services_of),
}


def index_keys(kind: Kind, obj: KubernetesObject | None) -> frozenset[IndexKey]:
    """The entries of indexes in which an object stands."""
    if obj is None or kind not in _INDEXED:
        return frozenset()
    index, keys_of = _INDEXED[kind]
    return frozenset(IndexKey(index, key) for key in keys_of(obj))


class Snapshot:
    """All cached objects at one moment."""

    __slots__ = ("_indexes", "_tables")

    _tables: Mapping[Kind, Table]
    _indexes: Mapping[Index, IndexTable]

    def __init__(self) -> None:
        kinds: tuple[Kind, ...] = (*KINDS, DnsAnswer)
        self._tables = {kind: PersistentMap() for kind in kinds}
        self._indexes = {index: PersistentMap() for index in Index}

    def find(self, kind: type[K], name: NamespacedName) -> K | None:
        """The object of that name, if there is one."""
        return cast("K | None", self._tables[kind].get(name))

    def has(self, kind: Kind) -> bool:
        """Whether there is any object of the kind."""
        return bool(self._tables[kind])

    def all(self, kind: type[K]) -> Iterable[K]:
        """Every object of the kind, in no particular order."""
        return cast("Iterable[K]", self._tables[kind].values())

    def names(self, kind: Kind) -> Iterable[NamespacedName]:
        """The names of all objects of the kind, in no particular order."""
        return self._tables[kind].keys()

    def indexed(self, entry: IndexKey) -> tuple[NamespacedName, ...]:
        """The names that stand in an entry of an index, in ascending order."""
        return self._indexes[entry.index].get(entry.key, ())

    def slices_naming(self, pod: NamespacedName) -> Iterator[NamespacedName]:
        """The EndpointSlices in which a pod stands, in no particular order.

        They are looked for one by one: pods are annotated rarely, and an index would cost memory and time at every change of
        a slice.
        """
        for endpoint_slice in self.all(EndpointSlice):
            if endpoint_slice.metadata.namespace == pod.namespace and endpoint_slice.names(pod.name):
                yield endpoint_slice.key

    def hosts(self) -> Iterable[Hostname]:
        """Every host that an Ingress has a rule for, in no particular order."""
        return self._indexes[Index.INGRESSES_OF_HOST].keys()

    def changed(self, kind: Kind, changes: Mapping[NamespacedName, KubernetesObject | None]) -> "Snapshot":
        """The snapshot after objects of one kind came, changed, or went (None)."""
        table = self._tables[kind]
        after = Snapshot.__new__(Snapshot)
        after._tables = {**self._tables, kind: table.changed(changes)}
        after._indexes = self._indexes
        if kind in _INDEXED:
            index, _ = _INDEXED[kind]
            entries = self._changed_entries(kind, changes)
            if entries:
                after._indexes = {**self._indexes, index: self._indexes[index].changed(entries)}
        return after

    def following(self, newer: "Snapshot", changes: Iterable[Change]) -> "Snapshot":
        """This snapshot after some of the Changes that led to a newer one, as if the others had not happened yet."""
        names: dict[Kind, list[NamespacedName]] = {}
        for change in changes:
            names.setdefault(change.kind, []).append(change.name)
        after = self
        for kind, found in names.items():
            after = after.changed(kind, {name: newer.find(kind, name) for name in found})
        return after

    def _changed_entries(
        self, kind: Kind, changes: Mapping[NamespacedName, KubernetesObject | None]
    ) -> dict[Any, tuple[NamespacedName, ...] | None]:
        """The entries of the kind's index that are other than before."""
        come: dict[IndexKey, set[NamespacedName]] = {}
        gone: dict[IndexKey, set[NamespacedName]] = {}
        for name, obj in changes.items():
            before = index_keys(kind, self._tables[kind].get(name))
            after = index_keys(kind, obj)
            for entry in before ^ after:
                (come if entry in after else gone).setdefault(entry, set()).add(name)
        return {
            entry.key: _with(self.indexed(entry), come.get(entry, set()), gone.get(entry, set())) or None
            for entry in (*come, *(entry for entry in gone if entry not in come))
        }


def _with(
    names: tuple[NamespacedName, ...], come: set[NamespacedName], gone: set[NamespacedName]
) -> tuple[NamespacedName, ...]:
    """Names in ascending order with some more and without some. One more among 30,000 is put in its place, since sorting all
    of them for each would take a quarter of an hour for those that one host can have."""
    if len(come) + len(gone) > FEW:
        return tuple(sorted((come | set(names)) - gone))
    found = list(names)
    for name in gone:
        del found[bisect_left(found, name)]
    for name in come:
        insort(found, name)
    return tuple(found)
