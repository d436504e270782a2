"""The format of container logs (CRI): `TIMESTAMP stdout|stderr F|P MESSAGE`; P marks a line that goes on in the next. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime

LONGEST = 16 * 1024
"""Bytes after which a line is broken into parts, as container runtimes do."""


class Splitter:
    """Bytes of one stream to log lines. What has no end yet is kept back."""

    def __init__(self, stream: str) -> None:
        self._stream = stream.encode()
        self._rest = b""

    def feed(self, data: bytes, stamp: bytes) -> Iterator[bytes]:
        """Log lines for what is complete now; `stamp` is the time as it is to be written."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield from self._broken(line, stamp)
        while len(self._rest) >= LONGEST:
            yield self._line(self._rest[:LONGEST], b"P", stamp)
            self._rest = self._rest[LONGEST:]

    def flush(self, stamp: bytes) -> Iterator[bytes]:
        """The unfinished line, when nothing more will follow."""
        if self._rest:
            yield self._line(self._rest, b"P", stamp)
            self._rest = b""

    def _broken(self, line: bytes, stamp: bytes) -> Iterator[bytes]:
        while len(line) > LONGEST:
            yield self._line(line[:LONGEST], b"P", stamp)
            line = line[LONGEST:]
        yield self._line(line, b"F", stamp)

    def _line(self, message: bytes, tag: bytes, stamp: bytes) -> bytes:
        return b"%s %s %s %s\n" % (stamp, self._stream, tag, message)


def render_stamp(nanoseconds: int) -> bytes:
    """RFC 3339 with nanoseconds, of a time since the epoch."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return b"%s.%09dZ" % (datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode(), fraction)


def render_line(line: bytes, *, since: bytes = b"", timestamps: bool = False) -> bytes:
    """What a client sees of a log line (without its newline); empty if it is older than `since` or no log line."""
    stamp, _, rest = line.partition(b" ")
    _, _, rest = rest.partition(b" ")
    tag, found, message = rest.partition(b" ")
    if not found or stamp < since:
        return b""
    shown = stamp + b" " + message if timestamps else message
    return shown if tag == b"P" else shown + b"\n"


def tail_offset(data: bytes, lines: int) -> int | None:
    """Where the last `lines` lines begin in data that ends with a newline; None if they begin before it."""
    position = len(data)
    for _ in range(lines + 1):
        position = data.rfind(b"\n", 0, position)
        if position < 0:
            return None
    return position + 1
