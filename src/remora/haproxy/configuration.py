"""What HAProxy is to run: made from the Model, and free of anything that happened before.

Which slot of the pool serves a backend is not decided here but in `plan`, which knows what is running.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import NewType, TypeVar

import msgspec

from remora.core.names import ANY_HOST, Hostname
from remora.core.settings import ProxySettings
from remora.haproxy.features import counting
from remora.haproxy.features.affinity import SERVER_STATES
from remora.haproxy.grammar import Directive
from remora.haproxy.hosts import HostPart, configure_host, dedicated_directives
from remora.haproxy.maps import ANY_HOST_KEY, DEFAULT_ROUTE_KEY, HostKind, Map, RouteRecord, prefix_key
from remora.haproxy.pool import Algorithm, BackendClass
from remora.haproxy.program import HEALTHZ_BACKEND, program_digest, render_program
from remora.haproxy.target import Target
from remora.model import Backend, BackendName, Certificate, Endpoint, EndpointState, Model, VirtualHost

V = TypeVar("V")

ServerName = NewType("ServerName", str)
"""A server's name in HAProxy is its endpoint's session key."""

WEIGHT = 16
"""Of every server. On the ring of consistent hashing it is the number of points per server in units of 16: with less, the
spread of sessions over pods is wider than 6 %."""


class Server(msgspec.Struct, frozen=True):
    """One server of a backend. `id` is its place on the ring: positive, unique in its backend, the same on every replica."""

    name: ServerName
    address: str
    port: int
    id: int
    draining: bool = False


class ProxyBackend(msgspec.Struct, frozen=True):
    """A backend with its servers, in order of their names. `dedicated` are its own directives; with any, it is in no pool."""

    name: str
    kind: BackendClass
    servers: tuple[Server, ...]
    dedicated: tuple[Directive, ...] = ()


class Configuration(msgspec.Struct, frozen=True):
    """Everything that HAProxy is to run. Mappings are not to be changed.

    `routes` and `folded_routes` hold the two maps whose values name backends; `regex_routes` has an order. `texts` holds the
    maps whose values are plain text.
    """

    program: str
    digest: str
    backends: Mapping[str, ProxyBackend]
    routes: Mapping[str, RouteRecord]
    folded_routes: Mapping[str, RouteRecord]
    regex_routes: tuple[tuple[str, RouteRecord], ...]
    texts: Mapping[Map, Mapping[str, str]]
    certificates: Mapping[str, Certificate]


class Configurator:
    """Makes Configurations for one program.

    What was made of a virtual host or a backend is kept for as long as the Model holds the identical object, so a change
    costs what it touches; the result is the same as from scratch.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self._program = render_program(settings)
        self._digest = program_digest(settings)
        self._hosts: dict[Hostname, tuple[VirtualHost, HostPart]] = {}
        self._servers: dict[BackendName, tuple[Backend, tuple[Server, ...]]] = {}

    def configure(self, model: Model) -> Configuration:
        """The Configuration that does what the Model says."""
        self._hosts = {host.host: self._host(host) for host in model.virtual_hosts}
        self._servers = {backend.name: self._backend(backend) for backend in model.backends}
        parts = [part for _, part in self._hosts.values()]
        targets = {target for part in parts for target in part.targets}
        default = Target(model.default_backend, BackendClass(Algorithm.SPREAD)) if model.default_backend else None
        if default is not None:
            targets.add(default)
        servers = {name: made for name, (_, made) in self._servers.items()}
        return Configuration(
            program=self._program,
            digest=self._digest,
            backends=_backends(targets, servers),
            routes=_routes(parts, default),
            folded_routes=_merge(part.folded_routes for part in parts),
            regex_routes=tuple(entry for part in parts for entry in part.regex_routes),
            texts={
                Map.HOSTS: {ANY_HOST_KEY: HostKind.PLAIN.value} | {_host_key(part.host): part.kind.value for part in parts},
                Map.REDIRECTS: _merge(part.redirects for part in parts),
                Map.COOKIES: _merge(part.cookies for part in parts),
                Map.REWRITES: _merge(part.rewrites for part in parts),
                Map.SERVERS: _server_states(model.backends),
            },
            certificates={certificate.name: certificate for certificate in model.certificates},
        )

    def _host(self, host: VirtualHost) -> tuple[VirtualHost, HostPart]:
        known = self._hosts.get(host.host)
        return known if known is not None and known[0] is host else (host, configure_host(host))

    def _backend(self, backend: Backend) -> tuple[Backend, tuple[Server, ...]]:
        known = self._servers.get(backend.name)
        return known if known is not None and known[0] is backend else (backend, _servers(backend.endpoints))


def configure(model: Model, settings: ProxySettings) -> Configuration:
    """The Configuration of one Model, from scratch."""
    return Configurator(settings).configure(model)


def without(configuration: Configuration, refused: Iterable[str]) -> Configuration:
    """The Configuration with the named backends emptied of their own directives and servers: their routes answer 503."""
    emptied = dict(configuration.backends)
    for name in refused:
        emptied[name] = ProxyBackend(name, emptied[name].kind, ())
    return msgspec.structs.replace(configuration, backends=emptied)


def _host_key(host: Hostname) -> str:
    return host or ANY_HOST_KEY


def _merge(mappings: Iterable[Mapping[str, V]]) -> dict[str, V]:
    merged: dict[str, V] = {}
    for mapping in mappings:
        merged.update(mapping)
    return merged


def _routes(parts: Iterable[HostPart], default: Target | None) -> dict[str, RouteRecord]:
    healthz = RouteRecord(HEALTHZ_BACKEND, HEALTHZ_BACKEND, counting.UNROUTED)
    routes = {prefix_key(ANY_HOST, "/healthz"): healthz}
    for part in parts:
        routes.update(part.routes)
    if default is not None:
        routes[DEFAULT_ROUTE_KEY] = RouteRecord(default.name, default.name, counting.UNROUTED)
    return routes


def _backends(targets: Iterable[Target], servers: Mapping[BackendName, tuple[Server, ...]]) -> dict[str, ProxyBackend]:
    return {
        target.name: ProxyBackend(target.name, target.kind, servers.get(target.backend, ()), dedicated_directives(target))
        for target in sorted(targets, key=lambda target: target.name)
    }


def _servers(endpoints: Iterable[Endpoint]) -> tuple[Server, ...]:
    taken: set[int] = set()
    servers = []
    for endpoint in endpoints:
        number = server_id(endpoint.key)
        while number in taken:
            number += 1
        taken.add(number)
        draining = endpoint.state is EndpointState.DRAINING
        servers.append(Server(ServerName(endpoint.key), endpoint.address, endpoint.port, number, draining))
    return tuple(servers)


def server_id(key: str) -> int:
    """A server's `id` from its session key: 1 to 2^30, as good as unique among the servers of one backend."""
    return 1 + int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % (1 << 30)


def _server_states(backends: Iterable[Backend]) -> dict[str, str]:
    return {endpoint.key: SERVER_STATES[endpoint.state] for backend in backends for endpoint in backend.endpoints}
