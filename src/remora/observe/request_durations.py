"""How long requests took and how large they were, as histograms by the labels of ingress-nginx."""

from bisect import bisect_left
from collections.abc import Iterator

import msgspec
from prometheus_client.core import HistogramMetricFamily

from remora.observe.request_labels import RequestLabels
from remora.observe.request_line import RequestLine

TIME = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LENGTH = tuple(float(10 * number) for number in range(1, 11))
SIZE = tuple(float(10**number) for number in range(1, 8))

HISTOGRAMS = {
    "request_duration_seconds": (TIME, "First byte of the request to last byte of the answer."),
    "connect_duration_seconds": (TIME, "Connecting to the pod."),
    "header_duration_seconds": (TIME, "Until the head of the pod's answer."),
    "response_duration_seconds": (TIME, "Until the end of the pod's answer."),
    "request_size": (LENGTH, "Bytes of the request with its headers."),
    "response_size": (LENGTH, "Bytes sent, headers included."),
    "bytes_sent": (SIZE, "The same as response_size."),
}
"""Name to buckets and description, as ingress-nginx has them."""

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "REPORT"))
OTHER = "OTHER"
"""The label of methods that anybody may invent."""


class Histogram(msgspec.Struct, gc=False):
    """Counts by bucket, none of which holds what another does, and the sum of all values."""

    counts: list[int]
    total: float = 0.0

    def observe(self, buckets: tuple[float, ...], value: float) -> None:
        self.counts[bisect_left(buckets, value)] += 1
        self.total += value


Key = tuple[RequestLabels, str, str]
"""Labels of the route, method, status."""


class RequestDurations:
    """Histograms of all requests that were told."""

    def __init__(self) -> None:
        self._series: dict[Key, dict[str, Histogram]] = {}

    def tell(self, line: RequestLine, labels: RequestLabels) -> None:
        """Takes a request that is over."""
        method, status = line.text("method"), line.text("status")
        key = (labels, method if method in METHODS else OTHER, status)
        series = self._series.get(key)
        if series is None:
            series = {name: Histogram([0] * (len(buckets) + 1)) for name, (buckets, _) in HISTOGRAMS.items()}
            self._series[key] = series
        active, upstream = line.milliseconds("active"), line.upstream
        if active >= 0:
            series["request_duration_seconds"].observe(TIME, active / 1000)
        if upstream:
            series["connect_duration_seconds"].observe(TIME, upstream[0] / 1000)
            series["header_duration_seconds"].observe(TIME, upstream[1] / 1000)
            series["response_duration_seconds"].observe(TIME, upstream[2] / 1000)
        received, sent = float(line.milliseconds("received")), float(line.milliseconds("sent"))
        series["request_size"].observe(LENGTH, received)
        series["response_size"].observe(LENGTH, sent)
        series["bytes_sent"].observe(SIZE, sent)

    def forget_others(self, labels: frozenset[RequestLabels]) -> None:
        """Ends the series of routes that are no more."""
        for key in [key for key in self._series if key[0] not in labels]:
            del self._series[key]

    def read(self) -> dict[Key, dict[str, Histogram]]:
        """A copy that does not change while it is looked at."""
        return {
            key: {name: Histogram(list(one.counts), one.total) for name, one in series.items()}
            for key, series in list(self._series.items())
        }


def histogram_families(
    prefix: str, names: tuple[str, ...], series: dict[tuple[str, ...], dict[str, Histogram]]
) -> Iterator[HistogramMetricFamily]:
    """What Prometheus gets: `names` are the labels, whose values are the keys of `series`."""
    for name, (buckets, doc) in HISTOGRAMS.items():
        family = HistogramMetricFamily(prefix + name, doc, labels=names)
        for values, histograms in sorted(series.items()):
            one = histograms[name]
            if not any(one.counts):
                continue
            running, cumulative = 0, []
            for bound, count in zip((*map(str, buckets), "+Inf"), one.counts, strict=True):
                running += count
                cumulative.append((bound, running))
            family.add_metric(values, cumulative, sum_value=one.total)
        yield family


def merged(one: Histogram, other: Histogram) -> Histogram:
    """Both together."""
    return Histogram([a + b for a, b in zip(one.counts, other.counts, strict=True)], one.total + other.total)
