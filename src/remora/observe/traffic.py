"""From the Model, what HAProxy counted and what the API says of pods to the report of traffic. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remora.core.names import NamespacedName
from remora.core.problem import Problem, Severity
from remora.haproxy.features.counting import UNROUTED
from remora.model import (
    Backend,
    EndpointState,
    ExactPath,
    ForwardTo,
    Model,
    NotFound,
    PrefixPath,
    RedirectTo,
    RedirectToHost,
    Route,
    RouteId,
    Unavailable,
)
from remora.observe.live_sessions import PodSessions, ServiceSessions, pod_name, session_digest
from remora.observe.pod_facts import PodFact, PodFacts
from remora.observe.request_durations import TIME, Histogram, Key, merged
from remora.observe.request_labels import RequestLabels, labels_of_requests, path_of
from remora.observe.session_report import broken_by_service
from remora.observe.traffic_report import (
    BrokenTraffic,
    Deed,
    Durations,
    PathType,
    PodState,
    PodTraffic,
    ProblemReport,
    ProxyTraffic,
    RouteTraffic,
    TrafficReport,
)
from remora.plan.outcome import BrokenCount, ProxyReading, RequestCount, ServerCount

UNSAID = "the controller gives no reason"


class TrafficFacts(msgspec.Struct, frozen=True):
    """All that a report is made of."""

    model: Model
    problems: Sequence[Problem] = ()
    requests: tuple[RequestCount, ...] = ()
    durations: Mapping[Key, Mapping[str, Histogram]] = {}
    reading: ProxyReading | None = None
    sessions: tuple[ServiceSessions, ...] = ()
    broken: tuple[BrokenCount, ...] = ()
    pods: PodFacts = {}


def report_traffic(facts: TrafficFacts, *, at: float, uptime: float, replica: str) -> TrafficReport:
    """What one controller says; its changes and reloads are not in it."""
    counts = _counts_by_route(facts.requests)
    reading = facts.reading
    return TrafficReport(
        at=at,
        uptime=uptime,
        replica=replica,
        proxy=ProxyTraffic(
            reading.version, reading.pid, reading.uptime, reading.workers, reading.former_workers, reading.connections
        )
        if reading
        else None,
        routes=tuple(_routes(facts, counts)),
        unrouted=counts.get(RouteId(UNROUTED), {}),
        buckets=TIME,
        pods=tuple(_pods(facts)),
        broken=tuple(
            BrokenTraffic(service.namespace, service.name, reason, count)
            for service, reasons in sorted(broken_by_service(facts.model, facts.broken).items())
            for reason, count in reasons.items()
        ),
        problems=tuple(map(problem_report, facts.problems)),
    )


def problem_report(problem: Problem) -> ProblemReport:
    """A Problem as it is told."""
    name = problem.object.name
    return ProblemReport(
        problem.object.kind,
        name.namespace,
        name.name,
        problem.field,
        problem.code,
        problem.message,
        problem.consequence,
        problem.severity.value,
    )


def _counts_by_route(requests: Iterable[RequestCount]) -> dict[RouteId, dict[str, int]]:
    counts: dict[RouteId, dict[str, int]] = {}
    for one in requests:
        counts.setdefault(one.route, {})[str(one.code)] = one.count
    return counts


def _durations_by_route(durations: Mapping[Key, Mapping[str, Histogram]]) -> dict[RequestLabels, Durations]:
    sums: dict[RequestLabels, Histogram] = {}
    for (labels, _, _), histograms in durations.items():
        one = histograms["request_duration_seconds"]
        sums[labels] = merged(sums[labels], one) if labels in sums else one
    return {labels: Durations(tuple(one.counts), round(one.total, 3)) for labels, one in sums.items()}


def _routes(facts: TrafficFacts, counts: Mapping[RouteId, dict[str, int]]) -> Iterator[RouteTraffic]:
    labels = labels_of_requests(facts.model)
    durations = _durations_by_route(facts.durations)
    backends = {backend.name: backend for backend in facts.model.backends}
    reasons = {
        problem.object.name: problem.message
        for problem in reversed(facts.problems)
        if problem.object.kind == "Ingress" and problem.severity is Severity.ERROR
    }
    for host in facts.model.virtual_hosts:
        for route in host.routes:
            for one in (route, *((canary,) if (canary := route.canary_route) else ())):
                action = one.action
                backend = backends.get(action.backend) if isinstance(action, ForwardTo) else None
                does, reason = _does(one, reasons)
                yield RouteTraffic(
                    id=one.id,
                    host=host.host,
                    path=path_of(one),
                    path_type=_path_type(one),
                    namespace=one.origin.namespace,
                    ingress=one.origin.name,
                    does=does,
                    service=backend.origin.name if backend else "",
                    port=_port(backend) if backend else "",
                    reason=reason,
                    canary_of="" if one is route else route.id,
                    requests=counts.get(one.id, {}),
                    durations=durations.get(labels[one.id]),
                )


def _does(route: Route, reasons: Mapping[NamespacedName, str]) -> tuple[Deed, str]:
    match route.action:
        case RedirectTo(location=location):
            return "redirect", location
        case RedirectToHost(host=host):
            return "redirect", host
        case Unavailable():
            return "closed", reasons.get(route.origin, UNSAID)
        case NotFound():
            return "not found", ""
        case ForwardTo():
            return "forward", ""


def _path_type(route: Route) -> PathType:
    match route.match:
        case ExactPath():
            return "Exact"
        case PrefixPath():
            return "Prefix"
        case _:
            return "Regex"


def _port(backend: Backend) -> str:
    # Names of services and of ports may both have dashes.
    return backend.name.partition("@")[0].removeprefix(f"{backend.origin.namespace}-{backend.origin.name}-")


_Place = tuple[NamespacedName, str, str]
"""Service, port and pod."""


def _pods(facts: TrafficFacts) -> Iterator[PodTraffic]:
    limits = dict(_limits(facts.model))
    sessions = {(one.service, pod.pod): pod for one in facts.sessions if one.has_tracked for pod in one.pods}
    counts = _counts_by_server(facts.reading)
    rows: dict[_Place, PodTraffic] = {}
    for backend in facts.model.backends:
        known = facts.pods.get(backend.origin, {})
        for endpoint in backend.endpoints if backend.origin.name else ():
            pod = pod_name(endpoint)
            place = (backend.origin, _port(backend), pod)
            fact = known.get(endpoint.pod or endpoint.address) or PodFact(endpoint.address, "")
            drains = endpoint.state is EndpointState.DRAINING
            row = rows.get(place) or _row(
                place,
                fact,
                "draining" if drains else "ready",
                why=fact.why or "its Service says so" if drains else "",
                sessions=sessions.get((backend.origin, pod)),
                limit=limits.get(backend.name),
            )
            rows[place] = _counted(row, counts.get((backend.name, endpoint.key)), counts.get(("", endpoint.key)))
    yield from (rows[place] for place in sorted(rows, key=_text_of))
    yield from _unserved(facts, {(service, pod) for service, _, pod in rows})


def _text_of(place: _Place) -> str:
    # Comparing fifty thousand tuples keeps Python's lock for 40 ms.
    service, port, pod = place
    return "\0".join((service.namespace, service.name, port, pod))


def _counts_by_server(reading: ProxyReading | None) -> dict[tuple[str, str], ServerCount]:
    """By the backend of the Model, which may be configured in several ways, and the server's name."""
    counts: dict[tuple[str, str], ServerCount] = {}
    for one in reading.servers if reading else ():
        key = (one.backend.partition(":")[0], one.server)
        before = counts.get(key)
        counts[key] = _added(before, one) if before else one
    return counts


