"""Kubernetes' channels in WebSocket messages: one byte for the channel, then its data. Pure.

Versions: up to 4 they differ in what the error channel says, and version 5 can close a channel. The `base64` variants put all
into text, with the channel as a digit (apimachinery `pkg/util/httpstream/wsstream`).
"""

import base64
import binascii
from collections.abc import Sequence

import msgspec

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE = 255

_PROTOCOLS = {
    "v5.channel.k8s.io": (5, False),
    "v4.channel.k8s.io": (4, False),
    "v4.base64.channel.k8s.io": (4, True),
    "channel.k8s.io": (1, False),
    "base64.channel.k8s.io": (1, True),
}


class Message(msgspec.Struct, frozen=True):
    """Data on a channel, or (`is_last`) that nothing more comes on it."""

    channel: int
    data: bytes = b""
    is_last: bool = False


class Codec(msgspec.Struct, frozen=True):
    """`name` is the subprotocol as it was offered; "" for a client that offered none."""

    name: str
    version: int
    is_base64: bool

    def encode(self, channel: int, data: bytes) -> bytes | str:
        if self.is_base64:
            return f"{channel}{base64.b64encode(data).decode()}"
        return bytes((channel,)) + data

    def decode(self, message: bytes | str) -> Message | None:
        """None for a message that says nothing."""
        if not message:
            return None
        if self.is_base64:
            return _decode_text(message.decode("latin-1") if isinstance(message, bytes) else message)
        data = message.encode() if isinstance(message, str) else message
        if data[0] == _CLOSE and self.version >= 5:
            return Message(data[1], is_last=True) if len(data) == 2 else None
        return Message(data[0], data[1:])


def choose(offered: Sequence[str]) -> Codec | None:
    """The client's first choice among those that are known; None if it knows only others."""
    if not offered:
        return Codec("", 1, False)
    return next((Codec(name, *_PROTOCOLS[name]) for name in offered if name in _PROTOCOLS), None)


def _decode_text(text: str) -> Message | None:
    if not text[0].isdecimal():
        return None
    try:
        return Message(int(text[0]), base64.b64decode(text[1:], validate=True))
    except (binascii.Error, ValueError):
        return None
