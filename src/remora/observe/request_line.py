"""The line that HAProxy sends of a request, read."""

import re

import msgspec

from remora.haproxy.features.request_log import FIELDS

_WIDTH = len(FIELDS) + 1
_PLACE = {name: place for place, name in enumerate(FIELDS, start=1)}
_ENCODED = re.compile("#([0-9A-F]{2})")
ABSENT = "-"


class RequestLine(msgspec.Struct, gc=False):
    """A request that is over. `fields` are those of `FIELDS` behind the mark, `captures` the rest of the line.

    It is not frozen because a frozen one takes twice as long to make, once for every request.
    """

    fields: list[str]
    captures: str

    @property
    def mark(self) -> str:
        return self.fields[0]

    def text(self, name: str) -> str:
        """A field as it was sent; `-` for none."""
        return self.fields[_PLACE[name]]

    def milliseconds(self, name: str) -> int:
        """A time or a size; -1 for what did not happen, in which case HAProxy may write a `+` before others."""
        return int(self.fields[_PLACE[name]])

    @property
    def upstream(self) -> tuple[int, int, int] | None:
        """Milliseconds until the connection to the pod stood, until the head of its answer and until its end; None if there
        was no answer, or if several pods were tried: HAProxy knows of the last only."""
        connecting, header, data = (self.milliseconds(name) for name in ("connecting", "header", "data"))
        if connecting < 0 or header < 0 or data < 0 or self.text("tries") not in ("0", "+0"):
            return None
        return connecting, connecting + header, connecting + header + data

    def captured(self) -> tuple[list[str], list[str]]:
        """What was captured of the request and of the answer."""
        sent, _, answered = self.captures.partition("} {")
        return _values(sent), _values(answered)


def parse_line(line: str) -> RequestLine | None:
    """A line without its end; None for what is none."""
    fields = line.split(" ", _WIDTH)
    if len(fields) == _WIDTH:
        return RequestLine(fields, "")
    if len(fields) < _WIDTH:
        return None
    captures = fields.pop()
    return RequestLine(fields, captures)


def _values(braced: str) -> list[str]:
    text = braced.removeprefix("{").removesuffix("}")
    return text.split("|") if text else []


def decoded(value: str) -> str:
    """A captured value as the client sent it: UTF-8, with surrogates for bytes that are none."""
    if "#" not in value:
        return value
    raw = _ENCODED.sub(lambda found: chr(int(found[1], 16)), value)
    return raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
