"""DESIGN's budgets beside what a run of the suite has seen: one table and one picture for all of it. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.charts import bars, figure
from bench.propagation_report import CERTIFICATE, GOALS

Results = Mapping[str, Mapping[str, Any]]
"""What the parts of the suite wrote as JSON, by their names."""

_NAMES = 62


@dataclass(frozen=True)
class Budget:
    """`seen` is None where the part that says it did not run, or had no figure to give."""

    what: str
    most: float
    unit: str
    seen: float | None

    @property
    def verdict(self) -> str:
        if self.seen is None:
            return "not measured"
        return "met" if self.seen <= self.most else "missed"


def budgets(results: Results) -> tuple[Budget, ...]:
    """All rows, in the order of the design."""
    return tuple(_rows(results))


def _rows(results: Results) -> Iterator[Budget]:
    yield from _requests(results.get("data-plane", {}), results.get("sticky-request", {}))
    yield from _changes(results.get("propagation", {}))
    yield from _sessions(results.get("stickiness", {}))
    scale, cluster = (_figure_of(results.get(name, {})) for name in ("scale", "cluster"))
    yield Budget("start to the first answer", 5, "s", scale("seconds from the start to the first answer"))
    yield Budget("Python's memory until then", 300, "MB", scale("MB of Python, at most so far"))
    yield Budget("event loop late since the start, longest", 20, "ms", scale("milliseconds of event loop lag since the start"))
    yield Budget(
        "remora up until kubectl is answered", 1.5, "s", cluster("remora up: seconds until kubectl was answered, the first")
    )
    yield Budget("remora up, idle", 120, "MB", cluster("idle, remora up: MB"))
    yield Budget("remora --help", 150, "ms", results.get("help", {}).get("milliseconds"))


def _requests(plane: Mapping[str, Any], alone: Mapping[str, Any]) -> Iterator[Budget]:
    yield Budget("sticky request, CPU / HAProxy by hand, alone", 1.10, "x", alone.get("ratio"))
    for where, findings in plane.get("sites", {}).items():
        found: Mapping[str, Any] = next((one["ratios"] for one in findings if one["name"] == "sticky"), {})
        for peer, most in (("HAProxy by hand", 1.10), ("nginx with Lua", 1.0), ("Envoy", 0.6), ("Traefik", 0.4)):
            value = found.get(peer)
            place = "few Ingresses" if where == "few" else where
            seen = None if isinstance(value, str) else value
            yield Budget(f"sticky request, CPU / {peer}, {place}", most, "x", seen)


def _changes(propagation: Mapping[str, Any]) -> Iterator[Budget]:
    found = [one for one in propagation.get("milliseconds", ()) if one["peer"] == "Remora" and one["what"] != CERTIFICATE]
    routes = max((one["routes"] for one in found), default=0)
    for one in found:
        if one["routes"] == routes:
            churn = ", churning" if one["churn"] else ""
            yield Budget(f"{one['what']}, p99, {routes:,} routes{churn}", GOALS[one["what"]], "ms", one["from_event"][1])


def _sessions(stickiness: Mapping[str, Any]) -> Iterator[Budget]:
    ours = [one["Remora"] for one in stickiness.get("scenarios", {}).values() if "Remora" in one]
    for what, field in (("sessions broken", "broken"), ("requests failed", "failed"), ("WebSockets cut", "websockets cut")):
        yield Budget(f"{what}, all scenarios", 0, "", sum(one[field] for one in ours if not one["unfit"]) if ours else None)


def _figure_of(result: Mapping[str, Any]) -> Callable[[str], float | None]:
    figures: Mapping[str, float] = result.get("figures", {})
    return lambda start: next((value for name, value in figures.items() if name.startswith(start)), None)


def render(found: Sequence[Budget]) -> str:
    """The table for people."""
    head = f"{'budget':{_NAMES}}{'at most':>12}{'seen':>12}"
    lines = (
        f"{one.what:{_NAMES}}{f'{one.most:g} {one.unit}':>12}"
        f"{'-' if one.seen is None else f'{figure(one.seen)} {one.unit}':>12}   {one.verdict}"
        for one in found
    )
    return "\n".join([head, *lines])


def picture(found: Sequence[Budget], note: str) -> str:
    """Each as a share of what it may be."""
    groups = {one.what: {"seen": 100 * one.seen / one.most} for one in found if one.seen is not None and one.most}
    return bars("Budgets", "% of what may be", groups, note=note, goals=dict.fromkeys(groups, 100.0))
