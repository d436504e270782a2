"""What the pages of traffic show, as values, and what of a report a viewer may see. Pure.

Numbers are the words that are shown, so that what looks the same is equal, and is neither rendered nor sent again.
"""

import msgspec

from remora.dashboard.history import PodKey
from remora.observe.traffic_report import ProblemReport, TrafficReport

ANY = "any other host"


class Lit(msgspec.Struct, frozen=True):
    """The way of a request that is to be seen on the map."""

    route: str = ""
    pods: frozenset[str] = frozenset()


class Wanted(msgspec.Struct, frozen=True):
    """What of the map is to be shown."""

    words: tuple[str, ...] = ()
    lit: Lit | None = None


class PodView(msgspec.Struct, frozen=True):
    """A pod behind one port of a Service."""

    key: PodKey
    start: str
    end: str
    state: str
    why: str
    sessions: str
    limit: str
    is_full: bool
    rate: str
    errors: str
    latency: str
    spark: str = ""
    address: str = ""
    lit: bool = False


class ProblemView(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    object: str
    field: str
    code: str
    message: str
    consequence: str
    is_error: bool


class RuleView(msgspec.Struct, frozen=True):
    """A route."""

    id: str
    path: str
    path_type: str
    ingress: str
    does: str
    reason: str
    is_canary: bool
    rate: str
    latency: str
    failed: str
    problems: tuple[ProblemView, ...] = ()
    lit: bool = False


class ServiceView(msgspec.Struct, frozen=True):
    """A port of a Service with its pods; `elsewhere` is the host at which they are shown, "" if here."""

    namespace: str
    name: str
    port: str
    figures: str
    pods: tuple[PodView, ...] = ()
    problems: tuple[ProblemView, ...] = ()
    broken: str = ""
    elsewhere: str = ""
    is_down: bool = False
    lit: bool = False


class GroupView(msgspec.Struct, frozen=True):
    """The rules of a host that lead to the same Service, or to none."""

    rules: tuple[RuleView, ...]
    service: ServiceView | None
    lit: bool = False


class HostView(msgspec.Struct, frozen=True):
    """A host; "" is any."""

    host: str
    figures: str
    groups: tuple[GroupView, ...]


class Summary(msgspec.Struct, frozen=True):
    """The figures on top, and the sentence that is read out when it changes."""

    figures: tuple[tuple[str, str, str], ...]
    sentence: str


class MapView(msgspec.Struct, frozen=True):
    """The whole map. `hidden` is how many hosts the filter leaves out."""

    summary: Summary
    hosts: tuple[HostView, ...]
    hidden: int = 0
    problems: tuple[ProblemView, ...] = ()
    """Those of objects that are not on the map."""


def parse_words(text: str) -> tuple[str, ...]:
    """The words of the filter box."""
    return tuple(text.lower().split())[:8]


def visible(report: TrafficReport, namespaces: frozenset[str] | None) -> TrafficReport:
    """What of a report one may see who may see these namespaces; None is all."""
    if namespaces is None:
        return report
    return msgspec.structs.replace(
        report,
        replica="",
        proxy=None,
        unrouted={},
        routes=tuple(one for one in report.routes if one.namespace in namespaces),
        pods=tuple(one for one in report.pods if one.namespace in namespaces),
        broken=tuple(one for one in report.broken if one.namespace in namespaces),
        problems=tuple(one for one in report.problems if one.namespace in namespaces),
        # Reasons may name what belongs to others.
        changes=tuple(
            msgspec.structs.replace(one, reasons=(), objects=seen, more=0, replica="")
            for one in report.changes
            if (seen := tuple(name for name in one.objects if _namespace(name) in namespaces))
        ),
    )


def namespaces_of(report: TrafficReport) -> frozenset[str]:
    """All namespaces that a report tells of."""
    told = [one.namespace for rows in (report.routes, report.pods, report.broken, report.problems) for one in rows]
    return frozenset(told) - {""}


def problem_view(problem: ProblemReport) -> ProblemView:
    """A problem as it is shown."""
    name = f"{problem.namespace}/{problem.name}" if problem.namespace else problem.name
    return ProblemView(
        f"{problem.kind} {name}",
        problem.field,
        problem.code,
        problem.message,
        problem.consequence,
        problem.severity == "error",
    )


def _namespace(object_name: str) -> str:
    """Of `Kind namespace/name`."""
    return object_name.partition(" ")[2].partition("/")[0]
