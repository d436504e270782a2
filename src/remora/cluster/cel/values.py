"""CEL's values that JSON has not, and how any two compare. Pure."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from remora.cluster.limits import spend


class CelError(Exception):
    """An expression that cannot be read, or that has no value; the message is for people."""


class Optional(msgspec.Struct, frozen=True):
    """A value that may be absent (CEL's optional types)."""

    value: Any = None
    has_value: bool = False


NONE = Optional()


def some(value: Any) -> Optional:
    return Optional(value, True)


_TYPE_NAMES: dict[type, str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    timedelta: "google.protobuf.Duration",
    datetime: "google.protobuf.Timestamp",
}


def type_name(value: Any) -> str:
    return _TYPE_NAMES.get(type(value)) or type(value).__name__.lower()


_MOST_SIZE = 10_000_000
"""Letters of a text, or values of a list with all that is in it; rules can double both with every step."""


def check_size(size: int) -> None:
    """Raises:
    CelError: nothing of this size is made.
    """
    if size > _MOST_SIZE:
        raise CelError("operation cancelled: actual cost limit exceeded")
    spend(size)


def check_whole(value: Any) -> None:
    """Looks at all that is in a value, as often as it is there: lists that hold one another are small and yet endless.

    Raises:
        CelError: it is too much to go through.
    """
    waiting, count = [value], 0
    while waiting:
        found = waiting.pop()
        if isinstance(found, list | dict):
            count += len(found)
            waiting.extend(found if isinstance(found, list) else found.values())
        elif isinstance(found, str | bytes):
            count += len(found)
        if count > _MOST_SIZE:
            break
    check_size(count)


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, list | dict):
        check_whole(left)
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, Optional) and right is None:
        return not left.has_value
    return bool(left == right)


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1.

    Raises:
        CelError: the two have no order.
    """
    if isinstance(left, bool) != isinstance(right, bool) or not _is_ordered(left, right):
        raise CelError("no such overload")
    return int(left > right) - int(left < right)


def _is_ordered(left: Any, right: Any) -> bool:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return True
    return type(left) is type(right) and isinstance(left, str | bytes | datetime | timedelta)


_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MICROSECONDS = {"ns": 1e-3, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}


def parse_duration(text: str) -> timedelta:
    """Go's `time.ParseDuration`.

    Raises:
        CelError: it is no duration.
    """
    rest = text[1:] if text[:1] in ("+", "-") else text
    total, position = 0.0, 0
    while position < len(rest):
        found = _DURATION_PART.match(rest, position)
        if found is None:
            raise CelError(f'invalid duration "{text}"')
        total += float(found[1]) * _MICROSECONDS[found[2]]
        position = found.end()
    if not rest or (position == 0 and rest != "0"):
        raise CelError(f'invalid duration "{text}"')
    try:
        return timedelta(microseconds=-total if text.startswith("-") else total)
    except OverflowError:
        raise CelError(f'invalid duration "{text}"') from None


def render_duration(value: timedelta) -> str:
    seconds = value.total_seconds()
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{seconds:.6f}".rstrip("0") + "s"


def parse_timestamp(text: str) -> datetime:
    """RFC 3339, with a zone.

    Raises:
        CelError: it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CelError(f'invalid timestamp "{text}"') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def render_timestamp(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\s",
    "word": r"\w",
}
_TOKEN = re.compile(r"\\.|\[:\^?[a-z]+:\]|\(\?[ims]+\)|\(\?|[\[\]()$]|.", re.DOTALL)


@lru_cache(512)
def regex(pattern: str) -> re.Pattern[str]:
    """A pattern of RE2, Go's regular expressions, in Python's.

    Raises:
        CelError: it is none, or one that Python does not know.
    """
    try:
        return re.compile(_translated(pattern))
    except (re.error, RecursionError, OverflowError) as error:
        raise CelError(f"error parsing regexp: {error}: `{pattern}`") from None


def _translated(pattern: str) -> str:
    """Flags in the middle hold to the end of their group; `$` is the end of the text, not of its last line."""
    out: list[str] = []
    groups = [""]
    in_class = False
    for piece in _TOKEN.findall(pattern):
        if in_class:
            out.append(_CLASSES.get(piece[2:-2], piece) if piece.startswith("[:") else "\\[" if piece == "[" else piece)
            in_class = piece != "]" or (out[-2] in ("[", "^") and "".join(out[-3:]) in ("[]", "[^]"))
        elif len(piece) > 2 and piece.startswith("(?"):
            out.append(piece[:-1] + ":")
            groups[-1] += ")"
        elif piece == ")":
            out.append((groups.pop() if len(groups) > 1 else "") + ")")
        else:
            in_class = piece == "["
            if piece.startswith("("):
                groups.append("")
            out.append({"$": r"\Z", "\\z": r"\Z"}.get(piece, piece))
    return "".join(out) + groups[0]
