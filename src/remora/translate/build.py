"""The entry: a snapshot and what changed in it become a model, Problems and the list of Ingresses that are served."""

from collections.abc import Iterable

import msgspec

from remora.core.names import Hostname, ObjectRef
from remora.core.problems import Problems
from remora.core.settings import RoutingSettings
from remora.kube.objects import Ingress, Pod
from remora.model import Model
from remora.translate.assembly import Assembly
from remora.translate.certificates import DefaultCertificateUnit
from remora.translate.default_backend import DefaultBackendUnit
from remora.translate.hosts import HostUnit
from remora.translate.ingress import DefaultsUnit, IngressUnit
from remora.translate.options import OptionsUnit
from remora.translate.peers import PeersUnit
from remora.translate.pods import PodUnit
from remora.translate.streams import TcpServicesUnit
from remora.translate.units import AnyUnit, Units
from remora.translate.view import ReadKey, touched_by
from remora.watch.snapshot import Change, Index, IndexKey, Snapshot, index_keys

LAYERS = 4
"""Certificates, backends and the ConfigMap; what asks them; Ingresses; hosts."""

_ALWAYS: tuple[AnyUnit, ...] = (
    DefaultsUnit(),
    OptionsUnit(),
    DefaultCertificateUnit(),
    DefaultBackendUnit(),
    PeersUnit(),
    TcpServicesUnit(),
)


class Translation(msgspec.Struct, frozen=True, gc=False):
    """A snapshot, translated. `published` are the Ingresses that are served, whose status may say so; `lookups` the DNS
    names of which it wants the answers.

    Parts that did not change since the last translation are the same objects, so that `is` may stand for `==`.
    """

    model: Model
    problems: Problems
    published: tuple[ObjectRef, ...]
    lookups: frozenset[str] = frozenset()


class Translator:
    """Translates snapshot after snapshot. The result depends on the last one alone, whatever came before."""

    def __init__(self, settings: RoutingSettings) -> None:
        self._settings = settings
        self._snapshot = Snapshot()
        self._units = Units(settings, layers=LAYERS)
        self._assembly = Assembly()
        self._is_new = True

    def translate(self, snapshot: Snapshot, changes: Iterable[Change] | None) -> Translation:
        """The translation of a snapshot.

        `changes` holds everything that differs from the snapshot of the last call; with None everything is translated anew.
        """
        is_anew = changes is None or self._is_new
        changed = self._start_anew(snapshot) if is_anew else self._follow(snapshot, changes or ())
        self._snapshot = snapshot
        self._is_new = False
        self._assembly.take(changed)
        made = self._assembly
        return Translation(made.model, made.problems, made.published, made.lookups)

    def overtake(self, snapshot: Snapshot) -> None:
        """Goes on from a snapshot which differs from that of the last call only in what no Change tells of.

        Otherwise ten thousand Ingresses of before their statuses were written would stay, and be forgotten all at once.
        """
        if not self._is_new:
            self._snapshot = snapshot

    def _start_anew(self, snapshot: Snapshot) -> dict[AnyUnit, object]:
        self._units = Units(self._settings, layers=LAYERS)
        self._assembly = Assembly()
        ingresses = (IngressUnit(name) for name in snapshot.names(Ingress))
        hosts = (HostUnit(host) for host in snapshot.hosts())
        pods = (PodUnit(name) for name in snapshot.names(Pod))
        return self._units.update(snapshot, (), roots=(*_ALWAYS, *ingresses, *hosts, *pods), no_roots=())

    def _follow(self, snapshot: Snapshot, changes: Iterable[Change]) -> dict[AnyUnit, object]:
        touched: set[ReadKey] = set()
        for change in changes:
            before = self._snapshot.find(change.kind, change.name)
            after = snapshot.find(change.kind, change.name)
            touched.update(touched_by(change, snapshot))
            touched |= index_keys(change.kind, before) ^ index_keys(change.kind, after)
        roots: list[AnyUnit] = []
        no_roots: list[AnyUnit] = []
        for key in touched:
            root = _root_of(key)
            if root:
                (roots if _is_there(snapshot, key) else no_roots).append(root)
        return self._units.update(snapshot, touched, roots=roots, no_roots=no_roots)


def _root_of(key: ReadKey) -> AnyUnit | None:
    """The unit that exists for as long as the key has something behind it."""
    match key:
        case Change(kind=kind, name=name) if kind is Ingress:
            return IngressUnit(name)
        case Change(kind=kind, name=name) if kind is Pod:
            return PodUnit(name)
        case IndexKey(index=Index.INGRESSES_OF_HOST, key=str(host)):
            return HostUnit(Hostname(host))
        case _:
            return None


def _is_there(snapshot: Snapshot, key: ReadKey) -> bool:
    if isinstance(key, Change):
        return snapshot.find(key.kind, key.name) is not None
    return isinstance(key, IndexKey) and bool(snapshot.indexed(key))
