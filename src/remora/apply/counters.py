"""Requests by route and status, from HAProxy's stick table, added up over its workers."""

import re
from collections import Counter

from remora.haproxy.features.counting import TABLE, counted_status
from remora.model import RouteId
from remora.plan.outcome import RequestCount

SHOW_COUNTERS = f"show table {TABLE}"

Counts = Counter[tuple[RouteId, int]]

_ENTRY = re.compile(r"key=(\S+) ")
_COUNTER = re.compile(r"gpc(\d+)=([1-9]\d*)")


def parse_counts(reply: str) -> Counts:
    """(route, status) to requests, from `show table`."""
    counts: Counts = Counter()
    for line in reply.splitlines():
        if entry := _ENTRY.search(line):
            for number, value in _COUNTER.findall(line):
                counts[RouteId(entry[1]), counted_status(int(number))] += int(value)
    return counts


class CounterSum:
    """Counts that never go down, though a table that is not handed over whole at a reload, or is lost in a crash, does."""

    def __init__(self) -> None:
        self._base: Counts = Counter()
        self._last: Counts = Counter()

    def update(self, counts: Counts) -> tuple[RequestCount, ...]:
        """Takes what the table holds now; returns the sums, ordered."""
        for key, last in self._last.items():
            if counts[key] < last:
                self._base[key] += last
        self._last = counts
        total = self._base + counts
        return tuple(RequestCount(route, code, total[route, code]) for route, code in sorted(total))
