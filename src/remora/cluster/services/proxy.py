"""The layer-4 proxy of the local cluster: watches Services and EndpointSlices and keeps a HAProxy of its own equal to them.

One loop applies changes, so nothing is sent while a reload is open. What is running is what HAProxy confirmed: any other
answer makes the next step a reload. A place that cannot be listened on costs only itself and is tried again.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from remora.apply.process import HAProxyProcess, wait_for_exit
from remora.apply.runtime import RuntimeSocket
from remora.cluster.api.errors import ApiError
from remora.cluster.api.registry import Registry
from remora.cluster.ports import Unbindable, find_obstacle
from remora.cluster.services.configuration import configure
from remora.cluster.services.leftover import end_leftovers
from remora.cluster.services.plan import ACCEPTED, DELETED, Reload, Running, Unchanged, Update, decide, deletions
from remora.cluster.services.report import Report
from remora.cluster.services.table import Listener, Table
from remora.cluster.services.translate import translate
from remora.core.errors import HAProxyError, HAProxyUnreachable

_log = logging.getLogger(__name__)

SLICES = "endpointslices.discovery.k8s.io"
RETRY = 1.0
"""Seconds until a place that is taken, a server that is leaving or a refused reload is tried again."""
START_POLL, START_POLLS = 0.02, 250
STOP_GRACE = 0.5
"""Seconds that connections have to end when the cluster goes down; the pods behind them are gone by then."""

_RESTS = 2
"""How many times as long as it took to look at all Services nobody looks at them again."""

STOP_TIMEOUT = 5.0
"""Seconds after which it is killed."""


class ServiceProxy:
    """Serves all Services of one cluster."""

    def __init__(
        self, *, registry: Registry, report: Report, node_addresses: Sequence[str], directory: Path, binary: Path
    ) -> None:
        self._registry = registry
        self._report = report
        self._node_addresses = tuple(node_addresses)
        self._directory = directory
        self._file = directory / "services.cfg"
        self._socket = directory / "runtime.sock"
        self._process = HAProxyProcess(binary=binary, directory=directory, files=[self._file])
        self._runtime = RuntimeSocket(self._socket)
        self._running: Running | None = None
        """What HAProxy confirmed; None if the next step has to be a reload."""
        self._held: frozenset[tuple[str, int]] = frozenset()
        """The places that our HAProxy listens on, for which a probe would find us."""
        self._blocked: dict[Listener, Unbindable] = {}
        """What could not be listened on at the last look."""
        self._master: int | None = None
        self._pause = 0.0
        """Seconds until the next look, in which changes gather."""
        self._one_writer = asyncio.Lock()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Serves until cancelled, then ends its HAProxy."""
        async with self._haproxy(), asyncio.TaskGroup() as tasks:
            for resource in ("services", SLICES):
                tasks.create_task(self._follow(resource))
            tasks.create_task(self._restart_when_dead())
            tasks.create_task(self._apply_changes())

    @asynccontextmanager
    async def _haproxy(self) -> AsyncIterator[None]:
        # Somebody who can write here or talk to the socket commands the proxy.
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True, mode=0o700)
        try:
            await self._start()
            yield
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT):
                    await self._process.stop(STOP_GRACE)
            # While a reload is under way the master does not answer, and so cannot be told to stop.
            await asyncio.to_thread(end_leftovers, self._directory)
            for socket in self._directory.glob("*.sock"):
                socket.unlink()

    async def _follow(self, resource: str) -> None:
        while True:
            try:
                async for _ in self._registry.watch(resource):
                    self._changed.set()
            except ApiError as error:
                _log.info("watch of %s begins anew: %s", resource, error)

    async def _start(self) -> None:
        """Starts without listeners, which works whoever has the ports; the next step adds those that are free."""
        self._running, self._held = None, frozenset()
        self._write(Table())
        await self._process.start()
        self._master = await self._find_master()

    async def _find_master(self) -> int:
        """The master, which executes itself anew once its worker runs and does not answer for a moment."""
        for _ in range(START_POLLS):
            if master := await self._process.find_master():
                return master
            await asyncio.sleep(START_POLL)
        raise HAProxyUnreachable("the Service proxy was started and does not answer")

    async def _restart_when_dead(self) -> None:
        while True:
            if self._master is not None:
                await wait_for_exit(self._master)
            _log.error("the Service proxy died and is started again")
            try:
                async with self._one_writer:
                    await asyncio.to_thread(end_leftovers, self._directory)
                    await self._start()
            except HAProxyError as error:
                _log.error("Service proxy: %s", error)
                self._master = None
                await asyncio.sleep(RETRY)
            self._changed.set()

    async def _apply_changes(self) -> None:
        pending = False
        while True:
            try:
                async with asyncio.timeout(RETRY if pending else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                async with self._one_writer:
                    pending = await self._apply()
                await asyncio.sleep(self._pause)
            except HAProxyError as error:
                _log.warning("Service proxy: %s", error)
                self._running = None
                pending = True

    async def _apply(self) -> bool:
        """Brings HAProxy in line; whether something is left to try again."""
        services, _ = self._registry.list("services")
        slices, _ = self._registry.list(SLICES)
        began = time.monotonic()
        # What serves clients of the API server goes on meanwhile; stored objects never change.
        table = await asyncio.to_thread(translate, services, slices, node_addresses=self._node_addresses)
        self._pause = _RESTS * (time.monotonic() - began)
        self._blocked = blocked = await asyncio.to_thread(self._find_blocked, table.listeners)
        table = msgspec.structs.replace(table, listeners=tuple(item for item in table.listeners if item not in blocked))
        await self._step(table)
        leaving = await self._remove_leaving()
        await self._report.publish(services, table.problems, blocked)
        return bool(blocked or leaving)

    def _find_blocked(self, listeners: Sequence[Listener]) -> dict[Listener, Unbindable]:
        """What cannot be listened on, of what HAProxy does not hold already."""
        free = (item for item in listeners if item.place not in self._held)
        found = {item: find_obstacle(*item.place, before=self._blocked.get(item)) for item in free}
        return {listener: obstacle for listener, obstacle in found.items() if obstacle}

    async def _step(self, table: Table) -> None:
        wanted = Running(table.listeners, table.backends)
        step = await asyncio.to_thread(decide, self._running, wanted)
        if isinstance(step, Unchanged):
            return
        await asyncio.to_thread(self._write, table)
        if isinstance(step, Update) and await self._update(step):
            return
        if isinstance(step, Reload):
            _log.info("Service proxy reloads: %s", "; ".join(step.reasons))
        await self._process.reload()
        self._running, self._held = wanted, frozenset(item.place for item in table.listeners)

    async def _update(self, update: Update) -> bool:
        """Sends the commands; False if one was not accepted."""
        for command, answer in zip(update.commands, await self._runtime.send(update.commands), strict=True):
            if answer.strip() not in ACCEPTED:
                _log.warning("Service proxy reloads: %r was answered with %r", command, answer.strip())
                return False
        self._running = update.after
        return True

    async def _remove_leaving(self) -> bool:
        """Deletes the servers whose last connection has ended; whether some are left."""
        if self._running is None or not self._running.leaving:
            return False
        attempts = deletions(self._running)
        answers = await self._runtime.send([command for _, command in attempts])
        left = frozenset(place for (place, _), answer in zip(attempts, answers, strict=True) if answer.strip() != DELETED)
        self._running = msgspec.structs.replace(self._running, leaving=left)
        return bool(left)

    def _write(self, table: Table) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(configure(table, socket=str(self._socket)))
        draft.replace(self._file)
