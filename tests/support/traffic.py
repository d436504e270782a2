"""Reports of traffic in a few words, for tests of the dashboard."""

from typing import Any

import msgspec

from remora.observe.traffic_report import (
    BrokenTraffic,
    ChangeReport,
    Durations,
    PodTraffic,
    ProblemReport,
    ProxyTraffic,
    RouteTraffic,
    TrafficReport,
)

BUCKETS = (0.01, 0.1, 1.0)
START = 1_800_000_000.0


def route(
    host: str = "shop.example", path: str = "/", *, service: str = "web", namespace: str = "shop", **more: Any
) -> RouteTraffic:
    usual: dict[str, Any] = {"id": f"{host}{path}", "path_type": "Prefix", "ingress": "web", "does": "forward", "port": "80"}
    return RouteTraffic(host=host, path=path, namespace=namespace, service=service, **(usual | more))


def pod(name: str = "web-abc-1", *, service: str = "web", namespace: str = "shop", **more: Any) -> PodTraffic:
    usual: dict[str, Any] = {"port": "80", "address": "10.0.0.1", "node": "n1", "state": "ready"}
    return PodTraffic(namespace=namespace, service=service, pod=name, **(usual | more))


def report(*rows: Any, at: float = START, **more: Any) -> TrafficReport:
    """A report of these routes, pods, problems and changes."""

    def of(kind: type) -> tuple[Any, ...]:
        return tuple(row for row in rows if isinstance(row, kind))

    return TrafficReport(
        at=at,
        uptime=60.0,
        replica="remora-1",
        proxy=ProxyTraffic("2.8.25", 7, 60.0, 1, 0, 3),
        routes=of(RouteTraffic),
        pods=of(PodTraffic),
        broken=of(BrokenTraffic),
        problems=of(ProblemReport),
        changes=of(ChangeReport),
        buckets=BUCKETS,
        **more,
    )


def problem(name: str = "web", *, namespace: str = "shop", kind: str = "Ingress", **more: Any) -> ProblemReport:
    usual = {
        "field": "metadata.annotations[x]",
        "code": "AnnotationRefused",
        "message": "the value is refused",
        "consequence": "the default is used",
        "severity": "warning",
    }
    return ProblemReport(kind=kind, namespace=namespace, name=name, **(usual | more))


def change(at: float = START - 5, kind: Any = "runtime update", **more: Any) -> ChangeReport:
    usual: dict[str, Any] = {"objects": ("Ingress shop/web",), "commands": 3, "milliseconds": 2.0}
    return ChangeReport(at=at, kind=kind, **(usual | more))


def later(one: TrafficReport, seconds: float, **more: Any) -> TrafficReport:
    return msgspec.structs.replace(one, at=one.at + seconds, **more)


def durations(*counts: int) -> Durations:
    return Durations(counts, float(sum(counts)))
