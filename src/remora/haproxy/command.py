"""A command of HAProxy's runtime API, as a value: what is sent, and which reply means that it was done."""

import re

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

    def is_done(self, reply: str) -> bool:
        """Whether HAProxy says that it did this."""
        return re.fullmatch(self.done, reply.strip(), re.DOTALL) is not None
