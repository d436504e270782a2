"""From bytes of a log to lines, and what of them has been shown already. Pure.

A log is read again from the last second that was seen, since the API server knows no finer beginning (`sinceTime` has the
resolution of a second on the way to the node). What was shown of that second is known by its digest.
"""

import re
from collections import Counter
from collections.abc import Iterator

import msgspec

LONGEST = 256 * 1024
"""Bytes of a line that are kept; the rest of a longer one is left out, so that no line costs more memory."""
KNOWN = 50_000
"""Lines of one second that are known by their digests; of a log with more, only what is younger than the last line is new."""

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d) ")


class Line(msgspec.Struct, frozen=True):
    """A line of a log: when it was written, "" if that is not said, and what it says."""

    stamp: bytes
    message: bytes


class Splitter:
    """Bytes to lines without their ends, each once it is complete."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._left_out = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that are complete now."""
        *complete, rest = data.split(b"\n")
        for part in complete:
            self._append(part)
            yield self._taken()
        self._append(rest)

    def flush(self) -> Iterator[bytes]:
        """What stands there without an end, when nothing more will follow."""
        if self._rest:
            yield self._taken()

    def _append(self, part: bytes) -> None:
        room = LONGEST - len(self._rest)
        self._rest += part[:room]
        self._left_out += max(0, len(part) - room)

    def _taken(self) -> bytes:
        line = bytes(self._rest)
        if self._left_out:
            line += b" ... (%d bytes more)" % self._left_out
        self._rest.clear()
        self._left_out = 0
        return line


class Shown:
    """What has been shown of one container's log, over all connections and all instances."""

    def __init__(self) -> None:
        self._second = b""
        self._zone = b""
        self._last = b""
        self._known: Counter[int] = Counter()
        self._number = 0
        self._again: Counter[int] = Counter()
        self._is_exact = True
        self._boundary = b""

    @property
    def since(self) -> str:
        """From where to read again, "" for the beginning."""
        return (self._second + self._zone).decode()

    def begin_again(self) -> None:
        """From now on lines come again from `since` on."""
        self._boundary = self._second
        self._again = self._known.copy()
        self._is_exact = self._number <= KNOWN

    def news(self, text: bytes) -> Line | None:
        """The line, with its time in front, if it has not been shown. What has no time in front is new always."""
        match = _STAMP.match(text)
        if match is None:
            return Line(b"", text)
        second, zone = match.groups()
        stamp, message = match[0][:-1], text[match.end() :]
        digest = hash(text)
        if self._has_been_shown(second, stamp, digest):
            return None
        self._note(second, zone, stamp, digest)
        return Line(stamp, message)

    def _has_been_shown(self, second: bytes, stamp: bytes, digest: int) -> bool:
        if not self._boundary or second > self._boundary:
            return False
        if second < self._boundary or not self._is_exact:
            return stamp <= self._last
        if self._again[digest]:
            self._again[digest] -= 1
            return True
        return False

    def _note(self, second: bytes, zone: bytes, stamp: bytes, digest: int) -> None:
        if second > self._second:
            self._second, self._zone = second, zone
            self._known.clear()
            self._number = 0
        if second == self._second:
            self._number += 1
            if self._number <= KNOWN:
                self._known[digest] += 1
        self._last = max(self._last, stamp)
