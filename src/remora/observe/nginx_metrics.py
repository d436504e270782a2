"""The metrics of ingress-nginx by its names and labels, so that its dashboards and alerts go on working."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from remora.haproxy.features.counting import UNROUTED
from remora.model import RouteId
from remora.observe.request_durations import Histogram, Key, histogram_families, merged
from remora.observe.request_labels import RequestLabels
from remora.plan.outcome import RequestCount

PREFIX = "nginx_ingress_controller_"


class NginxMetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """ingress-nginx's flags about metrics, and its constant labels."""

    enabled: bool = False
    per_host: bool = True
    per_undefined_host: bool = False
    status_classes: bool = False
    excluded: tuple[str, ...] = ()
    controller_class: str = ""
    controller_namespace: str = ""
    controller_pod: str = ""
    election: str = ""
    """What the leader is elected for: the name of the Lease."""

    @property
    def counts_unrouted(self) -> bool:
        return not self.per_host or self.per_undefined_host

    @property
    def constant(self) -> tuple[str, ...]:
        return self.controller_class, self.controller_namespace, self.controller_pod


class ControllerFacts(NamedTuple):
    """What is told of the controller itself."""

    reloads: int = 0
    failures: int = 0
    last_succeeded: bool = False
    last_success: float = 0.0
    config_hash: int = 0
    leads: bool | None = None
    """None where nobody is elected."""
    release: str = ""


class CertificateFacts(NamedTuple):
    """A certificate that is served, and when it ends (seconds since 1970)."""

    host: str
    namespace: str
    secret: str
    identifier: str
    expires: float


class ProcessFacts(NamedTuple):
    """What HAProxy says of itself."""

    connections: int = 0
    accepted: int = 0
    requests: int = 0
    processes: int = 0
    started: float = 0.0


_CONSTANT = ("controller_class", "controller_namespace", "controller_pod")
_OF_REQUESTS = ("status", "method", "path", "namespace", "ingress", "service", "canary")


def request_metrics(
    settings: NginxMetricsSettings,
    counts: Iterable[RequestCount],
    labels: Mapping[RouteId, RequestLabels],
    durations: Mapping[Key, dict[str, Histogram]],
) -> Iterator[Metric]:
    """Requests and their durations. Requests are counted by HAProxy, which does not keep their method: it is "" there."""
    names = (*_CONSTANT, *_OF_REQUESTS, *(["host"] if settings.per_host else []))
    sums: Counter[tuple[str, ...]] = Counter()
    for one in counts:
        found = RequestLabels() if one.route == UNROUTED else labels.get(one.route)
        if found is not None and (one.route != UNROUTED or settings.counts_unrouted):
            sums[_values(settings, found, "", str(one.code))] += one.count
    requests = CounterMetricFamily(f"{PREFIX}requests", "Requests of clients.", labels=names)
    # By one text: comparing ten thousand tuples keeps Python's lock for 50 ms.
    for values, count in sorted(sums.items(), key=lambda item: "\0".join(item[0])):
        requests.add_metric(values, count)
    if not _is_excluded(settings, "requests"):
        # Its name has no `_total` at its end, which the library would append.
        yield _without_suffix(requests)
    series: dict[tuple[str, ...], dict[str, Histogram]] = {}
    for (route, method, status), histograms in durations.items():
        if not route.ingress and not settings.counts_unrouted:
            continue
        values = _values(settings, route, method, status)
        before = series.get(values)
        series[values] = {n: merged(before[n], one) for n, one in histograms.items()} if before else histograms
    for family in histogram_families(PREFIX, names, series):
        if not _is_excluded(settings, family.name.removeprefix(PREFIX)):
            yield family


def _values(settings: NginxMetricsSettings, labels: RequestLabels, method: str, status: str) -> tuple[str, ...]:
    shown = f"{status[:1]}xx" if settings.status_classes else status
    own = (shown, method, labels.path, labels.namespace, labels.ingress, labels.service, labels.canary)
    return (*settings.constant, *own, *([labels.host or "_"] if settings.per_host else []))


