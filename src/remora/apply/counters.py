"""Requests by route and status, and broken sessions by reason, from HAProxy's stick tables, added up over its workers."""

import re
from collections import Counter
from collections.abc import Mapping

from remora.haproxy.features.broken_sessions import Reason, counted_reason
from remora.haproxy.features.counting import TABLE, counted_status
from remora.model import RouteId
from remora.plan.outcome import BrokenCount, RequestCount

SHOW_COUNTERS = f"show table {TABLE}"

Counts = Counter[tuple[RouteId, int | Reason]]
"""By route, and by status or by the reason for which a session broke."""

_ENTRY = re.compile(r"key=(\S+) ")
_COUNTER = re.compile(r"gpc(\d+)=([1-9]\d*)")


def parse_counts(reply: str) -> Counts:
    """(route, status) to requests and (route, reason) to broken sessions, from `show table`."""
    counts: Counts = Counter()
    for line in reply.splitlines():
        if entry := _ENTRY.search(line):
            for number, value in _COUNTER.findall(line):
                counts[RouteId(entry[1]), _counted(int(number))] += int(value)
    return counts


def _counted(number: int) -> int | Reason:
    return counted_reason(number) or counted_status(number)


class CounterSum:
    """Counts that never go down: every worker has its own table, and takes it along when it ends."""

    def __init__(self) -> None:
        self._workers: dict[int, Counts] = {}
        self.broken: tuple[BrokenCount, ...] = ()

    def update(self, workers: Mapping[int, Counts]) -> tuple[RequestCount, ...]:
        """Takes what each worker (by process id) has counted so far; returns the sums of requests, ordered, and keeps those of
        broken sessions.

        A worker that did not answer may have ended or may only be slow: what it said last goes on being counted, once.
        """
        for pid, counts in workers.items():
            self._workers[pid] = self._workers.get(pid, Counter()) | counts
        total = sum(self._workers.values(), Counts())
        requests = [RequestCount(route, code, count) for (route, code), count in total.items() if isinstance(code, int)]
        broken = [BrokenCount(route, why, count) for (route, why), count in total.items() if isinstance(why, Reason)]
        self.broken = tuple(sorted(broken, key=lambda one: (one.route, one.reason.value)))
        return tuple(sorted(requests, key=lambda one: (one.route, one.code)))
