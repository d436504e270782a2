"""The last quarter of an hour of traffic, small enough to keep with thousands of pods. Pure.

All that a report counts is cumulative; a chart shows differences. A sample keeps sums by namespace, so that what a viewer may
see can be added up, and figures of pods in two arrays beside names that all samples share.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from remora.observe.growth import grown
from remora.observe.traffic_report import TrafficReport

KEPT_SECONDS = 900.0
EVERY = 2.0
"""Seconds between two samples at the least."""
GAP = 10.0
"""After so many seconds without a sample nobody was looking, and nothing is said of the time between."""
_WINDOW = 6.0
"""Seconds over which a rate of now is an average."""

PodKey = tuple[str, str, str, str]
"""Namespace, Service, port and pod."""


class Sample(msgspec.Struct, frozen=True):
    """One moment, cumulative. `durations` are counts by bucket; of a pod whose sessions are not tracked, -1."""

    at: float
    requests: Mapping[str, Mapping[str, int]]
    durations: Mapping[str, tuple[int, ...]]
    broken: Mapping[str, Mapping[str, int]]
    pods: tuple[PodKey, ...]
    pod_requests: "array[int]"
    pod_sessions: "array[int]"
    answers: Mapping[str, tuple[int, int]] = {}
    """Answers since the sample before, and the milliseconds that they took together, as servers' means tell."""


class History(msgspec.Struct, frozen=True):
    """Samples of a quarter of an hour, oldest first, and the reports of the last seconds."""

    samples: tuple[Sample, ...] = ()
    recent: tuple[TrafficReport, ...] = ()

    @property
    def before(self) -> TrafficReport | None:
        """The report that rates of now are made with."""
        return self.recent[0] if len(self.recent) > 1 else None


def extended(history: History, report: TrafficReport) -> History:
    """With one more report; what has become old is gone."""
    recent = (*(one for one in history.recent if report.at - one.at <= _WINDOW), report)
    samples = history.samples
    if not samples or report.at - samples[-1].at >= EVERY - 0.1:
        kept = (one for one in samples if report.at - one.at <= KEPT_SECONDS)
        samples = (*kept, sample(report, samples[-1] if samples else None))
    return History(samples, recent)


def sample(report: TrafficReport, before: Sample | None) -> Sample:
    """What of a report is kept; names that are those of the sample before are shared with it."""
    requests: dict[str, Counter[str]] = {}
    durations: dict[str, tuple[int, ...]] = {}
    for route in report.routes:
        requests.setdefault(route.namespace, Counter()).update(route.requests)
        if route.durations:
            durations[route.namespace] = _added(durations.get(route.namespace), route.durations.counts)
    if report.unrouted:
        requests.setdefault("", Counter()).update(report.unrouted)
    broken: dict[str, Counter[str]] = {}
    for one in report.broken:
        broken.setdefault(one.namespace, Counter())[one.reason] += one.count
    names: tuple[PodKey, ...] = tuple((pod.namespace, pod.service, pod.port, pod.pod) for pod in report.pods)
    return Sample(
        report.at,
        {namespace: dict(counts) for namespace, counts in requests.items()},
        durations,
        {namespace: dict(counts) for namespace, counts in broken.items()},
        before.pods if before and before.pods == names else names,
        array("q", (pod.requests for pod in report.pods)),
        array("q", (-1 if pod.sessions is None else pod.sessions for pod in report.pods)),
        _answers(report, before),
    )


def _answers(report: TrafficReport, before: Sample | None) -> dict[str, tuple[int, int]]:
    old = dict(zip(before.pods, before.pod_requests, strict=True)) if before else {}
    found: dict[str, tuple[int, int]] = {}
    for pod in report.pods:
        grew = pod.requests - old.get((pod.namespace, pod.service, pod.port, pod.pod), pod.requests)
        if grew > 0:
            answers, milliseconds = found.get(pod.namespace, (0, 0))
            found[pod.namespace] = answers + grew, milliseconds + grew * pod.response_ms
    return found


def rate(now: int, before: int | None, seconds: float) -> float:
    """Events a second. A counter that has fallen began anew."""
    if before is None or seconds <= 0:
        return 0.0
    return max(grown(now, before), 0) / seconds


def steps(samples: Sequence[Sample], every: float) -> Iterator[tuple[Sample, Sample]]:
    """Neighbours that are at least that far apart, and have no gap between them."""
    chosen: list[Sample] = []
    for one in samples:
        if not chosen or one.at - chosen[-1].at >= every - 0.1:
            chosen.append(one)
    return ((a, b) for a, b in pairwise(chosen) if b.at - a.at <= max(GAP, 2 * every))


def sums(by_namespace: Mapping[str, Mapping[str, int]], namespaces: frozenset[str] | None) -> Counter[str]:
    """Counts of all namespaces that may be seen."""
    total: Counter[str] = Counter()
    for namespace, counts in by_namespace.items():
        if namespaces is None or namespace in namespaces:
            total.update(counts)
    return total


def bucket_sums(sample: Sample, namespaces: frozenset[str] | None) -> tuple[int, ...]:
    """Durations of all namespaces that may be seen."""
    total: tuple[int, ...] = ()
    for namespace, counts in sample.durations.items():
        if namespaces is None or namespace in namespaces:
            total = _added(total or None, counts)
    return total


def mean_seconds(samples: Iterable[Sample], namespaces: frozenset[str] | None) -> float | None:
    """How long an answer took on average; None without one."""
    seen = [told for one in samples for namespace, told in one.answers.items() if namespaces is None or namespace in namespaces]
    answers = sum(number for number, _ in seen)
    return sum(milliseconds for _, milliseconds in seen) / answers / 1000 if answers else None


def pod_series(samples: Sequence[Sample], keys: Iterable[PodKey], every: float) -> dict[PodKey, list[float]]:
    """Requests a second of each pod, over the samples given."""
    wanted = set(keys)
    series: dict[PodKey, list[float]] = {key: [] for key in wanted}
    for before, now in steps(samples, every):
        old = dict(zip(before.pods, before.pod_requests, strict=True))
        seconds = now.at - before.at
        for key, count in zip(now.pods, now.pod_requests, strict=True):
            if key in wanted:
                series[key].append(rate(count, old.get(key), seconds))
    return series


def _added(one: tuple[int, ...] | None, other: tuple[int, ...]) -> tuple[int, ...]:
    if one is None or len(one) != len(other):
        return other
    return tuple(a + b for a, b in zip(one, other, strict=True))
