"""How far a pod is with the sessions that it has: the answer of `GET /drain-wait`. Pure."""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from remora.core.names import NamespacedName
from remora.model import EndpointState, Model
from remora.observe.live_sessions import PodSessions, ServiceSessions, session_digest

SETTLE = 2.0
"""Seconds within which a pod that is annotated or deleted is sure to have been taken out of service. Before that, a pod that
still gets new sessions is not done, however few it has."""


LEFT = "left"
"""The state of a pod to which routes led when the waiting began."""


class DrainState(msgspec.Struct, frozen=True):
    """A pod at one moment.

    `state` is `active` or `draining`, `left` if routes led to the pod before, or "" if none does. `tracking` says of how many
    of the Services with session affinity the sessions are known: all, some or none; where it is none, `sessions` and `in_use`
    are None. `connections` are requests and WebSockets under way.
    """

    namespace: str
    pod: str
    state: str = ""
    services: tuple[str, ...] = ()
    tracking: str = "none"
    sessions: int | None = None
    in_use: int | None = None
    connections: int = 0
    is_over: bool = False
    """Whether there is nothing to wait for any more."""
    digests: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is known to be on the pod."""
        return not self.sessions and not self.connections


def servers_of(model: Model, pod: NamespacedName) -> dict[str, EndpointState]:
    """The session keys of a pod, one for each of its ports, with what it may be given there."""
    return {
        endpoint.key: endpoint.state
        for backend in model.backends
        if backend.origin.namespace == pod.namespace
        for endpoint in backend.endpoints
        if endpoint.pod == pod.name
    }


def drain_state(
    model: Model, services: Sequence[ServiceSessions], pod: NamespacedName, *, connections: int, with_digests: bool = False
) -> DrainState:
    """What is known of a pod. `services` are the live sessions of that Model."""
    found = list(_services_with(services, pod))
    tracked = [(service, one) for service, one in found if service.has_tracked]
    ids = frozenset[str]().union(*(one.ids for _, one in tracked))
    used = frozenset[str]().union(*(one.used for _, one in tracked))
    return DrainState(
        pod.namespace,
        pod.name,
        state=_state(servers_of(model, pod).values()),
        services=_service_names(model, pod),
        tracking="all" if found and all(service.is_tracked for service, _ in found) else "some" if tracked else "none",
        sessions=len(ids) if tracked else None,
        in_use=len(used) if tracked else None,
        connections=connections,
        digests=tuple(sorted(map(session_digest, ids))) if with_digests else (),
    )


def is_over(state: DrainState, waited: float, *, timeout: float) -> bool:
    """Whether there is nothing to wait for any more, `waited` seconds after the beginning of a wait of `timeout` seconds."""
    return state.is_empty and (state.state != EndpointState.ACTIVE.value or waited >= min(SETTLE, timeout))


def merged(states: Sequence[DrainState]) -> DrainState:
    """What replicas say together of one pod; if they are several their answers have digests. A session that several saw counts
    once."""
    if len(states) == 1:
        return states[0]
    known = [state for state in states if state.sessions is not None]
    digests = frozenset[str]().union(*(state.digests for state in known))
    words = {state.state for state in states}
    first = max(states, key=lambda state: len(state.services))
    return msgspec.structs.replace(
        first,
        state=next((word for word in ("active", "draining") if word in words), ""),
        sessions=len(digests) if known else None,
        in_use=sum(state.in_use or 0 for state in known) if known else None,
        connections=sum(state.connections for state in states),
        is_over=all(state.is_over for state in states),
        digests=tuple(sorted(digests)),
    )


def describe(state: DrainState) -> str:
    """One line for people."""
    name = f"{state.namespace}/{state.pod}"
    if not state.state or state.state == LEFT:
        left = " any more" if state.state else ""
        return f"no route leads to pod {name}{left}" + (f": {_connections(state)}" if state.connections else "")
    if state.sessions is None:
        return f"pod {name} ({state.state}): {_connections(state)}; {_UNTRACKED}"
    some = "; not all of its routes track their sessions" if state.tracking == "some" else ""
    return f"pod {name} ({state.state}): {_sessions(state.sessions)}, {_connections(state)}{some}"


_UNTRACKED = "its routes do not track sessions (annotation remora.io/session-tracking), so only what is under way is known"


def _sessions(number: int) -> str:
    return "1 live session" if number == 1 else f"{number} live sessions"


def _connections(state: DrainState) -> str:
    return "1 connection" if state.connections == 1 else f"{state.connections} connections"


def _services_with(services: Iterable[ServiceSessions], pod: NamespacedName) -> Iterable[tuple[ServiceSessions, PodSessions]]:
    for service in services:
        if service.service.namespace == pod.namespace:
            yield from ((service, one) for one in service.pods if one.pod == pod.name)


def _state(states: Collection[EndpointState]) -> str:
    if not states:
        return ""
    best = EndpointState.ACTIVE if EndpointState.ACTIVE in states else EndpointState.DRAINING
    return str(best.value)


def _service_names(model: Model, pod: NamespacedName) -> tuple[str, ...]:
    names = {
        backend.origin.name
        for backend in model.backends
        if backend.origin.namespace == pod.namespace and any(one.pod == pod.name for one in backend.endpoints)
    }
    return tuple(sorted(names))
