"""What the HAProxy of one state directory tells: requests, sessions, connections, and what it says of itself."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from remora.apply.connections import SHOW_ALL, ConnectionReader, show_servers, slots_with
from remora.apply.counters import SHOW_COUNTERS, CounterSum, parse_counts
from remora.apply.info import add_up
from remora.apply.master import HAProxyMaster
from remora.apply.runtime import RuntimeSocket
from remora.apply.session_table import SHOW_SESSIONS, SessionTableReader
from remora.apply.traffic import TrafficReader
from remora.core.errors import HAProxyRefused
from remora.plan.commands import BEGIN_COUNT, finish_count
from remora.plan.outcome import BrokenCount, LiveSession, ProxyReading, RequestCount
from remora.plan.running import Running

SESSIONS_AGE = 1.0
"""How old a reading of the sessions may be, so that many who ask cost one dump of the table."""


class Readings:
    """Asks HAProxy's workers, those of before a reload included. `read_running` says what HAProxy runs as far as is known."""

    def __init__(
        self, socket: RuntimeSocket, process: HAProxyMaster, *, expire: int, read_running: Callable[[], Running | None]
    ) -> None:
        self._socket = socket
        self._process = process
        self._expire = expire
        self._read_running = read_running
        self._traffic = TrafficReader(socket, process)
        self._counters = CounterSum()
        self._counting = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._sessions: tuple[float, tuple[LiveSession, ...]] | None = None

    async def read_counters(self) -> tuple[RequestCount, ...]:
        """Requests by route and status since HAProxy was started.

        What a worker of before a reload answers between the last call and its end is not in it.
        """
        async with self._counting:
            workers = await self._process.ask_workers(SHOW_COUNTERS)
            return await asyncio.to_thread(
                lambda: self._counters.update({pid: parse_counts(reply) for pid, reply in workers.items()})
            )

    async def read_process(self) -> dict[str, int]:
        """What HAProxy says of itself, its numbers added up over its workers."""
        replies = await self._process.ask_workers("show info")
        return add_up(replies.values())

    async def read_traffic(self) -> ProxyReading:
        """What HAProxy says of itself and of its servers, as of a second ago or, where reading takes long, a little more.

        What a worker of before a reload answers between the last call and its end is not in it.

        Raises:
            HAProxyUnreachable: nobody answers, so that nothing is known.
        """
        running = self._read_running()
        return await self._traffic.read(running.slots if running else {})

    @property
    def broken_sessions(self) -> tuple[BrokenCount, ...]:
        """Sessions that broke since HAProxy was started, as the counters were when they were read last."""
        return self._counters.broken

    async def read_sessions(self) -> tuple[LiveSession, ...]:
        """The sessions that HAProxy has seen within the table's time, as of a second ago at most.

        Of workers of before a reload only those that are in use there: an open WebSocket keeps its session.

        Raises:
            HAProxyUnreachable: nobody answers, so that nothing is known.
        """
        async with self._reading:
            now = time.monotonic()
            if self._sessions is None or now - self._sessions[0] > SESSIONS_AGE:
                self._sessions = (now, await self._fetch_sessions())
            return self._sessions[1]

    async def count_sessions(self, count: Callable[[tuple[LiveSession, ...]], Mapping[str, int]]) -> None:
        """Tells HAProxy how many sessions each server has, as `count` finds it, for the placement of new ones.

        Raises:
            HAProxyUnreachable: nobody answers.
            HAProxyRefused: it is another HAProxy than when the count began.
        """
        async with self._reading:
            (reply,) = await self._socket.send([BEGIN_COUNT.text])
            if not BEGIN_COUNT.is_done(reply):
                raise HAProxyRefused(f"{BEGIN_COUNT.text}: {reply or 'no answer'}")
            self._sessions = (time.monotonic(), await self._fetch_sessions())
            sessions = self._sessions[1]
        counts = await asyncio.to_thread(count, sessions)
        await self._socket.run(tuple(finish_count(reply.split()[1], counts)))

    async def _fetch_sessions(self) -> tuple[LiveSession, ...]:
        reader = SessionTableReader(self._expire)
        async for piece in self._socket.stream(SHOW_SESSIONS):
            reader.feed(piece)
        former = SessionTableReader(self._expire)
        async for piece in self._process.ask_former_workers(SHOW_SESSIONS):
            former.feed(piece)
        return (*reader.finish(), *(session for session in former.finish() if session.in_use))

    async def read_connections(self, servers: Collection[str]) -> int:
        """How many requests and WebSockets are under way on the servers of these names, wherever they stand.

        Raises:
            HAProxyUnreachable: nobody answers, so that nothing is known.
        """
        total = 0
        running = self._read_running()
        for slot in await asyncio.to_thread(lambda: [*slots_with(running, servers)]) if running else ():
            reader = ConnectionReader(servers)
            reader.feed((await self._socket.read(show_servers(slot))).encode())
            total += reader.finish()
        former = ConnectionReader(servers)
        async for piece in self._process.ask_former_workers(SHOW_ALL):
            former.feed(piece)
        return total + former.finish()
