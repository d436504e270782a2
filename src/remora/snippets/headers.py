"""Directives that change headers, to steps (nginx's ngx_http_headers_module and openresty's headers-more)."""

import re
from collections.abc import Callable, Iterator

from remora.model.snippets import AnswerHeader, HeaderChange, RequestHeader, Value
from remora.snippets.known import HOP_BY_HOP
from remora.snippets.parse import Directive

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TIME = re.compile(r"([0-9]+)(ms|[smhdwMy]?)")
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}

ADDED_TO = (200, 201, 204, 206, 301, 302, 303, 304, 307, 308)
"""The statuses to whose answers nginx adds headers if not told `always`."""

Values = Callable[[str], Value]


class Needless(Exception):
    """A directive with which there is nothing to do."""


class Misformed(Exception):
    """A directive with arguments that it does not take, or that are not known here."""


def seconds(text: str) -> int:
    """nginx's times, `1h 30m`, rounded up to seconds."""
    parts = text.split()
    found = [_TIME.fullmatch(part) for part in parts]
    if not parts or not all(found):
        raise Misformed(f"{text!r} is no time")
    total = sum(int(one[1]) * _SECONDS[one[2]] for one in found if one)
    return int(-(-total // 1))


def proxy_set_header(directive: Directive, value: Values) -> Iterator[RequestHeader]:
    name, text = _two(directive)
    if name.lower() in HOP_BY_HOP:
        raise Needless(f"HAProxy looks after {name}")
    yield RequestHeader(HeaderChange.SET, _name(name), value(text))


def more_set_input_headers(directive: Directive, value: Values) -> Iterator[RequestHeader]:
    options, lines = _options(directive, flags="r", values="t")
    if "t" in options:
        raise Misformed("-t is not known here")
    for line in lines:
        name, _, text = line.partition(":")
        if name.strip().lower() not in HOP_BY_HOP:
            yield RequestHeader(HeaderChange.SET, _name(name.strip()), value(text.strip()), only_if_sent="r" in options)


def more_clear_input_headers(directive: Directive, _value: Values) -> Iterator[RequestHeader]:
    options, lines = _options(directive, flags="", values="t")
    if "t" in options:
        raise Misformed("-t is not known here")
    for line in lines:
        yield RequestHeader(HeaderChange.REMOVE, _name(line.partition(":")[0].strip()))


def more_set_headers(directive: Directive, value: Values) -> Iterator[AnswerHeader]:
    options, lines = _options(directive, flags="a", values="st")
    statuses, types = _conditions(options)
    for line in lines:
        name, _, text = line.partition(":")
        found = value(text.strip())
        change = HeaderChange.REMOVE if not found else HeaderChange.ADD if "a" in options else HeaderChange.SET
        yield AnswerHeader(change, _name(name.strip()), found, statuses, types)


def more_clear_headers(directive: Directive, _value: Values) -> Iterator[AnswerHeader]:
    options, lines = _options(directive, flags="", values="st")
    statuses, types = _conditions(options)
    for line in lines:
        name = _name(line.partition(":")[0].strip())
        yield AnswerHeader(HeaderChange.REMOVE, name, statuses=statuses, types=types)


def add_header(directive: Directive, value: Values) -> Iterator[AnswerHeader]:
    always = len(directive.arguments) == 3 and directive.arguments[2] == "always"
    if len(directive.arguments) != 2 and not always:
        raise Misformed("it takes a name, a value and maybe `always`")
    found = value(directive.arguments[1])
    if found:
        name = _name(directive.arguments[0])
        # Two of these mean nothing, and one with no body's type is what people mean.
        change = HeaderChange.SET if name.lower() in ("content-type", "content-length") else HeaderChange.ADD
        yield AnswerHeader(change, name, found, () if always else ADDED_TO)


def proxy_hide_header(directive: Directive, _value: Values) -> Iterator[AnswerHeader]:
    if len(directive.arguments) != 1:
        raise Misformed("it takes a name")
    yield AnswerHeader(HeaderChange.REMOVE, _name(directive.arguments[0]))


def expires(directive: Directive, value: Values) -> Iterator[AnswerHeader]:
    text = " ".join(directive.arguments)
    if text == "off":
        raise Needless("it is off")
    if text == "epoch" or text.startswith("-"):
        control = "no-cache"
    else:
        control = f"max-age={315360000 if text == 'max' else seconds(text)}"
    yield AnswerHeader(HeaderChange.REMOVE, "Expires", statuses=ADDED_TO)
    yield AnswerHeader(HeaderChange.SET, "Cache-Control", value(control), ADDED_TO)


REQUEST = {
    "proxy_set_header": proxy_set_header,
    "grpc_set_header": proxy_set_header,
    "more_set_input_headers": more_set_input_headers,
    "more_clear_input_headers": more_clear_input_headers,
}
ANSWER = {
    "more_set_headers": more_set_headers,
    "more_clear_headers": more_clear_headers,
    "add_header": add_header,
    "proxy_hide_header": proxy_hide_header,
    "grpc_hide_header": proxy_hide_header,
    "expires": expires,
}


def _two(directive: Directive) -> tuple[str, str]:
    if len(directive.arguments) != 2:
        raise Misformed("it takes a name and a value")
    return directive.arguments[0], directive.arguments[1]


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise Misformed(f"{text!r} is no name of a header")
    return text


def _options(directive: Directive, *, flags: str, values: str) -> tuple[dict[str, str], list[str]]:
    """The options `-x` with their arguments, and what is no option."""
    found: dict[str, str] = {}
    lines: list[str] = []
    arguments = iter(directive.arguments)
    for argument in arguments:
        letter = argument[1:]
        if not argument.startswith("-") or len(argument) != 2:
            lines.append(argument)
        elif letter in flags:
            found[letter] = ""
        elif letter in values:
            found[letter] = f"{found.get(letter, '')} {next(arguments, '')}".strip()
        else:
            raise Misformed(f"the option {argument} is not known here")
    if not lines:
        raise Misformed("it names no header")
    return found, lines


def _conditions(options: dict[str, str]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    statuses = options.get("s", "").replace(",", " ").split()
    if not all(re.fullmatch("[1-5][0-9]{2}", one) for one in statuses):
        raise Misformed("a status is three digits")
    return tuple(map(int, statuses)), tuple(options.get("t", "").lower().replace(",", " ").split())