def _is_excluded(settings: NginxMetricsSettings, name: str) -> bool:
    return name in settings.excluded or PREFIX + name in settings.excluded


def _without_suffix(family: CounterMetricFamily) -> Metric:
    metric = Metric(family.name, family.documentation, "unknown")
    metric.samples = [sample._replace(name=sample.name.removesuffix("_total")) for sample in family.samples]
    return metric


def controller_metrics(settings: NginxMetricsSettings, facts: ControllerFacts) -> Iterator[Metric]:
    """What ingress-nginx tells of itself."""
    gauges = {
        "config_last_reload_successful": (float(facts.last_succeeded), "1 if the last configuration took effect, else 0."),
        "config_last_reload_successful_timestamp_seconds": (facts.last_success, "When one last did."),
        "config_hash": (float(facts.config_hash), "Changes with what HAProxy was made to run; 0 after a failure."),
    }
    for name, (value, doc) in gauges.items():
        gauge = GaugeMetricFamily(PREFIX + name, doc, labels=_CONSTANT)
        gauge.add_metric(settings.constant, value)
        yield gauge
    built = GaugeMetricFamily(f"{PREFIX}build_info", "What runs.", labels=(*_CONSTANT, "release", "build", "repository"))
    built.add_metric((*settings.constant, f"remora-{facts.release}", "", ""), 1)
    yield built
    if facts.leads is not None:
        leader = GaugeMetricFamily(f"{PREFIX}leader_election_status", "1 for the leader.", labels=(*_CONSTANT, "name"))
        leader.add_metric((*settings.constant, settings.election), float(facts.leads))
        yield leader
    counters = {"success": (facts.reloads, "Reloads of HAProxy."), "errors": (facts.failures, "Configurations that failed.")}
    for name, (value, doc) in counters.items():
        counter = CounterMetricFamily(PREFIX + name, doc, labels=_CONSTANT)
        counter.add_metric(settings.constant, value)
        yield _without_suffix(counter)


def certificate_metrics(settings: NginxMetricsSettings, certificates: Iterable[CertificateFacts]) -> Iterator[Metric]:
    """When certificates end."""
    names = ("class", "host", "namespace", "secret_name", "identifier")
    gauge = GaugeMetricFamily(f"{PREFIX}ssl_expire_time_seconds", "When the certificate ends, since 1970.", labels=names)
    for one in certificates:
        gauge.add_metric((settings.controller_class, one.host, one.namespace, one.secret, one.identifier), one.expires)
    yield gauge


def process_metrics(settings: NginxMetricsSettings, facts: ProcessFacts) -> Iterator[Metric]:
    """HAProxy in nginx's words. It does not tell which connections read or write: all are `active`."""
    prefix = f"{PREFIX}nginx_process_"
    now = GaugeMetricFamily(f"{prefix}connections", "Connections of clients.", labels=(*_CONSTANT, "state"))
    now.add_metric((*settings.constant, "active"), facts.connections)
    total = CounterMetricFamily(f"{prefix}connections", "Connections since the start.", labels=(*_CONSTANT, "state"))
    for state in ("accepted", "handled"):
        total.add_metric((*settings.constant, state), facts.accepted)
    requests = CounterMetricFamily(f"{prefix}requests", "Requests since the start.", labels=_CONSTANT)
    requests.add_metric(settings.constant, facts.requests)
    processes = GaugeMetricFamily(f"{prefix}num_procs", "Processes of HAProxy.", labels=_CONSTANT)
    processes.add_metric(settings.constant, facts.processes)
    started = GaugeMetricFamily(f"{prefix}oldest_start_time_seconds", "When the oldest began, since 1970.", labels=_CONSTANT)
    started.add_metric(settings.constant, facts.started)
    yield from (now, total, requests, processes, started)
