"""What a container prints, as it comes and not by lines, for one client that is attached to it."""

import asyncio
from collections import deque

_MOST = 4 * 1024 * 1024
"""Bytes that wait for a slow client; then the oldest are left out, since a container must not wait for those who look on."""


class Tap:
    def __init__(self) -> None:
        self._pieces: deque[tuple[bytes, bool]] = deque()
        self._size = 0
        self._changed = asyncio.Event()
        self._is_finished = False

    def put(self, data: bytes, *, is_error: bool) -> None:
        self._pieces.append((data, is_error))
        self._size += len(data)
        while self._size > _MOST:
            self._size -= len(self._pieces.popleft()[0])
        self._changed.set()

    def finish(self) -> None:
        self._is_finished = True
        self._changed.set()

    async def next(self) -> tuple[bytes, bool] | None:
        """The next piece and whether it came from standard error; None when the container has ended."""
        while not self._pieces:
            if self._is_finished:
                return None
            self._changed.clear()
            await self._changed.wait()
        piece = self._pieces.popleft()
        self._size -= len(piece[0])
        return piece
