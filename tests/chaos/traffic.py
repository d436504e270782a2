"""Steady load on one host: visitors who keep their cookie and their connection, and WebSockets that are always in use.

Each request is written down with its times, so that it can be said afterwards which of them were under way when a proxy was
killed. A client that finds its idle connection closed opens another one, as all do.
"""

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field

PATIENCE = 25.0
"""Seconds that a client waits for an answer before it counts as failed."""
TALK = 0.25
"""Seconds between two messages on a WebSocket."""

HOST = "web.test"


@dataclass(frozen=True)
class Failure:
    """A request that was not answered as it should; times of the monotonic clock."""

    began: float
    ended: float
    why: str


@dataclass(eq=False)
class Visitor:
    """One client. `pods` are those that it met, each once in a row."""

    cookie: str = ""
    pods: list[str] = field(default_factory=list)
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    def hang_up(self) -> None:
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


class Traffic:
    """`rate` requests a second by `visitors`, and `sockets` WebSockets, to the proxy on `port`.

    With `others` it is a balancer's: clients are spread over all, and go to another one where nobody accepts them.
    """

    def __init__(self, port: int, *, visitors: int, rate: float, sockets: int, others: tuple[int, ...] = ()) -> None:
        self._ports = (port, *others)
        self._pause = visitors / rate
        self.visitors = [Visitor() for _ in range(visitors)]
        self._socket_count = sockets
        self.requests = 0
        self.failures: list[Failure] = []
        self.cut = 0
        self.open_sockets = 0

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number, visitor in enumerate(self.visitors):
                tasks.create_task(self._visit(visitor, number * self._pause / len(self.visitors)))
            for number in range(self._socket_count):
                tasks.create_task(self._keep_socket(number))

    async def _connect(self, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        first = number % len(self._ports)
        *ports, last = (*self._ports[first:], *self._ports[:first])
        for port in ports:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        return await asyncio.open_connection("127.0.0.1", last)

    @property
    def is_steady(self) -> bool:
        """Whether every visitor has a session, and every WebSocket is open."""
        return all(visitor.cookie for visitor in self.visitors) and self.open_sockets == self._socket_count

    @property
    def moved(self) -> int:
        """How many visitors did not stay where they were; every pod lives for as long as the load lasts."""
        return sum(1 for visitor in self.visitors if len(visitor.pods) > 1)

    async def _visit(self, visitor: Visitor, wait: float) -> None:
        due = time.monotonic() + wait
        try:
            while True:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                # After a standstill nobody asks for everything that was missed.
                due = max(due + self._pause, time.monotonic())
                await self._ask(visitor)
        finally:
            visitor.hang_up()

    async def _ask(self, visitor: Visitor) -> None:
        began = time.monotonic()
        self.requests += 1
        try:
            async with asyncio.timeout(PATIENCE):
                head, body = await self._exchange(visitor)
            if not head.startswith("HTTP/1.1 200 "):
                raise ConnectionError(head.partition("\r\n")[0])
        except (OSError, EOFError, TimeoutError) as error:
            visitor.hang_up()
            self.failures.append(Failure(began, time.monotonic(), f"{type(error).__name__}: {error}"))
            return
        if found := re.search(r"^set-cookie: ([^;\r]*)", head, re.MULTILINE | re.IGNORECASE):
            visitor.cookie = found[1]
        if not visitor.pods or visitor.pods[-1] != body:
            visitor.pods.append(body)

    async def _exchange(self, visitor: Visitor) -> tuple[str, str]:
        if visitor.reader is None or visitor.reader.at_eof():
            visitor.hang_up()
            visitor.reader, visitor.writer = await self._connect(self.visitors.index(visitor))
        reader, writer = visitor.reader, visitor.writer
        assert writer
        cookie = f"Cookie: {visitor.cookie}\r\n" if visitor.cookie else ""
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{cookie}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"^content-length: (\d+)", head, re.MULTILINE | re.IGNORECASE)
        if length is None:
            raise ConnectionError(head.partition("\r\n")[0])
        body = (await reader.readexactly(int(length[1]))).decode()
        if re.search(r"^connection: close", head, re.MULTILINE | re.IGNORECASE):
            visitor.hang_up()
        return head, body

    async def _keep_socket(self, number: int) -> None:
        while True:
            try:
                reader, writer = await self._connect(number)
            except OSError:
                await asyncio.sleep(TALK)
                continue
            with contextlib.closing(writer):
                await self._use_socket(reader, writer)

    async def _use_socket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_open = False
        try:
            writer.write(f"GET /talk HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
            async with asyncio.timeout(PATIENCE):
                is_open = (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            self.open_sockets += is_open
            while is_open:
                writer.write(b"still there?")
                async with asyncio.timeout(PATIENCE):
                    await reader.readexactly(12)
                await asyncio.sleep(TALK)
        except (OSError, EOFError, TimeoutError):
            self.cut += is_open
            await asyncio.sleep(TALK)
        finally:
            self.open_sockets -= is_open
