"""What the controller says of sessions: the answer of `GET /sessions`, and what replicas' answers are together. Pure.

Sessions are told by digest only. A report of one replica is what it sees; `merged` counts a session that several saw once.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from remora.core.names import NamespacedName
from remora.model import EndpointState, Model
from remora.observe.live_sessions import (
    ServiceSessions,
    find_server,
    find_session,
    services_of_routes,
    session_digest,
)
from remora.plan.outcome import BrokenCount, LiveSession


class SessionQuestion(msgspec.Struct, frozen=True):
    """What is asked for. "" is everything; `session` is a digest and `server` the name in a cookie, for the way of one session.

    With `digests`, every pod's sessions are told one by one, so that the answers of replicas can be merged.
    """

    namespace: str = ""
    service: str = ""
    pod: str = ""
    session: str = ""
    server: str = ""
    digests: str = ""


class PodReport(msgspec.Struct, frozen=True):
    """A pod of a Service. `sessions` is None where they are not tracked."""

    pod: str
    state: str
    sessions: int | None = None
    in_use: int | None = None
    digests: tuple[str, ...] = ()


class ServiceReport(msgspec.Struct, frozen=True):
    """A Service with session affinity. `tracking` says for how many of its routes: all, some or none."""

    namespace: str
    service: str
    tracking: str
    sessions: int | None
    pods: tuple[PodReport, ...]
    broken: dict[str, int]


class Whereabouts(msgspec.Struct, frozen=True):
    """A pod on which one session was seen, or that its cookie names; then without `idle_seconds`."""

    namespace: str
    service: str
    pod: str
    state: str
    idle_seconds: float | None = None
    in_use: bool = False


class SessionReport(msgspec.Struct, frozen=True):
    """The answer. `seen` and `named` are there when one session was asked for."""

    services: tuple[ServiceReport, ...] = ()
    seen: tuple[Whereabouts, ...] = ()
    named: tuple[Whereabouts, ...] = ()


def parse_question(query: Mapping[str, str]) -> SessionQuestion:
    """The question in a URL's query; what is not known there asks nothing."""
    return msgspec.convert({name: query.get(name, "") for name in SessionQuestion.__struct_fields__}, SessionQuestion)


def broken_by_service(model: Model, broken: Iterable[BrokenCount]) -> dict[NamespacedName, dict[str, int]]:
    """Broken sessions by Service and reason; those of routes that are no more are left out."""
    services = services_of_routes(model)
    sums: dict[NamespacedName, Counter[str]] = {}
    for one in broken:
        if (service := services.get(one.route)) is not None:
            sums.setdefault(service, Counter())[one.reason.value] += one.count
    return {service: dict(sorted(counts.items())) for service, counts in sums.items()}


def report_sessions(
    model: Model,
    services: Sequence[ServiceSessions],
    entries: Sequence[LiveSession],
    broken: Iterable[BrokenCount],
    question: SessionQuestion,
) -> SessionReport:
    """The answer of one controller."""
    reasons = broken_by_service(model, broken)
    wanted = (
        _service(one, question, reasons.get(one.service, {}))
        for one in services
        if question.namespace in ("", one.service.namespace) and question.service in ("", one.service.name)
    )
    seen = find_session(model, entries, question.session) if question.session else ()
    named = find_server(model, question.server) if question.server else ()
    return SessionReport(
        tuple(one for one in wanted if one.pods or not question.pod),
        tuple(
            _whereabouts(one.service, one.pod, one.state, idle_seconds=round(one.idle_seconds, 3), in_use=one.in_use)
            for one in seen
        ),
        tuple(_whereabouts(*one) for one in named),
    )


def merged(reports: Sequence[SessionReport]) -> SessionReport:
    """What replicas say together; their reports have digests."""
    services: dict[tuple[str, str], list[ServiceReport]] = {}
    for one in (service for report in reports for service in report.services):
        services.setdefault((one.namespace, one.service), []).append(one)
    sightings = sorted((one for report in reports for one in report.seen), key=_freshness, reverse=True)
    seen = {(one.namespace, one.service, one.pod): one for one in sightings}  # the freshest is the last
    named = {(one.namespace, one.service, one.pod): one for report in reports for one in report.named}
    return SessionReport(
        tuple(_merged_service(services[key]) for key in sorted(services)),
        tuple(sorted(seen.values(), key=_freshness)),
        tuple(named[key] for key in sorted(named)),
    )


def _service(one: ServiceSessions, question: SessionQuestion, broken: dict[str, int]) -> ServiceReport:
    pods = [pod for pod in one.pods if question.pod in ("", pod.pod)]
    tracking = "all" if one.is_tracked else "some" if one.has_tracked else "none"
    reports = tuple(
        PodReport(
            pod.pod,
            pod.state.value,
            len(pod.ids) if one.has_tracked else None,
            len(pod.used) if one.has_tracked else None,
            tuple(sorted(map(session_digest, pod.ids))) if question.digests else (),
        )
        for pod in pods
    )
    return ServiceReport(one.service.namespace, one.service.name, tracking, _sum(reports), reports, broken)


def _sum(pods: Iterable[PodReport]) -> int | None:
    known = [pod.sessions for pod in pods if pod.sessions is not None]
    return sum(known) if known else None


def _whereabouts(
    service: NamespacedName, pod: str, state: EndpointState, *, idle_seconds: float | None = None, in_use: bool = False
) -> Whereabouts:
    return Whereabouts(service.namespace, service.name, pod, state.value, idle_seconds, in_use)


def _freshness(one: Whereabouts) -> tuple[bool, float]:
    return not one.in_use, one.idle_seconds or 0.0


def _merged_service(parts: Sequence[ServiceReport]) -> ServiceReport:
    by_pod: dict[str, list[PodReport]] = {}
    for pod in (pod for part in parts for pod in part.pods):
        by_pod.setdefault(pod.pod, []).append(pod)
    broken: Counter[str] = Counter()
    for part in parts:
        broken.update(part.broken)
    pods = tuple(_merged_pod(by_pod[name]) for name in sorted(by_pod))
    first = parts[0]
    return ServiceReport(first.namespace, first.service, first.tracking, _sum(pods), pods, dict(sorted(broken.items())))


def _merged_pod(parts: Sequence[PodReport]) -> PodReport:
    first = parts[0]
    if len(parts) == 1 or first.sessions is None:
        return first
    digests = sorted({digest for part in parts for digest in part.digests})
    return PodReport(first.pod, first.state, len(digests), sum(part.in_use or 0 for part in parts), tuple(digests))
