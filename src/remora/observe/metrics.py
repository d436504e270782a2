"""Prometheus metrics, in a registry of our own."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as PrometheusCounter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remora.core.problem import Problem
from remora.haproxy.features.counting import UNROUTED
from remora.model import Model, RouteId
from remora.observe.live_sessions import ServiceSessions
from remora.observe.nginx_facts import certificate_facts, facts_after, process_facts
from remora.observe.nginx_metrics import (
    ControllerFacts,
    NginxMetricsSettings,
    ProcessFacts,
    certificate_metrics,
    controller_metrics,
    process_metrics,
    request_metrics,
)
from remora.observe.request_durations import RequestDurations
from remora.observe.request_labels import labels_of_requests, path_of
from remora.observe.session_metrics import session_metrics
from remora.observe.session_report import broken_by_service
from remora.plan.outcome import BrokenCount, Outcome, OutcomeKind, RequestCount

UNKNOWN = ""
"""The label value for what no route of the present Model stands for."""


class RouteLabels(msgspec.Struct, frozen=True):
    """What a route is called in metrics."""

    namespace: str = UNKNOWN
    ingress: str = UNKNOWN
    host: str = UNKNOWN
    path: str = UNKNOWN


def labels_of_routes(model: Model) -> dict[RouteId, RouteLabels]:
    """The labels of every route of the Model."""
    return {
        route.id: RouteLabels(route.origin.namespace, route.origin.name, host.host, path_of(route))
        for host in model.virtual_hosts
        for route in host.all_routes
    }


def sum_requests(counts: Iterable[RequestCount], labels: Mapping[RouteId, RouteLabels]) -> dict[tuple[RouteLabels, int], int]:
    """Requests by labels and status. Those without a route have empty labels; the series of a route that is no more ends."""
    sums: Counter[tuple[RouteLabels, int]] = Counter()
    for one in counts:
        found = RouteLabels() if one.route == UNROUTED else labels.get(one.route)
        if found is not None:
            sums[found, one.code] += one.count
    return dict(sums)


def _place(item: tuple[tuple[RouteLabels, int], int]) -> str:
    """One text: comparing ten thousand tuples keeps Python's lock for 50 ms."""
    labels, code = item[0]
    return "\0".join((labels.namespace, labels.ingress, labels.host, labels.path, str(code)))


REASONS = {
    "was not running": "start",
    "ConfigMap's": "settings",
    "program": "settings",
    "peers changed": "peers",
    "needs directives of its own": "dedicated-backend",
    "has no free backend": "pool-exhausted",
    "runs low": "pool-low",
    "certificate": "certificate",
    "not confirmed": "runtime-command",
}
"""Words of an Outcome's reason to its label, which must have bounds while reasons name backends."""


def reason_label(reason: str) -> str:
    """A reload's reason as a label."""
    return next((label for words, label in REASONS.items() if words in reason), "other")


class Reading(Protocol):
    """Who reads what HAProxy tells of requests."""

    durations: RequestDurations
    lines: int


class Exporting(Protocol):
    """Who sends spans."""

    sent: int
    dropped: int


