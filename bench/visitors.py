"""Clients with sessions, who notice when they are moved: browsers that ask again and again, and WebSockets that talk.

Like a browser a visitor keeps its connection and its cookie, takes a new cookie when it is given one, and asks once more on a
new connection if the kept one was closed without a word.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.clients import websocket
from bench.peers.site import COOKIE

PAUSE = 0.4
PATIENCE = 5.0
_FRAME, _ECHO = bytes((0x81, 0x84, 0, 0, 0, 0)) + b"ping", bytes((0x81, 4)) + b"ping"


@dataclass
class Tally:
    """What happened to all visitors of a peer in one scenario. Sessions are told by their number."""

    sessions: int = 0
    keeps: bool = False
    """Whether visitors who are sent to another port keep the connections that they have until somebody closes them."""
    requests: int = 0
    failed: int = 0
    moved: set[int] = field(default_factory=set)
    """Sessions that left a pod which was still there: broken for nothing."""
    lost: set[int] = field(default_factory=set)
    """Sessions whose pod had gone."""
    websockets: int = 0
    cut: int = 0
    """WebSockets that ended though their pod was still there."""
    ended: int = 0
    """WebSockets that ended with their pod."""
    reasons: dict[str, int] = field(default_factory=dict)

    def fail(self, reason: str) -> None:
        self.failed += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class Visitor:
    """One session."""

    def __init__(self, number: int, host: str, tally: Tally, is_up: Callable[[str], bool]) -> None:
        self._number, self._host, self._tally, self._is_up = number, host, tally, is_up
        self._cookie = self._pod = ""
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._port = 0

    async def run(self, port: Callable[[], int]) -> None:
        """Asks until it is cancelled, at whatever port it is told at the time."""
        try:
            while True:
                await self._visit(port())
                await asyncio.sleep(PAUSE)
        finally:
            self._leave()

    async def _visit(self, port: int) -> None:
        if port != self._port and not (self._tally.keeps and self._streams):
            self._leave()
            self._port = port
        self._tally.requests += 1
        was_kept = self._streams is not None
        try:
            async with asyncio.timeout(PATIENCE):
                try:
                    await self._ask()
                except (asyncio.IncompleteReadError, ConnectionError) as error:
                    self._leave()
                    if not was_kept or (isinstance(error, asyncio.IncompleteReadError) and error.partial):
                        raise
                    self._port = port
                    await self._ask()
        except (OSError, asyncio.IncompleteReadError) as error:
            self._leave()
            self._tally.fail("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)

    async def _ask(self) -> None:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        read, write = self._streams
        cookie = f"Cookie: {self._cookie}\r\n" if self._cookie else ""
        write.write(f"GET / HTTP/1.1\r\nHost: {self._host}\r\n{cookie}\r\n".encode())
        head = (await read.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        await read.readexactly(int(headers.get("content-length", 0)))
        if "close" in headers.get("connection", "").lower() or not status.startswith("HTTP/1.1 200"):
            self._leave()
        if not status.startswith("HTTP/1.1 200"):
            self._tally.fail(status[9:12])
            return
        given = headers.get("set-cookie", "").partition(";")[0]
        self._cookie = given if given.startswith(f"{COOKIE}=") else self._cookie
        self._arrive(headers.get("x-pod", ""))

    def _arrive(self, pod: str) -> None:
        if self._pod and pod != self._pod:
            (self._tally.moved if self._is_up(self._pod) else self._tally.lost).add(self._number)
        self._pod = pod

    def _leave(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None


async def talk(port: Callable[[], int], host: str, tally: Tally, is_up: Callable[[str], bool]) -> None:
    """A WebSocket that is opened again whenever it ends."""
    while True:
        pod = ""
        writer = None
        try:
            async with asyncio.timeout(PATIENCE):
                read, writer, pod = await websocket(port(), host, "")
            while True:
                writer.write(_FRAME)
                async with asyncio.timeout(PATIENCE):
                    if await read.readexactly(len(_ECHO)) != _ECHO:
                        raise ConnectionError("something else came back")
                await asyncio.sleep(PAUSE)
        except (OSError, asyncio.IncompleteReadError):
            if pod and is_up(pod):
                tally.cut += 1
            elif pod:
                tally.ended += 1
            else:
                tally.fail("WebSocket not opened")
            await asyncio.sleep(0.1)
        finally:
            if writer:
                with contextlib.suppress(OSError):
                    writer.close()
