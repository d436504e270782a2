"""From the text of a regular expression to its tree: the part of PCRE that configurations use, over bytes.

What is not known here is refused, so that no pattern ever means something else than it says.
"""

import re
import string

from remora.model.patterns import Ahead, Characters, Choice, Group, Node, Pattern, Place, Position, Repeat, Sequence

LONGEST = 1000
MOST_REPEATS = 100
DEEPEST = 20


class PatternRefused(Exception):
    """A regular expression that is none, or has what is not known here."""


def _ranges(characters: str) -> tuple[tuple[int, int], ...]:
    return tuple((ord(one), ord(one)) for one in sorted(characters))


_DIGIT = ((48, 57),)
_WORD = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE = ((9, 13), (32, 32))
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE, "h": ((9, 9), (32, 32))}
_NAMED = {"alpha": string.ascii_letters, "alnum": string.ascii_letters + string.digits, "digit": string.digits,
          "lower": string.ascii_lowercase, "upper": string.ascii_uppercase, "space": string.whitespace,
          "xdigit": string.hexdigits, "punct": string.punctuation}  # fmt: skip
_CONTROLS = {"t": 9, "n": 10, "r": 13, "f": 12, "v": 11, "e": 27, "a": 7}
_PLACES = {"b": Place.WORD_BORDER, "B": Place.NO_WORD_BORDER, "A": Place.START, "z": Place.END, "Z": Place.END}
_ANY = ((0, 9), (11, 255))
_QUANTIFIER = re.compile(r"[*+?]|\{([0-9]{1,3})(,([0-9]{0,3}))?\}")


def _inverted(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    found, following = [], 0
    for first, last in sorted(ranges):
        if first > following:
            found.append((following, first - 1))
        following = max(following, last + 1)
    if following <= 255:
        found.append((following, 255))
    return tuple(found)


def parse_pattern(text: str, *, folds_case: bool = False) -> Pattern:
    """The tree of a regular expression.

    Raises:
        PatternRefused: it is none, it is too long, or something in it is not known here.
    """
    inline = text.startswith("(?i)")
    source = text[4:] if inline else text
    if len(source) > LONGEST:
        raise PatternRefused(f"a pattern of more than {LONGEST} characters")
    reader = _Reader(source.encode("utf-8", "surrogateescape").decode("latin-1"))
    root = reader.choice(0)
    if not reader.at_end:
        raise PatternRefused("a bracket that nothing opens")
    return Pattern(root, folds_case or inline)


class _Reader:
    """Recursive descent over a text in which each character stands for a byte."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._groups = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def _next(self) -> str:
        if self.at_end:
            raise PatternRefused("a pattern that is cut off")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, wanted: str) -> bool:
        if self._text.startswith(wanted, self._at):
            self._at += len(wanted)
            return True
        return False

    def choice(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise PatternRefused(f"groups within more than {DEEPEST} groups")
        options = [self._sequence(depth)]
        while self._take("|"):
            options.append(self._sequence(depth))
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while not self.at_end and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _repeated(self, part: Node) -> Node:
        found = _QUANTIFIER.match(self._text, self._at)
        if not found:
            return part
        if isinstance(part, Position | Ahead):
            raise PatternRefused("a repetition of what takes no text")
        self._at = found.end()
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(found[0], (0, 0))
        if found[0].startswith("{"):
            least = int(found[1])
            most = least if found[2] is None else int(found[3]) if found[3] else None
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise PatternRefused(f"a repetition {found[0]}")
        if self._take("+"):
            raise PatternRefused("a possessive repetition")
        is_lazy = self._take("?")
        if _QUANTIFIER.match(self._text, self._at):
            raise PatternRefused("a repetition of a repetition")
        return Repeat(part, least, most, is_lazy)

    def _atom(self, depth: int) -> Node:
        one = self._next()
        match one:
            case "(":
                return self._group(depth)
            case "[":
                return Characters(self._class())
            case ".":
                return Characters(_ANY)
            case "^":
                return Position(Place.START)
            case "$":
                return Position(Place.END)
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise PatternRefused(f"{one} with nothing before it")
            case _:
                return Characters(_ranges(one))

    def _group(self, depth: int) -> Node:
        if self._take("?"):
            for opening, is_negative in (("=", False), ("!", True)):
                if self._take(opening):
                    return Ahead(self._closed(depth), is_negative)
            if not self._take(":"):
                raise PatternRefused("a group (?… of a kind that is not known here")
            return self._closed(depth)
        self._groups += 1
        number = self._groups
        return Group(number, self._closed(depth))

    def _closed(self, depth: int) -> Node:
        part = self.choice(depth + 1)
        if not self._take(")"):
            raise PatternRefused("a group that nothing closes")
        return part

    def _escape(self) -> Node:
        one = self._next()
        if one in _PLACES:
            return Position(_PLACES[one])
        return Characters(self._escaped(one))

    def _escaped(self, one: str) -> tuple[tuple[int, int], ...]:
        if one in _CLASSES:
            return _CLASSES[one]
        if one.lower() in _CLASSES:
            return _inverted(_CLASSES[one.lower()])
        if one in _CONTROLS:
            return ((_CONTROLS[one], _CONTROLS[one]),)
        if one == "x":
            digits = self._text[self._at : self._at + 2]
            if not re.fullmatch("[0-9A-Fa-f]{2}", digits):
                raise PatternRefused("\\x without two digits")
            self._at += 2
            return ((int(digits, 16), int(digits, 16)),)
        if one.isascii() and one.isalnum():
            raise PatternRefused(f"\\{one}")
        return _ranges(one)

    def _class(self) -> tuple[tuple[int, int], ...]:
        is_negative = self._take("^")
        found: list[tuple[int, int]] = []
        is_first = True
        while is_first or not self._take("]"):
            found += self._class_item()
            is_first = False
        return _inverted(tuple(found)) if is_negative else tuple(sorted(found))

    def _class_item(self) -> tuple[tuple[int, int], ...]:
        if self._take("[:"):
            name, closing, _ = self._text[self._at :].partition(":]")
            if not closing or name not in _NAMED:
                raise PatternRefused("a class of characters that is not known here")
            self._at += len(name) + 2
            return _ranges(_NAMED[name])
        first = self._class_character()
        if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
            if len(first) != 1 or first[0][0] != first[0][1]:
                raise PatternRefused("a range from a class")
            self._at += 1
            last = self._class_character()
            if len(last) != 1 or last[0][0] != last[0][1] or last[0][0] < first[0][0]:
                raise PatternRefused("a range that ends before it begins")
            return ((first[0][0], last[0][0]),)
        return first

    def _class_character(self) -> tuple[tuple[int, int], ...]:
        one = self._next()
        if one != "\\":
            return _ranges(one)
        following = self._next()
        return ((8, 8),) if following == "b" else self._escaped(following)