class Metrics(Collector):
    """All metrics. Those that are told are kept here; the rest is computed when somebody asks."""

    def __init__(self, nginx: NginxMetricsSettings | None = None) -> None:
        self._nginx = nginx or NginxMetricsSettings()
        self._facts = ControllerFacts(release=version("remora"))
        self._process = ProcessFacts()
        self._reading: Reading | None = None
        self._spans: Exporting | None = None
        self.registry = CollectorRegistry()
        self._generation = Gauge(
            "remora_config_generation", "Configurations that took effect since the start.", registry=self.registry
        )
        self._succeeded = Gauge(
            "remora_config_last_apply_successful", "1 if HAProxy runs what was wanted last, else 0.", registry=self.registry
        )
        self._reloads = PrometheusCounter(
            "remora_reloads", "Reloads of HAProxy by reason; a start is one.", ["reason"], registry=self.registry
        )
        self._commands = PrometheusCounter(
            "remora_runtime_commands", "Commands that HAProxy confirmed on its runtime socket.", registry=self.registry
        )
        self._apply_seconds = Histogram(
            "remora_apply_seconds",
            "Time to make HAProxy run what is wanted.",
            registry=self.registry,
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10),
        )
        self._change_seconds = Histogram(
            "remora_change_seconds",
            "Time from a change in the API, as it was told, until HAProxy ran it; of several at once, the longest.",
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self._failures = PrometheusCounter(
            "remora_loop_failures", "Errors in the controller's own loop, each of which it survived.", registry=self.registry
        )
        self._lag = Gauge(
            "remora_event_loop_lag_seconds",
            "How late the event loop ran what was due, at the most within the last second.",
            registry=self.registry,
        )
        self._longest_lag = Gauge(
            "remora_event_loop_lag_longest_seconds",
            "How late the event loop ran what was due, at the most since the start.",
            registry=self.registry,
        )
        self._longest_computed = Gauge(
            "remora_event_loop_computing_longest_seconds",
            "How long of such a lateness the loop's own thread computed, at the most since the start; "
            "the rest of it other threads and processes had the processor.",
            registry=self.registry,
        )
        self._longest_seen = 0.0
        self._longest_computed_seen = 0.0
        self._leader = Gauge(
            "remora_leader", "1 if this replica writes what only one may write, else 0.", registry=self.registry
        )
        self._synced = Gauge("remora_synced", "1 once every kind was listed.", registry=self.registry)
        self._current = Gauge(
            "remora_api_connected", "1 if the last request for the kind succeeded, else 0.", ["kind"], registry=self.registry
        )
        self._model = Model()
        self._requests: tuple[RequestCount, ...] = ()
        self._sessions: tuple[ServiceSessions, ...] = ()
        self._broken: tuple[BrokenCount, ...] = ()
        self._problems: Sequence[Problem] = ()
        self.registry.register(self)

    def tell_outcome(self, outcome: Outcome) -> None:
        """Takes what became of a Configuration."""
        self._generation.set(outcome.generation)
        self._succeeded.set(outcome.kind is not OutcomeKind.FAILED)
        self._facts = facts_after(self._facts, outcome, now=time.time())
        if outcome.kind is not OutcomeKind.UNCHANGED:
            self._apply_seconds.observe(outcome.seconds)
        self._commands.inc(outcome.commands)
        if outcome.kind in (OutcomeKind.RELOAD, OutcomeKind.START):
            for reason in {reason_label(reason) for reason in outcome.reasons}:
                self._reloads.labels(reason).inc()

    def tell_change(self, seconds: float | None) -> None:
        """Takes how long a change waited until HAProxy ran it, if one did."""
        if seconds is not None:
            self._change_seconds.observe(seconds)

    def tell_translation(self, model: Model, problems: Sequence[Problem]) -> None:
        """Takes what there is now."""
        self._model = model
        self._problems = problems

    def tell_requests(self, counts: tuple[RequestCount, ...]) -> None:
        """Takes HAProxy's counters; nothing is forgotten because they could not be read."""
        self._requests = counts or self._requests

    def tell_sessions(self, sessions: tuple[ServiceSessions, ...], broken: tuple[BrokenCount, ...]) -> None:
        """Takes the live sessions and, since the start, those that broke."""
        self._sessions = sessions
        self._broken = broken

    def tell_process(self, info: Mapping[str, int]) -> None:
        """Takes what HAProxy says of itself."""
        self._process = process_facts(info, now=time.time())

    def tell_reading(self, reader: "Reading", spans: "Exporting") -> None:
        """Takes who reads what HAProxy tells of requests, and who sends spans."""
        self._reading, self._spans = reader, spans

    def tell_failure(self) -> None:
        """Counts an error of the loop."""
        self._failures.inc()

    def tell_lag(self, seconds: float, computed: float) -> None:
        """Takes how late the event loop was, and how long of that its own thread computed."""
        self._lag.set(seconds)
        self._longest_seen = max(seconds, self._longest_seen)
        self._longest_lag.set(self._longest_seen)
        self._longest_computed_seen = max(computed, self._longest_computed_seen)
        self._longest_computed.set(self._longest_computed_seen)

    def tell_leader(self, leads: bool) -> None:
        """Takes whether this replica leads."""
        self._leader.set(leads)
        self._facts = self._facts._replace(leads=leads)

    def tell_sync(self, *, has_synced: bool, current: Mapping[str, bool]) -> None:
        """Takes how the reflectors stand, by kind."""
        self._synced.set(has_synced)
        for kind, is_current in current.items():
            self._current.labels(kind).set(is_current)

    def render(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """What is computed when somebody asks (prometheus_client calls this)."""
        names = ["namespace", "ingress", "host", "path", "code"]
        requests = CounterMetricFamily("remora_requests", "Requests answered, by route and status.", labels=names)
        for (labels, code), count in sorted(sum_requests(self._requests, labels_of_routes(self._model)).items(), key=_place):
            requests.add_metric([labels.namespace, labels.ingress, labels.host, labels.path, str(code)], count)
        yield requests
        problems = GaugeMetricFamily("remora_problems", "What is wrong in objects now.", labels=["namespace", "code"])
        by_kind = Counter((problem.object.name.namespace, problem.code) for problem in self._problems)
        for (namespace, problem), count in sorted(by_kind.items()):
            problems.add_metric([namespace, problem], count)
        yield problems
        yield from self._of_nginx()
        yield from self._of_reading()
        yield from session_metrics(self._sessions, broken_by_service(self._model, self._broken))

    def _of_nginx(self) -> Iterator[Metric]:
        durations = self._reading.durations.read() if self._reading else {}
        yield from request_metrics(self._nginx, self._requests, labels_of_requests(self._model), durations)
        yield from controller_metrics(self._nginx, self._facts)
        yield from certificate_metrics(self._nginx, certificate_facts(self._model))
        yield from process_metrics(self._nginx, self._process)

    def _of_reading(self) -> Iterator[Metric]:
        told = {
            "remora_request_lines": (self._reading.lines if self._reading else 0, "Lines about requests that were read."),
            "remora_spans_sent": (self._spans.sent if self._spans else 0, "Spans that the collector took."),
            "remora_spans_dropped": (self._spans.dropped if self._spans else 0, "Spans that were lost."),
        }
        for name, (value, doc) in told.items():
            counter = CounterMetricFamily(name, doc)
            counter.add_metric([], value)
            yield counter
