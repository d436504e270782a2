"""HTTP/2 as gRPC uses it: a pod that answers with trailers, and a client that reads them."""

import asyncio
import json
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, ResponseReceived, StreamEnded, StreamReset, TrailersReceived

Headers = list[tuple[str, str]]


class _Pod(asyncio.Protocol):
    """Sends every piece of a body back at once, and at its end what it was asked as JSON, with gRPC's status as trailers."""

    def __init__(self) -> None:
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._asked: dict[int, dict[str, str]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connection.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        for event in self._connection.receive_data(data):
            match event:
                case RequestReceived(stream_id=stream, headers=headers):
                    assert stream is not None
                    assert headers is not None
                    self._asked[stream] = {str(name): str(value) for name, value in headers}
                    answer = [(":status", "200"), ("content-type", "application/grpc")]
                    self._connection.send_headers(stream, answer)
                case DataReceived(stream_id=stream, data=piece, flow_controlled_length=length):
                    assert stream is not None
                    self._connection.acknowledge_received_data(length or 0, stream)
                    self._connection.send_data(stream, b"echo:" + (piece or b"") + b"\n")
                case StreamEnded(stream_id=stream):
                    assert stream is not None
                    self._connection.send_data(stream, json.dumps(self._asked.pop(stream)).encode())
                    self._connection.send_headers(stream, [("grpc-status", "0"), ("grpc-message", "fine")], end_stream=True)
                case _:
                    """Nothing to do."""
        self._flush()

    def _flush(self) -> None:
        self._transport.write(self._connection.data_to_send())


@asynccontextmanager
async def http2_pod(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A pod that speaks HTTP/2 alone, in TLS if a context is given; its port."""
    if context:
        context.set_alpn_protocols(["h2"])
    server = await asyncio.get_running_loop().create_server(_Pod, "127.0.0.1", 0, ssl=context)
    port: int = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()


class Http2Client:
    """One HTTP/2 connection with one request whose body is sent piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.headers: dict[str, str] = {}
        self.trailers: dict[str, str] = {}
        self.body = b""
        self.has_ended = False

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int, context: ssl.SSLContext | None = None, name: str = "") -> AsyncIterator["Http2Client"]:
        """A connection to 127.0.0.1: in TLS with a context, else HTTP/2 from the first byte on."""
        if context:
            context.set_alpn_protocols(["h2"])
        wanted = name if context else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=wanted)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def ask(self, host: str, path: str, *, scheme: str = "http", headers: Headers | None = None) -> None:
        """Sends the head of a POST."""
        self._connection.initiate_connection()
        pseudo = [(":method", "POST"), (":scheme", scheme), (":authority", host), (":path", path)]
        self._connection.send_headers(1, [*pseudo, ("content-type", "application/grpc"), ("te", "trailers"), *(headers or [])])
        self._writer.write(self._connection.data_to_send())

    async def connect(self, host: str) -> None:
        """Asks for a tunnel (RFC 9113 section 8.5)."""
        self._connection.initiate_connection()
        self._connection.send_headers(1, [(":method", "CONNECT"), (":authority", host)], end_stream=True)
        self._writer.write(self._connection.data_to_send())

    async def send(self, piece: bytes, *, last: bool = False) -> None:
        """Sends a piece of the body."""
        self._connection.send_data(1, piece, end_stream=last)
        self._writer.write(self._connection.data_to_send())

    async def read_until(self, text: bytes = b"") -> None:
        """Reads until the body holds the text, or, without one, to the end."""
        async with asyncio.timeout(30):
            while not (self.has_ended or (text and text in self.said())):
                data = await self._reader.read(65536)
                if not data:
                    raise ConnectionResetError
                for event in self._connection.receive_data(data):
                    self._take(event)
                self._writer.write(self._connection.data_to_send())

    def said(self) -> bytes:
        """The body so far, as it was before anything compressed it."""
        if self.headers.get("content-encoding") == "gzip":
            return zlib.decompressobj(wbits=31).decompress(self.body)
        return self.body

    def _take(self, event: object) -> None:
        match event:
            case ResponseReceived(headers=headers):
                self.headers = {str(name): str(value) for name, value in headers or ()}
            case TrailersReceived(headers=headers):
                self.trailers = {str(name): str(value) for name, value in headers or ()}
            case DataReceived(data=piece, flow_controlled_length=length):
                self.body += piece or b""
                self._connection.acknowledge_received_data(length or 0, 1)
            case StreamEnded() | StreamReset():
                self.has_ended = True
            case _:
                """Nothing to do."""
