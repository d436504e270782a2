"""What the options of `remora migrate compare` and `switch` may say."""

import re
from collections.abc import Iterable

from remora.cli.flags import parse_seconds
from remora.core.errors import UsageError
from remora.migrate.switch import CHECKS

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_POD_BY = "auto, header:NAME, json:KEY or regex:PATTERN"


def seconds(text: str, option: str, *, least: float = 0.0) -> float:
    """A duration.

    Raises:
        UsageError: it is none, or shorter than `least`.
    """
    try:
        found = parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"{option}: found {text!r}, needed {error}") from error
    if found < least:
        raise UsageError(f"{option}: found {text!r}, needed at least {least:g}s")
    return found


def methods(text: str) -> tuple[str, ...]:
    """Methods with commas between them.

    Raises:
        UsageError: one of them is not known.
    """
    found = tuple(word.strip().upper() for word in text.split(","))
    unknown = [word for word in found if word not in _METHODS]
    if unknown:
        raise UsageError(f"--methods: found {unknown[0]!r}, needed some of {', '.join(_METHODS)}")
    return found


def pod_by(text: str) -> str:
    """How an answer says which pod it is of.

    Raises:
        UsageError: there is no such way, or its pattern is none.
    """
    kind, _, name = text.partition(":")
    if text != "auto" and (kind not in ("header", "json", "regex") or not name):
        raise UsageError(f"--pod-by: found {text!r}, needed {_POD_BY}")
    if kind == "regex":
        _pattern(name, "--pod-by")
    return text


def patterns(texts: Iterable[str], option: str) -> tuple[str, ...]:
    """Regular expressions.

    Raises:
        UsageError: one of them is none.
    """
    return tuple(_pattern(text, option) for text in texts)


def _pattern(text: str, option: str) -> str:
    try:
        re.compile(text.encode())
    except re.error as error:
        raise UsageError(f"{option}: found {text!r}, which is no regular expression: {error}") from error
    return text


def percent(number: float, option: str) -> float:
    """A share of a hundred, as a share of one.

    Raises:
        UsageError: it is less than none or more than all.
    """
    if not 0 <= number <= 100:
        raise UsageError(f"{option}: found {number:g}, needed percent from 0 to 100")
    return number / 100


def count(number: int, option: str) -> int:
    """A number of things.

    Raises:
        UsageError: it is less than none.
    """
    if number < 0:
        raise UsageError(f"{option}: found {number}, needed 0 or more")
    return number


def accepted(names: Iterable[str]) -> frozenset[str]:
    """Names of checks.

    Raises:
        UsageError: there is no check of one of the names.
    """
    found = frozenset(names)
    for name in sorted(found - set(CHECKS)):
        raise UsageError(f"--accept: found {name!r}, needed one of {', '.join(CHECKS)}")
    return found
