"""Port-forward: connections of the client to ports of a pod, several at once over one connection.

By SPDY (kubectl, also inside a WebSocket) each forwarded connection is two streams with the same request id: `data`, and
`error`, whose end tells the client that it is over. By channels (the Python and JavaScript clients) each port of the request
has two channels, and one connection.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from remora.cluster.api.streams import spdy
from remora.cluster.api.streams.channels import Codec
from remora.cluster.api.streams.connection import Connection, Gone

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[int], Awaitable[Link]]
"""Connects to a port of the pod; OSError if it cannot."""

_CHUNK = 32 * 1024
_WAITING = 16
"""Pieces that the pod has not taken yet; then all connections of this client wait, since SPDY/3.1 is used without windows."""
_MOST_PORT = 65535


class Pair(msgspec.Struct):
    """The two streams of one forwarded connection, and what came for the pod."""

    port: int
    error: int = 0
    data: int = 0
    incoming: asyncio.Queue[bytes | None] = msgspec.field(default_factory=lambda: asyncio.Queue(_WAITING))
    has_ended: bool = False


async def forward_spdy(connection: Connection, dial: Dial) -> None:
    """Serves a client until it goes."""
    async with asyncio.TaskGroup() as group:
        forwarder = _SpdyForwarder(connection, dial, group)
        with contextlib.suppress(Gone, spdy.SpdyError):  # either way there is nobody to say it to
            await forwarder.listen()
        forwarder.cancel()


class _SpdyForwarder:
    def __init__(self, connection: Connection, dial: Dial, group: asyncio.TaskGroup) -> None:
        self._connection = connection
        self._dial = dial
        self._group = group
        self._framer = spdy.Framer()
        self._pairs: dict[str, Pair] = {}
        self._by_stream: dict[int, Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        while (data := await self._connection.receive()) is not None:
            for event in self._framer.parse(data if isinstance(data, bytes) else data.encode()):
                await self._take(event)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._open(event)
            case spdy.Data(stream=stream):
                if (pair := self._by_stream.get(stream)) is not None:
                    await _take_data(pair, event.data, is_last=event.is_last)
            case spdy.Reset(stream=stream):
                if (pair := self._by_stream.pop(stream, None)) is not None:
                    await _take_data(pair, b"", is_last=True)
            case spdy.Pinged(number=number):
                await self._connection.send(spdy.render_ping(number))
            case _:
                return

    async def _open(self, event: spdy.Opened) -> None:
        kind, port = event.headers.get("streamtype", ""), _parse_port(event.headers.get("port", ""))
        if kind not in ("error", "data") or not port:
            await self._connection.send(spdy.render_reset(event.stream))
            return
        # Clients from before Kubernetes 1.2 gave no request id: their data stream follows its error stream.
        key = event.headers.get("requestid") or str(event.stream if kind == "error" else event.stream - 2)
        pair = self._pairs.setdefault(key, Pair(port))
        setattr(pair, kind, event.stream)
        await self._connection.send(self._framer.reply(event.stream))
        if kind == "data":
            self._by_stream[event.stream] = pair
        if pair.error and pair.data:
            del self._pairs[key]
            task = self._group.create_task(self._forward(pair))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, pair: Pair) -> None:
        try:
            if why := await _carry(pair, self._dial, lambda data: self._connection.send(spdy.render_data(pair.data, data))):
                await self._connection.send(spdy.render_data(pair.error, why.encode()))
            for stream in (pair.data, pair.error):
                await self._connection.send(spdy.render_data(stream, b"", is_last=True))
        except Gone:
            return
        finally:
            self._by_stream.pop(pair.data, None)


async def forward_channels(connection: Connection, codec: Codec, ports: Sequence[int], dial: Dial) -> None:
    """Serves one connection for each port, until all are over or the client goes."""
    pairs = [Pair(port, error=2 * index + 1, data=2 * index) for index, port in enumerate(ports)]

    async def forward(pair: Pair) -> None:
        number = pair.port.to_bytes(2, "little")
        try:
            for channel in (pair.data, pair.error):
                await connection.send(codec.encode(channel, number))
            if why := await _carry(pair, dial, lambda data: connection.send(codec.encode(pair.data, data))):
                await connection.send(codec.encode(pair.error, why.encode()))
        except Gone:
            return

    async def listen() -> None:
        while (message := await connection.receive()) is not None:
            found = codec.decode(message)
            if found and found.channel % 2 == 0 and found.channel < 2 * len(pairs):
                await _take_data(pairs[found.channel // 2], found.data, is_last=found.is_last)

    async with asyncio.TaskGroup() as group:
        listening = group.create_task(listen())
        tasks = [group.create_task(forward(pair)) for pair in pairs]
        forwarding = asyncio.gather(*tasks, return_exceptions=True)
        forwarding.add_done_callback(lambda _: listening.cancel())
        listening.add_done_callback(lambda _: [task.cancel() for task in tasks])


async def _take_data(pair: Pair, data: bytes, *, is_last: bool) -> None:
    if pair.has_ended:
        return
    if data:
        await pair.incoming.put(data)
    if is_last:
        pair.has_ended = True
        await pair.incoming.put(None)


async def _carry(pair: Pair, dial: Dial, send: Callable[[bytes], Awaitable[None]]) -> str:
    """Both directions of one connection, until the pod has closed it; what went wrong, "" if nothing did."""
    try:
        reader, writer = await dial(pair.port)
    except OSError as error:
        pair.has_ended = True
        _drop(pair.incoming)
        return f"error forwarding port {pair.port}: {_reason(error)}"
    feeding = asyncio.ensure_future(_feed(pair, writer))
    try:
        while data := await reader.read(_CHUNK):
            await send(data)
    except OSError as error:
        return f"error forwarding port {pair.port}: {_reason(error)}"
    finally:
        pair.has_ended = True
        feeding.cancel()
        writer.close()
        await asyncio.wait({feeding})
        _drop(pair.incoming)
    return ""


async def _feed(pair: Pair, writer: asyncio.StreamWriter) -> None:
    """What the client sends goes to the pod; after a write that failed it goes nowhere."""
    try:
        while (data := await pair.incoming.get()) is not None:
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        while await pair.incoming.get() is not None:
            pass


def _drop(waiting: asyncio.Queue[bytes | None]) -> None:
    """Makes room, so that nobody waits for ever to put something in."""
    while not waiting.empty():
        waiting.get_nowait()


def _reason(error: OSError) -> str:
    # asyncio's own words name the function that failed.
    return os.strerror(error.errno).lower() if error.errno else str(error) or "timed out"


def _parse_port(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    return number if number <= _MOST_PORT else 0
