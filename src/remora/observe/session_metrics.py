"""Sessions as Prometheus metrics."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from remora.core.names import NamespacedName
from remora.observe.live_sessions import ServiceSessions


def session_metrics(
    services: Iterable[ServiceSessions], broken: Mapping[NamespacedName, Mapping[str, int]]
) -> Iterator[Metric]:
    """Live sessions by Service and pod, for Services that track them, and broken sessions by Service and reason."""
    live = GaugeMetricFamily(
        "remora_sessions", "Live sessions, for Services whose routes track them.", labels=["namespace", "service", "pod"]
    )
    for one in services:
        for pod in one.pods if one.has_tracked else ():
            live.add_metric([one.service.namespace, one.service.name, pod.pod], len(pod.ids))
    yield live
    names = ["namespace", "service", "reason"]
    lost = CounterMetricFamily("remora_sessions_broken", "Sessions whose client came to another pod, by reason.", labels=names)
    for service, reasons in sorted(broken.items()):
        for reason, count in reasons.items():
            lost.add_metric([service.namespace, service.name, reason], count)
    yield lost
