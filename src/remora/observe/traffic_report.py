"""What the controller says of its traffic: the answer of `GET /traffic`, and what replicas' answers are together. Pure.

All numbers of requests are cumulative since the controller started; rates are the reader's to make of two reports.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

MOST_CHANGES = 200

PodState = Literal["ready", "draining", "not ready", "gone"]
PathType = Literal["Exact", "Prefix", "Regex"]
Deed = Literal["forward", "redirect", "closed", "not found"]
ChangeKind = Literal["runtime update", "reload", "start", "refused"]
T = TypeVar("T")


class TrafficQuestion(msgspec.Struct, frozen=True):
    """What is asked for, "" for everything. With `digests`, the sessions of pods are told one by one, so that the answers of
    replicas can be merged."""

    host: str = ""
    namespace: str = ""
    service: str = ""
    digests: str = ""


class ProxyTraffic(msgspec.Struct, frozen=True):
    """HAProxy itself. `former_workers` are those of before a reload that still finish connections; `pid` and `uptime` (seconds)
    are the present worker's, 0 where replicas were merged."""

    version: str
    pid: int
    uptime: float
    workers: int
    former_workers: int
    connections: int


class Durations(msgspec.Struct, frozen=True):
    """How long requests took: for each bound of `buckets`, and one more, how many took so long and no less; and their sum."""

    counts: tuple[int, ...]
    seconds: float


class RouteTraffic(msgspec.Struct, frozen=True):
    """A route. `does` is what becomes of requests, and `reason` where a redirect leads, or why the route is closed.

    `canary_of` is the id of the route that this one is the canary of. `durations` are None where they are not measured.
    """

    id: str
    host: str
    path: str
    path_type: PathType
    namespace: str
    ingress: str
    does: Deed
    service: str = ""
    port: str = ""
    reason: str = ""
    canary_of: str = ""
    requests: dict[str, int] = {}
    """By status."""
    durations: Durations | None = None


class PodTraffic(msgspec.Struct, frozen=True):
    """A pod behind a port of a Service. `sessions` (of all ports of the Service) is None where they are not tracked, `limit` if
    there is none.

    `errors` are answers of 5xx, connections that failed and answers that broke off. `response_ms` is the mean of the last
    1024 answers. `why` says why a pod gets no new sessions.
    """

    namespace: str
    service: str
    port: str
    pod: str
    address: str
    node: str
    state: PodState
    why: str = ""
    sessions: int | None = None
    in_use: int | None = None
    limit: int | None = None
    requests: int = 0
    errors: int = 0
    connections: int = 0
    response_ms: int = 0
    digests: tuple[str, ...] = ()


class BrokenTraffic(msgspec.Struct, frozen=True):
    """Sessions of a Service that broke for a reason."""

    namespace: str
    service: str
    reason: str
    count: int


class ProblemReport(msgspec.Struct, frozen=True):
    """What is wrong in an object now."""

    kind: str
    namespace: str
    name: str
    field: str
    code: str
    message: str
    consequence: str
    severity: str


class ChangeReport(msgspec.Struct, frozen=True):
    """What became of a change. `objects` are the first five of those that changed, and `more` is how many others did.

    `milliseconds` is the time from the first event until HAProxy ran it, or None where there was none. `commands` are those of
    a runtime update.
    """

    at: float
    kind: ChangeKind
    reasons: tuple[str, ...] = ()
    commands: int = 0
    objects: tuple[str, ...] = ()
    more: int = 0
    milliseconds: float | None = None
    replica: str = ""


class TrafficReport(msgspec.Struct, frozen=True):
    """The answer. `at` is in seconds since 1970; `uptime` is the controller's. `proxy` is None while HAProxy does not answer.

    `unrouted` are the requests that no route took, by status. `buckets` are the bounds of all durations, in seconds.
    """

    at: float
    uptime: float
    replica: str
    proxy: ProxyTraffic | None = None
    reloads: int = 0
    routes: tuple[RouteTraffic, ...] = ()
    unrouted: dict[str, int] = {}
    buckets: tuple[float, ...] = ()
    pods: tuple[PodTraffic, ...] = ()
    broken: tuple[BrokenTraffic, ...] = ()
    problems: tuple[ProblemReport, ...] = ()
    changes: tuple[ChangeReport, ...] = ()


def parse_question(query: Mapping[str, str]) -> TrafficQuestion:
    """What a query asks for; what is unknown there is passed over."""
    return msgspec.convert({name: query.get(name, "") for name in TrafficQuestion.__struct_fields__}, TrafficQuestion)


