"""Clients of the proxies, each in a process of its own, so that what they cost is nobody's figure.

`h2load` of nghttp2 makes the requests; what it cannot do, TLS handshakes that resume and WebSockets, this module does when
it is run as a program. Each says how long every single request took and how many were answered otherwise than with 200.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import ssl
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

H2LOAD_MISSING = "h2load is missing: apt-get install -y nghttp2-client"
_STATUS = re.compile(r"status codes: (\d+) 2xx")
_TEXT = b"x" * 32


@dataclass(frozen=True)
class Load:
    """`latencies` in seconds, of those that were answered as asked; `notes` are what else the client saw."""

    asked: int
    latencies: tuple[float, ...]
    notes: tuple[str, ...] = ()

    @property
    def wrong(self) -> str:
        """What was not as asked."""
        failed = self.asked - len(self.latencies)
        return "; ".join([*([f"{failed} of {self.asked} failed"] if failed else []), *self.notes])


async def h2load(
    program: str,
    directory: Path,
    url: str,
    port: int,
    *,
    requests: int,
    connections: int,
    streams: int = 1,
    h1: bool = True,
    headers: Mapping[str, str],
) -> Load:
    """So many requests over so many kept connections, each asking again when it is answered."""
    log = directory / "h2load.tsv"
    log.unlink(missing_ok=True)
    options = [*(["--h1"] if h1 else []), "-n", str(requests), "-c", str(connections), "-m", str(streams)]
    options += [f"--connect-to=127.0.0.1:{port}", f"--log-file={log}", "-N", "10s"]
    options += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    said = await _output(program, *options, url)
    found = _STATUS.search(said)
    asked = int(found[1]) if found else 0
    latencies = tuple(_successes(log.read_text() if log.exists() else ""))
    notes = [] if asked == len(latencies) else [f"h2load counted {asked} answers and noted {len(latencies)}"]
    return Load(requests, latencies, tuple(notes))


def _successes(text: str) -> Iterator[float]:
    """Of the lines of h2load's log: start, status, duration in microseconds."""
    for line in text.splitlines():
        _, status, took, *_ = line.split("\t")
        if status == "200":
            yield int(took) / 1e6


async def client(kind: str, *arguments: str) -> Load:
    """One of those below, in a process of its own."""
    said = json.loads(await _output(sys.executable, __file__, kind, *arguments))
    return Load(said["asked"], tuple(said["latencies"]), tuple(said["notes"]))


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(40):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return out.decode()


def handshakes(port: int, host: str, count: int, resumed: bool) -> Load:
    """A connection, a handshake of TLS 1.3 and one request, again and again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    text = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    session: ssl.SSLSession | None = None
    latencies, reused = [], 0
    for number in range(count + 1):
        began = time.perf_counter()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain, server_hostname=host, session=session if resumed else None) as secure:
                secure.sendall(text)
                answer = b""
                with contextlib.suppress(ssl.SSLEOFError):
                    while part := secure.recv(65536):
                        answer += part
                if number and answer.startswith(b"HTTP/1.1 200"):
                    latencies.append(time.perf_counter() - began)
                    reused += bool(secure.session_reused)
                session = secure.session
    wanted = count if resumed else 0
    notes = [] if reused == wanted else [f"{reused} handshakes were resumed, not {wanted}"]
    return Load(count, tuple(latencies), tuple(notes))


async def websockets(port: int, host: str, cookie: str, messages: int, connections: int) -> Load:
    """A short text that comes back, again and again on a few connections."""
    latencies: list[float] = []
    frame = bytes((0x81, 0x80 | len(_TEXT))) + bytes(4) + _TEXT
    wanted = bytes((0x81, len(_TEXT))) + _TEXT

    async def one(count: int) -> None:
        read, write, _ = await websocket(port, host, cookie)
        for _ in range(count):
            began = time.perf_counter()
            write.write(frame)
            if await read.readexactly(len(wanted)) == wanted:
                latencies.append(time.perf_counter() - began)
        write.close()

    async with asyncio.timeout(20):
        done = await asyncio.gather(*(one(messages // connections) for _ in range(connections)), return_exceptions=True)
    notes = tuple(sorted({repr(error) for error in done if error}))
    return Load(messages // connections * connections, tuple(latencies), notes)


async def websocket(port: int, host: str, cookie: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """An open one, and the pod that it is open to.

    Raises:
        ConnectionError: somebody said no.
    """
    read, write = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        *("GET /chat HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *(f"Sec-WebSocket-Key: {key}", *([f"Cookie: {cookie}"] if cookie else [])),
    ]
    write.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
    head = await read.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        write.close()
        raise ConnectionError(head.partition(b"\r\n")[0].decode())
    return read, write, head.lower().partition(b"\r\nx-pod: ")[2].partition(b"\r\n")[0].decode()


def _main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["handshakes", "websockets"])
    parser.add_argument("port", type=int)
    parser.add_argument("host")
    parser.add_argument("count", type=int)
    parser.add_argument("more", help="whether handshakes resume, or how many WebSockets there are")
    parser.add_argument("--cookie", default="")
    given = parser.parse_args(arguments)
    if given.kind == "handshakes":
        load = handshakes(given.port, given.host, given.count, given.more == "resumed")
    else:
        load = asyncio.run(websockets(given.port, given.host, given.cookie, given.count, int(given.more)))
    print(json.dumps({"asked": load.asked, "latencies": load.latencies, "notes": load.notes}))


if __name__ == "__main__":
    _main(sys.argv[1:])
