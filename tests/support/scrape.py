"""A scrape in which every metric that a controller can tell has a sample."""

from collections.abc import Sequence

from prometheus_client.core import Metric

from remora.core.names import Hostname, NamespacedName, ObjectRef
from remora.core.problem import Problem
from remora.haproxy.features.broken_sessions import Reason
from remora.model import (
    Affinity,
    AffinityMode,
    Backend,
    BackendName,
    Balancing,
    Certificate,
    EndpointState,
    ForwardTo,
    Model,
    PrefixPath,
    Route,
    RouteId,
    VirtualHost,
)
from remora.observe.live_sessions import PodSessions, ServiceSessions
from remora.observe.metrics import Metrics
from remora.observe.nginx_metrics import NginxMetricsSettings
from remora.observe.request_durations import RequestDurations
from remora.observe.request_labels import labels_of_requests
from remora.observe.span_exporter import SpanExporter
from remora.plan.outcome import BrokenCount, Outcome, OutcomeKind, RequestCount
from tests.support.certificates import self_signed
from tests.unit.observe.test_access_log import line

WEB, ROUTE, BACKEND = NamespacedName("shop", "web"), RouteId("r1"), BackendName("shop-web-80")
STICKY = Affinity(AffinityMode.PERSISTENT, "INGRESSCOOKIE", "ab")


class _Reader:
    def __init__(self) -> None:
        self.durations = RequestDurations()
        self.lines = 1


def every_metric() -> Sequence[Metric]:
    """All families, each with at least one sample."""
    model = Model(
        (VirtualHost(Hostname("a.test"), (Route(ROUTE, PrefixPath("/"), ForwardTo(BACKEND, STICKY), WEB),)),),
        (Backend(BACKEND, Balancing.ROUND_ROBIN, origin=WEB),),
        (Certificate("shop/tls", (Hostname("a.test"),), self_signed("a.test")),),
    )
    metrics = Metrics(NginxMetricsSettings(enabled=True, election="lease"))
    metrics.tell_translation(model, [Problem(ObjectRef("Ingress", WEB), "spec", "Wrong", "m", "c")])
    metrics.tell_outcome(Outcome(1, OutcomeKind.START, ("HAProxy was not running",)))
    metrics.tell_requests((RequestCount(ROUTE, 200, 1),))
    pod = PodSessions("web-0", EndpointState.ACTIVE, frozenset(("a",)))
    sessions = ServiceSessions(WEB, is_tracked=True, has_tracked=True, pods=(pod,))
    metrics.tell_sessions((sessions,), (BrokenCount(ROUTE, Reason.GONE, 1),))
    metrics.tell_process({"CurrConns": 1, "CumConns": 1, "CumReq": 1, "workers": 1, "oldest": 1})
    metrics.tell_leader(leads=True)
    metrics.tell_sync(has_synced=True, current={"Ingress": True})
    reader = _Reader()
    reader.durations.tell(line("", method="GET"), labels_of_requests(model)[ROUTE])
    metrics.tell_reading(reader, SpanExporter())
    return list(metrics.registry.collect())
