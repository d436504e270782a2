"""The other side of `elsewhere`: starts HAProxy where this process runs, when the controller asks, or when none is there to.

HAProxy and the controller may then each be started anew without the other.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import assert_never

import msgspec

from remora.apply.elsewhere import Answer, Check, Find, Order, Start, WaitDead
from remora.apply.process import HAProxyProcess
from remora.core.errors import HAProxyError, UsageError
from remora.haproxy.layout import Layout

PATIENCE = 3.0
"""Seconds that a controller has to ask for HAProxy, which then gets the sockets that clients wait at."""

_log = logging.getLogger(__name__)


class Launcher:
    """Starts the HAProxy of one state directory."""

    def __init__(self, process: HAProxyProcess, layout: Layout) -> None:
        self._process = process
        self._layout = layout
        self._lock = asyncio.Lock()

    async def carry_out(self, order: Order) -> Answer:
        """What came of the order; HAProxy's refusal is an answer too."""
        try:
            match order:
                case Start(listeners=listeners):
                    await self._start(Path(listeners) if listeners else None)
                case Check(files=files):
                    await self._process.check([Path(file) for file in files])
                case WaitDead():
                    await self._process.wait_dead()
                case Find():
                    return Answer(master=await self._process.find_master())
                case _:
                    assert_never(order)
        except (HAProxyError, OSError) as error:
            return Answer(refused=str(error))
        return Answer()

    async def keep_running(self) -> None:
        """Starts HAProxy with the files that there are, whenever it is gone and no controller has it started in time."""
        while True:
            await self._process.wait_dead()
            await asyncio.sleep(PATIENCE)
            if not Path(self._layout.program).exists() or await self._process.is_running():
                continue
            _log.warning("HAProxy does not run and no controller asks for it; it is started with the files of before")
            answer = await self.carry_out(Start())
            if answer.refused is not None:
                _log.error("HAProxy does not start: %s", answer.refused)

    async def _start(self, listeners: Path | None) -> None:
        async with self._lock:
            # Whoever was first has started it with files that may be older.
            if await self._process.ask_pid() is not None and Path(self._layout.runtime_socket).exists():
                await self._process.reload()
            else:
                await self._process.start(listeners)


@asynccontextmanager
async def taking_orders(launcher: Launcher, place: Path) -> AsyncIterator[None]:
    """Answers at `place`, a Unix socket for this user alone.

    Raises:
        UsageError: another launcher is there.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task that ends by being cancelled is an error to asyncio's streams, and told in the log.
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            if not (line := await reader.readline()):
                return  # another launcher looked whether one is here
            try:
                order = msgspec.json.decode(line, type=Order)
            except msgspec.MsgspecError as error:
                _log.warning("%s: an order that is none: %s", place, error)
                return
            # Who waits for HAProxy's end may go away before it comes.
            carrying = asyncio.create_task(launcher.carry_out(order))
            leaving = asyncio.create_task(reader.read())
            await asyncio.wait((carrying, leaving), return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if isinstance(order, WaitDead) and not carrying.done():
                carrying.cancel()
                return
            writer.write(msgspec.json.encode(await carrying) + b"\n")
            await writer.drain()

    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_unix_connection(place)
        writer.close()
        raise UsageError(f"another `remora proxy` listens at {place}; stop it, or choose another directory with --state-dir")
    place.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(answer, place)
    place.chmod(0o600)
    try:
        yield
    finally:
        server.close()
        place.unlink(missing_ok=True)
