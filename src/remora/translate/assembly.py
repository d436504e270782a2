"""Puts the outcomes of units together: in order, and without walking over those that did not change."""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from remora.annotations.headers import Headers
from remora.annotations.registry import Defaults
from remora.core.names import Hostname, NamespacedName, ObjectRef
from remora.core.options import ProxyOptions
from remora.core.persistent import keys_differing
from remora.core.problem import Problem
from remora.core.problems import Problems, Source
from remora.model import (
    USUAL_TLS,
    Backend,
    BackendName,
    Certificate,
    FileKind,
    HostTls,
    Model,
    Peering,
    TcpService,
    UpstreamFile,
    VirtualHost,
)
from remora.translate.auth_backends import AuthBackendUnit
from remora.translate.backends import BackendUnit
from remora.translate.certificates import DefaultCertificate, DefaultCertificateUnit, KeyPair, KeyPairUnit
from remora.translate.client_tls import ClientTrust, ClientTrustUnit
from remora.translate.crowds import Losses
from remora.translate.default_backend import DefaultBackend, DefaultBackendUnit
from remora.translate.hosts import HostOutcome, HostUnit
from remora.translate.ingress import DefaultsUnit, IngressUnit, Prepared
from remora.translate.options import Options, OptionsUnit
from remora.translate.peers import PeersUnit
from remora.translate.pods import PodMark, PodUnit
from remora.translate.streams import TcpServicesUnit
from remora.translate.units import GONE, Gone
from remora.translate.upstream import Trust, TrustUnit
from remora.translate.view import Unit

DEFAULT_CERTIFICATE = "default"
"""The name of the default certificate; no Secret has it, since theirs hold a slash."""


Served = tuple[NamespacedName, HostTls]
"""The Secret that a host is served with, and how."""


class Ordered(Protocol):
    """What can be sorted."""

    def __lt__(self, other: Any, /) -> bool: ...


K = TypeVar("K", bound=Ordered)
V = TypeVar("V")


class SortedTable(Generic[K, V]):
    """Values ordered by their key. A change costs the moving of references, and `values` a copy after a change only."""

    def __init__(self) -> None:
        self._keys: list[K] = []
        self._values: list[V] = []
        self._copy: tuple[V, ...] | None = ()

    def set(self, key: K, value: V | None) -> None:
        """Puts a value in, or takes it out (None)."""
        place = bisect_left(self._keys, key)
        is_there = place < len(self._keys) and self._keys[place] == key
        if value is None:
            if not is_there:
                return
            del self._keys[place], self._values[place]
        elif is_there:
            self._values[place] = value
        else:
            self._keys.insert(place, key)
            self._values.insert(place, value)
        self._copy = None

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def values(self) -> tuple[V, ...]:
        """The values in the order of their keys; the same tuple until something changes."""
        if self._copy is None:
            self._copy = tuple(self._values)
        return self._copy


