"""The sessions that live now, for all who ask: the endpoint, the metrics, and what is written to pods.

Reading HAProxy's table is the executor's, which does so once a second at most. What is reckoned from it runs in a thread and is
kept until the table or the Model is another, so that 100,000 sessions delay nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from remora.core.names import NamespacedName
from remora.model import Model
from remora.observe.encoding import encode_report
from remora.observe.live_sessions import ServiceSessions, TrackedHosts, live_sessions, sessions_by_pod
from remora.observe.session_report import SessionReport, parse_question, report_sessions
from remora.plan.outcome import BrokenCount, LiveSession, RequestCount

T = TypeVar("T")


class SessionSource(Protocol):
    """What is needed of HAProxy's readings."""

    async def read_sessions(self) -> tuple[LiveSession, ...]: ...

    async def read_counters(self) -> tuple[RequestCount, ...]: ...

    @property
    def broken_sessions(self) -> tuple[BrokenCount, ...]: ...


class Sessions:
    """Live sessions by Service and pod, of the Model that was told last.

    Raises (all readings): HAProxyUnreachable if HAProxy does not say.
    """

    def __init__(self, source: SessionSource) -> None:
        self._source = source
        self._model = Model()
        self._tracked = TrackedHosts()
        self._reckoning = asyncio.Lock()
        self._reckoned: tuple[Model, Sequence[LiveSession], tuple[ServiceSessions, ...]] | None = None

    def tell(self, model: Model) -> None:
        """Takes the Model that HAProxy runs from now on."""
        self._model = model

    async def read(self) -> tuple[ServiceSessions, ...]:
        """The live sessions of every Service with session affinity."""
        return (await self._read())[2]

    async def read_tracked(self) -> tuple[ServiceSessions, ...]:
        """The same, or none where no route tracks its sessions."""
        async with self._reckoning:
            is_tracking = await asyncio.to_thread(self._tracked.follow, self._model)
        return await self.read() if is_tracking else ()

    async def by_pod(self) -> dict[NamespacedName, int]:
        """The number of live sessions of every pod, where it is known."""
        return sessions_by_pod(await self.read_tracked())

    async def report(self, query: Mapping[str, str]) -> SessionReport:
        """The answer to `GET /sessions` with that query."""
        return await self._report(query, lambda report: report)

    async def answer(self, query: Mapping[str, str]) -> bytes:
        """The same as JSON."""
        return await self._report(query, encode_report)

    async def _report(self, query: Mapping[str, str], make: Callable[[SessionReport], T]) -> T:
        await self._source.read_counters()
        model, entries, services = await self._read()
        broken, question = self._source.broken_sessions, parse_question(query)
        # Where it is made it is also forgotten, which takes as long for ten thousand Services as some of the work.
        return await asyncio.to_thread(lambda: make(report_sessions(model, services, entries, broken, question)))

    async def _read(self) -> tuple[Model, Sequence[LiveSession], tuple[ServiceSessions, ...]]:
        async with self._reckoning:
            model = self._model
            # Where nothing is tracked the table is empty; nobody needs to look.
            entries = await self._source.read_sessions() if await asyncio.to_thread(self._tracked.follow, model) else ()
            known = self._reckoned
            if known is None or known[0] is not model or known[1] is not entries:
                known = (model, entries, await asyncio.to_thread(live_sessions, model, entries))
                self._reckoned = known
            return known
