"""A connection that was taken over from HTTP: messages of a WebSocket, or the bytes behind an upgrade to SPDY."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Gone(Exception):
    """The client is no longer there."""


class Connection(Protocol):
    """What a session speaks over. `send` returns when the client may be sent more."""

    async def receive(self) -> bytes | str | None:
        """The next message or bytes; None when the client has gone."""
        ...

    async def send(self, data: bytes | str) -> None:
        """Raises:
        Gone: the client does not take it any more.
        """
        ...

    async def ping(self) -> None:
        """Returns when the client has shown that it reads, or has gone; at once where there is no way to ask."""
        ...


class Session(msgspec.Struct, frozen=True):
    """What follows the answer 101; `protocol` is the one that both agree on."""

    protocol: str
    run: Callable[[Connection], Awaitable[None]]


class WebSocket:
    """An ASGI WebSocket as a `Connection`."""

    def __init__(self, receive: Receive, send: Send, ping: Callable[[], Awaitable[None]]) -> None:
        self._receive = receive
        self._send = send
        self._ping = ping

    async def receive(self) -> bytes | str | None:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        data: bytes | str | None = message.get("bytes")
        return message.get("text", "") if data is None else data

    async def send(self, data: bytes | str) -> None:
        key = "text" if isinstance(data, str) else "bytes"
        try:
            await self._send({"type": "websocket.send", key: data})
        except OSError as error:
            raise Gone from error

    async def ping(self) -> None:
        await self._ping()


async def serve_websocket(session: Session, receive: Receive, send: Send, ping: Callable[[], Awaitable[None]]) -> None:
    """Accepts the WebSocket, and closes it when the session is over."""
    await receive()  # `websocket.connect`
    await send({"type": "websocket.accept", "subprotocol": session.protocol or None})
    try:
        await session.run(WebSocket(receive, send, ping))
        await send({"type": "websocket.close", "code": 1000})
    except (Gone, OSError):
        return  # whoever it was for is no longer there
