"""What can be wrong with an API server: it stands still, is slow, refuses, closes watches, tells twice, late or nonsense."""

import asyncio
import random
from collections.abc import Iterator


class Trouble:
    """None as long as nothing is set.

    `delay` is seconds before each answer and before a watch tells what is new; `status` is the answer to everything; `closing`
    is the chance that a watch is closed at any hundredth of a second; `twice` repeats each event; `before_lines` come before
    each event.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.status = 0
        self.closing = 0.0
        self.twice = False
        self.before_lines: tuple[bytes, ...] = ()
        self.flows = asyncio.Event()
        self.flows.set()
        self.befallen = 0
        self._chance = random.Random(7)

    def freeze(self) -> None:
        """Nothing is answered and nothing told from now on; connections are taken and stay."""
        self.flows.clear()

    def end(self) -> None:
        """All is well again."""
        self.delay, self.status, self.closing, self.twice, self.before_lines = 0.0, 0, 0.0, False, ()
        self.flows.set()

    async def befall(self) -> int:
        """What comes before an answer; the status that is answered instead, 0 if the answer is to be given."""
        self.befallen += bool(self.delay or self.status or not self.flows.is_set())
        await self.flows.wait()
        await asyncio.sleep(self.delay)
        return self.status

    async def befall_watch(self) -> bool:
        """What comes before each look at what a watch is to tell; whether the watch is closed."""
        await self.flows.wait()
        await asyncio.sleep(self.delay)
        is_closed = bool(self.status) or self._chance.random() < self.closing
        self.befallen += is_closed
        return is_closed

    def lines(self, line: bytes) -> Iterator[bytes]:
        """What is told instead of an event."""
        yield from self.before_lines
        yield line
        if self.twice:
            yield line
        self.befallen += bool(self.before_lines or self.twice)
