"""What stands behind the peers: pods that answer at once, for measuring, and pods that can come and go, for sessions.

The former are frontends of one HAProxy, which counts the requests of each pod. The latter live in one asyncio program and
answer HTTP and WebSockets; one that is killed resets its connections and no longer listens. Run as a program, this gives
pods for WebSockets in a process of their own.
"""

import asyncio
import base64
import contextlib
import csv
import hashlib
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

PORT, BIG_PORT, CHAT_PORT = 8080, 8081, 8082
SMALL, BIG = 4096, 1 << 20
NAMING = b"x-pod"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_CONFIG = """\
global
  nbthread 1
  maxconn 8192
  stats socket {directory}/pods.sock mode 600
  tune.bufsize {size}
defaults
  mode http
  timeout client 600s
  timeout server 600s
  timeout connect 5s
"""
_FRONTEND = """\
frontend {name}
  bind {address}:{port}
  http-request return status 200 content-type text/plain lf-string "%[path]\\n%[req.hdrs]" if {{ path_end /seen }}
  http-request return status 200 content-type text/plain file {directory}/body hdr X-Pod {name} if {{ path_end /body }}
  http-request return status 200 content-type text/plain string hello hdr X-Pod {name}
"""


def address_of(number: int) -> str:
    """An address of loopback for each pod, apart from those of other benches that run now."""
    return f"127.{66 + os.getpid() // 200 % 100}.{os.getpid() % 200}.{number + 1}"


def quick_pods(directory: Path, addresses: Sequence[tuple[str, str]], *, port: int, body: int) -> str:
    """The configuration of pods by name and address; `/body` has that many bytes."""
    directory.mkdir()
    (directory / "body").write_bytes(b"x" * body)
    head = _CONFIG.format(directory=directory, size=max(16384, body + 16384))
    return head + "".join(
        _FRONTEND.format(directory=directory, name=name, address=address, port=port) for name, address in addresses
    )


async def counted(directory: Path) -> dict[str, int]:
    """How many requests each of the quick pods has had."""
    read, write = await asyncio.open_unix_connection(str(directory / "pods.sock"))
    write.write(b"show stat\n")
    text = (await read.read()).decode().removeprefix("# ")
    write.close()
    return {row["pxname"]: int(row["req_tot"]) for row in csv.DictReader(text.splitlines()) if row["svname"] == "FRONTEND"}


class LivePods:
    """Pods by name, each at an address of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._servers: dict[str, asyncio.Server] = {}
        self._open: dict[str, set[asyncio.Transport]] = {}

    async def start(self, name: str, address: str) -> None:
        kept: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        self._open[name] = kept
        self._servers[name] = await loop.create_server(lambda: _Pod(name, kept), address, self.port, backlog=1024)

    def is_up(self, name: str) -> bool:
        return name in self._servers

    def kill(self, name: str) -> None:
        """Every client finds its connection reset."""
        self._servers.pop(name).close()
        for transport in tuple(self._open.pop(name)):
            with contextlib.suppress(OSError):
                one = transport.get_extra_info("socket")
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def stop(self) -> None:
        for name in tuple(self._servers):
            self.kill(name)


class _Pod(asyncio.Protocol):
    """HTTP without bodies until somebody asks for a WebSocket; then each frame comes back."""

    def __init__(self, name: str, kept: set[asyncio.Transport]) -> None:
        self._name = name.encode()
        self._kept = kept
        self._rest = b""
        self._is_websocket = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._kept.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._kept.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while not self._is_websocket and b"\r\n\r\n" in self._rest:
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            self._transport.write(self._answer(head))
        while self._is_websocket and (end := frame_end(self._rest)):
            frame, self._rest = self._rest[:end], self._rest[end:]
            self._transport.write(echoed(frame))

    def _answer(self, head: bytes) -> bytes:
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
        if headers.get(b"upgrade", b"").lower() == b"websocket":
            self._is_websocket = True
            accepted = base64.b64encode(hashlib.sha1(headers[b"sec-websocket-key"] + _GUID, usedforsecurity=False).digest())
            lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accepted
            return b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\nX-Pod: " + self._name + b"\r\n\r\n"
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nX-Pod: " + self._name + b"\r\n\r\nhello"


def frame_end(data: bytes) -> int:
    """Where the first frame of a client ends, 0 if it is not all there; of frames below 126 bytes."""
    end = 6 + (data[1] & 127) if len(data) > 1 else 0
    return end if end and len(data) >= end else 0


def echoed(frame: bytes) -> bytes:
    """A frame of a client (RFC 6455, section 5.2) as a server sends it back: the same text, not masked."""
    mask, text = frame[2:6] * (len(frame) // 4 + 1), frame[6:]
    plain = bytes(one ^ other for one, other in zip(text, mask, strict=False)) if any(mask) else text
    return bytes((frame[0], len(plain))) + plain


async def _main(addresses: Sequence[str]) -> None:
    pods = LivePods(CHAT_PORT)
    for address in addresses:
        name, _, place = address.partition("=")
        await pods.start(name, place)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main(sys.argv[1:]))
