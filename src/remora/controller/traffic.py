"""`GET /traffic`: what the dashboard and `remora top` show.

Nothing is reckoned until somebody asks, except for the last changes, which are kept. What was reckoned is good for a second,
or a little more, so that many viewers cost one; it runs in a thread.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from remora.controller.loop import Applied
from remora.controller.sessions import Sessions
from remora.core.errors import HAProxyUnreachable
from remora.model import Model
from remora.observe.encoding import encode_report
from remora.observe.pod_facts import find_pod_facts
from remora.observe.request_durations import RequestDurations
from remora.observe.traffic import TrafficFacts, gone_since, report_traffic
from remora.observe.traffic_report import (
    MOST_CHANGES,
    ChangeKind,
    ChangeReport,
    PodTraffic,
    TrafficQuestion,
    TrafficReport,
    narrowed,
    parse_question,
)
from remora.plan.outcome import BrokenCount, OutcomeKind, ProxyReading, RequestCount
from remora.watch.snapshot import Snapshot

REPORT_AGE = 1.0
SHARE = 10
"""A report that takes long is kept for so many times as long, and with it HAProxy's figures, so that rates are even."""
GONE_FOR = 60.0
"""Seconds for which a pod that is no more is told of."""
NAMES_OF_A_CHANGE = 5
_KINDS: dict[OutcomeKind, ChangeKind] = {
    OutcomeKind.RUNTIME: "runtime update",
    OutcomeKind.RELOAD: "reload",
    OutcomeKind.START: "start",
    OutcomeKind.FAILED: "refused",
}


class TrafficSource(Protocol):
    """What is needed of HAProxy's readings."""

    async def read_traffic(self) -> ProxyReading: ...

    async def read_counters(self) -> tuple[RequestCount, ...]: ...

    @property
    def broken_sessions(self) -> tuple[BrokenCount, ...]: ...


class Traffic:
    """Reports of the Model that was told last. `read_snapshot` says what the API has, once the controller follows it."""

    def __init__(self, source: TrafficSource, sessions: Sessions, durations: RequestDurations, *, replica: str) -> None:
        self.read_snapshot: Callable[[], Snapshot] = Snapshot
        self._source = source
        self._sessions = sessions
        self._durations = durations
        self._replica = replica
        self._begun = time.monotonic()
        self._applied: Applied | None = None
        self._reloads = 0
        self._changes: deque[ChangeReport] = deque(maxlen=MOST_CHANGES)
        self._gone: tuple[tuple[float, PodTraffic], ...] = ()
        self._reckoning = asyncio.Lock()
        self._report: TrafficReport | None = None
        self._fresh_until = 0.0
        self._encoded: dict[TrafficQuestion, bytes] = {}

    def tell(self, applied: Applied) -> None:
        """Takes what was applied."""
        self._applied = applied
        self._reloads += applied.outcome.kind is OutcomeKind.RELOAD
        if (kind := _KINDS.get(applied.outcome.kind)) is not None:
            self._changes.append(change_report(applied, kind, at=time.time(), replica=self._replica))

    async def answer(self, query: Mapping[str, str]) -> bytes:
        """The answer to `GET /traffic` with that query: a TrafficReport as JSON."""
        question = parse_question(query)
        async with self._reckoning:
            report = await self._read()
            if question not in self._encoded:
                self._encoded[question] = await asyncio.to_thread(lambda: encode_report(narrowed(report, question)))
            return self._encoded[question]

    async def _read(self) -> TrafficReport:
        if self._report is None or time.monotonic() > self._fresh_until:
            begun = time.monotonic()
            self._report = await self._reckon()
            now = time.monotonic()
            self._fresh_until = now + max(REPORT_AGE, SHARE * (now - begun))
            self._encoded = {}
        return self._report

    async def _reckon(self) -> TrafficReport:
        applied, before = self._applied, self._report
        facts = TrafficFacts(
            applied.model if applied else Model(),
            applied.problems if applied else (),
            await self._source.read_counters(),
        )
        try:
            reading, sessions = await self._source.read_traffic(), await self._sessions.read()
            facts = msgspec.structs.replace(facts, reading=reading, sessions=sessions, broken=self._source.broken_sessions)
        except HAProxyUnreachable:
            facts = msgspec.structs.replace(facts, broken=self._source.broken_sessions)
        snapshot = self.read_snapshot()
        changes, now = tuple(self._changes), time.time()

        def reckon() -> TrafficReport:
            whole = msgspec.structs.replace(facts, durations=self._durations.read(), pods=find_pod_facts(snapshot))
            report = report_traffic(whole, at=now, uptime=time.monotonic() - self._begun, replica=self._replica)
            self._gone = _still_gone(self._gone, before, report, now)
            pods = (*report.pods, *(pod for _, pod in self._gone))
            return msgspec.structs.replace(report, reloads=self._reloads, pods=pods, changes=changes)

        return await asyncio.to_thread(reckon)


def change_report(applied: Applied, kind: ChangeKind, *, at: float, replica: str = "") -> ChangeReport:
    """What is told of a change."""
    outcome = applied.outcome
    names = [f"{one.kind.__name__} {one.name}" for one in applied.changes]
    refused = tuple(f"backend {name} is not taken" for name in outcome.refused)
    waited = applied.change_seconds if applied.change_seconds is not None else outcome.seconds
    return ChangeReport(
        at=at,
        kind=kind,
        reasons=(*outcome.reasons, *((outcome.error,) if outcome.error else ()), *refused),
        commands=outcome.commands,
        objects=tuple(names[:NAMES_OF_A_CHANGE]),
        more=max(0, len(names) - NAMES_OF_A_CHANGE),
        milliseconds=round(waited * 1000, 1),
        replica=replica,
    )


def _still_gone(
    gone: tuple[tuple[float, PodTraffic], ...], before: TrafficReport | None, after: TrafficReport, now: float
) -> tuple[tuple[float, PodTraffic], ...]:
    """The pods that are no more since a short time, and when that was seen."""
    known = {_place(pod) for pod in after.pods}
    old = tuple((since, pod) for since, pod in gone if now - since < GONE_FOR and _place(pod) not in known)
    told = {_place(pod) for _, pod in gone}
    new = gone_since(before, after) if before else ()
    return (*old, *((now, pod) for pod in new if _place(pod) not in told))


def _place(pod: PodTraffic) -> tuple[str, ...]:
    return pod.namespace, pod.service, pod.port, pod.pod
