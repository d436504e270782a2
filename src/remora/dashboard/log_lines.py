"""A container's log from bytes to lines that a page shows. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec

MOST_LINES = 5_000
_USUAL_LINES = 200
_LONGEST = 16_384
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line, and when it was written (RFC 3339 with nanoseconds)."""

    at: str
    text: str


def moment(at: str) -> tuple[int, int] | None:
    """A time as seconds and nanoseconds, whatever its zone and digits; None for what is no time."""
    found = _TIME.fullmatch(at)
    if found is None:
        return None
    try:
        whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
        return int(whole.timestamp()), int((found[2] or "").ljust(9, "0"))
    except (ValueError, OverflowError):
        return None


class Wish(msgspec.Struct, frozen=True):
    """Which part of which log is wanted."""

    container: str = ""
    previous: bool = False
    lines: int = _USUAL_LINES
    words: str = ""

    def parameters(self, *, follow: bool, since: str = "") -> dict[str, str]:
        """The query of `pods/log`. With `since` only what was written after that time is wanted."""
        asked = {"timestamps": "true", "container": self.container} | ({"previous": "true"} if self.previous else {})
        if follow and not self.previous:
            asked["follow"] = "true"
        # The API knows whole seconds only; what it tells twice is left out by its time.
        if (begun := moment(since)) is None:
            return asked | {"tailLines": str(self.lines)}
        return asked | {"sinceTime": datetime.fromtimestamp(begun[0], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def parse_wish(query: Mapping[str, str], containers: tuple[str, ...]) -> Wish:
    """What a page's URL asks for; what is no container of the pod becomes its first."""
    asked = query.get("container", "")
    lines = query.get("lines", "")
    number = int(lines) if lines.isascii() and lines.isdigit() and len(lines) < 8 else _USUAL_LINES
    container = asked if asked in containers else next(iter(containers), "")
    return Wish(container, query.get("previous") == "1", max(1, min(MOST_LINES, number)), query.get("q", ""))


class Lines:
    """Puts lines together from pieces of a log; leaves out those up to a time that was seen."""

    def __init__(self, after: str = "") -> None:
        self._rest = b""
        self._after = moment(after) or (0, 0)

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The lines that this piece ends."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _LONGEST * 8:
            whole, self._rest = [*whole, self._rest], b""
        for raw in whole:
            line = parse_line(raw)
            written = moment(line.at)
            if written is None or written > self._after:
                yield line

    def end(self) -> Iterator[Line]:
        """What is left without an end of line."""
        if self._rest:
            yield from self.feed(b"\n")


def parse_line(raw: bytes) -> Line:
    """A line as the API writes it: its time, a space and its text. Colours for terminals are taken out."""
    text = raw.decode("utf-8", "replace").rstrip("\r")
    at, space, rest = text.partition(" ")
    if not (space and moment(at)):
        at, rest = "", text
    return Line(at, _COLOURS.sub("", rest)[:_LONGEST])


def has_words(line: Line, words: str) -> bool:
    """Whether a line has the text that is looked for, whatever its case."""
    return words.lower() in line.text.lower()
