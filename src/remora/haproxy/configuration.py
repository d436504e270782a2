"""What HAProxy is to run: made from the Model, and free of anything that happened before.

Which slot of the pool serves a backend is not decided here but in `plan`, which knows what is running.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NewType

import msgspec

from remora.core.differing import differing
from remora.core.names import ANY_HOST, Hostname
from remora.core.options import ProxyOptions
from remora.core.persistent import PersistentMap, persistent
from remora.core.settings import ProxySettings, proxy_settings
from remora.haproxy.certificates import LoadedCertificate, entries_of, loaded_certificate
from remora.haproxy.features import upstream
from remora.haproxy.features.former_sessions import former_key
from remora.haproxy.features.peers import PeersPart, configure_peers
from remora.haproxy.features.streams import Port, name_key, port_key, stream_target
from remora.haproxy.grammar import Directive, Section
from remora.haproxy.hosts import NOTHING, HostPart, configure_host, fixed_part, targets
from remora.haproxy.layout import Layout
from remora.haproxy.pool import Algorithm, BackendClass, dedicated_slot
from remora.haproxy.process_rules import ProcessFile, process_files
from remora.haproxy.program import program_digest, render_program
from remora.haproxy.target import Target
from remora.model import PLAIN_UPSTREAM, Backend, BackendName, Certificate, EndpointState, Model, UpstreamFile

ServerName = NewType("ServerName", str)
"""A server's name in HAProxy is its endpoint's session key."""

WEIGHT = 16
"""Of every server. On the ring of consistent hashing it is the number of points per server in units of 16: with less, the
spread of sessions over pods is wider than 6 %."""


class Server(msgspec.Struct, frozen=True):
    """One server of a backend. `id` is its place on the ring: positive, unique in its backend, the same on every replica.

    `former_key` is the session key that ingress-nginx gave it, "" where none is wanted.
    """

    name: ServerName
    address: str
    port: int
    id: int
    draining: bool = False
    former_key: str = ""


class ProxyBackend(msgspec.Struct, frozen=True):
    """A backend with its servers, in order of their names. `dedicated` are its own directives; with any, it is in no pool.

    `words` stand on the line of each server, and `application` is a section that it needs. HAProxy is asked for its opinion of
    one that is `unsure`. `files` are the names of those that `words` refer to.
    """

    name: str
    kind: BackendClass
    servers: tuple[Server, ...]
    dedicated: tuple[Directive, ...] = ()
    words: tuple[str, ...] = ()
    application: Section | None = None
    files: tuple[str, ...] = ()
    unsure: bool = False


FIXED = Hostname("!")
"""Stands among the hosts for what is there without any; no host is called so."""


class Configuration(msgspec.Struct, frozen=True):
    """Everything that HAProxy is to run. Mappings are not to be changed, and their order means nothing.

    Parts that a change did not touch are the identical objects as before, so what follows need not look into them.
    """

    program: str
    digest: str
    hosts: Mapping[Hostname, HostPart]
    backends: Mapping[str, ProxyBackend]
    certificates: Mapping[str, Certificate]
    loaded: Mapping[str, LoadedCertificate] = {}
    """The same as they stand in HAProxy."""
    options: ProxyOptions = ProxyOptions()
    """Those that the program was made with."""
    peers: PeersPart = PeersPart()
    files: Mapping[str, UpstreamFile] = {}
    """What servers need to be spoken to, by name."""
    process_files: tuple[ProcessFile, ...] = ()
    streams: Mapping[str, str] = {}
    """Ports and hosts whose connections are passed on as they are, and the backend that they go to."""
    ports: tuple[Port, ...] = ()
    """The ports among them, with the settings by which they are opened."""
    settings: ProxySettings | None = None


class Configurator:
    """Makes Configurations.

    What was made of a virtual host, a backend or a certificate is kept for as long as the Model holds the identical object, so
    a change costs what it touches; the result is the same as from scratch.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self._base = settings
        self._settings = settings
        self._header_names: tuple[str, ...] = ()
        self._program = render_program(settings)
        self._digest = program_digest(settings)
        self._peers = configure_peers(settings, None)
        self._model = Model()
        self._parts: PersistentMap[Hostname, HostPart] = persistent({FIXED: fixed_part(NOTHING, None)})
        self._targets: dict[Hostname, frozenset[Target]] = {}
        self._users: dict[BackendName, Counter[Target]] = {}
        self._sources: dict[BackendName, Backend] = {}
        self._backends: PersistentMap[str, ProxyBackend] = PersistentMap()
        self._certificates: PersistentMap[str, Certificate] = PersistentMap()
        self._loaded: PersistentMap[str, LoadedCertificate] = PersistentMap()
        self._files: Mapping[str, UpstreamFile] = {}
        self._streams: Mapping[str, str] = {}

    def anew(self) -> "Configurator":
        """One that has kept nothing, for when an error may have left something half noted."""
        return Configurator(self._base)

    def configure(self, model: Model) -> Configuration:
        """The Configuration that does what the Model says."""
        if model.response_header_names != self._header_names or model.options != self._settings.options:
            self._header_names = model.response_header_names
            self._settings = proxy_settings(self._base, model.options)
            self._program = render_program(self._settings, self._header_names)
            self._digest = program_digest(self._settings, self._header_names)
        if model.peering != self._model.peering:
            self._peers = configure_peers(self._settings, model.peering)
        self._configure_backends({*self._configure_hosts(model), *self._take_sources(model)})
        self._configure_certificates(model)
        if model.upstream_files is not self._model.upstream_files:
            self._files = {file.name: file for file in model.upstream_files}
        self._model = model
        return Configuration(
            program=self._program,
            digest=self._digest,
            hosts=self._parts,
            backends=self._backends,
            certificates=self._certificates,
            loaded=self._loaded,
            options=model.options,
            peers=self._peers,
            files=self._files,
            process_files=process_files(self._settings),
            streams=self._streams,
            ports=tuple(Port(one.port, one.accepts_proxy) for one in model.tcp_services),
            settings=self._settings if model.tcp_services else None,
        )

    def _configure_hosts(self, model: Model) -> set[Target]:
        """Takes the hosts that are other than before; the targets that came or went with them."""
        gone, come = differing(self._model.virtual_hosts, model.virtual_hosts)
        others = (model.default_backend, model.tcp_services)
        if not (gone or come) and others == (self._model.default_backend, self._model.tcp_services):
            return set()
        parts: dict[Hostname, HostPart | None] = {}
        touched: set[Target] = set()
        for host in {one.host for one in gone} - {one.host for one in come}:
            parts[host] = None
            touched.update(self._set_targets(host, frozenset()))
        for one in come:
            parts[one.host] = configure_host(one)
            touched.update(self._set_targets(one.host, targets(one)))
        default = Target(model.default_backend, BackendClass(Algorithm.SPREAD)) if model.default_backend else None
        self._parts = self._parts.changed(parts)
        part = fixed_part(self._parts.get(ANY_HOST, NOTHING), default.name if default else None)
        if part != self._parts[FIXED]:
            self._parts = self._parts.changed({FIXED: part})
        ports = {port_key(one.port): stream_target(one.backend) for one in model.tcp_services}
        touched.update(self._set_targets(FIXED, frozenset((*ports.values(), *([default] if default else [])))))
        former = {name_key(one.host) for one in gone} | {port_key(one.port) for one in self._model.tcp_services}
        kept = {key: name for key, name in self._streams.items() if key not in former}
        names = {name_key(one.host): stream_target(one.passthrough).name for one in come if one.passthrough}
        self._streams = kept | {key: target.name for key, target in ports.items()} | names
        return touched

    def _set_targets(self, host: Hostname, wanted: frozenset[Target]) -> Iterator[Target]:
        """Notes what a host sends requests to; those to which nobody did before, or does now."""
        before = self._targets.pop(host, frozenset())
        if wanted:
            self._targets[host] = wanted
        for target in before - wanted:
            users = self._users[target.backend]
            users[target] -= 1
            if not users[target]:
                del users[target]
                if not users:
                    del self._users[target.backend]
                yield target
        for target in wanted - before:
            users = self._users.setdefault(target.backend, Counter())
            users[target] += 1
            if users[target] == 1:
                yield target

    def _take_sources(self, model: Model) -> Iterator[Target]:
        """Takes the backends that are other than before; the targets that they serve."""
        gone, come = differing(self._model.backends, model.backends)
        for backend in gone:
            del self._sources[backend.name]
        self._sources.update((backend.name, backend) for backend in come)
        for name in {backend.name for backend in (*gone, *come)}:
            yield from self._users.get(name, ())

    def _configure_backends(self, touched: set[Target]) -> None:
        if not touched:
            return
        backends: dict[str, ProxyBackend | None] = {}
        for target in touched:
            if target in self._users.get(target.backend, ()):
                made = self._proxy_backend(target, self._sources.get(target.backend))
                known = self._backends.get(target.name)
                backends[target.name] = known if known == made else made
            else:
                backends.setdefault(target.name, None)
        self._backends = self._backends.changed(backends)

    def _configure_certificates(self, model: Model) -> None:
        gone, come = differing(self._model.certificates, model.certificates)
        if not (gone or come):
            return
        certificates: dict[str, Certificate | None] = {}
        loaded: dict[str, LoadedCertificate | None] = {}
        for entry in (entry for whole in gone for entry in entries_of(whole)):
            certificates[entry.name] = loaded[entry.name] = None
        for entry in (entry for whole in come for entry in entries_of(whole)):
            certificates[entry.name] = entry
            loaded[entry.name] = loaded_certificate(entry)
        self._certificates, self._loaded = self._certificates.changed(certificates), self._loaded.changed(loaded)

    def _proxy_backend(self, target: Target, source: Backend | None) -> ProxyBackend:
        servers = _servers(source, with_former_keys=target.kind.algorithm is Algorithm.PERSISTENT) if source else ()
        if source is None or source.upstream == PLAIN_UPSTREAM:
            return ProxyBackend(target.name, target.kind, servers, target.dedicated)
        return ProxyBackend(
            target.name,
            target.kind,
            servers,
            (*target.dedicated, *upstream.backend_lines(source.upstream, dedicated_slot(target.name))),
            upstream.server_words(source.upstream, Layout(self._settings.state_directory)),
            upstream.application(source.upstream, dedicated_slot(target.name)),
            source.upstream.tls.files if source.upstream.tls else (),
            bool(target.dedicated) or upstream.is_unsure(source.upstream),
        )


