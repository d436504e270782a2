"""What happened between two reports whose counts add up over time; a count that is lower than before began anew."""

from collections.abc import Sequence


def grown(now: int, before: int) -> int:
    """By how much a count has grown."""
    return now - before if now >= before else now


def grown_counts(now: Sequence[int], before: Sequence[int]) -> tuple[int, ...]:
    """By how much counts that began together have grown, each."""
    if len(now) != len(before) or any(new < old for new, old in zip(now, before, strict=True)):
        return tuple(now)
    return tuple(new - old for new, old in zip(now, before, strict=True))


def percentile(counts: Sequence[int], bounds: Sequence[float], share: float) -> float | None:
    """The time within which that share of requests was answered, in seconds, as far as buckets tell; None without requests.

    Within a bucket it is interpolated, as Prometheus does (`histogram_quantile`); what is above the last bound is told as that
    bound.
    """
    if not sum(counts) or not bounds:
        return None
    wanted, seen, lower = share * sum(counts), 0, 0.0
    for count, upper in zip(counts, bounds, strict=False):
        if count and seen + count >= wanted:
            return lower + (upper - lower) * (wanted - seen) / count
        seen, lower = seen + count, upper
    return bounds[-1]
