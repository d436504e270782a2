"""The sockets that HAProxy listens on, held by the controller as well, so that they outlive HAProxy.

A client that connects while a dead HAProxy is started anew waits in the socket's queue, and is not refused. HAProxy hands its
sockets over by the command `_getsocks`, meant for its own successor (option `-x`): a number, and then, in pieces that are
acknowledged, the descriptors and for each of them a network namespace, an interface and options. What came that way is handed
to the next HAProxy that way. Unix sockets are not held: a new HAProxy makes them anew, also where their file is gone.
"""

import asyncio
import logging
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

TIMEOUT = 2.0
"""Seconds that either side has for each step, once there are two sides."""
_LOOK = 0.2
"""Seconds after which it is seen that no HAProxy will come."""
_ASKED = b"_getsocks\n"
_AT_ONCE = 253
"""Descriptors that Linux passes in one message (unix(7), `SCM_MAX_FD`); HAProxy sends one fewer."""
_NUMBER = struct.Struct("=i")

_log = logging.getLogger(__name__)


class Listener(msgspec.Struct, frozen=True):
    """A descriptor of ours, and what HAProxy says with it."""

    descriptor: int
    told: bytes


class HeldListeners:
    """What is held; `place` is the path at which it is offered to a HAProxy that starts."""

    def __init__(self, place: str) -> None:
        self._place = Path(place)
        self._held: tuple[Listener, ...] = ()

    async def take(self, runtime_socket: str) -> None:
        """Holds what the HAProxy behind the socket listens on now, and nothing else."""
        try:
            taken = await asyncio.to_thread(_receive, runtime_socket)
        except (OSError, ValueError, struct.error) as error:
            _log.warning("if HAProxy dies, clients are refused until it runs again: its sockets are not to be had: %s", error)
            taken = ()
        self.release()
        self._held = taken

    def release(self) -> None:
        """Lets go of the sockets; nobody listens any more unless HAProxy does."""
        for listener in self._held:
            os.close(listener.descriptor)
        self._held = ()

    @asynccontextmanager
    async def offered(self) -> AsyncIterator[Path | None]:
        """Where a HAProxy that starts can have what is held; None if nothing is."""
        if not self._held:
            yield None
            return
        with socket.socket(socket.AF_UNIX) as server:
            try:
                self._listen(server)
            except OSError as error:
                _log.warning("clients are refused until HAProxy runs again: %s: %s", self._place, error)
                yield None
                return
            is_over = threading.Event()
            handing = asyncio.create_task(asyncio.to_thread(_hand_over, server, self._held, is_over))
            try:
                yield self._place
                await asyncio.wait((handing,), timeout=TIMEOUT)
            finally:
                is_over.set()
                self._place.unlink(missing_ok=True)
                await asyncio.gather(handing, return_exceptions=True)

    def _listen(self, server: socket.socket) -> None:
        self._place.unlink(missing_ok=True)
        server.bind(str(self._place))
        self._place.chmod(0o600)
        server.listen()
        server.settimeout(_LOOK)


def _receive(path: str) -> tuple[Listener, ...]:
    descriptors: list[int] = []
    told = b""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(path)
            connection.sendall(_ASKED)
            (count,) = _NUMBER.unpack(connection.recv(_NUMBER.size, socket.MSG_WAITALL))
            while len(descriptors) < count:
                piece, passed, _, _ = socket.recv_fds(connection, 1 << 16, _AT_ONCE)
                if not passed:
                    raise ValueError(f"{len(descriptors)} of {count} came")
                descriptors += passed
                told += piece
                connection.sendall(_NUMBER.pack(len(descriptors)))
        words = tuple(_words(told))
        if len(words) != count:
            raise ValueError(f"{count} came, and something about {len(words)}")
        return tuple(Listener(os.dup(fd), one) for fd, one in zip(descriptors, words, strict=True) if _is_internet(fd))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _words(told: bytes) -> Iterator[bytes]:
    """What is said of each: two texts, each behind its length, and a number."""
    begin = 0
    while begin < len(told):
        end = begin
        for _ in range(2):
            end += 1 + told[end]
        end += _NUMBER.size
        yield told[begin:end]
        begin = end


def _is_internet(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as found:
        return found.family in (socket.AF_INET, socket.AF_INET6)


def _accept(server: socket.socket, is_over: threading.Event) -> socket.socket:
    """Whoever comes, be it after minutes: its container may have to be started first."""
    while True:
        try:
            return server.accept()[0]
        except TimeoutError:
            if is_over.is_set():
                raise


def _hand_over(server: socket.socket, listeners: tuple[Listener, ...], is_over: threading.Event) -> None:
    try:
        with _accept(server, is_over) as connection:
            connection.settimeout(TIMEOUT)
            connection.recv(len(_ASKED), socket.MSG_WAITALL)
            connection.sendall(_NUMBER.pack(len(listeners)))
            for begin in range(0, len(listeners), _AT_ONCE - 1):
                some = listeners[begin : begin + _AT_ONCE - 1]
                told = b"".join(one.told for one in some)
                socket.send_fds(connection, [told], [one.descriptor for one in some])
                connection.recv(_NUMBER.size, socket.MSG_WAITALL)
    except OSError as error:
        _log.warning("the new HAProxy did not take the sockets of the one that died: %s", error)