def configure(model: Model, settings: ProxySettings) -> Configuration:
    """The Configuration of one Model, from scratch."""
    return Configurator(settings).configure(model)


def without(configuration: Configuration, refused: Iterable[str]) -> Configuration:
    """The Configuration with the named backends emptied of their own directives and servers: their routes answer 503."""
    backends = persistent(configuration.backends)
    emptied = backends.changed({name: ProxyBackend(name, backends[name].kind, ()) for name in refused})
    named = {name for backend in emptied.values() for name in backend.files}
    named |= {name for one in configuration.certificates.values() for name in (one.tls.authority, one.tls.revoked)}
    files = {name: file for name, file in configuration.files.items() if name in named}
    return msgspec.structs.replace(configuration, backends=emptied, files=files)


def without_ports(configuration: Configuration, closed: Iterable[int]) -> Configuration:
    """The Configuration without some of the ports of TCP services."""
    numbers = frozenset(closed)
    ports = tuple(port for port in configuration.ports if port.number not in numbers)
    return msgspec.structs.replace(configuration, ports=ports)


def _servers(backend: Backend, *, with_former_keys: bool) -> tuple[Server, ...]:
    taken: set[int] = set()
    servers = []
    for endpoint in backend.endpoints:
        number = server_id(endpoint.key)
        while number in taken:
            number += 1
        taken.add(number)
        former = backend.former_name if with_former_keys else ""
        servers.append(
            Server(
                ServerName(endpoint.key),
                endpoint.address,
                endpoint.port,
                number,
                draining=endpoint.state is EndpointState.DRAINING,
                former_key=former_key(former, endpoint.address, endpoint.port) if former else "",
            )
        )
    return tuple(servers)


def server_id(key: str) -> int:
    """A server's `id` from its session key: 1 to 2^30, as good as unique among the servers of one backend."""
    return 1 + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % (1 << 30)
