"""The one writer to HAProxy: takes what is wanted, makes HAProxy run it, and says what came of it.

What runs is kept as HAProxy has confirmed it. A runtime command that is not confirmed ends the update, and a reload from
files puts everything right.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from remora.apply.adopt import read_running
from remora.apply.binary import find_binary
from remora.apply.connections import show_requests
from remora.apply.default_certificate import ensure_default_certificate
from remora.apply.elsewhere import HAProxyElsewhere
from remora.apply.files import remove_others, write_all, write_atomically
from remora.apply.info import has_requests
from remora.apply.listeners import HeldListeners
from remora.apply.master import HAProxyMaster
from remora.apply.ports import can_listen
from remora.apply.process import HAProxyProcess
from remora.apply.readings import Readings
from remora.apply.runtime import RuntimeSocket
from remora.core.errors import HAProxyError, HAProxyRefused, HAProxyUnreachable, StateUnwritable
from remora.core.persistent import keys_differing
from remora.core.settings import ProxySettings
from remora.haproxy.configuration import Configuration, ProxyBackend, without, without_ports
from remora.haproxy.features.streams import port_key
from remora.haproxy.layout import Layout
from remora.plan.decide import Reload, RuntimeUpdate, Unchanged, decide, is_light, left, started, sweep, swept
from remora.plan.files import files_in_turn, render_check
from remora.plan.outcome import Outcome, OutcomeKind
from remora.plan.running import Running
from remora.plan.servers import servers_left

SWEEP_INTERVAL = 1.0
RESTART_DELAY = 0.5
LONGEST_RESTART_DELAY = 8.0
"""Each failed start doubles the pause before the next, up to this."""
LOOK_INTERVAL = 5.0
"""How often to look whether HAProxy can still be reached, beside being told when it ends."""

UNKNOWN = Running(digest="")
"""What runs after something of which it is not known how far it came: only a reload can follow."""

_log = logging.getLogger(__name__)


class Executor:
    """Owns the HAProxy of one state directory, which is started here or, if `external`, by `remora proxy`.

    Raises (on construction): HAProxyMissing if there is no usable binary.
    """

    def __init__(self, settings: ProxySettings, *, binary: str | None = None, external: bool = False) -> None:
        self._layout = Layout(settings.state_directory)
        self._process = _haproxy_elsewhere(self._layout) if external else _haproxy_here(self._layout, binary)
        self._socket = RuntimeSocket(self._layout.runtime_socket)
        self.readings = Readings(
            self._socket, self._process, expire=settings.session_table_expire, read_running=lambda: self._running
        )
        self._listeners = HeldListeners(self._layout.listeners_socket)
        self._failed_starts = 0
        self._lock = asyncio.Lock()
        self._running: Running | None = None
        self._wanted: Configuration | None = None
        self._refused: set[str] = set()
        self._judged: Mapping[str, ProxyBackend] = {}
        self._generation = 0
        self._changed = asyncio.Event()
        self.fault = ""
        """Why nobody is served at the moment; "" while HAProxy runs, and before it was first seen."""

    @property
    def is_serving(self) -> bool:
        """Whether HAProxy was seen running, started or adopted."""
        return self._running is not None

    async def start(self) -> None:
        """Adopts the HAProxy that already runs from the state directory, if there is one; it goes on as it is."""
        if not await self._process.is_running():
            return
        async with self._lock:
            try:
                self._running = await read_running(self._socket, self._layout)
            except HAProxyError as error:
                # A master without a worker cannot be adopted; a reload at the first apply gives it one.
                _log.warning("HAProxy runs, but is not adopted: %s", error)
                self._running = UNKNOWN
            await self._listeners.take(self._layout.runtime_socket)
            self._changed.set()

    async def apply(self, wanted: Configuration) -> Outcome:
        """Makes HAProxy run what is wanted. Never raises for what HAProxy says; the Outcome carries it."""
        async with self._lock:
            self._wanted = wanted
            return await self._apply(wanted)

    async def run(self, tell: Callable[[Outcome], None] = lambda _: None) -> None:
        """Starts HAProxy again when it dies, and takes away servers that nothing is connected to any more.

        `tell` is given what came of each start for which nobody asked by `apply`.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._supervise(tell))
            tasks.create_task(self._sweep())

    async def stop(self, *, grace: float) -> None:
        """Ends HAProxy: no new connections at once, `grace` seconds for the requests under way."""
        async with self._lock:
            self._running = None
            self._wanted = None
            self._listeners.release()
            await self._process.stop(grace)

    async def _apply(self, wanted: Configuration) -> Outcome:
        begun = time.monotonic()
        try:
            await self._judge(wanted)
            busy = self._busy_ports(wanted)
            wanted = without_ports(wanted, busy) if busy else wanted
            refused = tuple(sorted(self._refused & wanted.backends.keys()))
            outcome = await self._carry_out(without(wanted, refused) if refused else wanted)
        except (HAProxyError, OSError) as error:
            # An OSError is the machine's: no more open files or processes, say.
            return Outcome(self._generation, OutcomeKind.FAILED, error=str(error), seconds=time.monotonic() - begun)
        refused += tuple(map(port_key, busy))
        return msgspec.structs.replace(outcome, refused=refused, seconds=time.monotonic() - begun)

    async def _carry_out(self, wanted: Configuration) -> Outcome:
        if self._running is None or not await self._process.is_running():
            return await self._start_afresh(wanted, "HAProxy was not running")
        if not Path(self._layout.runtime_socket).exists():
            return await self._start_afresh(wanted, f"{self._layout.runtime_socket} was gone, so HAProxy was not to be reached")
        args = (self._running, wanted, self._layout)
        plan = decide(*args) if is_light(self._running, wanted) else await asyncio.to_thread(decide, *args)
        match plan:
            case Unchanged():
                return Outcome(self._generation, OutcomeKind.UNCHANGED)
            case Reload(reasons=reasons):
                return await self._reload(wanted, reasons)
            case RuntimeUpdate():
                return await self._update(wanted, plan)

    async def _is_reachable(self) -> bool:
        """Whether HAProxy runs and has its sockets; no reload brings one back that was removed."""
        return await self._process.is_running() and Path(self._layout.runtime_socket).exists()

    async def _update(self, wanted: Configuration, plan: RuntimeUpdate) -> Outcome:
        try:
            await self._socket.run(plan.commands)
        except HAProxyError as error:
            self._running = UNKNOWN
            return await self._reload(wanted, (f"a runtime command was not confirmed: {error}",))
        self._running = plan.after
        if plan.reload_after:
            return await self._reload(wanted, plan.reload_after, commands=len(plan.commands))
        self._generation += 1
        return Outcome(self._generation, OutcomeKind.RUNTIME, commands=len(plan.commands))

    async def _start_afresh(self, wanted: Configuration, reason: str) -> Outcome:
        try:
            running = await asyncio.to_thread(self._write, wanted)
        except StateUnwritable as error:
            return await self._start_from_before(wanted, reason, error)
        await self._start()
        self._tidy(wanted)
        self._running = running
        self._generation += 1
        return Outcome(self._generation, OutcomeKind.START, (reason,))

    async def _start_from_before(self, wanted: Configuration, reason: str, error: StateUnwritable) -> Outcome:
        """Starts with the files of the last start or reload, and makes up by commands for what changed since.

        Raises:
            StateUnwritable: HAProxy runs, but not all that is wanted.
        """
        if not Path(self._layout.program).exists():
            raise error
        _log.error("%s; %s. It starts from the files of before", reason, error)
        await self._start()
        self._running = await read_running(self._socket, self._layout)
        if not await self._update_partly(wanted):
            raise error
        self._generation += 1
        return Outcome(self._generation, OutcomeKind.START, (reason, str(error)))

    async def _start(self) -> None:
        try:
            async with self._listeners.offered() as listeners:
                await self._process.start(listeners)
        except HAProxyError as error:
            self.fault = f"HAProxy does not start: {error}"
            self._failed_starts += 1
            if self._failed_starts > 1:
                # Clients are better refused than kept waiting for nobody.
                self._listeners.release()
            raise
        self._failed_starts = 0
        self.fault = ""
        await self._listeners.take(self._layout.runtime_socket)
        self._changed.set()

    async def _update_partly(self, wanted: Configuration) -> bool:
        """Does what of the wanted can be done without files; whether that is all."""
        assert self._running
        plan = await asyncio.to_thread(decide, self._running, wanted, self._layout)
        is_all = not isinstance(plan, Reload)
        if isinstance(plan, Reload):
            # Ports and peers stand in no way of the rest.
            rest = msgspec.structs.replace(wanted, ports=self._running.ports)
            plan = decide(self._running, rest, self._layout) if rest.peers.digest == self._running.peers else plan
        if isinstance(plan, RuntimeUpdate):
            before, self._running = self._running, UNKNOWN
            await self._socket.run(plan.commands)
            self._running = plan.after if is_all else msgspec.structs.replace(plan.after, ports=before.ports)
            is_all = is_all and not plan.reload_after
        return is_all

    async def _reload(self, wanted: Configuration, reasons: tuple[str, ...], *, commands: int = 0) -> Outcome:
        try:
            running = await asyncio.to_thread(self._write, wanted)
        except StateUnwritable:
            if self._running is not None and self._running is not UNKNOWN:
                await self._update_partly(wanted)
            raise
        await self.readings.read_counters()
        try:
            await self._process.reload()
        except HAProxyUnreachable:
            self._running = UNKNOWN
            raise
        await self._listeners.take(self._layout.runtime_socket)
        self._tidy(wanted)
        self._running = running
        self._generation += 1
        return Outcome(self._generation, OutcomeKind.RELOAD, reasons, commands=commands)

    def _write(self, wanted: Configuration) -> Running:
        running = started(wanted)
        try:
            ensure_default_certificate(Path(self._layout.certificate("default")))
            write_all(files_in_turn(wanted, running, self._layout))
        except OSError as error:
            raise StateUnwritable(
                f"{self._layout.directory} cannot be written to: {error.strerror or error}; until it can, what needs a reload "
                "of HAProxy waits"
            ) from error
        return running

    def _tidy(self, wanted: Configuration) -> None:
        """Removes the keys of certificates that are not wanted any more."""
        kept = {self._layout.certificate(name) for name in ("default", *wanted.certificates)}
        remove_others(Path(self._layout.certificates), kept)
        remove_others(Path(self._layout.upstream_files), {self._layout.upstream_file(name) for name in wanted.files})
        remove_others(Path(self._layout.tls_files), {file.path for file in wanted.process_files})

    def _busy_ports(self, wanted: Configuration) -> tuple[int, ...]:
        """New ports that somebody else listens on: HAProxy would not load with one, and nothing could change any more."""
        open_before = self._running.ports if self._running else ()
        addresses = wanted.settings.bind_addresses if wanted.settings else ()
        return tuple(port.number for port in wanted.ports if port not in open_before and not can_listen(addresses, port.number))

    async def _judge(self, wanted: Configuration) -> None:
        """Asks HAProxy about directives of backends' own that it has not seen yet: what it does not take costs that backend
        alone, not the reload."""
        running = self._running.slots if self._running else {}
        changed = [(name, wanted.backends.get(name)) for name in keys_differing(self._judged, wanted.backends)]
        for name in sorted(name for name, backend in changed if backend and (backend.dedicated or backend.unsure)):
            if name not in self._refused and name not in running and not await self._is_accepted(wanted, name):
                self._refused.add(name)
        self._judged = wanted.backends

    async def _is_accepted(self, wanted: Configuration, name: str) -> bool:
        check = Path(self._layout.directory) / "check.cfg"
        # The program does not load without its maps and certificates.
        await asyncio.to_thread(self._write, msgspec.structs.replace(without(wanted, wanted.backends), files=wanted.files))
        write_atomically(check, render_check(wanted, name, self._layout))
        try:
            await self._process.check([Path(self._layout.program), Path(self._layout.peers), check])
        except HAProxyRefused as error:
            _log.warning("backend %s is not taken: %s", name, error)
            return False
        finally:
            check.unlink(missing_ok=True)
        return True

    async def _supervise(self, tell: Callable[[Outcome], None]) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._running is not None:
                if await self._goes_on():
                    continue
                if self._wanted is None:
                    break
                self.fault = self.fault or "HAProxy has died or lost its sockets, and is started again"
                _log.error("HAProxy has died or lost its sockets; starting it again with the last state")
                outcome = await self.apply(self._wanted)
                tell(outcome)
                if outcome.kind is OutcomeKind.FAILED:
                    _log.error("HAProxy does not start, or not with all that is wanted: %s", outcome.error)
                    await asyncio.sleep(min(RESTART_DELAY * 2 ** max(0, self._failed_starts - 1), LONGEST_RESTART_DELAY))
                else:
                    self.fault = ""
                    _log.info("HAProxy runs again")

    async def _goes_on(self) -> bool:
        """Waits for HAProxy's end, or a while; whether it can be reached still."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_INTERVAL):
                    await self._process.wait_dead()
            return await self._is_reachable()
        except (HAProxyError, OSError) as error:
            _log.warning("whether HAProxy runs is not to be found out: %s", error)
            await asyncio.sleep(LOOK_INTERVAL)
            return True

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            async with self._lock:
                if self._running is not None and (self._running.leaving or self._running.given_up):
                    with contextlib.suppress(HAProxyUnreachable):
                        await self._sweep_once(self._running)

    async def _sweep_once(self, running: Running) -> None:
        slots = list(running.given_up)
        replies = await self._socket.send([show_requests(slot) for slot in slots])
        empty = [slot for slot, reply in zip(slots, replies, strict=True) if not has_requests(reply)]
        commands = [one for slot in empty for one in servers_left(slot, running.given_up[slot], self._layout)]
        await self._socket.send([command.text for command in commands])
        self._running = running = left(running, empty)
        leaving = list(sweep(running))
        replies = await self._socket.send([command.text for _, _, command in leaving])
        done = [(slot, name) for (slot, name, command), reply in zip(leaving, replies, strict=True) if command.is_done(reply)]
        self._running = swept(running, done)


def _haproxy_here(layout: Layout, binary: str | None) -> HAProxyMaster:
    files = [Path(file) for file in layout.haproxy_files]
    return HAProxyProcess(binary=find_binary(binary), directory=Path(layout.directory), files=files)


def _haproxy_elsewhere(layout: Layout) -> HAProxyMaster:
    return HAProxyElsewhere(launcher=Path(layout.launcher_socket), directory=Path(layout.directory))
