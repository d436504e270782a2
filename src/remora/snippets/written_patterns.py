"""Regular expressions as lists, for the script that matches them: a letter for the kind, then what it is about."""

from typing import assert_never

from remora.model.patterns import Ahead, Characters, Choice, Group, Node, Pattern, Position, Repeat, Sequence

Item = str | tuple["Item", ...]

_CASE = 32
"""What a small letter is more than its capital."""


def pattern_entry(pattern: Pattern) -> Item:
    """A pattern. Where case means nothing all is compared in small letters."""
    return ("pattern", "1" if pattern.folds_case else "0", _node(pattern.root, folds=pattern.folds_case))


def _node(node: Node, *, folds: bool) -> Item:
    match node:
        case Characters(ranges=ranges):
            return ("c", "".join(f"{first:02x}{last:02x}" for first, last in (_folded(ranges) if folds else ranges)))
        case Position(place=place):
            return ("p", place.value)
        case Sequence(parts=parts):
            return ("s", *_merged(parts, folds=folds))
        case Choice(options=options):
            return ("o", *(_node(option, folds=folds) for option in options))
        case Repeat():
            most = "" if node.most is None else str(node.most)
            return ("r", _node(node.part, folds=folds), str(node.least), most, "1" if node.is_lazy else "0")
        case Group(number=number, part=part):
            return ("g", str(number), _node(part, folds=folds))
        case Ahead(part=part):
            return ("a", _node(part, folds=folds), "1" if node.is_negative else "0")
        case _:
            assert_never(node)


def _merged(parts: tuple[Node, ...], *, folds: bool) -> tuple[Item, ...]:
    """The parts, single characters in a row as one text."""
    found: list[Item] = []
    text = b""
    for part in parts:
        if isinstance(part, Characters) and len(part.ranges) == 1 and part.ranges[0][0] == part.ranges[0][1]:
            one = bytes([part.ranges[0][0]])
            text += one.lower() if folds else one
            continue
        if text:
            found.append(("l", text.decode("utf-8", "surrogateescape")))
            text = b""
        found.append(_node(part, folds=folds))
    if text:
        found.append(("l", text.decode("utf-8", "surrogateescape")))
    return tuple(found)


def _folded(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The ranges with the small letters of their capitals."""
    found = list(ranges)
    for first, last in ranges:
        low, high = max(first, ord("A")), min(last, ord("Z"))
        if low <= high:
            found.append((low + _CASE, high + _CASE))
    return tuple(found)
