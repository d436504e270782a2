"""The findings of the data plane as text, JSON and pictures."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.charts import bars, figure
from bench.verdicts import Refused, Sample, median, ratios

_NAMES = 48


@dataclass(frozen=True)
class Finding:
    """A question's rounds by peer; or memory, by peer: what carries requests, and what only decides."""

    name: str
    what: str
    rounds: Mapping[str, Sequence[Sample]]
    memory: Mapping[str, float] = field(default_factory=dict)
    deciding: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def render(few: Sequence[Finding], many: Sequence[Finding], ingresses: int, ours: str) -> str:
    """Tables for people."""
    parts = [*_tables(few, "a handful of Ingresses", ours)]
    if many:
        parts += _tables(many, f"{ingresses} Ingresses more", ours)
    return "\n".join(parts)


def _tables(findings: Sequence[Finding], where: str, ours: str) -> Iterator[str]:
    peers = list(dict.fromkeys(name for one in findings for name in (*one.rounds, *one.memory)))
    columns = "".join(f"{name:>17}" for name in peers)
    asked = [one for one in findings if one.rounds]
    refusals: dict[str, None] = {}
    for title, value in _COLUMNS:
        yield f"\n{f'{title}, {where}':{_NAMES}}{columns}"
        for one in asked:
            yield f"{one.what:{_NAMES}}{_cells(one, peers, value)}"
            refusals |= {f"{one.what}: {name}: {why.reason}": None for name, why in _refused(one).items()}
    yield f"\n{f'CPU of {ours} / CPU of the peer, {where}':{_NAMES}}{columns}"
    for one in asked:
        found = ratios(one.rounds, ours)
        cells = [found.get(name, 1.0 if name == ours else Refused("not measured")) for name in peers]
        yield f"{one.what:{_NAMES}}" + "".join(f"{_cell(value, '.2f'):>17}" for value in cells)
    for one in findings:
        if one.memory:
            yield f"\n{f'MB of memory, {where}':{_NAMES}}{columns}"
            yield f"{'what carries requests':{_NAMES}}" + "".join(f"{one.memory.get(name, 0.0):17.0f}" for name in peers)
            yield f"{'what only decides':{_NAMES}}" + "".join(f"{one.deciding.get(name, 0.0):17.0f}" for name in peers)
            yield from (f"left out: {name}: {reason}" for name, reason in one.left_out.items())
    yield from (f"refused: {reason}" for reason in refusals)


_COLUMNS: tuple[tuple[str, Callable[[Sample], float]], ...] = (
    ("us of CPU a request", lambda one: one.cpu * 1e6),
    ("p50 in ms", lambda one: one.p50 * 1e3),
    ("p99 in ms", lambda one: one.p99 * 1e3),
    ("p99.9 in ms", lambda one: one.p999 * 1e3),
)


def _cells(one: Finding, peers: Sequence[str], value: Callable[[Sample], float]) -> str:
    found = (median(one.rounds.get(name, ())) for name in peers)
    return "".join(f"{figure(value(each)) if isinstance(each, Sample) else 'refused':>17}" for each in found)


def _cell(value: float | Refused, form: str) -> str:
    return "refused" if isinstance(value, Refused) else f"{value:{form}}"


def _refused(one: Finding) -> dict[str, Refused]:
    found = {name: median(rounds) for name, rounds in one.rounds.items()}
    return {name: value for name, value in found.items() if isinstance(value, Refused)}


def write(
    directory: Path, facts: Mapping[str, str], few: Sequence[Finding], many: Sequence[Finding], ingresses: int, ours: str
) -> None:
    """`data-plane.json`, `data-plane.txt` and a picture for each of three questions."""
    directory.mkdir(parents=True, exist_ok=True)
    sites = {"few": few, f"{ingresses} more": many}
    found = {where: [_plain(one, ours) for one in findings] for where, findings in sites.items() if findings}
    (directory / "data-plane.json").write_text(json.dumps({"facts": facts, "sites": found}, indent=1) + "\n")
    lines = "\n".join(f"{name}: {value}" for name, value in facts.items())
    (directory / "data-plane.txt").write_text(f"{lines}\n{render(few, many, ingresses, ours)}\n")
    note = f"{facts.get('processor', '')}, {facts.get('processors', '')} processors, one thread each, median of the rounds"
    light = {one.what: one for one in few if one.rounds and one.name not in ("body-1m", "tls-full", "tls-resumed")}
    heavy = {one.what: one for one in few if one.name in ("body-1m", "tls-full", "tls-resumed")}
    for name, title, some in (
        ("data-plane-cpu", "CPU of the proxy for a request", light),
        ("data-plane-heavy", "CPU of the proxy for a large answer and for handshakes", heavy),
    ):
        if some:
            groups = {what: _values(one, _COLUMNS[0][1]) for what, one in some.items()}
            (directory / f"{name}.svg").write_text(bars(title, "microseconds", groups, note=note))
    memory = {"a handful of Ingresses": few, f"{ingresses} Ingresses more": many}
    held = {where: dict(one.memory) for where, findings in memory.items() for one in findings if one.memory}
    if held:
        (directory / "data-plane-memory.svg").write_text(bars("Memory of the proxy", "MB", held, note=note))


def _values(one: Finding, value: Callable[[Sample], float]) -> dict[str, float | None]:
    found = {name: median(rounds) for name, rounds in one.rounds.items()}
    return {name: value(each) if isinstance(each, Sample) else None for name, each in found.items()}


def _plain(one: Finding, ours: str) -> dict[str, Any]:
    told = {name: value.reason if isinstance(value, Refused) else value for name, value in ratios(one.rounds, ours).items()}
    return {**asdict(one), "ratios": told}
