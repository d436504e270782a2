"""Whether a path's regular expression can make the proxy's library give up.

PCRE tries a repeat within a repeat in exponentially many ways on some texts, gives up, and the proxy takes the next pattern:
past the guards of the one that was meant. So such a pattern is refused, unless each round of the outer repeat begins or ends
with a character that nothing else in it takes, as in `(/[^/]+)*`; then there is one way only.
"""

import re

from remora.model.patterns import Ahead, Characters, Choice, Group, Node, Position, Repeat, Sequence
from remora.snippets.regex import PatternRefused, parse_pattern

TANGLED = "a repeat within a repeat can make the proxy give up on a path, which the next pattern would get then"

_MANY = 8
"""Rounds from which on a repeat counts as one without an end."""

_OPTIONS = re.compile(r"\(\?[ims]+\)")
_REPEATED_GROUP = re.compile(r"\)(?:[*+]|\{[0-9]*,)")
_ENDLESS = re.compile(r"[*+]|\{[0-9]*,")


def repeats_within_repeats(pattern: str) -> bool:
    """Whether a pattern without other faults has such a repeat. One that is only partly understood counts as if it had."""
    try:
        return _is_tangled(parse_pattern(_OPTIONS.sub("", pattern)).root)
    except PatternRefused:
        return bool(_REPEATED_GROUP.search(pattern)) and len(_ENDLESS.findall(pattern)) > 1


def _is_tangled(node: Node) -> bool:
    if isinstance(node, Repeat) and _is_endless(node) and _has_endless(node.part) and not _is_separated(node.part):
        return True
    return any(map(_is_tangled, _parts(node)))


def _is_endless(node: Repeat) -> bool:
    return node.least != node.most and (node.most is None or node.most >= _MANY)


def _has_endless(node: Node) -> bool:
    return (isinstance(node, Repeat) and _is_endless(node)) or any(map(_has_endless, _parts(node)))


def _is_separated(node: Node) -> bool:
    """Whether the first or the last of some parts is a character that no other of them takes."""
    while isinstance(node, Group):
        node = node.part
    if not isinstance(node, Sequence) or len(node.parts) < 2:
        return False
    for place in (0, -1):
        end, others = node.parts[place], list(node.parts)
        del others[place]
        if isinstance(end, Characters) and not _bytes_of(end) & frozenset().union(*map(_bytes_of, others)):
            return True
    return False


def _bytes_of(node: Node) -> frozenset[int]:
    """The bytes that a part can take, in either case."""
    if isinstance(node, Characters):
        taken = bytes(byte for first, last in node.ranges for byte in range(first, last + 1))
        return frozenset(taken + taken.lower() + taken.upper())
    return frozenset[int]().union(*map(_bytes_of, _parts(node)))


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Characters() | Position():
            return ()
        case Sequence():
            return node.parts
        case Choice():
            return node.options
        case Repeat() | Group() | Ahead():
            return (node.part,)