def narrowed(report: TrafficReport, question: TrafficQuestion) -> TrafficReport:
    """What of a report was asked for. Problems and changes are all told, unless a namespace is asked for."""
    routes = tuple(
        one
        for one in report.routes
        if question.host in ("", one.host)
        and question.namespace in ("", one.namespace)
        and question.service in ("", one.service)
    )
    services = {(one.namespace, one.service) for one in routes} if question.host else None
    pods = (
        one if question.digests else msgspec.structs.replace(one, digests=())
        for one in report.pods
        if _is_wanted(question, services, one.namespace, one.service)
    )
    broken = (one for one in report.broken if _is_wanted(question, services, one.namespace, one.service))
    problems = (one for one in report.problems if question.namespace in ("", one.namespace))
    return msgspec.structs.replace(report, routes=routes, pods=tuple(pods), broken=tuple(broken), problems=tuple(problems))


def merged(reports: Sequence[TrafficReport]) -> TrafficReport:
    """What replicas say together. A session that several saw counts once if their reports have digests."""
    if len(reports) == 1:
        return reports[0]
    unrouted: Counter[str] = Counter()
    for report in reports:
        unrouted.update(report.unrouted)
    changes = sorted((change for report in reports for change in report.changes), key=lambda one: one.at)
    return TrafficReport(
        at=max(report.at for report in reports),
        uptime=min(report.uptime for report in reports),
        replica=", ".join(sorted(report.replica for report in reports)),
        proxy=_merged_proxy([report.proxy for report in reports if report.proxy]),
        reloads=sum(report.reloads for report in reports),
        routes=tuple(_merged_route(parts) for parts in _grouped((r.id, r) for report in reports for r in report.routes)),
        unrouted=dict(sorted(unrouted.items())),
        buckets=reports[0].buckets,
        pods=tuple(
            _merged_pod(parts)
            for parts in _grouped(((p.namespace, p.service, p.port, p.pod), p) for report in reports for p in report.pods)
        ),
        broken=tuple(
            msgspec.structs.replace(parts[0], count=sum(one.count for one in parts))
            for parts in _grouped(((b.namespace, b.service, b.reason), b) for report in reports for b in report.broken)
        ),
        problems=tuple(dict.fromkeys(problem for report in reports for problem in report.problems)),
        changes=tuple(changes[-MOST_CHANGES:]),
    )


def _is_wanted(question: TrafficQuestion, services: set[tuple[str, str]] | None, namespace: str, service: str) -> bool:
    if services is not None and (namespace, service) not in services:
        return False
    return question.namespace in ("", namespace) and question.service in ("", service)


def _grouped(pairs: Iterable[tuple[Hashable, T]]) -> Iterable[list[T]]:
    groups: dict[Hashable, list[T]] = {}
    for key, one in pairs:
        groups.setdefault(key, []).append(one)
    return groups.values()


def _merged_proxy(parts: Sequence[ProxyTraffic]) -> ProxyTraffic | None:
    if not parts:
        return None
    return ProxyTraffic(
        version=", ".join(sorted({one.version for one in parts})),
        pid=0,
        uptime=0.0,
        workers=sum(one.workers for one in parts),
        former_workers=sum(one.former_workers for one in parts),
        connections=sum(one.connections for one in parts),
    )


def _merged_route(parts: Sequence[RouteTraffic]) -> RouteTraffic:
    requests: Counter[str] = Counter()
    for one in parts:
        requests.update(one.requests)
    measured = [one.durations for one in parts if one.durations]
    durations = None
    if measured:
        counts = tuple(map(sum, zip(*(one.counts for one in measured), strict=True)))
        durations = Durations(counts, sum(one.seconds for one in measured))
    return msgspec.structs.replace(parts[0], requests=dict(sorted(requests.items())), durations=durations)


def _merged_pod(parts: Sequence[PodTraffic]) -> PodTraffic:
    """A replica that has not heard of a change yet may still call a pod ready; the others know better."""
    order: Sequence[PodState] = ("draining", "ready", "not ready", "gone")
    first = min(parts, key=lambda one: order.index(one.state))
    known = [one for one in parts if one.sessions is not None]
    digests = {digest for one in known for digest in one.digests}
    sessions = len(digests) or sum(one.sessions or 0 for one in known)
    requests = sum(one.requests for one in parts)
    weighted = sum(one.response_ms * one.requests for one in parts)
    return msgspec.structs.replace(
        first,
        sessions=sessions if known else None,
        in_use=sum(one.in_use or 0 for one in known) if known else None,
        requests=requests,
        errors=sum(one.errors for one in parts),
        connections=sum(one.connections for one in parts),
        response_ms=round(weighted / requests) if requests else 0,
        digests=tuple(sorted(digests)),
    )
