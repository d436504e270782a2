"""From two reports of traffic to what happens between them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remora.observe.growth import grown, grown_counts, percentile
from remora.observe.traffic_report import ChangeReport, PodTraffic, ProxyTraffic, RouteTraffic, TrafficReport


class RouteLine(msgspec.Struct, frozen=True):
    """A route now. Rates are requests a second, `errors` the share of answers with 5xx, times are in milliseconds.

    What is not known is None: rates at the first look, times where they are not measured or nobody asked.
    """

    host: str
    path: str
    ingress: str
    to: str
    state: str
    rate: float | None
    errors: float | None
    p50: float | None
    p99: float | None


class PodLine(msgspec.Struct, frozen=True):
    """A pod behind a port of a Service now."""

    namespace: str
    pod: str
    service: str
    node: str
    state: str
    why: str
    sessions: int | None
    limit: int | None
    rate: float | None
    errors: float | None
    milliseconds: int | None
    connections: int


class View(msgspec.Struct, frozen=True):
    """All that is shown. `broken` are sessions by reason, since the controller started."""

    at: float
    uptime: float
    replica: str
    proxy: ProxyTraffic | None
    reloads: int
    rate: float | None
    errors: float | None
    sessions: int | None
    broken: dict[str, int]
    problems: int
    last_change: ChangeReport | None
    measures: bool
    routes: tuple[RouteLine, ...]
    pods: tuple[PodLine, ...]


def view_of(before: TrafficReport | None, after: TrafficReport) -> View:
    """What happens between two reports; without a first one, or if other replicas answered, there are no rates."""
    seconds = after.at - before.at if before and before.replica == after.replica else 0.0
    earlier = {one.id: one for one in before.routes} if before and seconds > 0 else {}
    routes = tuple(_route(earlier.get(one.id), one, seconds, after.buckets) for one in after.routes)
    former = {_key(one): one for one in before.pods} if before and seconds > 0 else {}
    unrouted = _added(before.unrouted if before else {}, after.unrouted)
    deltas = [_added(earlier[one.id].requests if one.id in earlier else {}, one.requests) for one in after.routes]
    total, errors = _sums((*deltas, unrouted))
    return View(
        at=after.at,
        uptime=after.uptime,
        replica=after.replica,
        proxy=after.proxy,
        reloads=after.reloads,
        rate=total / seconds if seconds > 0 else None,
        errors=errors / total if seconds > 0 and total else None,
        sessions=_sessions(after.pods),
        broken=_broken(after),
        problems=len(after.problems),
        last_change=after.changes[-1] if after.changes else None,
        measures=any(one.durations for one in after.routes),
        routes=routes,
        pods=tuple(_pod(former.get(_key(one)), one, seconds) for one in after.pods),
    )


def _route(before: RouteTraffic | None, after: RouteTraffic, seconds: float, buckets: Sequence[float]) -> RouteLine:
    p50 = p99 = None
    if after.durations and seconds > 0:
        counts = grown_counts(after.durations.counts, before.durations.counts if before and before.durations else ())
        p50, p99 = (_milliseconds(percentile(counts, buckets, share)) for share in (0.5, 0.99))
    total, errors = _sums([_added(before.requests if before else {}, after.requests)])
    canary = " (canary)" if after.canary_of else ""
    return RouteLine(
        host=after.host or "*",
        path=after.path,
        ingress=f"{after.namespace}/{after.ingress}",
        to=f"{after.service}:{after.port}{canary}" if after.service else after.reason or after.does,
        state="ready" if after.does == "forward" else after.does,
        rate=total / seconds if seconds > 0 else None,
        errors=errors / total if seconds > 0 and total else None,
        p50=p50,
        p99=p99,
    )


def _pod(before: PodTraffic | None, after: PodTraffic, seconds: float) -> PodLine:
    requests = grown(after.requests, before.requests if before else 0)
    errors = grown(after.errors, before.errors if before else 0)
    return PodLine(
        namespace=after.namespace,
        pod=after.pod,
        service=f"{after.namespace}/{after.service}:{after.port}",
        node=after.node,
        state=after.state,
        why=after.why,
        sessions=after.sessions,
        limit=after.limit,
        rate=requests / seconds if seconds > 0 else None,
        errors=min(1.0, errors / requests) if seconds > 0 and requests else None,
        milliseconds=after.response_ms if after.requests else None,
        connections=after.connections,
    )


def _key(one: PodTraffic) -> tuple[str, ...]:
    return one.namespace, one.service, one.port, one.pod


def _added(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {code: grown(count, before.get(code, 0)) for code, count in after.items()}


def _sums(deltas: Iterable[Mapping[str, int]]) -> tuple[int, int]:
    """All requests, and those with 5xx."""
    total = errors = 0
    for delta in deltas:
        for code, count in delta.items():
            total += count
            errors += count if code.startswith("5") else 0
    return total, errors


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _sessions(pods: Iterable[PodTraffic]) -> int | None:
    """Of every pod of a Service once, however many ports it has."""
    known = {(one.namespace, one.service, one.pod): one.sessions for one in pods if one.sessions is not None}
    return sum(known.values()) if known else None


def _broken(report: TrafficReport) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in report.broken:
        counts[one.reason] = counts.get(one.reason, 0) + one.count
    return dict(sorted(counts.items()))


def draining(view: View) -> Iterator[PodLine]:
    """The pods that keep sessions and get no new ones."""
    return (one for one in view.pods if one.state == "draining")
