"""Whether the proxy will take a path as a regular expression.

The proxy's library is PCRE, and one pattern that it refuses would cost the whole map that it stands in. Here is only Python's
`re`, so a pattern passes if Python takes it after what PCRE alone knows was put in Python's words, and if it holds nothing that
Python alone knows. Rare patterns that PCRE would take are refused with the others; their Ingress is told.
"""

import re
import warnings
from functools import lru_cache

LONGEST_PATTERN = 2048
"""Characters. No path needs more, and compiling takes time and stack."""

_LARGEST_EXPANSION = 16_000
"""PCRE writes a repeated group out, and what it writes must stay below 64 kB."""

_TO_TRANSLATE = re.compile(
    r"\\Q(?P<quoted>.*?)\\E|\\(?P<escaped>.)|(?P<named>\(\?<(?=[A-Za-z_]))|(?P<option>\(\?[ims]+\))", re.DOTALL
)
"""What PCRE knows and Python says otherwise; escapes too, so that none of the others is found behind a backslash."""

_NOT_IN_PCRE = re.compile(
    r"\[([:.=])(?:\\\]|[^]])*\1\]|\(\?#|\(\?[a-zA-Z-]*[aLux]|\(\?P?<\w{32,}|\{[0-9]*,?[0-9]{4,}\}|\\[gkNopPuUlLcC]|\(\?\(|\(\*|\(\?!\)"
)
"""What Python takes and PCRE does not, or reads in another way. A comment is among them: they do not agree where
it ends, at `(?#\\)` or later, and a bracket behind it could close the group in which the pattern stands for its host alone."""

_REPEAT = re.compile(r"(\)?)\{([0-9]*),?([0-9]*)\}")


@lru_cache(maxsize=4096)
def find_pattern_fault(pattern: str) -> str | None:
    """Why a pattern is not taken, as a message; None if it is."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN} characters"
    translated = _translated(pattern)
    odd = _NOT_IN_PCRE.search(translated)
    if odd:
        return f"{odd[0]!r} is not understood here"
    try:
        _compiled(translated)
    except re.error as error:
        return error.msg
    except (OverflowError, RecursionError):
        return "it is too large"
    return "it is too large" if _expansion(translated) > _LARGEST_EXPANSION else None


def group_count(pattern: str) -> int:
    """How many groups a pattern without fault has."""
    return _compiled(_translated(pattern)).groups


def _translated(pattern: str) -> str:
    return _TO_TRANSLATE.sub(_in_python, pattern)


def _in_python(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "quoted":
            return re.escape(found["quoted"])
        case "named":
            return "(?P<"
        case "option":
            return r"\B"  # like an option, it cannot be repeated; a class that holds one is refused
        case _ if found["escaped"] == "R":
            return r"(?:\s|\B)"  # like it, of no single length, and nothing that a class can hold
        case _:
            return r"\s" if found["escaped"] in "hHvV" else found[0]


def _compiled(pattern: str) -> re.Pattern[bytes]:
    """The pattern over bytes, which is what the proxy compares."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(pattern.encode("utf-8", "surrogatepass"))


def _expansion(pattern: str) -> int:
    """At most how long the pattern is with its repeated groups written out."""
    factor, length = 1, len(pattern)
    for closing, least, most in _REPEAT.findall(pattern):
        count = max(1, int(least or 0), int(most or 0))
        if closing:
            factor *= count
        else:
            length += count
    return factor * length