def _added(one: ServerCount, other: ServerCount) -> ServerCount:
    busier = max(one, other, key=lambda count: count.requests)
    return ServerCount(
        one.backend,
        one.server,
        one.requests + other.requests,
        one.errors + other.errors,
        one.connections + other.connections,
        busier.response_ms,
    )


def _counted(row: PodTraffic, *counts: ServerCount | None) -> PodTraffic:
    for one in counts:
        if one is not None:
            row = msgspec.structs.replace(
                row,
                requests=row.requests + one.requests,
                errors=row.errors + one.errors,
                connections=row.connections + one.connections,
                response_ms=one.response_ms or row.response_ms,
            )
    return row


def _row(
    place: _Place,
    fact: PodFact,
    state: PodState,
    *,
    why: str,
    sessions: PodSessions | None = None,
    limit: int | None = None,
) -> PodTraffic:
    service, port, pod = place
    return PodTraffic(
        namespace=service.namespace,
        service=service.name,
        port=port,
        pod=pod,
        address=fact.address,
        node=fact.node,
        state=state,
        why=why,
        sessions=len(sessions.ids) if sessions else None,
        in_use=len(sessions.used) if sessions else None,
        limit=limit,
        digests=tuple(sorted(map(session_digest, sessions.ids))) if sessions else (),
    )


def _unserved(facts: TrafficFacts, served: set[tuple[NamespacedName, str]]) -> Iterator[PodTraffic]:
    """The pods of routed Services to which no request goes."""
    ports: dict[NamespacedName, str] = {}
    for backend in facts.model.backends:
        ports.setdefault(backend.origin, _port(backend))
    for service, port in sorted(ports.items()):
        for pod, fact in sorted(facts.pods.get(service, {}).items()):
            if fact.why and (service, pod) not in served:
                yield _row((service, port, pod), fact, "gone" if fact.is_leaving else "not ready", why=fact.why)


def _limits(model: Model) -> Iterator[tuple[str, int]]:
    for host in model.virtual_hosts:
        for route in host.all_routes:
            if isinstance(route.action, ForwardTo) and (affinity := route.action.affinity) and affinity.sessions.limit:
                yield route.action.backend, affinity.sessions.limit


def gone_since(before: TrafficReport, after: TrafficReport) -> tuple[PodTraffic, ...]:
    """The pods that an earlier report had and a later one has not, as they were, and gone."""
    present = {_key(one) for one in after.pods}
    return tuple(
        msgspec.structs.replace(one, state="gone", why=one.why or "it is no more", connections=0)
        for one in before.pods
        if _key(one) not in present
    )


def _key(one: PodTraffic) -> tuple[str, str, str, str]:
    return one.namespace, one.service, one.port, one.pod
