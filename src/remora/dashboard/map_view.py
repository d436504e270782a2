"""From two reports to the map: hosts, their rules, the Services these lead to, and their pods. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from remora.dashboard.figures import count, duration, figure, rate_figure
from remora.dashboard.history import History, PodKey, mean_seconds, pod_series, rate
from remora.dashboard.view import (
    ANY,
    GroupView,
    HostView,
    Lit,
    MapView,
    PodView,
    ProblemView,
    RuleView,
    ServiceView,
    Summary,
    Wanted,
    problem_view,
    visible,
)
from remora.observe.growth import grown_counts, percentile
from remora.observe.traffic_report import PodTraffic, ProblemReport, RouteTraffic, TrafficReport

MOST_SPARKS = 200
"""Pods on one page up to which each has its little chart."""
_SPARK_SECONDS, _SPARK_EVERY = 120.0, 4.0


def map_view(history: History, wanted: Wanted, namespaces: frozenset[str] | None = None) -> MapView:
    """The map as of the last report."""
    now = visible(history.recent[-1], namespaces)
    before = visible(history.before, namespaces) if history.before else None
    return _Mapping(now, before, history, wanted, namespaces).view()


class _Mapping:
    """Finds its way in two reports."""

    def __init__(
        self,
        now: TrafficReport,
        before: TrafficReport | None,
        history: History,
        wanted: Wanted,
        namespaces: frozenset[str] | None,
    ) -> None:
        self._now = now
        self._namespaces = namespaces
        self._wanted = wanted
        self._history = history
        self._seconds = now.at - before.at if before else 0.0
        self._routes_before = {one.id: one for one in before.routes} if before else {}
        self._pods_before = {_key(one): one for one in before.pods} if before else {}
        self._pods: dict[tuple[str, str, str], list[PodTraffic]] = {}
        for pod in now.pods:
            self._pods.setdefault((pod.namespace, pod.service, pod.port), []).append(pod)
        self._problems: dict[tuple[str, str, str], list[ProblemReport]] = {}
        for problem in now.problems:
            self._problems.setdefault((problem.kind, problem.namespace, problem.name), []).append(problem)
        self._told: set[tuple[str, str, str]] = set()
        self._shown_at: dict[tuple[str, str, str], str] = {}
        self._sparks: Mapping[PodKey, str] = {}

    def view(self) -> MapView:
        by_host: dict[str, list[RouteTraffic]] = {}
        for route in self._now.routes:
            by_host.setdefault(route.host, []).append(route)
        chosen = {host: kept for host in by_host if (kept := tuple(self._groups(host, by_host[host])))}
        self._sparks = self._drawn(chosen.values())
        lit = self._wanted.lit.route if self._wanted.lit else ""
        first = {route.host for route in self._now.routes if lit and route.id == lit}
        order = sorted(chosen, key=lambda one: (one not in first, not one, one))
        hosts = tuple(self._host(host, chosen[host], by_host[host]) for host in order)
        rest = [one for key in self._problems for one in self._problems[key] if key not in self._told]
        summary = self._summary()
        shown_rest = () if self._wanted.words else tuple(map(problem_view, rest))
        return MapView(summary, hosts, len(by_host) - len(chosen), shown_rest)

    def _groups(self, host: str, routes: Sequence[RouteTraffic]) -> Iterator[tuple[list[RouteTraffic], list[PodTraffic]]]:
        """The rules of a host by where they lead, and the pods that are to be seen there."""
        groups: dict[tuple[str, str, str], list[RouteTraffic]] = {}
        for route in routes:
            key = (route.namespace, route.service, route.port) if route.does == "forward" else ("", route.does, "")
            groups.setdefault(key, []).append(route)
        for key, rules in groups.items():
            pods = self._pods.get(key, [])
            words = self._wanted.words
            if words:
                text = " ".join([host, *key, *(f"{rule.ingress} {rule.namespace} {rule.path}" for rule in rules)]).lower()
                left = [word for word in words if word not in text]
                pods = [pod for pod in pods if all(word in f"{pod.pod} {pod.address} {pod.node}".lower() for word in left)]
                if left and not pods:
                    continue
            yield rules, pods

    def _drawn(self, hosts: Iterable[Sequence[tuple[list[RouteTraffic], list[PodTraffic]]]]) -> Mapping[PodKey, str]:
        keys = {_key(pod) for groups in hosts for _, pods in groups for pod in pods if pod.requests}
        if not keys or len(keys) > MOST_SPARKS:
            return {}
        since = self._now.at - _SPARK_SECONDS
        samples = [one for one in self._history.samples if one.at >= since]
        return {key: spark(values) for key, values in pod_series(samples, keys, _SPARK_EVERY).items()}

    def _host(
        self, host: str, groups: Sequence[tuple[list[RouteTraffic], list[PodTraffic]]], routes: Sequence[RouteTraffic]
    ) -> HostView:
        requests = sum(self._route_rate(route) for route in routes)
        return HostView(host, f"{rate_figure(requests)} requests/s", tuple(self._group(host, *group) for group in groups))

    def _group(self, host: str, rules: Sequence[RouteTraffic], pods: Sequence[PodTraffic]) -> GroupView:
        first = rules[0]
        views = tuple(self._rule(route) for route in rules)
        is_lit = any(view.lit for view in views)
        service = self._service(host, first, pods, is_lit=is_lit) if first.does == "forward" and first.service else None
        return GroupView(views, service, is_lit)

    def _rule(self, route: RouteTraffic) -> RuleView:
        before = self._routes_before.get(route.id)
        latency = None
        if route.durations and before and before.durations:
            grew = grown_counts(route.durations.counts, before.durations.counts)
            latency = percentile(grew, self._now.buckets, 0.95)
        failed = sum(count for code, count in route.requests.items() if code.startswith("5"))
        old = sum(count for code, count in before.requests.items() if code.startswith("5")) if before else None
        failing = rate(failed, old, self._seconds)
        lit = self._wanted.lit
        return RuleView(
            id=route.id,
            path=route.path,
            path_type=route.path_type,
            ingress=f"{route.namespace}/{route.ingress}",
            does=route.does,
            reason=route.reason,
            is_canary=bool(route.canary_of),
            rate=rate_figure(self._route_rate(route)),
            latency=duration(latency) if latency is not None else "",
            failed=f"{rate_figure(failing)} failed/s" if failing else "",
            problems=self._problems_of("Ingress", route.namespace, route.ingress),
            lit=lit is not None and lit.route == route.id,
        )

    def _service(self, host: str, route: RouteTraffic, pods: Sequence[PodTraffic], *, is_lit: bool) -> ServiceView:
        place = (route.namespace, route.service, route.port)
        everyone = self._pods.get(place, [])
        lit = self._wanted.lit if is_lit else None
        # The pods of a Service that several hosts lead to are shown once, but the way of a request is shown to its end.
        elsewhere = self._shown_at.setdefault(place, host or ANY) if lit is None else ""
        broken = {one.reason: one.count for one in self._now.broken if (one.namespace, one.service) == place[:2]}
        if elsewhere == (host or ANY):
            elsewhere = ""
        return ServiceView(
            namespace=route.namespace,
            name=route.service,
            port=route.port,
            figures=_service_figures(everyone),
            pods=() if elsewhere else tuple(self._pod(pod, lit) for pod in pods),
            problems=self._problems_of("Service", route.namespace, route.service),
            broken=", ".join(f"{count} {reason}" for reason, count in broken.items() if count),
            elsewhere=elsewhere,
            is_down=not any(pod.state in ("ready", "draining") for pod in everyone),
            lit=is_lit,
        )

    def _pod(self, pod: PodTraffic, lit: Lit | None) -> PodView:
        key = _key(pod)
        before = self._pods_before.get(key)
        start, dash, end = pod.pod.rpartition("-")
        failing = rate(pod.errors, before.errors if before else None, self._seconds)
        return PodView(
            key=key,
            start=start + dash,
            end=end,
            state=pod.state,
            why=pod.why if pod.state != "ready" else "",
            sessions="" if pod.sessions is None else figure(pod.sessions),
            limit="" if pod.limit is None else figure(pod.limit),
            is_full=pod.limit is not None and pod.sessions is not None and pod.sessions >= pod.limit,
            rate=rate_figure(rate(pod.requests, before.requests if before else None, self._seconds)),
            errors=f"{rate_figure(failing)} failed/s" if failing else "",
            latency=f"{pod.response_ms} ms" if pod.requests else "",
            spark=self._sparks.get(key, ""),
            address=pod.address,
            lit=lit is not None and pod.pod in lit.pods,
        )

    def _route_rate(self, route: RouteTraffic) -> float:
        before = self._routes_before.get(route.id)
        return rate(sum(route.requests.values()), sum(before.requests.values()) if before else None, self._seconds)

    def _problems_of(self, kind: str, namespace: str, name: str) -> tuple[ProblemView, ...]:
        """Those of an object, where it is met first."""
        key = (kind, namespace, name)
        if key in self._told:
            return ()
        self._told.add(key)
        return tuple(map(problem_view, self._problems.get(key, ())))

    def _summary(self) -> Summary:
        now = self._now
        requests = sum(self._route_rate(route) for route in now.routes)
        states = [pod.state for pod in now.pods]
        sessions = [pod.sessions for pod in _once(now.pods) if pod.sessions is not None]
        ready, draining = states.count("ready"), states.count("draining")
        figures = [
            ("requests", rate_figure(requests), "/s"),
            self._latency_figure(),
            ("live sessions", figure(sum(sessions)) if sessions else "–", ""),  # noqa: RUF001
            ("pods ready", figure(ready), f"{draining} draining" if draining else ""),
            ("problems", figure(len(now.problems)), ""),
        ]
        if self._namespaces is None:
            figures.append(("reloads", figure(now.reloads), ""))
        if now.proxy:
            former = f"{now.proxy.former_workers} old workers" if now.proxy.former_workers else ""
            figures.append(("connections", figure(now.proxy.connections), former))
        sentence = f"{count(ready, 'pod')} ready, {draining} draining, {count(len(now.problems), 'problem')}"
        return Summary(tuple(figures), sentence)

    def _latency_figure(self) -> tuple[str, str, str]:
        if any(route.durations for route in self._now.routes):
            return "95% answered within", duration(self._latency()), ""
        return "mean answer", duration(mean_seconds(self._history.samples[-3:], self._namespaces)), ""

    def _latency(self) -> float | None:
        total: tuple[int, ...] = ()
        for route in self._now.routes:
            before = self._routes_before.get(route.id)
            if route.durations and before and before.durations:
                grew = grown_counts(route.durations.counts, before.durations.counts)
                total = tuple(map(sum, zip(total, grew, strict=True))) if total else grew
        return percentile(total, self._now.buckets, 0.95)


def spark(values: Sequence[float]) -> str:
    """The path of a little hill, 60 wide and 16 high, its foot below that; "" where there is nothing to see."""
    highest = max(values, default=0.0)
    if len(values) < 2 or highest <= 0:
        return ""
    step = 60 / (_SPARK_SECONDS / _SPARK_EVERY - 1)
    start = 60 - step * (len(values) - 1)
    points = (f"{start + step * index:.0f} {15 - 14 * value / highest:.0f}" for index, value in enumerate(values))
    return f"M{start:.0f} 18L{'L'.join(points)}V18Z"


def _service_figures(pods: Sequence[PodTraffic]) -> str:
    ready = sum(pod.state == "ready" for pod in pods)
    present = sum(pod.state != "gone" for pod in pods)
    sessions = [pod.sessions for pod in pods if pod.sessions is not None]
    words = [f"{ready} of {count(present, 'pod')} ready" if present else "no pods"]
    if sessions:
        words.append(count(sum(sessions), "session"))
    return " · ".join(words)


def _once(pods: Iterable[PodTraffic]) -> Iterator[PodTraffic]:
    """Each pod of a Service once: its sessions are those of all ports."""
    seen = set()
    for pod in pods:
        key = (pod.namespace, pod.service, pod.pod)
        if key not in seen:
            seen.add(key)
            yield pod


def _key(pod: PodTraffic) -> PodKey:
    return pod.namespace, pod.service, pod.port, pod.pod
