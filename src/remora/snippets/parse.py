"""From text to directives, with `crossplane`'s lexer. Nothing is read from or written to files.

The lexer drops what is cut off at the end of a text. So a directive of ours is put behind it, which must be the last to come
out again.
"""

import io
import re
from collections.abc import Iterator
from functools import lru_cache

import crossplane  # noqa: F401 - makes blocks of Lua one argument each
import msgspec
from crossplane.errors import NgxParserBaseException
from crossplane.lexer import _lex_file_object  # the entry that takes text; `crossplane.lex` opens files

LONGEST = 16384
DEEPEST = 6
_LAST = "remora_ends_here"
_ESCAPED = re.compile(r"""\\(["'\\trn])""")
_UNESCAPED = {"t": "\t", "r": "\r", "n": "\n"}


class SnippetRefused(Exception):
    """A text that is no nginx configuration. The message says where."""


class Directive(msgspec.Struct, frozen=True):
    """A directive with its arguments; `block` is None for one that ends with a semicolon."""

    name: str
    arguments: tuple[str, ...]
    line: int
    block: "tuple[Directive, ...] | None" = None


Token = tuple[str, int, bool]


@lru_cache(maxsize=1024)
def parse_directives(text: str) -> tuple[Directive, ...]:
    """The directives of a snippet.

    Raises:
        SnippetRefused: it is no configuration, it is too long, or too deep.
    """
    if len(text) > LONGEST:
        raise SnippetRefused(f"more than {LONGEST} characters")
    if "\0" in text:
        raise SnippetRefused("a NUL")
    tokens = iter(_tokens(f"{text}\n{_LAST};"))
    found = tuple(_directives(tokens, depth=0))
    if not found or found[-1] != Directive(_LAST, (), found[-1].line):
        raise SnippetRefused("a quotation mark or a brace that is not closed")
    return found[:-1]


def _tokens(text: str) -> list[Token]:
    try:
        return list(_lex_file_object(io.StringIO(text)))
    except (NgxParserBaseException, IndexError, RuntimeError) as error:
        raise SnippetRefused(f"no configuration of nginx: {type(error).__name__}") from error


def _directives(tokens: Iterator[Token], *, depth: int) -> Iterator[Directive]:
    """Those of a block, up to its closing brace or the end of the text."""
    if depth > DEEPEST:
        raise SnippetRefused(f"blocks within more than {DEEPEST} blocks")
    for text, line, is_quoted in tokens:
        if not is_quoted and text.startswith("#"):
            continue
        if not is_quoted and text == "}":
            if depth:
                return
            raise SnippetRefused(f"line {line}: a brace that nothing opens")
        if not is_quoted and text in (";", "{"):
            raise SnippetRefused(f"line {line}: {text} without a directive")
        yield _directive(_unescaped(text), line, tokens, depth=depth)
    if depth:
        raise SnippetRefused("a brace that is not closed")


def _directive(name: str, line: int, tokens: Iterator[Token], *, depth: int) -> Directive:
    arguments: list[str] = []
    for text, _, is_quoted in tokens:
        if not is_quoted and text == ";":
            return Directive(name, tuple(arguments), line)
        if not is_quoted and text == "{":
            return Directive(name, tuple(arguments), line, tuple(_directives(tokens, depth=depth + 1)))
        if not is_quoted and text == "}":
            break
        if is_quoted or not text.startswith("#"):
            arguments.append(_unescaped(text))
    raise SnippetRefused(f"line {line}: {name} without a semicolon")


def _unescaped(text: str) -> str:
    """As nginx reads a word: `\\` before a quotation mark or another goes, that before anything else stays."""
    return _ESCAPED.sub(lambda found: _UNESCAPED.get(found[1], found[1]), text)
