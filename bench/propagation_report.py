"""How long changes took, as text, JSON and a picture. Pure but for the writing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.charts import bars, figure

ROUTE, READY, GONE, CERTIFICATE = "an Ingress more", "a pod becomes ready", "the last pod goes", "another certificate"
GOALS = {ROUTE: 20.0, READY: 10.0, GONE: 10.0}
"""Milliseconds from the watch event, p99, with 10,000 routes."""

_NAMES = 46
_CHURN = ", churning"


@dataclass(frozen=True)
class Found:
    """Milliseconds, p50 and p99, of so many changes. `wrong` counts answers that were neither the old nor the new one."""

    peer: str
    routes: int
    churn: bool
    what: str
    changes: int
    from_sending: tuple[float, ...]
    from_event: tuple[float, ...]
    wrong: int

    @property
    def line(self) -> str:
        """For those who wait."""
        p50, p99 = self.from_event
        return f"{p50:10.1f}, {p99:.1f} ms   {self.peer}, {self.routes} routes{_CHURN * self.churn}, {self.what}"


def render(found: Sequence[Found]) -> str:
    """A table for each of two beginnings: who and what by how many routes there were."""
    return "\n".join(_lines(found))


def _lines(found: Sequence[Found]) -> Iterator[str]:
    counts = sorted({one.routes for one in found})
    rows = list(dict.fromkeys((one.peer, one.what, one.churn) for one in found))
    by_place = {(one.peer, one.what, one.churn, one.routes): one for one in found}
    columns = "".join(f"{f'{count:,} routes':>18}" for count in counts)
    for field in ("from_event", "from_sending"):
        title = f"p50 / p99 in ms, {field.replace('_', ' ')}"
        yield f"\n{title:{_NAMES}}{columns}"
        for peer, what, churn in rows:
            cells = (by_place.get((peer, what, churn, count)) for count in counts)
            values = (" / ".join(map(figure, getattr(one, field))) if one else "-" for one in cells)
            name = f"{peer}: {what}{_CHURN * churn}"
            yield f"{name:{_NAMES}}" + "".join(f"{value:>18}" for value in values)
    few = [one for one in found if one.changes < max(other.changes for other in found if other.peer == one.peer)]
    yield from (f"{one.changes} changes only: {one.peer}, {one.routes:,} routes, {one.what}{_CHURN * one.churn}" for one in few)
    yield f"\nanswers that were neither the old nor the new one: {sum(one.wrong for one in found)}"
    yield from (f"  {one.wrong} of them: {one.line.partition('ms')[2].strip()}" for one in found if one.wrong)


def write(directory: Path, facts: Mapping[str, str], found: Sequence[Found]) -> None:
    """`propagation.json`, `propagation.txt` and the picture, of the largest number of routes."""
    directory.mkdir(parents=True, exist_ok=True)
    plain = [asdict(one) for one in found]
    (directory / "propagation.json").write_text(json.dumps({"facts": facts, "milliseconds": plain}, indent=1) + "\n")
    lines = "\n".join(f"{name}: {value}" for name, value in facts.items())
    (directory / "propagation.txt").write_text(f"{lines}\n{render(found)}\n")
    most = max((one.routes for one in found), default=0)
    groups: dict[str, dict[str, float | None]] = {}
    goals: dict[str, float] = {}
    for one in found:
        if one.routes == most:
            label = f"{one.peer}: {one.what}{_CHURN * one.churn}"
            groups[label] = dict(zip(("p50", "p99"), one.from_event, strict=True))
            goals |= {label: GOALS[one.what]} if one.what in GOALS and one.peer == "Remora" else {}
    title = f"From the watch event to traffic, {most:,} routes"
    note = f"{facts.get('processor', '')}, {facts.get('processors', '')} processors, load {facts.get('load', '')} before"
    (directory / "propagation.svg").write_text(bars(title, "milliseconds", groups, note=note, goals=goals))
