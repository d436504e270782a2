"""HAProxy's configuration language: directives and sections as values, and the only place that quotes.

A directive is a tuple of words, so no word of anybody's can become two words, a comment, a variable or a new line
(HAProxy 2.8 configuration manual, section 2.2 "Quoting and escaping").
"""

import re
from collections.abc import Iterable

import msgspec

_PLAIN = r"[A-Za-z0-9_.,:;/@%|=+*(){}\[\]!<>?^~&-]+"
_PLAIN_WORD = re.compile(_PLAIN)
_PLAIN_LINE = re.compile(rf"{_PLAIN}(?: {_PLAIN})*")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


class Directive(msgspec.Struct, frozen=True):
    """One line of a section, word by word."""

    words: tuple[str, ...]


class Section(msgspec.Struct, frozen=True):
    """A section: its opening line (`frontend NAME from DEFAULTS`) and its directives in order."""

    opening: Directive
    directives: tuple[Directive, ...] = ()


def directive(*words: str | int) -> Directive:
    """A directive of the given words; numbers are written in decimal."""
    return Directive(tuple(str(word) for word in words))


def rule(keywords: str, *words: str, when: str = "") -> Directive:
    """A line of the program's own text: `keywords` and the condition `when` are split at blanks, `words` are not.

    Only for constants of the program; text from anywhere else goes through `directive`.
    """
    condition = ("if", *when.split()) if when else ()
    return Directive((*keywords.split(), *words, *condition))


def section(*opening: str, lines: Iterable[Directive] = ()) -> Section:
    """A section of the given opening words and lines."""
    return Section(Directive(opening), tuple(lines))


def quote(word: str) -> str:
    """The word as HAProxy reads it back unchanged.

    Raises:
        ValueError: it holds a control character, which no quoting carries through.
    """
    if _PLAIN_WORD.fullmatch(word):
        return word
    if _CONTROL_CHARACTER.search(word):
        raise ValueError(f"{word!r} holds a control character")
    if "'" not in word:
        return f"'{word}'"
    return '"' + re.sub(r'(["\\$])', r"\\\1", word) + '"'


def render_directive(line: Directive) -> str:
    """The line without its line end."""
    text = " ".join(line.words)
    # Most lines need no quotes at all: words without a blank, none of them empty.
    if _PLAIN_LINE.fullmatch(text) and text.count(" ") == len(line.words) - 1:
        return text
    return " ".join(quote(word) for word in line.words)


def render_sections(sections: Iterable[Section]) -> str:
    """A configuration file."""
    return "\n".join(map(render_section, sections))


def render_section(part: Section) -> str:
    """A section's lines; between two sections stands an empty one."""
    lines = [f"    {render_directive(line)}\n" for line in part.directives]
    return f"{render_directive(part.opening)}\n{''.join(lines)}"


def literal(text: str) -> str:
    """The text as it must stand in a log-format string so that nothing in it is expanded (section 8.2.4)."""
    return text.replace("%", "%%")


NEW_IDENTIFIER = "uuid(),regsub(-,,g)"
"""A sample expression: 32 random hex digits."""


def address_and_port(address: str, port: int) -> str:
    """`address:port`; HAProxy takes what follows the last colon as the port, IPv6 brackets or not (section 11)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
