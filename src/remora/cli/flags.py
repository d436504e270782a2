"""Command-line flags as Go programs read them: `--flag=value` or `--flag value`, and booleans alone or with `=true`. Pure.

Manifests written for ingress-nginx use this style, so the controller does not use the parser of the other commands.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from remora.core.errors import UsageError

_TRUE = {"1", "t", "T", "true", "TRUE", "True"}
_FALSE = {"0", "f", "F", "false", "FALSE", "False"}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

Parse = Callable[[str], Any]
"""Text to value; raises ValueError with what would be right ("a number from 1 to 65535")."""


class Flag(msgspec.Struct, frozen=True):
    """One flag. `parse` None makes it a boolean. A flag without `effect` is accepted, because manifests have it."""

    name: str
    default: Any
    parse: Parse | None
    help: str = ""
    effect: bool = True

    @property
    def is_boolean(self) -> bool:
        return self.parse is None


class Given(msgspec.Struct, frozen=True):
    """The value of every flag, and which flags were given."""

    values: Mapping[str, Any]
    names: frozenset[str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def parse_flags(arguments: Sequence[str], flags: Sequence[Flag]) -> Given:
    """All values; the last wins where a flag is given twice.

    Raises:
        UsageError: an unknown flag or a value that it cannot have, with what would be right.
    """
    known = {flag.name: flag for flag in flags}
    values = {flag.name: flag.default for flag in flags}
    names = set()
    words = iter(arguments)
    for word in words:
        flag, text = _split(word, known)
        values[flag.name] = _value(flag, text, words)
        names.add(flag.name)
    return Given(values, frozenset(names))


def _split(word: str, known: Mapping[str, Flag]) -> tuple[Flag, str | None]:
    if not word.startswith("-") or word in ("-", "--"):
        raise UsageError(f"{word!r} is not a flag; the controller takes flags only, `remora controller --help` lists them")
    name, equals, text = word.lstrip("-").partition("=")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean --{near[0]}?" if near else "`remora controller --help` lists all flags"
        raise UsageError(f"unknown flag --{name}; {hint}")
    return known[name], text if equals else None


def _value(flag: Flag, text: str | None, words: Iterator[str]) -> Any:
    if flag.parse is None:
        return True if text is None else parse_boolean(flag.name, text)
    if text is None:
        text = next(words, None)
        if text is None:
            raise UsageError(f"--{flag.name} needs a value: --{flag.name}=VALUE")
    try:
        return flag.parse(text)
    except ValueError as error:
        raise UsageError(f"--{flag.name}: found {text!r}, needed {error}") from error


def parse_boolean(name: str, text: str) -> bool:
    """As Go's strconv.ParseBool."""
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise UsageError(f"--{name}: found {text!r}, needed true or false")


def parse_seconds(text: str) -> float:
    """A number of seconds, or a Go duration such as `1m30s`."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("a number of seconds, or a duration such as 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def whole_number(low: int, high: int) -> Parse:
    """A parser of a whole number in a range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?\d+", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def one_of(*words: str) -> Parse:
    """A parser of one of a few words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(" or ".join(words))
        return text

    return parse


def render_help(flags: Sequence[Flag]) -> str:
    """All flags with their defaults, for a person."""
    lines = ["Usage: remora controller [--flag=value ...]", "", "Run the Ingress controller until it is told to stop.", ""]
    for flag in flags:
        if flag.effect:
            default = "" if flag.default in ("", None, False, ()) else f" (default {shown(flag.default)})"
            lines.append(f"  --{flag.name}{'' if flag.is_boolean else '=VALUE'}\n        {flag.help}{default}")
    silent = ", ".join(f"--{flag.name}" for flag in flags if not flag.effect)
    return "\n".join([*lines, "", "Accepted without effect, because manifests of ingress-nginx have them:", f"  {silent}"])


def shown(value: Any) -> str:
    """A default as it would be typed; "" for none."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
