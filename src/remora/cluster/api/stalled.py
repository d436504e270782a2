"""Ends connections whose peer has stopped reading.

Such a peer, a client that was stopped in a debugger for one, would hold what waits for it for as long as it lives. It is told
by the end of its connection; an informer then begins with a list, as after a 410.
"""

import asyncio

PATIENCE = 60.0
"""Seconds without a byte taken; longer than any pause of a client that will go on."""


class Stalled:
    """Looks at a connection from when it has too much to send until all of that is sent."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        if self._look is None:
            self._look = self._loop.call_later(PATIENCE, self._again, self._transport.get_write_buffer_size())

    def end(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _again(self, before: int) -> None:
        self._look = None
        waiting = self._transport.get_write_buffer_size()
        if waiting >= before > 0:
            self._transport.abort()
        elif waiting:
            self.begin()
