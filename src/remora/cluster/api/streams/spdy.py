"""SPDY/3.1 framing, the server's side of what client-go speaks (moby/spdystream): streams, data, resets and pings. Pure.

kubectl's port-forward speaks it inside a WebSocket, clients that were built before Kubernetes 1.30 on a connection of its own.
Neither uses flow control, settings or pushed streams, so those frames are passed over.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping

import msgspec

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length content-location "
    "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match "
    "if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range "
    "referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get "
    "status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
_VALUES = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal "
    "Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, "
    "Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,"
    "text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
_LENGTH = struct.Struct("!I")
_HEAD = struct.Struct("!II")
_CONTROL = 0x80030000
_MOST_FRAME = 1 << 20
_MOST_HEADERS = 64 * 1024
MOST_DATA = 32 * 1024
"""Bytes in one data frame that we send."""

SYN_STREAM, SYN_REPLY, RST_STREAM, PING, GOAWAY = 1, 2, 3, 6, 7
_FIN = 1
_CANCEL = 5


class SpdyError(Exception):
    """The peer does not keep to the protocol; the connection cannot go on."""


class Opened(msgspec.Struct, frozen=True):
    """The client opens a stream; `is_last`: and will send nothing on it. Header names are in lower case."""

    stream: int
    headers: Mapping[str, str]
    is_last: bool = False


class Data(msgspec.Struct, frozen=True):
    """`is_last`: the client sends nothing more on this stream."""

    stream: int
    data: bytes
    is_last: bool = False


class Reset(msgspec.Struct, frozen=True):
    stream: int


class Pinged(msgspec.Struct, frozen=True):
    number: int


class GoneAway(msgspec.Struct, frozen=True):
    """The client opens no more streams."""


Event = Opened | Data | Reset | Pinged | GoneAway


def dictionary() -> bytes:
    """What both sides' header compression begins with (SPDY/3, section 2.6.10.1)."""
    names = (name.replace("_", " ").encode() for name in _NAMES.split())
    return b"".join(_LENGTH.pack(len(name)) + name for name in names) + _VALUES.encode()


class Framer:
    """One connection's bytes to events and back; it holds the compression's state."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._inflate = zlib.decompressobj(zdict=dictionary())
        self._deflate = zlib.compressobj(zdict=dictionary())

    def parse(self, data: bytes) -> Iterator[Event]:
        """What is complete now.

        Raises:
            SpdyError: this is no SPDY/3.1.
        """
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            first, second = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + (second & 0xFFFFFF)
            if end > _MOST_FRAME:
                raise SpdyError("a frame is too long")
            if len(self._rest) < end:
                return
            body = bytes(self._rest[_HEAD.size : end])
            del self._rest[:end]
            if event := self._event(first, second >> 24, body):
                yield event

    def reply(self, stream: int) -> bytes:
        """Accepts a stream."""
        block = self._deflate.compress(_LENGTH.pack(0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(SYN_REPLY, _LENGTH.pack(stream) + block)

    def open(self, stream: int, headers: Mapping[str, str]) -> bytes:
        """Opens a stream, as a client does."""
        block = bytearray(_LENGTH.pack(len(headers)))
        for part in (part for pair in headers.items() for part in pair):
            block += _LENGTH.pack(len(part.encode())) + part.encode()
        packed = self._deflate.compress(bytes(block)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(SYN_STREAM, _HEAD.pack(stream, 0) + b"\0\0" + packed)

    def _event(self, first: int, flags: int, body: bytes) -> Event | None:
        if first < 0x80000000:
            return Data(first, body, bool(flags & _FIN))
        if first >> 16 != _CONTROL >> 16:
            raise SpdyError("another version than SPDY/3.1")
        try:
            return self._control_event(first & 0xFFFF, flags, body)
        except struct.error:
            raise SpdyError("a frame is too short") from None

    def _control_event(self, kind: int, flags: int, body: bytes) -> Event | None:
        if kind == SYN_STREAM:
            return Opened(_number(body), self._headers(body[10:]), bool(flags & _FIN))
        if kind == RST_STREAM:
            return Reset(_number(body))
        if kind == PING:
            return Pinged(_LENGTH.unpack_from(body)[0])
        if kind == GOAWAY:
            return GoneAway()
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, _MOST_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"headers that cannot be read: {error}") from None
        if self._inflate.unconsumed_tail:
            raise SpdyError("headers that are too long")
        parts = list(_strings(plain))
        return {name.lower(): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


def render_data(stream: int, data: bytes, *, is_last: bool = False) -> bytes:
    """Data on a stream, in as many frames as it takes."""
    pieces = [data[at : at + MOST_DATA] for at in range(0, len(data), MOST_DATA)] or [b""]
    frames = [_HEAD.pack(stream, len(piece)) + piece for piece in pieces[:-1]]
    last = _HEAD.pack(stream, (_FIN if is_last else 0) << 24 | len(pieces[-1])) + pieces[-1]
    return b"".join(frames) + last


def render_reset(stream: int) -> bytes:
    return _control(RST_STREAM, _HEAD.pack(stream, _CANCEL))


def render_ping(number: int) -> bytes:
    """A ping, or its answer: they are alike."""
    return _control(PING, _LENGTH.pack(number))


def _control(kind: int, body: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | kind, len(body)) + body


def _number(body: bytes) -> int:
    return int(_LENGTH.unpack_from(body)[0]) & 0x7FFFFFFF


def _strings(block: bytes) -> Iterator[str]:
    """Names and values in turn."""
    (pairs,) = _LENGTH.unpack_from(block)
    position = _LENGTH.size
    for _ in range(2 * pairs):
        (length,) = _LENGTH.unpack_from(block, position)
        position += _LENGTH.size
        if position + length > len(block):
            raise SpdyError("headers are cut off")
        yield block[position : position + length].decode("latin-1")
        position += length
