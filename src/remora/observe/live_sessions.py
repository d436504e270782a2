"""How many sessions live on which pod: the Model's routes and what HAProxy's table says of them. Pure.

A session is live on a pod while it is in use there, or was seen within the route's window: a browser that comes back after
that has lost its cookie, or most likely will not come back.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from remora.core.differing import differing
from remora.core.names import Hostname, NamespacedName
from remora.model import (
    Affinity,
    Backend,
    BackendName,
    Endpoint,
    EndpointState,
    ForwardTo,
    Model,
    Route,
    RouteId,
    VirtualHost,
)
from remora.plan.outcome import LiveSession

DEFAULT_LIVE_WINDOW = 1800.0
"""Seconds after which a session counts as left, where neither a lifetime nor the cookie says."""


class PodSessions(msgspec.Struct, frozen=True, gc=False):
    """The live sessions of one pod of a Service: of their ids, all and those that are in use now.

    `pod` is the pod's name, or address and port where a Service has endpoints that are no pods.
    """

    pod: str
    state: EndpointState
    ids: frozenset[str] = frozenset()
    used: frozenset[str] = frozenset()


class ServiceSessions(msgspec.Struct, frozen=True, gc=False):
    """A Service with session affinity and its pods, ordered by name. `is_tracked` says whether all of its sticky routes
    track their sessions; where none does, `has_tracked` is False and the pods' sessions are not known."""

    service: NamespacedName
    is_tracked: bool
    has_tracked: bool
    pods: tuple[PodSessions, ...]


class FoundSession(msgspec.Struct, frozen=True):
    """Where one session was seen."""

    service: NamespacedName
    pod: str
    state: EndpointState
    idle_seconds: float
    in_use: bool


class _StickyRoute(msgspec.Struct, frozen=True):
    """What a session's entry needs to know of its route."""

    service: NamespacedName
    window: float
    pods: Mapping[str, Endpoint]


def live_window(affinity: Affinity) -> float:
    """Seconds for which a session of the route counts as live after it was seen."""
    if affinity.sessions.idle_timeout is not None:
        return float(affinity.sessions.idle_timeout)
    lasting = (affinity.attributes.max_age, affinity.attributes.expires)
    return next((float(seconds) for seconds in lasting if seconds and seconds > 0), DEFAULT_LIVE_WINDOW)


def pod_name(endpoint: Endpoint) -> str:
    """What an endpoint is called."""
    return endpoint.pod or f"{endpoint.address}:{endpoint.port}"


