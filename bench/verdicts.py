"""From samples to what may be said of them: medians of rounds, and ratios only where both sides did what was asked. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.api_load import percentile


@dataclass(frozen=True)
class Sample:
    """One round: seconds of the proxy's CPU for a request, and how long requests took. `wrong` says what was not as asked."""

    cpu: float
    p50: float = 0.0
    p99: float = 0.0
    p999: float = 0.0
    wrong: str = ""


@dataclass(frozen=True)
class Refused:
    """A figure that would say something untrue, and why."""

    reason: str


def sample(cpu: float, latencies: Sequence[float], wrong: str = "") -> Sample:
    """Of the CPU of one round and the latencies of its requests."""
    if not latencies:
        return Sample(cpu, wrong=wrong or "nothing was answered")
    p50, p99, p999 = (percentile(latencies, share) for share in (0.5, 0.99, 0.999))
    return Sample(cpu, p50, p99, p999, wrong)


def median(rounds: Sequence[Sample]) -> Sample | Refused:
    """Each figure's own median; none, if one round was not as asked."""
    if refusal := _refusal(rounds):
        return refusal
    figures = (statistics.median(getattr(one, name) for one in rounds) for name in ("cpu", "p50", "p99", "p999"))
    return Sample(*figures)


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float | Refused:
    """The median of the ratios of CPU, taken round by round."""
    if refusal := _refusal(ours) or _refusal(theirs):
        return refusal
    if len(ours) != len(theirs):
        return Refused(f"{len(ours)} rounds beside {len(theirs)}")
    if not all(one.cpu > 0 for one in theirs):
        return Refused("no CPU was seen")
    return statistics.median(one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True))


def ratios(rounds: Mapping[str, Sequence[Sample]], ours: str) -> dict[str, float | Refused]:
    """Ours beside each of the others."""
    return {name: ratio(rounds[ours], theirs) for name, theirs in rounds.items() if name != ours} if ours in rounds else {}


def _refusal(rounds: Sequence[Sample]) -> Refused | None:
    if not rounds:
        return Refused("not measured")
    return next((Refused(one.wrong) for one in rounds if one.wrong), None)
