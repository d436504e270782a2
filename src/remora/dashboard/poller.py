"""Asks controllers for their traffic while somebody looks: one question for all viewers, and none when nobody does."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from remora.core.errors import RemoraError
from remora.dashboard.history import History, extended
from remora.observe.traffic_report import TrafficReport

PAUSE = 1.0
_SHARE = 20
"""Asking takes at most one part in so many of the time; thousands of pods are asked for less often."""
_ATTENTION = 12.0
"""Seconds after the last look until which somebody is held to be there."""
_PATIENCE = 10.0


class Heard(msgspec.Struct, frozen=True):
    """A report with its source's notes: who did not answer, and why."""

    report: TrafficReport
    notes: tuple[str, ...] = ()


class State(msgspec.Struct, frozen=True):
    """What is known. `number` grows with each answer; `trouble` says why the last question had none."""

    number: int
    history: History
    notes: tuple[str, ...] = ()
    trouble: str = ""


class Poller:
    """Keeps the history."""

    def __init__(self, ask: Callable[[], Awaitable[Heard]], *, pause: float = PAUSE) -> None:
        self._ask = ask
        self._pause = pause
        self._state = State(0, History())
        self._looked = 0.0
        self._wanted = asyncio.Event()
        self._told = asyncio.Event()

    async def state(self) -> State:
        """What is known now; the first to look waits for an answer.

        Raises:
            RemoraError: there has never been one.
        """
        fresh = time.monotonic() - self._looked < _ATTENTION
        self._looked = time.monotonic()
        if not fresh:
            self._told.clear()
        self._wanted.set()
        if not self._told.is_set():
            try:
                await asyncio.wait_for(self._told.wait(), _PATIENCE)
            except TimeoutError:
                if not self._state.history.recent:
                    raise RemoraError("no controller has answered yet") from None
        if not self._state.history.recent:
            raise RemoraError(self._state.trouble)
        return self._state

    async def run(self) -> None:
        """Asks until cancelled."""
        while True:
            if time.monotonic() - self._looked > _ATTENTION:
                self._wanted.clear()
                await self._wanted.wait()
            begun = time.monotonic()
            await self._take()
            self._told.set()
            await asyncio.sleep(max(self._pause, _SHARE * (time.monotonic() - begun)))

    async def _take(self) -> None:
        number = self._state.number + 1
        try:
            heard = await self._ask()
        except RemoraError as error:
            self._state = msgspec.structs.replace(self._state, number=number, trouble=str(error))
            return
        history = await asyncio.to_thread(extended, self._state.history, heard.report)
        self._state = State(number, history, heard.notes)
