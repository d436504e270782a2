"""What became of the sessions, as text, JSON and a picture. Pure but for the writing."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.charts import bars
from bench.visitors import Tally

_NAMES = 40


@dataclass(frozen=True)
class Outcome:
    """Of one scenario for one peer; `unfit` says why it has nothing to say of that peer."""

    name: str
    what: str
    tally: Tally
    unfit: str = ""
    processes: int = 1
    """Of the proxy, at the end: old workers that keep WebSockets alive."""

    @property
    def broken(self) -> float:
        """Percent of the sessions that left a pod which was still there."""
        return 100 * len(self.tally.moved) / self.tally.sessions

    @property
    def lost(self) -> float:
        """Percent of the sessions whose pod had gone."""
        return 100 * len(self.tally.lost) / self.tally.sessions


Outcomes = Sequence[Mapping[str, Outcome]]

_ROWS: tuple[tuple[str, Callable[[Outcome], str]], ...] = (
    ("% of sessions broken", lambda one: f"{one.broken:.0f}"),
    ("% whose pod had gone", lambda one: f"{one.lost:.0f}"),
    ("requests failed", lambda one: f"{one.tally.failed} of {one.tally.requests}"),
    ("WebSockets cut", lambda one: f"{one.tally.cut} of {one.tally.websockets}"),
    ("processes of the proxy afterwards", lambda one: f"{one.processes}"),
)


def render(found: Outcomes) -> str:
    """A table for each figure: scenarios by peers."""
    return "\n".join(_lines(found))


def _lines(found: Outcomes) -> Iterator[str]:
    peers = list(dict.fromkeys(name for scenario in found for name in scenario))
    for title, value in _ROWS:
        yield f"\n{title:{_NAMES}}" + "".join(f"{name:>17}" for name in peers)
        for scenario in found:
            what = next(iter(scenario.values())).what
            cells = ("-" if scenario[name].unfit else value(scenario[name]) for name in peers)
            yield f"{what:{_NAMES}}" + "".join(f"{cell:>17}" for cell in cells)
    reasons = {f"-: {name}: {one.what}: {one.unfit}" for scenario in found for name, one in scenario.items() if one.unfit}
    yield from sorted(reasons)
    for scenario in found:
        for name, one in scenario.items():
            if one.tally.reasons:
                yield f"failed: {name}: {one.what}: {', '.join(f'{count} x {why}' for why, count in one.tally.reasons.items())}"


def write(directory: Path, facts: Mapping[str, str], found: Outcomes) -> None:
    """`stickiness.json`, `stickiness.txt` and the pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    plain = {next(iter(one.values())).name: {name: _plain(outcome) for name, outcome in one.items()} for one in found}
    (directory / "stickiness.json").write_text(json.dumps({"facts": facts, "scenarios": plain}, indent=1) + "\n")
    lines = "\n".join(f"{name}: {value}" for name, value in facts.items())
    (directory / "stickiness.txt").write_text(f"{lines}\n{render(found)}\n")
    note = "no bar: the scenario does not fit that peer"
    for name, title, unit, value in _PICTURES:
        groups = {
            next(iter(one.values())).what: {name: value(outcome) for name, outcome in one.items() if not outcome.unfit}
            for one in found
        }
        text = bars(title, unit, groups, note=note, most=100 if unit.startswith("%") else None)
        (directory / f"{name}.svg").write_text(text)


_PICTURES: tuple[tuple[str, str, str, Callable[[Outcome], float]], ...] = (
    ("stickiness", "Sessions broken", "% of those that were live", lambda one: one.broken),
    (
        "stickiness-websockets",
        "How often a WebSocket was cut while its pod was still there",
        "times each, on average",
        lambda one: one.tally.cut / max(1, one.tally.websockets),
    ),
)


def _plain(one: Outcome) -> dict[str, Any]:
    tally = one.tally
    return {
        "sessions": tally.sessions,
        "broken": len(tally.moved),
        "pod gone": len(tally.lost),
        "requests": tally.requests,
        "failed": tally.failed,
        "reasons": tally.reasons,
        "websockets": tally.websockets,
        "websockets cut": tally.cut,
        "websockets ended with their pod": tally.ended,
        "processes": one.processes,
        "unfit": one.unfit,
    }
