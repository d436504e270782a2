"""Pipes and terminals read and written piece by piece: nothing is read before somebody has taken what came before."""

import asyncio
import contextlib
import errno
import os

CHUNK = 32 * 1024


class Outlet:
    """A descriptor from which a process's output comes."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_last = False

    async def read(self) -> bytes:
        """What comes next; b"" at its end."""
        while True:
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:
                if self._is_last:
                    return b""
            except OSError as error:
                if error.errno == errno.EIO:  # how a terminal says that no process has it any more
                    return b""
                raise
            await self._until_readable()

    def finish(self) -> None:
        """From now on what is there is all: somebody who still holds the other end is not waited for."""
        self._is_last = True
        self._wake()

    async def _until_readable(self) -> None:
        self._waiter = self._loop.create_future()
        self._loop.add_reader(self._fd, self._wake)
        try:
            await self._waiter
        finally:
            self._loop.remove_reader(self._fd)
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Inlet:
    """A descriptor that a process reads."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    async def write(self, data: bytes) -> None:
        """Writes all of it.

        Raises:
            OSError: nobody reads it any more.
        """
        left = memoryview(data)
        while left and not self._is_closed:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                await self._until_writable()

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_writer(self._fd)
            close(self._fd)

    async def _until_writable(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._fd, lambda: None if waiter.done() else waiter.set_result(None))
        try:
            await waiter
        finally:
            if not self._is_closed:
                self._loop.remove_writer(self._fd)


def close(*fds: int | None) -> None:
    for fd in fds:
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)