class Assembly:
    """The model, the Problems and the served Ingresses, kept up to date from the outcomes that changed."""

    def __init__(self) -> None:
        self._virtual_hosts: SortedTable[Hostname, VirtualHost] = SortedTable()
        self._backends: SortedTable[BackendName, Backend] = SortedTable()
        self._lookups: dict[BackendUnit | AuthBackendUnit, str] = {}
        self._certificates: SortedTable[str, Certificate] = SortedTable()
        self._key_pairs: dict[NamespacedName, KeyPair] = {}
        self._served_of_host: dict[Hostname, Served] = {}
        self._hosts_of_secret: dict[NamespacedName, dict[HostTls, SortedTable[Hostname, Hostname]]] = {}
        self._upstream_files: SortedTable[tuple[str, str], UpstreamFile] = SortedTable()
        self._tcp_services: tuple[TcpService, ...] = ()
        self._problems = Problems()
        self._losses: dict[Hostname, Losses] = {}
        self._new_problems: dict[Source, tuple[Problem, ...]] = {}
        self._published: SortedTable[NamespacedName, ObjectRef] = SortedTable()
        self._default_backend: BackendName | None = None
        self._response_header_names: tuple[str, ...] = ()
        self._options = ProxyOptions()
        self._peering: Peering | None = None
        self._stale_secrets: set[NamespacedName] = set()
        self._model = Model()

    def take(self, changed: Mapping[Unit[Any], Any]) -> None:
        """Takes the outcomes that changed; GONE for units that are no more."""
        for unit, outcome in changed.items():
            self._take(unit, outcome)
        for secret in self._stale_secrets:
            self._renew_certificate(secret)
        self._stale_secrets.clear()
        self._problems = self._problems.changed(self._new_problems)
        self._new_problems = {}

    @property
    def model(self) -> Model:
        """The model; the same object until something in it changes."""
        parts = (self._virtual_hosts.values, self._backends.values, self._certificates.values, self._default_backend)
        old = self._model
        files = self._upstream_files.values
        known = (old.virtual_hosts, old.backends, old.certificates, old.default_backend)
        names, options, peering = self._response_header_names, self._options, self._peering
        is_same = old.response_header_names == names and old.options is options and old.peering == peering
        is_same = is_same and old.upstream_files is files and old.tcp_services == self._tcp_services
        if not (is_same and all(map(_is, parts, known))):
            self._model = Model(
                *parts,
                response_header_names=names,
                options=options,
                peering=peering,
                upstream_files=files,
                tcp_services=self._tcp_services,
            )
        return self._model

    @property
    def problems(self) -> Problems:
        """All Problems, by the object or host that they come from; the same object until something changes."""
        return self._problems

    @property
    def lookups(self) -> frozenset[str]:
        """The DNS names whose addresses backends want."""
        return frozenset(self._lookups.values())

    @property
    def published(self) -> tuple[ObjectRef, ...]:
        """The Ingresses that are served, by name."""
        return self._published.values

    def _take(self, unit: Unit[Any], outcome: Any) -> None:  # noqa: C901 - a case for each kind of unit
        match unit:
            case IngressUnit(name=name):
                self._take_ingress(name, outcome)
            case HostUnit(host=host):
                self._take_host(host, outcome)
            case BackendUnit() | AuthBackendUnit():
                self._take_backend(unit, outcome)
            case KeyPairUnit(secret=secret):
                self._take_key_pair(secret, outcome)
            case PodUnit(name=name):
                self._take_pod(name, outcome)
            case DefaultsUnit():
                self._take_defaults(outcome)
            case OptionsUnit():
                self._take_options(outcome)
            case DefaultCertificateUnit():
                self._take_default_certificate(outcome)
            case TrustUnit(secret=secret):
                self._take_trust(secret, outcome)
            case ClientTrustUnit(secret=secret):
                self._take_client_trust(secret, outcome)
            case TcpServicesUnit():
                self._tcp_services = outcome.services
                self._set_problems(("0", "", "tcp-services"), outcome.problems)
            case PeersUnit():
                self._peering = outcome
            case DefaultBackendUnit():
                self._take_default_backend(outcome)
            case _:
                """The others are only read by units."""

    def _take_ingress(self, name: NamespacedName, outcome: Prepared | Gone) -> None:
        is_served = outcome is not GONE and outcome.is_served
        self._published.set(name, outcome.ref if outcome is not GONE and is_served else None)
        self._set_problems(("1", name.namespace, name.name), () if outcome is GONE else outcome.problems)

    def _take_host(self, host: Hostname, outcome: HostOutcome | Gone) -> None:
        self._virtual_hosts.set(host, None if outcome is GONE else outcome.virtual_host)
        self._set_problems(("2", host, ""), () if outcome is GONE else outcome.problems)
        self._take_losses(host, {} if outcome is GONE else outcome.losses)
        certificate = None if outcome is GONE else outcome.certificate
        self._set_served(host, (certificate, outcome.tls) if certificate and outcome is not GONE else None)

    def _take_losses(self, host: Hostname, losses: Losses) -> None:
        before = self._losses.pop(host, {})
        if losses:
            self._losses[host] = losses
        for name in keys_differing(before, losses):
            self._set_problems(("2", host, str(name)), losses[name].problems if name in losses else ())

    def _take_backend(self, unit: BackendUnit | AuthBackendUnit, outcome: Backend | Gone) -> None:
        self._backends.set(unit.name, None if outcome is GONE else outcome)
        self._lookups.pop(unit, None)
        if outcome is not GONE and outcome.external_name:
            self._lookups[unit] = outcome.external_name

    def _take_pod(self, name: NamespacedName, outcome: PodMark | Gone) -> None:
        self._set_problems(("3", name.namespace, name.name), () if outcome is GONE else outcome.problems)

    def _take_key_pair(self, secret: NamespacedName, outcome: KeyPair | Gone) -> None:
        if outcome is GONE:
            self._key_pairs.pop(secret, None)
        else:
            self._key_pairs[secret] = outcome
        self._stale_secrets.add(secret)

    def _take_trust(self, secret: NamespacedName, outcome: Trust | Gone) -> None:
        found = outcome if outcome is not GONE else Trust()
        for kind, file in ((FileKind.AUTHORITY, found.authority), (FileKind.CERTIFICATE, found.certificate)):
            self._upstream_files.set((kind.value, str(secret)), file)

    def _take_client_trust(self, secret: NamespacedName, outcome: ClientTrust | Gone) -> None:
        found = outcome if outcome is not GONE else ClientTrust()
        for kind, file in ((FileKind.AUTHORITY, found.authority), (FileKind.REVOCATIONS, found.revoked)):
            self._upstream_files.set((f"clients' {kind.value}", str(secret)), file)

    def _take_defaults(self, outcome: Defaults) -> None:
        self._set_problems(("0", "", "defaults"), outcome.problems)
        self._response_header_names = outcome.of(Headers).allowed

    def _take_options(self, outcome: Options) -> None:
        self._set_problems(("0", "", "options"), outcome.problems)
        self._options = outcome.options

    def _take_default_certificate(self, outcome: DefaultCertificate) -> None:
        pair = outcome.key_pair
        self._certificates.set(DEFAULT_CERTIFICATE, Certificate(DEFAULT_CERTIFICATE, (), pair.pem) if pair else None)
        self._set_problems(("0", "", "default-certificate"), outcome.problems)

    def _take_default_backend(self, outcome: DefaultBackend) -> None:
        self._default_backend = outcome.name
        self._set_problems(("0", "", "default-backend"), outcome.problems)

    def _set_problems(self, source: Source, problems: tuple[Problem, ...]) -> None:
        self._new_problems[source] = problems

    def _set_served(self, host: Hostname, served: "Served | None") -> None:
        """Notes which Secret a host is served with now, and how."""
        before = self._served_of_host.get(host)
        if before == served:
            return
        if before:
            secret, tls = before
            del self._served_of_host[host]
            self._hosts_of_secret[secret][tls].set(host, None)
            self._stale_secrets.add(secret)
        if served:
            secret, tls = served
            self._served_of_host[host] = served
            self._hosts_of_secret.setdefault(secret, {}).setdefault(tls, SortedTable()).set(host, host)
            self._stale_secrets.add(secret)

    def _renew_certificate(self, secret: NamespacedName) -> None:
        by_tls = self._hosts_of_secret.get(secret, {})
        pair = self._key_pairs.get(secret)
        for tls, hosts in list(by_tls.items()):
            name = certificate_name(secret, tls)
            self._certificates.set(name, Certificate(name, hosts.values, pair.pem, tls) if hosts and pair else None)
            if not hosts:
                del by_tls[tls]
        if not by_tls:
            self._hosts_of_secret.pop(secret, None)


def certificate_name(secret: NamespacedName, tls: HostTls) -> str:
    """A name for a Secret's certificate and how it is served; no Secret's name has a plus sign."""
    how = hashlib.sha256(msgspec.json.encode(tls)).hexdigest()[:12]
    return str(secret) if tls == USUAL_TLS else f"{secret}+{how}"


def _is(one: object, other: object) -> bool:
    return one is other
