"""A command of HAProxy's runtime API, as a value: what is sent, and which reply means that it was done."""

import re
from collections.abc import Iterable, Iterator

import msgspec

PREPARED_VERSION = "@prepared "
"""Stands in a command for the version that the last `prepare map` reported."""


class Command(msgspec.Struct, frozen=True):
    """One command. `payload` follows it line by line; `done` is the regular expression that the whole reply must match."""

    text: str
    payload: str = ""
    done: str = ""

    @property
    def shown(self) -> str:
        """What may be told of it: the value of a map's entry, which may be a secret, is left out."""
        return " ".join(self.text.split(" ")[:4]) if self.text.startswith("set map ") else self.text

    @property
    def takes_away(self) -> bool:
        """Whether it takes something from requests, which is done only after all that comes before is known to be done."""
        return self.text.startswith("del ") or self.text.endswith((" state maint", " state drain"))

    def is_done(self, reply: str) -> bool:
        """Whether HAProxy says that it did this."""
        return re.fullmatch(self.done, reply.strip(), re.DOTALL) is not None


SENT_TOGETHER = 4000
"""Characters of commands that are sent before the first of their replies is read."""


def together(commands: Iterable[Command]) -> Iterator[tuple[Command, ...]]:
    """The commands in portions that may be sent at once: what needs a reply of before, or is to wait for it, begins another."""
    portion: list[Command] = []
    size = 0
    for command in commands:
        length = len(command.text) + len(command.payload)
        waits = PREPARED_VERSION in command.text or command.takes_away != portion[0].takes_away if portion else False
        if portion and (waits or size + length > SENT_TOGETHER):
            yield tuple(portion)
            portion, size = [], 0
        portion.append(command)
        size += length
    if portion:
        yield tuple(portion)
