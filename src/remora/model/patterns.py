"""Regular expressions as trees: what of PCRE people write in conditions and rewrites, byte by byte.

They are matched by the data plane itself within a bound of steps, so no pattern can hold it up, and none can give up unseen.
"""

from enum import Enum

import msgspec


class Characters(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One byte of some ranges, both ends included."""

    ranges: tuple[tuple[int, int], ...]


class Place(Enum):
    """Where in the text a pattern stands, without taking anything of it."""

    START = "start"
    END = "end"
    WORD_BORDER = "border"
    NO_WORD_BORDER = "no border"


class Position(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A place in the text."""

    place: Place


class Sequence(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One after the other."""

    parts: tuple["Node", ...]


class Choice(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The first of the options with which the rest matches too."""

    options: tuple["Node", ...]


class Repeat(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A part several times; `most` None is as often as it goes."""

    part: "Node"
    least: int
    most: int | None
    is_lazy: bool = False


class Group(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A part that is kept under a number."""

    number: int
    part: "Node"


class Ahead(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What must, or must not, follow."""

    part: "Node"
    is_negative: bool = False


Node = Characters | Position | Sequence | Choice | Repeat | Group | Ahead


class Pattern(msgspec.Struct, frozen=True, gc=False):
    """A regular expression that is looked for anywhere in a text."""

    root: Node
    folds_case: bool = False
