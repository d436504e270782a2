"""How a line is shown: with its pod in front, in the pod's colour, or as JSON. Pure."""

import re
import zlib
from enum import StrEnum

import msgspec

from remora.cli.tailing.choice import Pattern, Source
from remora.cli.tailing.lines import Line

_COLOURS = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)
"""Red is not among them: it means trouble."""
_CONTROL = re.compile(rb"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")
"""Colours may stay. Everything else would let a pod move the cursor, change the title or answer for the person."""


class TailOutput(StrEnum):
    """How lines are printed."""

    TEXT = "text"
    JSON = "json"
    RAW = "raw"


class Look(msgspec.Struct, frozen=True):
    """`only` are patterns of which one must be found in a line, `never` those of which none may be."""

    output: TailOutput = TailOutput.TEXT
    colour: bool = False
    terminal: bool = False
    timestamps: bool = False
    namespaces: bool = False
    only: tuple[Pattern, ...] = ()
    never: tuple[Pattern, ...] = ()

    def takes(self, line: Line) -> bool:
        """Whether a line is to be shown at all."""
        if not self.only and not self.never:
            return True
        text = line.message.decode(errors="replace")
        if any(pattern.search(text) for pattern in self.never):
            return False
        return not self.only or any(pattern.search(text) for pattern in self.only)

    def render(self, source: Source, line: Line) -> bytes:
        """The line as it is printed, with its end."""
        if self.output is TailOutput.JSON:
            return msgspec.json.encode(_fields(source, line)) + b"\n"
        message = line.message
        if self.timestamps and line.stamp:
            message = line.stamp + b" " + message
        if self.output is TailOutput.RAW:
            return message + b"\n"
        if self.terminal:
            message = _CONTROL.sub(_shown, message)
            if b"\x1b" in message:
                message += b"\x1b[0m"
        return self.name(source).encode() + b" " + message + b"\n"

    def name(self, source: Source) -> str:
        """A source in brackets, in its colour."""
        parts = f"{source.namespace}/{source.pod}" if self.namespaces else source.pod
        text = f"[{parts}]" if source.is_alone else f"[{parts} {source.container}]"
        return f"\033[{colour_of(source)}m{text}\033[0m" if self.colour else text


def colour_of(source: Source) -> int:
    """The colour of a pod, the same at every start."""
    return _COLOURS[zlib.crc32(f"{source.namespace}/{source.pod}".encode()) % len(_COLOURS)]


def _fields(source: Source, line: Line) -> dict[str, str]:
    return {
        "namespace": source.namespace,
        "pod": source.pod,
        "container": source.container,
        "timestamp": line.stamp.decode(),
        "message": line.message.decode(errors="replace"),
    }


def _shown(match: re.Match[bytes]) -> bytes:
    if match[1] or match[0] == b"\r" or len(match[0]) == 2:
        return match[1] or b""
    return b"^" + bytes([match[0][0] ^ 0x40])
