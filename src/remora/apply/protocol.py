"""The runtime API's interactive mode, sans I/O: text for commands, and replies from bytes (management guide, section 9.3).

After `prompt`, every reply ends with a blank line or nothing, and then `> ` at the start of a line.
"""

import re
from collections.abc import Iterator

PROMPT = b"\n> "
_PAYLOAD_PROMPTS = re.compile(rb"^(\+ )+")
"""While HAProxy reads a payload it prompts for each line of it."""


def command_bytes(text: str, payload: str = "") -> bytes:
    """A command as it is sent; a payload follows `<<` and ends with an empty line."""
    assert "\n" not in text
    assert "\n\n" not in payload
    return f"{text} <<\n{payload}\n\n".encode() if payload else f"{text}\n".encode()


class ReplyReader:
    """Cuts the bytes of an interactive connection into replies.

    Only for commands whose replies cannot hold a line that begins with `> `: those that change something.
    """

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """The replies that `data` completes."""
        self._buffer += data
        while PROMPT in self._buffer:
            reply, self._buffer = self._buffer.split(PROMPT, 1)
            yield _PAYLOAD_PROMPTS.sub(b"", reply).decode(errors="replace").strip("\n")
