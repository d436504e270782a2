"""Connections that leave HTTP: WebSockets that know whose certificate was shown, and bare ones behind an upgrade to SPDY."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.http11 import Request

from remora.cluster.api.http import PEER
from remora.cluster.api.streams.connection import Gone
from remora.cluster.api.tokens import Identity

_MOST_WAITING = 256 * 1024
"""Bytes that nobody has taken yet; then the client is read no further."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Tells the application whose certificate the client has shown, and lets it ask whether the client reads."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._heard = asyncio.Event()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = {**(self.scope["extensions"] or {})}
            extensions[PEER] = {"identity": identity_of(self.transport.get_extra_info("ssl_object")), "ping": self.ping}
            self.scope["extensions"] = extensions

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # A refusal completes the handshake too; uvicorn would log it as a fault of ours.
            self.handshake_complete = True

    async def ping(self) -> None:
        """Asks the client for a pong; returns when it has answered, by that or by a message, or has gone."""
        try:
            self.conn.send_ping(b"")
        except InvalidState:  # the client is already closing
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        await self._heard.wait()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        self._heard.set()

    def send_receive_event_to_app(self) -> None:
        super().send_receive_event_to_app()
        self._heard.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._heard.set()


class BareConnection(asyncio.Protocol):
    """Satisfies `streams.Connection`: the bytes of a connection, in both directions no more than the other side takes."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._waiting = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._has_gone = False

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) > _MOST_WAITING:
            self.transport.pause_reading()
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_gone = True
        self._arrived.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def receive(self) -> bytes | str | None:
        while not self._waiting:
            if self._has_gone:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._waiting)
        self._waiting.clear()
        if not self._has_gone:
            self.transport.resume_reading()
        return data

    async def ping(self) -> None:
        """Whatever speaks over it has pings of its own."""

    async def send(self, data: bytes | str) -> None:
        if self._has_gone or self.transport.is_closing():
            raise Gone
        self.transport.write(data if isinstance(data, bytes) else data.encode())
        await self._writable.wait()


def identity_of(connection: ssl.SSLObject | None) -> Identity | None:
    """Whom a verified client certificate names: its common name, in the groups that are its organizations."""
    certificate: Any = connection.getpeercert() if connection is not None else None
    if not certificate:
        return None
    parts = [pair for name in certificate.get("subject", ()) for pair in name]
    names = [value for key, value in parts if key == "commonName"]
    groups = [value for key, value in parts if key == "organizationName"]
    return Identity(names[0], (*groups, "system:authenticated")) if names else None


def take_over(transport: asyncio.Transport, headers: Iterable[tuple[str, str]]) -> BareConnection:
    """Answers 101 and takes the connection away from HTTP."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", *(f"{name}: {value}" for name, value in headers)]
    transport.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    connection = BareConnection(transport)
    transport.set_protocol(connection)
    transport.resume_reading()
    return connection
