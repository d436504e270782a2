"""Which kinds of backends the program declares in advance.

A class is everything that HAProxy fixes when it starts: how a backend balances, and which rules run on its requests. A
service port takes a free backend of its class and fills it with servers at run time. What HAProxy takes only in its text
gets a dedicated backend instead, at the price of a reload.
"""

from enum import Enum
from typing import NewType

import msgspec

Slot = NewType("Slot", str)
"""The name of a declared backend in HAProxy, such as `persistent-plain-7`."""


class Algorithm(Enum):
    """How a class finds the server of a request."""

    SPREAD = "spread"
    """Round robin, no sessions."""
    PERSISTENT = "persistent"
    """The session names its server; a new one is given a server by round robin."""
    BALANCED = "balanced"
    """The session's key is hashed consistently; it names its server too, which counts while that server drains."""
    HASHED = "hashed"
    """What the request is, is hashed consistently; no sessions."""
    LEAST = "least"
    """The server with the fewest connections, no sessions."""

    # By default the name is hashed, in Python.
    __hash__ = object.__hash__


class BackendClass(msgspec.Struct, frozen=True, order=True):
    """A class of backends. `rich` ones run the policy rules; plain ones pay nothing for policies that they do not use, and
    `shaped` ones, of the rich, only for those that many routes have: CORS, headers and other paths.

    Those with `sessions` run besides what only some sticky routes want: identified sessions, lifetimes, cookies of another
    format. `guarded` ones run what keeps requests out or holds them back: lists of addresses, authentication, limits. Those of
    a `stream` pass connections on as they are.
    """

    algorithm: Algorithm = Algorithm.SPREAD
    rich: bool = False
    sessions: bool = False
    guarded: bool = False
    stream: bool = False
    shaped: bool = False

    @property
    def name(self) -> str:
        if self.stream:
            return "stream"
        special = ["guarded"] * self.guarded + ["sessions"] * self.sessions
        return "-".join((self.algorithm.value, *(special or [self._policies])))

    @property
    def _policies(self) -> str:
        if self.shaped:
            return "shaped"
        return "rich" if self.rich else "plain"

    def slot(self, number: int) -> Slot:
        """The number-th backend of the pool, from 1."""
        return Slot(f"{self.name}-{number}")


STICKY = (Algorithm.PERSISTENT, Algorithm.BALANCED)
"""The algorithms whose sessions are in a cookie."""

CLASSES = (
    *(BackendClass(algorithm, rich) for algorithm in Algorithm for rich in (False, True)),
    *(BackendClass(algorithm, rich=True, shaped=True) for algorithm in Algorithm),
    *(BackendClass(algorithm, rich=True, sessions=True) for algorithm in Algorithm),
    *(BackendClass(algorithm, True, sessions, guarded=True) for algorithm in Algorithm for sessions in (False, True)),
    BackendClass(stream=True),
)
"""Every class that the program declares, in the order in which they stand there."""

SMALLEST_POOL = 16
"""Backends of each class at the least, so that a fresh cluster starts without a reload. An unused backend costs some 20 kB."""


def pool_size(used: int) -> int:
    """How many backends to declare where `used` are needed: a power of two with at least a third of it free."""
    return max(SMALLEST_POOL, 1 << (3 * used // 2).bit_length())


def is_low(used: int, declared: int) -> bool:
    """Whether the pool should be doubled while there is time to do it in the background."""
    return used > declared * 3 // 4


def dedicated_slot(name: str) -> Slot:
    """The slot of a dedicated backend is itself; HAProxy allows letters, digits, `-`, `_`, `.` and `:` in a name."""
    return Slot(name.replace("@", "."))
