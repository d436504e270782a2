"""Several channels over one connection: by WebSocket as messages that begin with their channel, by SPDY as streams.

A remote command has the same five channels either way.
"""

import asyncio
import contextlib
from collections.abc import Collection
from typing import Protocol

from remora.cluster.api.streams import spdy
from remora.cluster.api.streams.channels import ERROR, RESIZE, STDERR, STDIN, STDOUT, Codec, Message
from remora.cluster.api.streams.connection import Connection

_HEAD_START = 0.05
"""Seconds that a client which reads has to make its streams, of which it says nothing: kubectl throws away what it reads before
(client-go, `readDemuxLoop`). Where a container runtime is asked first, it has about as long."""

_PING_TIMEOUT = 2.0
"""Seconds after which a client is served that does not say that it reads."""

_BY_NAME = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}


class Multiplex(Protocol):
    """`version` is that of the channel protocol, which says what the error channel carries."""

    version: int

    async def begin(self, expected: Collection[int]) -> bool:
        """Waits until these channels are there; False if the client went before."""
        ...

    async def receive(self) -> Message | None:
        """What comes next; None when the client has gone."""
        ...

    async def send(self, channel: int, data: bytes) -> None: ...

    async def finish(self) -> None:
        """Says that nothing more will be sent."""
        ...


class WebSocketMultiplex:
    def __init__(self, connection: Connection, codec: Codec) -> None:
        self.version = codec.version
        self._connection = connection
        self._codec = codec

    async def begin(self, expected: Collection[int]) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connection.ping(), _PING_TIMEOUT)
        await asyncio.sleep(_HEAD_START)
        # An empty message tells clients that the command is about to begin (Kubernetes' `createWebSocketStreams`).
        await self.send(STDOUT if STDOUT in expected else STDERR if STDERR in expected else ERROR, b"")
        return True

    async def receive(self) -> Message | None:
        while (message := await self._connection.receive()) is not None:
            if found := self._codec.decode(message):
                return found
        return None

    async def send(self, channel: int, data: bytes) -> None:
        await self._connection.send(self._codec.encode(channel, data))

    async def finish(self) -> None:
        """The end of a WebSocket says it all."""


class SpdyMultiplex:
    def __init__(self, connection: Connection, version: int) -> None:
        self.version = version
        self._connection = connection
        self._framer = spdy.Framer()
        self._channels: dict[int, int] = {}
        self._streams: dict[int, int] = {}
        self._waiting: list[Message] = []

    async def begin(self, expected: Collection[int]) -> bool:
        while not self._streams.keys() >= set(expected):
            if not await self._read_more():
                return False
        return True

    async def receive(self) -> Message | None:
        while not self._waiting:
            if not await self._read_more():
                return None
        return self._waiting.pop(0)

    async def send(self, channel: int, data: bytes) -> None:
        if data and channel in self._streams:
            await self._connection.send(spdy.render_data(self._streams[channel], data))

    async def finish(self) -> None:
        for channel in (STDOUT, STDERR, ERROR):
            if channel in self._streams:
                await self._connection.send(spdy.render_data(self._streams[channel], b"", is_last=True))

    async def _read_more(self) -> bool:
        data = await self._connection.receive()
        if data is None:
            return False
        for event in self._framer.parse(data if isinstance(data, bytes) else data.encode()):
            await self._take(event)
        return True

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._open(event)
            case spdy.Data():
                if event.stream in self._channels:
                    channel = self._channels[event.stream]
                    self._waiting += [Message(channel, event.data)] if event.data else []
                    self._waiting += [Message(channel, is_last=True)] if event.is_last else []
            case spdy.Pinged():
                await self._connection.send(spdy.render_ping(event.number))
            case _:
                return

    async def _open(self, event: spdy.Opened) -> None:
        channel = _BY_NAME.get(event.headers.get("streamtype", ""))
        if channel is None or channel in self._streams:
            await self._connection.send(spdy.render_reset(event.stream))
            return
        self._channels[event.stream], self._streams[channel] = channel, event.stream
        await self._connection.send(self._framer.reply(event.stream))
