"""A FastCGI application (FastCGI 1.0), as small as one can be: it says what it was told."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

_BEGIN, _END, _PARAMETERS, _INPUT, _OUTPUT, _ASK, _TOLD = 1, 3, 4, 5, 6, 9, 10


def _pairs(data: bytes) -> Iterator[tuple[str, str]]:
    position = 0

    def length() -> int:
        nonlocal position
        size = 1 if data[position] < 128 else 4
        value = int.from_bytes(data[position : position + size]) & 0x7FFFFFFF
        position += size
        return value

    while position < len(data):
        name_length, value_length = length(), length()
        middle = position + name_length
        yield data[position:middle].decode(), data[middle : middle + value_length].decode()
        position = middle + value_length


def _record(kind: int, request: int, content: bytes) -> bytes:
    return struct.pack("!BBHHBB", 1, kind, request, len(content), 0, 0) + content


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    parameters = body = b""
    try:
        while True:
            _, kind, request, size, padding, _ = struct.unpack("!BBHHBB", await reader.readexactly(8))
            content = await reader.readexactly(size)
            await reader.readexactly(padding)
            if kind == _BEGIN:
                parameters = body = b""
            elif kind == _PARAMETERS:
                parameters += content
            elif kind == _ASK:
                writer.write(_record(_TOLD, 0, b"\x0f\x01FCGI_MPXS_CONNS0"))
            elif kind == _INPUT and content:
                body += content
            elif kind == _INPUT:
                said = json.dumps({"parameters": dict(_pairs(parameters)), "body": body.decode()}).encode()
                answer = b"Status: 201 Created\r\nContent-Type: application/json\r\n\r\n" + said
                writer.write(_record(_OUTPUT, request, answer) + _record(_OUTPUT, request, b""))
                writer.write(_record(_END, request, bytes(8)))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@asynccontextmanager
async def fastcgi_pod() -> AsyncIterator[int]:
    """Its port on 127.0.0.1."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