def session_digest(identifier: str) -> str:
    """What a session is called outside: the same on every replica, and of no use as a cookie."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:16]


class TrackedHosts:
    """The hosts with a route that tracks its sessions. Only those that are other than in the Model before are looked at."""

    def __init__(self) -> None:
        self._hosts: tuple[VirtualHost, ...] = ()
        self._tracked: set[Hostname] = set()

    def follow(self, model: Model) -> bool:
        """Whether a Model has any."""
        gone, come = differing(self._hosts, model.virtual_hosts)
        self._tracked -= {host.host for host in gone}
        self._tracked |= {host.host for host in come if has_tracking(host)}
        self._hosts = model.virtual_hosts
        return bool(self._tracked)


def has_tracking(host: VirtualHost) -> bool:
    """Whether any route of a host tracks its sessions."""
    return any(affinity.sessions.tracking for _, _, affinity in _sticky_of(host))


def services_of_routes(model: Model) -> dict[RouteId, NamespacedName]:
    """The Service of every route with affinity."""
    backends = _backends(model)
    return {route.id: backends[action.backend].origin for route, action, _ in _sticky(model) if action.backend in backends}


def live_sessions(model: Model, entries: Iterable[LiveSession]) -> tuple[ServiceSessions, ...]:
    """The live sessions of every Service with session affinity, ordered by name.

    A session counts once on a pod, on however many of the Service's routes it was seen there. Pods without any are there too.
    """
    ids: dict[tuple[NamespacedName, str], set[str]] = {}
    used: dict[tuple[NamespacedName, str], set[str]] = {}
    routes = _tracked_routes(model)
    for entry, route, endpoint in _live(routes, entries):
        place = (route.service, pod_name(endpoint))
        ids.setdefault(place, set()).add(entry.id)
        if entry.in_use:
            used.setdefault(place, set()).add(entry.id)
    tracked = _tracked(model)
    return tuple(
        ServiceSessions(
            service,
            is_tracked=all(tracked[service]),
            has_tracked=any(tracked[service]),
            pods=tuple(
                PodSessions(pod, state, frozenset(ids.get((service, pod), ())), frozenset(used.get((service, pod), ())))
                for pod, state in sorted(pods.items())
            ),
        )
        for service, pods in sorted(_pods(model).items(), key=lambda item: f"{item[0].namespace}\0{item[0].name}")
    )


def sessions_by_pod(services: Iterable[ServiceSessions]) -> dict[NamespacedName, int]:
    """The live sessions of every pod that tracks them, over all Services that it belongs to."""
    ids: dict[NamespacedName, frozenset[str]] = {}
    for one in services:
        for pod in one.pods if one.has_tracked else ():
            if ":" not in pod.pod:  # an address is no pod's name
                name = NamespacedName(one.service.namespace, pod.pod)
                ids[name] = ids.get(name, frozenset()) | pod.ids
    return {name: len(found) for name, found in ids.items()}


def find_session(model: Model, entries: Iterable[LiveSession], digest: str) -> tuple[FoundSession, ...]:
    """Where the session of that digest was seen, the latest first; one in use before all others."""
    found = {
        (route.service, pod_name(endpoint), entry.idle_seconds, entry.in_use): FoundSession(
            route.service, pod_name(endpoint), endpoint.state, entry.idle_seconds, entry.in_use
        )
        for entry, route, endpoint in _live(_tracked_routes(model), entries)
        if session_digest(entry.id) == digest
    }
    return tuple(sorted(found.values(), key=lambda one: (not one.in_use, one.idle_seconds, one.service, one.pod)))


def find_server(model: Model, server: str) -> tuple[tuple[NamespacedName, str, EndpointState], ...]:
    """The pods that a session cookie means by the name of its server: one for each Service that has it, with its state."""
    services = set(services_of_routes(model).values())
    found = {
        (backend.origin, pod_name(endpoint)): endpoint.state
        for backend in model.backends
        for endpoint in backend.endpoints
        if endpoint.key == server and backend.origin in services
    }
    return tuple((service, pod, state) for (service, pod), state in sorted(found.items()))


def _live(
    routes: Mapping[RouteId, _StickyRoute], entries: Iterable[LiveSession]
) -> Iterator[tuple[LiveSession, _StickyRoute, Endpoint]]:
    for entry in entries:
        route = routes.get(entry.route)
        if route is None or not (entry.in_use or entry.idle_seconds < route.window):
            continue
        if (endpoint := route.pods.get(entry.server)) is not None:
            yield entry, route, endpoint


def _sticky(model: Model) -> Iterator[tuple[Route, ForwardTo, Affinity]]:
    return chain.from_iterable(map(_sticky_of, model.virtual_hosts))


def _sticky_of(host: VirtualHost) -> Iterator[tuple[Route, ForwardTo, Affinity]]:
    for route in host.all_routes:
        if isinstance(route.action, ForwardTo) and route.action.affinity is not None:
            yield route, route.action, route.action.affinity


def _backends(model: Model) -> dict[BackendName, Backend]:
    return {backend.name: backend for backend in model.backends}


def _tracked_routes(model: Model) -> dict[RouteId, _StickyRoute]:
    backends = _backends(model)
    pods = {name: {endpoint.key: endpoint for endpoint in backend.endpoints} for name, backend in backends.items()}
    return {
        route.id: _StickyRoute(backends[action.backend].origin, live_window(affinity), pods[action.backend])
        for route, action, affinity in _sticky(model)
        if affinity.sessions.tracking and action.backend in backends
    }


def _tracked(model: Model) -> dict[NamespacedName, list[bool]]:
    """For each Service, whether each of its sticky routes tracks sessions."""
    backends = _backends(model)
    tracked: dict[NamespacedName, list[bool]] = {}
    for _, action, affinity in _sticky(model):
        if action.backend in backends:
            tracked.setdefault(backends[action.backend].origin, []).append(affinity.sessions.tracking)
    return tracked


def _pods(model: Model) -> dict[NamespacedName, dict[str, EndpointState]]:
    backends = _backends(model)
    pods: dict[NamespacedName, dict[str, EndpointState]] = {}
    for name in {action.backend for _, action, _ in _sticky(model)} & backends.keys():
        known = pods.setdefault(backends[name].origin, {})
        for endpoint in backends[name].endpoints:
            pod = pod_name(endpoint)
            drains = endpoint.state is EndpointState.DRAINING or known.get(pod) is EndpointState.DRAINING
            known[pod] = EndpointState.DRAINING if drains else EndpointState.ACTIVE
    return pods
