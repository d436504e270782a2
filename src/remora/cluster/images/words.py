"""Words of an instruction: variables, quotes, the JSON form, and KEY=VALUE pairs. Pure."""

import re
import shlex
from collections.abc import Iterator, Mapping

import msgspec

_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-+?])(?P<word>[^}]*))?\})",
    re.DOTALL,
)


class WordsError(Exception):
    """A word that cannot be read; the text says why."""


def substituted(text: str, values: Mapping[str, str]) -> str:
    """The text with `$NAME`, `${NAME}`, `${NAME:-word}`, `${NAME:+word}` and `${NAME:?word}` replaced; `\\$` is a dollar sign.

    What is in single quotes stays as it is. Quotes and other backslashes stay for the one who splits words.

    Raises:
        WordsError: a name with `?` has no value.
    """
    parts = re.split(r"('[^']*')", text) if text.count("'") > 1 else [text]
    return "".join(part if len(part) > 1 and part[0] == part[-1] == "'" else _expand(part, values) for part in parts)


def _expand(text: str, values: Mapping[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        if (escaped := match["escaped"]) is not None:
            return "$" if escaped == "$" else match[0]
        name, operator, word = match["name"] or match["braced"], match["operator"] or "", match["word"] or ""
        value = values.get(name)
        is_there = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("-"):
            return (value or "") if is_there else substituted(word, values)
        if operator.endswith("+"):
            return substituted(word, values) if is_there else ""
        if operator.endswith("?") and not is_there:
            raise WordsError(f"{name} has no value: {word or 'give it with --build-arg'}")
        return value or ""

    return _VARIABLE.sub(replacement, text)


def split(text: str) -> tuple[str, ...]:
    """Words as a shell sees them, without its quotes.

    Raises:
        WordsError: a quote has no end.
    """
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise WordsError(f"{str(error).lower()} in: {text}") from error


def json_form(text: str) -> tuple[str, ...] | None:
    """The words of `["like", "this"]`, or None if it is something else."""
    if not text.lstrip().startswith("["):
        return None
    try:
        return tuple(msgspec.json.decode(text, type=list[str]))
    except msgspec.MsgspecError:
        return None


def pairs(text: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """`A=1 B="two words"`, or the old form `A the rest`; all values are replaced by what was known before the line.

    Raises:
        WordsError: a word is no pair.
    """
    expanded = substituted(text, values)
    words = split(expanded)
    if words and "=" not in words[0]:
        name, _, rest = expanded.partition(" ")
        if not rest.strip():
            raise WordsError(f"{name} has no value: write {name}=VALUE")
        yield name, rest.strip()
        return
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise WordsError(f"{word!r} is not of the form NAME=VALUE")
        yield name, value
