"""What reflectors tell the loop, each with the time at which it came: a change waits for a loop that is busy, too."""

import asyncio
from collections.abc import Callable

from remora.kube.reflector import Relisted, Told

LONGEST = 1000
"""Things told that wait at most; a reflector that is faster waits itself."""


class Inbox:
    """A queue whose things are stamped by `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._queue: asyncio.Queue[tuple[float, Relisted | Told]] = asyncio.Queue(LONGEST)

    async def put(self, told: Relisted | Told) -> None:
        """Waits for a place if there is none; the time counts from before that."""
        await self._queue.put((self._clock(), told))

    async def get(self) -> tuple[float, Relisted | Told]:
        """The next thing, and when it came."""
        return await self._queue.get()

    def get_nowait(self) -> tuple[float, Relisted | Told]:
        """The same of one that is not empty."""
        return self._queue.get_nowait()

    def size(self) -> int:
        """How many things there are now."""
        return self._queue.qsize()
