"""Asks a server by gRPC's health protocol (grpc.health.v1.Health/Check) how it is, in clear text as the kubelet does."""

import asyncio
import contextlib
from collections.abc import Iterable

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import msgspec

from remora.cluster.kubelet.probes import Verdict

_UNIMPLEMENTED = "12"
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_BOUND = 65536
"""Bytes of an answer that is a few bytes long."""


class Answer(msgspec.Struct):
    """What came until now."""

    data: bytes = b""
    status: str = ""
    message: str = ""
    is_over: bool = False


async def probe_grpc(address: str, port: int, service: str, *, timeout: float | None) -> Verdict:
    """Whether the service, "" for the server as a whole, says that it is serving."""
    where = f'"{address}:{port}"'
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address, port)
            try:
                return judge(await _ask(reader, writer, service, authority=f"{address}:{port}"))
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        return Verdict(False, f"timeout: failed to connect service {where} within {timeout:g}s: context deadline exceeded")
    except (OSError, h2.exceptions.H2Error) as error:
        return Verdict(False, f"error: failed to connect service at {where}: {error}")


def judge(answer: Answer) -> Verdict:
    """Success is the one status SERVING."""
    if answer.status == _UNIMPLEMENTED:
        return Verdict(False, "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)")
    if answer.status != "0":
        return Verdict(False, f"error: health rpc failed: code = {answer.status or 'Unknown'} desc = {answer.message}")
    status = parse_response(answer.data)
    return Verdict(True) if status == "SERVING" else Verdict(False, f'service unhealthy (responded with "{status}")')


def render_request(service: str) -> bytes:
    """A HealthCheckRequest in gRPC's frame: its field 1 is the service's name."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\x00" + len(message).to_bytes(4, "big") + message


def parse_response(data: bytes) -> str:
    """The status in a HealthCheckResponse, whose field 1 it is; a message without it means 0."""
    message = data[5:]
    number = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    return _STATUSES[number] if number < len(_STATUSES) else str(number)


def _varint(number: int) -> bytes:
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: str, *, authority: str) -> Answer:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    connection.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "kube-probe/1.36"),
    ]
    connection.send_headers(1, headers)
    connection.send_data(1, render_request(service), end_stream=True)
    answer = Answer()
    while not answer.is_over and len(answer.data) < _BOUND:
        writer.write(connection.data_to_send())
        await writer.drain()
        if not (data := await reader.read(_BOUND)):
            break
        _take(connection.receive_data(data), answer)
    return answer


def _take(events: Iterable[h2.events.Event], answer: Answer) -> None:
    for event in events:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                headers = {str(name): str(value) for name, value in event.headers or ()}
                answer.status = headers.get("grpc-status", answer.status)
                answer.message = headers.get("grpc-message", answer.message)
            case h2.events.DataReceived():
                answer.data += event.data or b""
            case h2.events.StreamEnded() | h2.events.StreamReset() | h2.events.ConnectionTerminated():
                answer.is_over = True
