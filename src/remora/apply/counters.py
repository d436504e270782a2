"""Requests by route and status, from HAProxy's stick tables, added up over its workers."""

import re
from collections import Counter
from collections.abc import Mapping

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
    """Counts that never go down: every worker has its own table, and takes it along when it ends."""

    def __init__(self) -> None:
        self._workers: dict[int, Counts] = {}

    def update(self, workers: Mapping[int, Counts]) -> tuple[RequestCount, ...]:
        """Takes what each worker (by process id) has counted so far; returns the sums, ordered.

        A worker that did not answer may have ended or may only be slow: what it said last goes on being counted, once.
        """
        for pid, counts in workers.items():
            self._workers[pid] = self._workers.get(pid, Counter()) | counts
        total = sum(self._workers.values(), Counts())
        return tuple(RequestCount(route, code, total[route, code]) for route, code in sorted(total))
